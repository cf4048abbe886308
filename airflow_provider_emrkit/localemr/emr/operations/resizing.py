"""Adding, resizing and reconfiguring instance groups and fleets.

All instances are this one machine: what changes is what the API shows. A change takes a moment, so that a
client sees it under way.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.errors import invalid_request, validation_error
from airflow_provider_emrkit.localemr.emr.instance_batches import ec2_ids, end_instances, resize
from airflow_provider_emrkit.localemr.emr.instance_rules import (
    check_capacity,
    check_count,
    check_fleet,
    check_groups,
    check_instance_type,
    fleet_record,
    group_record,
)
from airflow_provider_emrkit.localemr.emr.model import READY_STATES
from airflow_provider_emrkit.localemr.emr.scaling_rules import check_scaling_policy, with_cluster_id
from airflow_provider_emrkit.localemr.emr.shapes import cluster_arn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emrkit.localemr.aws_json import ApiError
    from airflow_provider_emrkit.localemr.emr.context import Call, Emr
    from airflow_provider_emrkit.localemr.emr.model import ClusterRecord, InstancesRecord

_NOT_MODIFIABLE = "An instance group may only be modified when the cluster is running or waiting"


def add_instance_groups(emr: Emr, call: Call) -> dict[str, Any]:
    """AddInstanceGroups: task groups only, as EMR adds them."""
    cluster = emr.job_flow(call, call.params["JobFlowId"])
    configs = call.params["InstanceGroups"]
    _check_added_groups(cluster, configs)
    added = [group_record(config) for config in configs]
    for record in added:
        _add(emr, cluster, record)
    emr.changed(cluster)
    return {
        "JobFlowId": cluster.id,
        "InstanceGroupIds": [record.id for record in added],
        "ClusterArn": cluster_arn(cluster),
    }


def _check_added_groups(cluster: ClusterRecord, configs: Sequence[Mapping[str, Any]]) -> None:
    if cluster.uses_fleets:
        raise validation_error("Instance fleets and instance groups are mutually exclusive.")
    if cluster.state not in READY_STATES:
        raise validation_error("Instance groups may only be added when the cluster is running or waiting")
    if any(config["InstanceRole"] != "TASK" for config in configs):
        raise validation_error("Only task instance groups may be added to a running cluster")
    check_groups([*(record.config for record in cluster.instances), *configs])
    for config in configs:
        if "AutoScalingPolicy" in config:
            role = cluster.request.get("AutoScalingRole")
            check_scaling_policy(config["AutoScalingPolicy"], "TASK", role, cluster.managed_scaling)


def add_instance_fleet(emr: Emr, call: Call) -> dict[str, Any]:
    """AddInstanceFleet: a task fleet, for a cluster of fleets that has none."""
    cluster = emr.cluster(call, call.params["ClusterId"])
    config = call.params["InstanceFleet"]
    _check_fleets_can_change(cluster)
    if config["InstanceFleetType"] != "TASK":
        raise invalid_request("Only a task instance fleet can be added to a running cluster.")
    if any(record.role == "TASK" for record in cluster.instances):
        raise invalid_request(f"Cluster {cluster.id} has a TASK instance fleet already.")
    check_fleet(config)
    record = fleet_record(config)
    _add(emr, cluster, record)
    emr.changed(cluster)
    return {"ClusterId": cluster.id, "InstanceFleetId": record.id, "ClusterArn": cluster_arn(cluster)}


def _add(emr: Emr, cluster: ClusterRecord, record: InstancesRecord) -> None:
    record.created, record.ready = emr.now(), emr.settled()
    if record.scaling_policy is not None:
        record.scaling_policy = with_cluster_id(record.scaling_policy, cluster.id)
    resize(record, record.ready, record.created)
    cluster.instances.append(record)


def modify_instance_groups(emr: Emr, call: Call) -> dict[str, Any]:
    """ModifyInstanceGroups: all of them, or none when one can't be."""
    changes = call.params.get("InstanceGroups", [])
    found = [_group_to_change(emr, call, change) for change in changes]
    if len({record.id for _, record in found}) < len(found):
        raise validation_error("An instance group can be modified only once in one request")
    for (_, record), change in zip(found, changes, strict=True):
        _check_group_change(record, change)
    for (cluster, record), change in zip(found, changes, strict=True):
        _change_group(emr, record, change)
        emr.changed(cluster)
    return {}


def _group_to_change(
    emr: Emr, call: Call, change: Mapping[str, Any]
) -> tuple[ClusterRecord, InstancesRecord]:
    cluster_id, group_id = call.params.get("ClusterId"), change["InstanceGroupId"]
    clusters = emr.store.clusters(call.region) if cluster_id is None else [emr.job_flow(call, cluster_id)]
    for cluster in clusters:
        for record in cluster.instances:
            if record.id == group_id and not cluster.uses_fleets:
                if cluster.state not in READY_STATES:
                    raise validation_error(_NOT_MODIFIABLE)
                return cluster, record
    raise validation_error(f"Instance group id '{group_id}' is not valid")


