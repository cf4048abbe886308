"""Which instances EMR accepts for a cluster, and groups and fleets as records."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.errors import validation_error
from airflow_provider_emrkit.localemr.emr.ids import new_id
from airflow_provider_emrkit.localemr.emr.instance_batches import machine, resize, targets
from airflow_provider_emrkit.localemr.emr.model import InstancesRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_INSTANCES = 2_000
_MAX_TASK_GROUPS = 48
_MAX_FLEET_TYPES = 5
_MAX_FLEET_TYPES_WITH_STRATEGY = 30
_INSTANCE_TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+", re.ASCII)


def instance_records(instances: Mapping[str, Any]) -> tuple[bool, list[InstancesRecord]]:
    """Check the ``Instances`` of a RunJobFlow request and make its groups' or fleets' records.

    :return: Whether they are fleets, and the records.
    :raises ApiError: ``ValidationException``.
    """
    groups, fleets = instances.get("InstanceGroups"), instances.get("InstanceFleets")
    plain = instances.get("InstanceCount") or instances.get("MasterInstanceType")
    if sum(map(bool, (groups, fleets, plain))) != 1:
        raise validation_error(
            "Must specify exactly one of the following: "
            "InstanceGroups, InstanceFleets, or InstanceCount with MasterInstanceType."
        )
    _check_subnets(instances)
    if fleets:
        _check_fleets(fleets)
        return True, [_record(fleet_record(fleet)) for fleet in fleets]
    groups = groups or _groups_of_count(instances)
    check_groups(groups)
    return False, [_record(group_record(group)) for group in groups]


def _record(record: InstancesRecord) -> InstancesRecord:
    resize(record)
    return record


def group_record(config: Mapping[str, Any]) -> InstancesRecord:
    """Make the record of an instance group, yet without instances."""
    kept = {name: value for name, value in config.items() if name != "AutoScalingPolicy"}
    policy = config.get("AutoScalingPolicy")
    return InstancesRecord(new_id("ig"), config["InstanceRole"], kept, scaling_policy=policy)


def fleet_record(config: Mapping[str, Any]) -> InstancesRecord:
    """Make the record of an instance fleet, yet without instances."""
    return InstancesRecord(new_id("if"), config["InstanceFleetType"], dict(config))


def _check_subnets(instances: Mapping[str, Any]) -> None:
    if instances.get("Ec2SubnetId") and instances.get("Ec2SubnetIds"):
        raise validation_error("Must specify at most one of the following: Ec2SubnetId, Ec2SubnetIds.")
    if len(instances.get("Ec2SubnetIds", ())) > 1 and not instances.get("InstanceFleets"):
        raise validation_error("Multiple subnets are supported only for clusters with instance fleets.")


def _groups_of_count(instances: Mapping[str, Any]) -> list[dict[str, Any]]:
    count, master = instances.get("InstanceCount", 1), instances.get("MasterInstanceType")
    if not master:
        raise validation_error("MasterInstanceType is required when InstanceCount is given.")
    groups = [_group("MASTER", master, 1)]
    if count > 1:
        groups.append(_group("CORE", instances.get("SlaveInstanceType", master), count - 1))
    return groups


def _group(role: str, instance_type: str, count: int) -> dict[str, Any]:
    return {
        "InstanceRole": role,
        "InstanceType": instance_type,
        "InstanceCount": count,
        "Market": "ON_DEMAND",
    }


def check_groups(groups: Sequence[Mapping[str, Any]]) -> None:
    """Check all the instance groups of a cluster.

    :raises ApiError: ``ValidationException``.
    """
    roles = Counter(group["InstanceRole"] for group in groups)
    _check_roles(roles, "instance group")
    if roles["TASK"] > _MAX_TASK_GROUPS:
        raise validation_error(f"A cluster can have at most {_MAX_TASK_GROUPS} task instance groups.")
    for group in groups:
        role, count = group["InstanceRole"], group["InstanceCount"]
        if role == "MASTER" and count not in (1, 3):
            raise validation_error(f"The InstanceCount {count} of the MASTER instance group is not valid.")
        check_count(role, count)
        check_instance_type(group["InstanceType"])


def check_count(role: str, count: int) -> None:
    """Check how many instances a group is to have.

    :raises ApiError: ``ValidationException``.
    """
    if not 0 <= count <= MAX_INSTANCES:
        raise validation_error(
            f"The InstanceCount {count} of the {role} instance group is not valid; "
            f"it must be 0 to {MAX_INSTANCES}."
        )


def check_instance_type(name: str) -> None:
    """Check that a text can be the name of an instance type; which ones there are is not known here.

    :raises ApiError: ``ValidationException``.
    """
    if not _INSTANCE_TYPE.fullmatch(name):
        raise validation_error(f"Instance type '{name}' is not supported.")


def _check_fleets(fleets: Sequence[Mapping[str, Any]]) -> None:
    roles = Counter(fleet["InstanceFleetType"] for fleet in fleets)
    _check_roles(roles, "instance fleet")
    if roles["TASK"] > 1:
        raise validation_error("A cluster can have only one TASK instance fleet.")
    for fleet in fleets:
        check_fleet(fleet)


def check_fleet(fleet: Mapping[str, Any]) -> None:
    """Check an instance fleet by itself.

    :raises ApiError: ``ValidationException``.
    """
    role = fleet["InstanceFleetType"]
    capacity = fleet.get("TargetOnDemandCapacity", 0) + fleet.get("TargetSpotCapacity", 0)
    if capacity < 1:
        raise validation_error(
            f"The {role} instance fleet needs TargetOnDemandCapacity or TargetSpotCapacity greater than 0."
        )
    if role == "MASTER" and capacity not in (1, 3):
        raise validation_error(
            f"The MASTER instance fleet has a target capacity of {capacity}; it must be 1 or 3."
        )
    types = fleet.get("InstanceTypeConfigs", [])
    launch = fleet.get("LaunchSpecifications", {})
    strategies = [specification.get("AllocationStrategy") for specification in launch.values()]
    limit = _MAX_FLEET_TYPES_WITH_STRATEGY if any(strategies) else _MAX_FLEET_TYPES
    if not 1 <= len(types) <= limit:
        raise validation_error(
            f"The {role} instance fleet has {len(types)} instance types; it must have 1 to {limit}."
        )
    for config in types:
        check_instance_type(config["InstanceType"])
    check_capacity(fleet)


def check_capacity(fleet: Mapping[str, Any]) -> None:
    """Check that a fleet's capacity is not more instances than it can have.

    :raises ApiError: ``ValidationException``.
    """
    _, units = machine(fleet)
    count = sum(-(-target // units) for target in targets(fleet).values())
    if count > MAX_INSTANCES:
        raise validation_error(
            f"The instance fleet would have {count} instances; the limit is {MAX_INSTANCES}."
        )


def _check_roles(roles: Counter[str], kind: str) -> None:
    if roles["MASTER"] != 1:
        raise validation_error(f"A cluster must have exactly one MASTER {kind}, not {roles['MASTER']}.")
    if roles["CORE"] > 1:
        raise validation_error(f"A cluster can have only one CORE {kind}.")
    if roles["TASK"] and not roles["CORE"]:
        raise validation_error(f"A cluster with a TASK {kind} must have a CORE {kind}.")
