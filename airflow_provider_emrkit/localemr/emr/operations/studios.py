"""EMR Studios: kept and shown, for clients that manage them; there is no page behind their address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.config import ACCOUNT_ID
from airflow_provider_emrkit.localemr.emr.cluster_rules import checked_tags
from airflow_provider_emrkit.localemr.emr.errors import invalid_request
from airflow_provider_emrkit.localemr.emr.ids import new_id
from airflow_provider_emrkit.localemr.emr.model import ResourceRecord
from airflow_provider_emrkit.localemr.emr.paging import page
from airflow_provider_emrkit.localemr.emr.shapes import shown_tags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.localemr.emr.context import Call, Emr

MAX_SUBNETS = 5


def create_studio(emr: Emr, call: Call) -> dict[str, Any]:
    """CreateStudio."""
    params = call.params
    _check(params)
    if params["AuthMode"] == "SSO" and not params.get("UserRole"):
        raise invalid_request("UserRole is required for a Studio with the AuthMode SSO.")
    data = {**params, "Tags": shown_tags(checked_tags(params.get("Tags", [])))}
    now = emr.now()
    record = ResourceRecord("studio", call.region, new_id("es", 25), now, now, data)
    emr.store.resources.put(record)
    return {"StudioId": record.name, "Url": _url(record)}


def _check(params: Mapping[str, Any]) -> None:
    count = len(params.get("SubnetIds", ["any"]))
    if not 1 <= count <= MAX_SUBNETS:
        raise invalid_request(f"A Studio must have 1 to {MAX_SUBNETS} subnets, not {count}.")
    location = params.get("DefaultS3Location", "s3://")
    if not location.startswith("s3://"):
        raise invalid_request(f"The DefaultS3Location '{location}' is not valid; it must start with s3://.")
    if params.get("Name") == "":
        raise invalid_request("The Name of a Studio must not be empty.")


def describe_studio(emr: Emr, call: Call) -> dict[str, Any]:
    """DescribeStudio."""
    return {"Studio": _details(found_studio(emr, call, call.params["StudioId"]))}


def update_studio(emr: Emr, call: Call) -> dict[str, Any]:
    """UpdateStudio."""
    record = found_studio(emr, call, call.params["StudioId"])
    _check(call.params)
    record.data = {**record.data, **{name: item for name, item in call.params.items() if name != "StudioId"}}
    record.modified = emr.now()
    emr.store.resources.put(record)
    return {}


def delete_studio(emr: Emr, call: Call) -> dict[str, Any]:
    """DeleteStudio, with its session mappings."""
    record = found_studio(emr, call, call.params["StudioId"])
    for mapping in emr.store.resources.all("studio session mapping", call.region):
        if mapping.data["StudioId"] == record.name:
            emr.store.resources.remove(mapping)
    emr.store.resources.remove(record)
    return {}


def list_studios(emr: Emr, call: Call) -> dict[str, Any]:
    """ListStudios."""
    records = emr.store.resources.all("studio", call.region)
    found, marker = page(records, call.params.get("Marker"), lambda record: record.name)
    return {"Studios": [_summary(record) for record in found], "Marker": marker}


def found_studio(emr: Emr, call: Call, studio_id: str) -> ResourceRecord:
    """Find a Studio.

    :raises ApiError: ``InvalidRequestException`` when it is not there.
    """
    record = emr.store.resources.get("studio", call.region, studio_id)
    if record is None:
        raise invalid_request("Studio does not exist.")
    return record


def _details(record: ResourceRecord) -> dict[str, Any]:
    return {
        "TrustedIdentityPropagationEnabled": False,
        **record.data,
        "StudioId": record.name,
        "StudioArn": f"arn:aws:elasticmapreduce:{record.region}:{ACCOUNT_ID}:studio/{record.name}",
        "Url": _url(record),
        "CreationTime": record.created,
    }


def _summary(record: ResourceRecord) -> dict[str, Any]:
    details = _details(record)
    names = ("StudioId", "Name", "VpcId", "Description", "Url", "AuthMode", "CreationTime")
    return {name: details.get(name) for name in names}


def _url(record: ResourceRecord) -> str:
    return f"https://{record.name}.emrstudio-prod.{record.region}.amazonaws.com"


OPERATIONS = {
    "CreateStudio": create_studio,
    "DeleteStudio": delete_studio,
    "DescribeStudio": describe_studio,
    "ListStudios": list_studios,
    "UpdateStudio": update_studio,
}