def _check_group_change(record: InstancesRecord, change: Mapping[str, Any]) -> None:
    count, ending = change.get("InstanceCount"), change.get("EC2InstanceIdsToTerminate", ())
    if count is None and not ending and "Configurations" not in change and "ShrinkPolicy" not in change:
        raise validation_error("Please provide an instance count, instances to terminate or configurations")
    if record.role == "MASTER" and (count is not None or ending):
        raise validation_error("A master instance group may not be modified")
    if count is not None and ending:
        raise validation_error("InstanceCount and EC2InstanceIdsToTerminate are mutually exclusive")
    if count is not None:
        check_count(record.role, count)
    unknown = set(ending) - set(ec2_ids(record).values())
    if unknown:
        raise validation_error(f"Instance '{min(unknown)}' is not a running instance of group {record.id}")


def _change_group(emr: Emr, record: InstancesRecord, change: Mapping[str, Any]) -> None:
    record.shrink_policy = change.get("ShrinkPolicy", record.shrink_policy)
    ending = set(change.get("EC2InstanceIdsToTerminate", ()))
    if ending:
        numbers = {number for number, name in ec2_ids(record).items() if name in ending}
        end_instances(record, numbers, emr.settled())
        record.config = {**record.config, "InstanceCount": record.config["InstanceCount"] - len(numbers)}
    if "InstanceCount" in change:
        record.config = {**record.config, "InstanceCount": change["InstanceCount"]}
        resize(record, emr.settled(), emr.now())
    if "Configurations" in change:
        _reconfigure(emr, record, change)


def _reconfigure(emr: Emr, record: InstancesRecord, change: Mapping[str, Any]) -> None:
    record.applied = record.config.get("Configurations", [])
    wanted = list(change["Configurations"])
    if change.get("ReconfigurationType") == "MERGE":
        wanted = _merged(record.applied, wanted)
    record.config = {**record.config, "Configurations": wanted}
    record.version, record.reconfigured = record.version + 1, emr.settled()


def _merged(before: Sequence[Mapping[str, Any]], change: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Lay configurations over others, property by property; nested ones are told apart by their names too."""
    merged = {item.get("Classification"): dict(item) for item in before}
    for item in change:
        old = merged.get(item.get("Classification"), {})
        nested = _merged(old.get("Configurations", []), item.get("Configurations", []))
        merged[item.get("Classification")] = {
            **old,
            **item,
            "Properties": {**old.get("Properties", {}), **item.get("Properties", {})},
            **({"Configurations": nested} if nested else {}),
        }
    return list(merged.values())


def modify_instance_fleet(emr: Emr, call: Call) -> dict[str, Any]:
    """ModifyInstanceFleet."""
    cluster = emr.cluster(call, call.params["ClusterId"])
    change = call.params["InstanceFleet"]
    _check_fleets_can_change(cluster)
    fleet_id = change["InstanceFleetId"]
    record = next((found for found in cluster.instances if found.id == fleet_id), None)
    if record is None:
        raise invalid_request(f"Instance fleet id '{fleet_id}' is not valid.")
    if record.role == "MASTER":
        raise invalid_request("A master instance fleet may not be modified.")
    config = {**record.config, **{name: item for name, item in change.items() if name != "InstanceFleetId"}}
    _check_changed_fleet(config)
    record.config = config
    resize(record, emr.settled(), emr.now())
    emr.changed(cluster)
    return {}


def _check_changed_fleet(config: Mapping[str, Any]) -> None:
    if not config["InstanceTypeConfigs"]:
        raise invalid_request("An instance fleet must have at least one instance type.")
    for item in config["InstanceTypeConfigs"]:
        check_instance_type(item["InstanceType"])
    check_capacity(config)
    repeated = [name for name, n in Counter(_types(config)).items() if n > 1]
    if repeated:
        raise invalid_request(f"Instance type '{repeated[0]}' is given twice.")


def _types(config: Mapping[str, Any]) -> list[str]:
    return [item["InstanceType"] for item in config["InstanceTypeConfigs"]]


def _check_fleets_can_change(cluster: ClusterRecord) -> None:
    if not cluster.uses_fleets:
        raise invalid_request("Instance fleets and instance groups are mutually exclusive.")
    if cluster.state not in READY_STATES:
        raise _fleet_state_error(cluster)


def _fleet_state_error(cluster: ClusterRecord) -> ApiError:
    return invalid_request(
        "An instance fleet may only be modified when the cluster is running or waiting; "
        f"cluster {cluster.id} is {cluster.state}."
    )


OPERATIONS = {
    "AddInstanceFleet": add_instance_fleet,
    "AddInstanceGroups": add_instance_groups,
    "ModifyInstanceFleet": modify_instance_fleet,
    "ModifyInstanceGroups": modify_instance_groups,
}
