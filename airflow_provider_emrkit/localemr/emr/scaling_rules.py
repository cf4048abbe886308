"""Which scaling policies EMR accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.errors import validation_error
from airflow_provider_emrkit.localemr.emr.release_rules import need

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_emrkit.localemr.emr.model import InstancesRecord
    from airflow_provider_emrkit.releases import Release

_PERFORMANCE_INDEXES = (1, 25, 50, 75, 100)
_CLUSTER_ID = "${emr.clusterId}"


def check_scaling_policy(
    policy: Mapping[str, Any], group_role: str, role: str | None, managed: object
) -> None:
    """Check an ``AutoScalingPolicy`` of an instance group.

    :param group_role: ``MASTER``, ``CORE`` or ``TASK``.
    :param role: The cluster's ``AutoScalingRole``.
    :param managed: The cluster's managed scaling policy, if it has one: it can't have both.
    :raises ApiError: ``ValidationException``.
    """
    if group_role == "MASTER":
        raise validation_error("An automatic scaling policy is for core and task instance groups only.")
    if not role:
        raise validation_error("AutoScalingRole is required for an automatic scaling policy.")
    if managed is not None:
        raise _both_kinds()
    if not policy["Rules"]:
        raise validation_error("An automatic scaling policy must have at least one rule.")
    low, high = policy["Constraints"]["MinCapacity"], policy["Constraints"]["MaxCapacity"]
    if not 0 <= low <= high:
        raise validation_error(f"The Constraints are not valid: MinCapacity {low}, MaxCapacity {high}.")


def checked_managed_scaling(
    policy: Mapping[str, Any] | None, known: Release, groups: Iterable[InstancesRecord], uses_fleets: bool
) -> dict[str, Any] | None:
    """Check a ``ManagedScalingPolicy`` and return a copy.

    :param groups: The cluster's groups or fleets.
    :raises ApiError: ``ValidationException``.
    """
    if policy is None:
        return None
    need(known, "managed_scaling", "ManagedScalingPolicy")
    if any(group.scaling_policy is not None for group in groups):
        raise _both_kinds()
    index = policy.get("UtilizationPerformanceIndex")
    if index is not None and index not in _PERFORMANCE_INDEXES:
        raise validation_error(
            f"The UtilizationPerformanceIndex {index} is not valid; use 1, 25, 50, 75 or 100."
        )
    limits = policy.get("ComputeLimits")
    if limits is not None:
        _check_limits(limits, uses_fleets)
    return dict(policy)


def _check_limits(limits: Mapping[str, Any], uses_fleets: bool) -> None:
    unit = limits["UnitType"]
    if (unit == "InstanceFleetUnits") != uses_fleets:
        used = "fleets" if uses_fleets else "groups"
        raise validation_error(f"The UnitType {unit} is not valid for a cluster of instance {used}.")
    low, high = limits["MinimumCapacityUnits"], limits["MaximumCapacityUnits"]
    if not 1 <= low <= high:
        raise validation_error(
            f"The ComputeLimits are not valid: MinimumCapacityUnits {low}, MaximumCapacityUnits {high}."
        )
    for name in ("MaximumOnDemandCapacityUnits", "MaximumCoreCapacityUnits"):
        if not 0 <= limits.get(name, 0) <= high:
            raise validation_error(
                f"The ComputeLimits are not valid: {name} {limits[name]}, MaximumCapacityUnits {high}."
            )


def _both_kinds() -> Exception:
    """Give the error for a cluster that would scale by two kinds of policies."""
    return validation_error("Automatic scaling policies and managed scaling can't be used together.")


def with_cluster_id(policy: Mapping[str, Any], cluster_id: str) -> dict[str, Any]:
    """Fill a cluster's id into the dimensions of a policy's alarms, where ``${emr.clusterId}`` stands."""
    return {**policy, "Rules": [_filled(rule, cluster_id) for rule in policy["Rules"]]}


def _filled(rule: Mapping[str, Any], cluster_id: str) -> dict[str, Any]:
    alarm = rule["Trigger"]["CloudWatchAlarmDefinition"]
    dimensions = [
        {**item, "Value": item.get("Value", "").replace(_CLUSTER_ID, cluster_id)}
        for item in alarm.get("Dimensions", [])
    ]
    return {**rule, "Trigger": {"CloudWatchAlarmDefinition": {**alarm, "Dimensions": dimensions}}}
