"""The addresses of applications' pages: a Spark history server of this machine shows them all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.config import ACCOUNT_ID
from airflow_provider_emrkit.localemr.emr.cluster_rules import checked_tags
from airflow_provider_emrkit.localemr.emr.errors import invalid_request
from airflow_provider_emrkit.localemr.emr.ids import new_id
from airflow_provider_emrkit.localemr.emr.model import READY_STATES, ResourceRecord
from airflow_provider_emrkit.localemr.emr.shapes import cluster_arn, shown_tags
from airflow_provider_emrkit.localemr.spark_page import is_application_id

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.emr.context import Call, Emr
    from airflow_provider_emrkit.localemr.emr.model import ResourceKind

_KIND: ResourceKind = "persistent app UI"
# Of whatever account: there is but one here.
_CLUSTER_ARN = re.compile(r"arn:aws[a-z-]*:elasticmapreduce:([a-z0-9-]+):\d*:cluster/(j-[A-Z0-9]+)", re.ASCII)
_SHOWN_ON_CLUSTER = ("SparkHistoryServer", "ApplicationMaster")


def create_persistent_app_ui(emr: Emr, call: Call) -> dict[str, Any]:
    """CreatePersistentAppUI: of a cluster that runs or has ended; the same one when it has one already."""
    named = _CLUSTER_ARN.fullmatch(call.params["TargetResourceArn"])
    if named is None or named[1] != call.region:
        raise invalid_request(
            f"Target resource '{call.params['TargetResourceArn']}' is not valid; "
            f"it must be the ARN of a cluster in {call.region}."
        )
    cluster = emr.cluster(call, named[2])
    arn = cluster_arn(cluster)
    kept = emr.store.resources.all(_KIND, call.region)
    record = next((found for found in kept if found.data["TargetResourceArn"] == arn), None)
    if record is None:
        data = {"TargetResourceArn": arn, "Tags": shown_tags(checked_tags(call.params.get("Tags", [])))}
        now = emr.now()
        record = ResourceRecord(_KIND, call.region, new_id("p"), now, now, data)
        emr.store.resources.put(record)
    return {"PersistentAppUIId": record.name, "RuntimeRoleEnabledCluster": cluster.runtime_roles}


def describe_persistent_app_ui(emr: Emr, call: Call) -> dict[str, Any]:
    """DescribePersistentAppUI."""
    record = _found(emr, call)
    details = {
        "PersistentAppUIId": record.name,
        "PersistentAppUITypeList": ["SHS"],
        "PersistentAppUIStatus": "ATTACHED",
        "AuthorId": ACCOUNT_ID,
        "CreationTime": record.created,
        "LastModifiedTime": record.modified,
        "Tags": record.data["Tags"],
    }
    return {"PersistentAppUI": details}


def get_persistent_app_ui_url(emr: Emr, call: Call) -> dict[str, Any]:
    """GetPersistentAppUIPresignedURL."""
    _found(emr, call)
    kind = call.params.get("PersistentAppUIType", "SHS")
    if kind != "SHS":
        raise invalid_request(f"localemr shows no {kind} pages; the PersistentAppUIType it has is SHS.")
    return _page(emr, call)


def get_on_cluster_app_ui_url(emr: Emr, call: Call) -> dict[str, Any]:
    """GetOnClusterAppUIPresignedURL."""
    cluster = emr.cluster(call, call.params["ClusterId"])
    if cluster.state not in READY_STATES:
        raise invalid_request(f"Cluster {cluster.id} shows no pages in state {cluster.state}.")
    kind = call.params.get("OnClusterAppUIType", "SparkHistoryServer")
    if kind not in _SHOWN_ON_CLUSTER:
        known = " and ".join(_SHOWN_ON_CLUSTER)
        raise invalid_request(f"localemr shows no {kind} pages; the types it has are {known}.")
    if call.params.get("DryRun"):
        return {"PresignedURLReady": True}
    return _page(emr, call)


def _page(emr: Emr, call: Call) -> dict[str, Any]:
    name: str | None = call.params.get("ApplicationId")
    if name is not None and not is_application_id(name):
        raise invalid_request(f"Application id '{name[:100]}' is not valid.")
    return {"PresignedURLReady": True, "PresignedURL": emr.page_url(name)}


def _found(emr: Emr, call: Call) -> ResourceRecord:
    name = call.params["PersistentAppUIId"]
    record = emr.store.resources.get(_KIND, call.region, name)
    if record is None:
        raise invalid_request(f"Persistent app UI id '{name}' is not valid.")
    return record


OPERATIONS = {
    "CreatePersistentAppUI": create_persistent_app_ui,
    "DescribePersistentAppUI": describe_persistent_app_ui,
    "GetOnClusterAppUIPresignedURL": get_on_cluster_app_ui_url,
    "GetPersistentAppUIPresignedURL": get_persistent_app_ui_url,
}
