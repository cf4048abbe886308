"""Automatic scaling policies of instance groups: kept and shown; nothing here watches their alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.errors import closed_job_flow, validation_error
from airflow_provider_emrkit.localemr.emr.instance_shapes import scaling_description
from airflow_provider_emrkit.localemr.emr.scaling_rules import check_scaling_policy, with_cluster_id
from airflow_provider_emrkit.localemr.emr.shapes import cluster_arn

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.emr.context import Call, Emr
    from airflow_provider_emrkit.localemr.emr.model import ClusterRecord, InstancesRecord


def put_auto_scaling_policy(emr: Emr, call: Call) -> dict[str, Any]:
    """PutAutoScalingPolicy."""
    cluster, group = _group(emr, call)
    policy = call.params["AutoScalingPolicy"]
    role = cluster.request.get("AutoScalingRole")
    check_scaling_policy(policy, group.role, role, cluster.managed_scaling)
    group.scaling_policy = with_cluster_id(policy, cluster.id)
    emr.changed(cluster)
    return {
        "ClusterId": cluster.id,
        "InstanceGroupId": group.id,
        "AutoScalingPolicy": scaling_description(group.scaling_policy, "PENDING"),
        "ClusterArn": cluster_arn(cluster),
    }


def remove_auto_scaling_policy(emr: Emr, call: Call) -> dict[str, Any]:
    """RemoveAutoScalingPolicy."""
    cluster, group = _group(emr, call)
    group.scaling_policy = None
    emr.changed(cluster)
    return {}


def _group(emr: Emr, call: Call) -> tuple[ClusterRecord, InstancesRecord]:
    cluster = emr.cluster(call, call.params["ClusterId"])
    group_id = call.params["InstanceGroupId"]
    if not cluster.is_open:
        raise closed_job_flow()
    group = next((record for record in cluster.instances if record.id == group_id), None)
    if group is None or cluster.uses_fleets:
        raise validation_error(f"Instance group id '{group_id}' is not valid")
    return cluster, group


OPERATIONS = {
    "PutAutoScalingPolicy": put_auto_scaling_policy,
    "RemoveAutoScalingPolicy": remove_auto_scaling_policy,
}
