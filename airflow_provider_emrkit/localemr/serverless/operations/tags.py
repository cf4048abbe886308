"""Tags of applications and job runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.config import ACCOUNT_ID
from airflow_provider_emrkit.localemr.serverless.errors import not_found
from airflow_provider_emrkit.localemr.serverless.ids import parse_arn
from airflow_provider_emrkit.localemr.serverless.tag_rules import checked_tags

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.call import Call
    from airflow_provider_emrkit.localemr.serverless.context import Serverless
    from airflow_provider_emrkit.localemr.serverless.model import ApplicationRecord, RunRecord


def tag_resource(serverless: Serverless, call: Call) -> dict[str, Any]:
    """TagResource: a key that is there gets the new value."""
    record = _resource(serverless, call)
    record.tags = checked_tags({**record.tags, **call.params["tags"]})
    serverless.store.commit(record)
    return {}


def untag_resource(serverless: Serverless, call: Call) -> dict[str, Any]:
    """UntagResource: keys that are not there are ignored."""
    record = _resource(serverless, call)
    gone = frozenset(call.params["tagKeys"])
    record.tags = {key: value for key, value in record.tags.items() if key not in gone}
    serverless.store.commit(record)
    return {}


def list_tags_for_resource(serverless: Serverless, call: Call) -> dict[str, Any]:
    """ListTagsForResource."""
    return {"tags": _resource(serverless, call).tags}


def _resource(serverless: Serverless, call: Call) -> ApplicationRecord | RunRecord:
    region, account, application_id, kind, name = parse_arn(call.params["resourceArn"])
    if (region, account) != (call.region, ACCOUNT_ID):
        raise not_found("Resource", call.params["resourceArn"])
    application = serverless.find_application(region, application_id)
    if name is None:
        return application
    if kind != "jobruns":
        raise not_found("Session", name)
    return serverless.find_run(application, name)


OPERATIONS = {
    "ListTagsForResource": list_tags_for_resource,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
}
