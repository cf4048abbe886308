"""Which users and groups may use a Studio: kept and shown."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.errors import invalid_request
from airflow_provider_emrkit.localemr.emr.model import ResourceRecord
from airflow_provider_emrkit.localemr.emr.operations.studios import found_studio
from airflow_provider_emrkit.localemr.emr.paging import page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.localemr.emr.context import Call, Emr
    from airflow_provider_emrkit.localemr.emr.model import ResourceKind

_KIND: ResourceKind = "studio session mapping"


def create_mapping(emr: Emr, call: Call) -> dict[str, Any]:
    """CreateStudioSessionMapping."""
    found_studio(emr, call, call.params["StudioId"])
    if _lookup(emr, call) is not None:
        raise invalid_request("Studio session mapping already exists.")
    identity = call.params.get("IdentityId") or _identity_id(call.params["IdentityName"])
    data = {**call.params, "IdentityId": identity}
    name = f"{data['StudioId']} {data['IdentityType']} {identity}"
    now = emr.now()
    emr.store.resources.put(ResourceRecord(_KIND, call.region, name, now, now, data))
    return {}


def _identity_id(name: str) -> str:
    """Give a name the id that an identity store would know: always the same one."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"emrkit:identity:{name}"))


def get_mapping(emr: Emr, call: Call) -> dict[str, Any]:
    """GetStudioSessionMapping."""
    return {"SessionMapping": _details(_found(emr, call))}


def update_mapping(emr: Emr, call: Call) -> dict[str, Any]:
    """UpdateStudioSessionMapping."""
    record = _found(emr, call)
    record.data = {**record.data, "SessionPolicyArn": call.params["SessionPolicyArn"]}
    record.modified = emr.now()
    emr.store.resources.put(record)
    return {}


def delete_mapping(emr: Emr, call: Call) -> dict[str, Any]:
    """DeleteStudioSessionMapping."""
    emr.store.resources.remove(_found(emr, call))
    return {}


def list_mappings(emr: Emr, call: Call) -> dict[str, Any]:
    """ListStudioSessionMappings."""
    records = emr.store.resources.all(_KIND, call.region)
    found, marker = page(
        records,
        call.params.get("Marker"),
        lambda record: record.name,
        keep=lambda record: _fits(record.data, call.params, ("StudioId", "IdentityType")),
    )
    return {"SessionMappings": [_details(record) for record in found], "Marker": marker}


def _found(emr: Emr, call: Call) -> ResourceRecord:
    found_studio(emr, call, call.params["StudioId"])
    record = _lookup(emr, call)
    if record is None:
        raise invalid_request("Studio session mapping does not exist.")
    return record


def _lookup(emr: Emr, call: Call) -> ResourceRecord | None:
    if not call.params.get("IdentityId") and not call.params.get("IdentityName"):
        raise invalid_request("Either IdentityId or IdentityName must be specified.")
    names = ("StudioId", "IdentityType", "IdentityId", "IdentityName")
    kept = emr.store.resources.all(_KIND, call.region)
    return next((record for record in kept if _fits(record.data, call.params, names)), None)


def _fits(data: Mapping[str, Any], params: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    return all(data.get(name) == params[name] for name in names if params.get(name))


def _details(record: ResourceRecord) -> dict[str, Any]:
    return {**record.data, "CreationTime": record.created, "LastModifiedTime": record.modified}


OPERATIONS = {
    "CreateStudioSessionMapping": create_mapping,
    "DeleteStudioSessionMapping": delete_mapping,
    "GetStudioSessionMapping": get_mapping,
    "ListStudioSessionMappings": list_mappings,
    "UpdateStudioSessionMapping": update_mapping,
}
