"""Instance groups, fleets and instances, and bootstrap actions. All instances are this one machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.errors import invalid_request
from airflow_provider_emrkit.localemr.emr.instance_shapes import (
    fleet_details,
    group_details,
    instance_details,
)
from airflow_provider_emrkit.localemr.emr.paging import page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emrkit.localemr.emr.context import Call, Emr
    from airflow_provider_emrkit.localemr.emr.model import ClusterRecord, InstancesRecord


_FLEET_PARAMETERS = ("InstanceFleetId", "InstanceFleetType")


def list_instance_groups(emr: Emr, call: Call) -> dict[str, Any]:
    """ListInstanceGroups."""
    cluster = emr.cluster(call, call.params["ClusterId"])
    if cluster.uses_fleets:
        raise _other_collection("fleets", "ListInstanceGroups", "ListInstanceFleets")
    found, marker = page(cluster.instances, call.params.get("Marker"), lambda group: group.id)
    return {"InstanceGroups": [group_details(cluster, group, emr.now()) for group in found], "Marker": marker}


def list_instance_fleets(emr: Emr, call: Call) -> dict[str, Any]:
    """ListInstanceFleets."""
    cluster = emr.cluster(call, call.params["ClusterId"])
    if not cluster.uses_fleets:
        raise _other_collection("groups", "ListInstanceFleets", "ListInstanceGroups")
    found, marker = page(cluster.instances, call.params.get("Marker"), lambda fleet: fleet.id)
    return {"InstanceFleets": [fleet_details(cluster, fleet, emr.now()) for fleet in found], "Marker": marker}


def _other_collection(used: str, operation: str, other: str) -> Exception:
    return invalid_request(
        "Instance fleets and instance groups are mutually exclusive. "
        f"The EMR cluster specified in the request uses instance {used}. "
        f"The {operation} request does not support clusters that use instance {used}. "
        f"Use the {other} request instead."
    )


def list_instances(emr: Emr, call: Call) -> dict[str, Any]:
    """ListInstances."""
    cluster = emr.cluster(call, call.params["ClusterId"])
    states = frozenset(call.params.get("InstanceStates", ()))
    now = emr.now()
    items = (
        instance
        for record in _asked_for(cluster, call)
        for instance in instance_details(cluster, record, now)
    )
    found, marker = page(
        items,
        call.params.get("Marker"),
        lambda instance: str(instance["Id"]),
        keep=lambda instance: not states or instance["Status"]["State"] in states,
    )
    return {"Instances": found, "Marker": marker}


def _asked_for(cluster: ClusterRecord, call: Call) -> Iterator[InstancesRecord]:
    names = ("InstanceGroupId", "InstanceGroupTypes") if cluster.uses_fleets else _FLEET_PARAMETERS
    for name in names:
        if name in call.params:
            used = "fleets" if cluster.uses_fleets else "groups"
            raise invalid_request(f"{name} is not valid for a cluster that uses instance {used}.")
    record_id = call.params.get("InstanceGroupId") or call.params.get("InstanceFleetId")
    if record_id and all(record.id != record_id for record in cluster.instances):
        kind = "fleet" if cluster.uses_fleets else "group"
        raise invalid_request(f"Instance {kind} id '{record_id}' is not valid.")
    roles = {
        *call.params.get("InstanceGroupTypes", ()),
        *filter(None, [call.params.get("InstanceFleetType")]),
    }
    for record in cluster.instances:
        if (not record_id or record.id == record_id) and (not roles or record.role in roles):
            yield record


def list_bootstrap_actions(emr: Emr, call: Call) -> dict[str, Any]:
    """ListBootstrapActions."""
    cluster = emr.cluster(call, call.params["ClusterId"])
    numbered = list(enumerate(cluster.request.get("BootstrapActions", [])))
    found, marker = page(numbered, call.params.get("Marker"), lambda item: str(item[0]))
    return {"BootstrapActions": [_command(action) for _, action in found], "Marker": marker}


def _command(action: dict[str, Any]) -> dict[str, Any]:
    script = action["ScriptBootstrapAction"]
    return {"Name": action["Name"], "ScriptPath": script["Path"], "Args": script.get("Args", [])}


OPERATIONS = {
    "ListBootstrapActions": list_bootstrap_actions,
    "ListInstanceFleets": list_instance_fleets,
    "ListInstanceGroups": list_instance_groups,
    "ListInstances": list_instances,
}
