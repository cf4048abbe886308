"""What EMR says of clusters that fail, in its own words where they are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.emr.ids import instance_id
from airflow_provider_emrkit.localemr.run.bootstrap_failure import error_detail, returned
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.emr.model import ClusterRecord
    from airflow_provider_emrkit.localemr.faults.cluster_kinds import BootstrapFailure, NoCapacity

LOST_NODE = (
    "Job aborted due to stage failure: ExecutorLostFailure (executor 1 exited caused by one of the running "
    "tasks) Reason: Container marked as failed. Exit status: -100. "
    "Diagnostics: Container released on a *lost* node."
)
"""What a Spark job says that could not go on without a node."""


def no_capacity(fault: NoCapacity, cluster: ClusterRecord) -> ClusterStartError:
    """Give the end of a cluster that gets no instances."""
    instance_type, is_spot = _primary(cluster)
    placement = cluster.request["Instances"].get("Placement", {})
    zones = [*placement.get("AvailabilityZones", []), placement.get("AvailabilityZone")]
    zone = next(filter(None, zones), f"{cluster.region}a")
    code = (
        "INTERNAL_ERROR_SPOT_NO_CAPACITY_PRIMARY"
        if is_spot
        else "INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ"
    )
    data = {"instance-type": instance_type, "availability-zone": zone}
    if is_spot:
        data = {"primary-instance-id": instance_id(cluster.id), **data}
    message = fault.message or (
        f"EC2 is out of capacity for {instance_type} in availability zone {zone}. "
        "Learn more at https://docs.aws.amazon.com/console/elasticmapreduce/ERROR_noinstancecapacity"
    )
    return ClusterStartError(message, fault.code, [error_detail(code, message, data)])


def bootstrap_failure(fault: BootstrapFailure, cluster: ClusterRecord) -> ClusterStartError:
    """Give the end of a cluster whose bootstrap action, or whose installation, fails."""
    primary = instance_id(cluster.id)
    actions = cluster.request.get("BootstrapActions", [])
    if not actions:
        return ClusterStartError(
            f"On the master instance ({primary}), application provisioning failed", "BOOTSTRAP_FAILURE"
        )
    number = min(fault.action, len(actions))
    path = str(actions[number - 1]["ScriptBootstrapAction"]["Path"])
    return returned(primary, number, path, code=1)


def _primary(cluster: ClusterRecord) -> tuple[str, bool]:
    """Give the instance type of the primary node, and whether it is to be a Spot instance."""
    config = next(record.config for record in cluster.instances if record.role == "MASTER")
    types = config.get("InstanceTypeConfigs", [config])
    is_spot = config.get("Market") == "SPOT" or config.get("TargetSpotCapacity", 0) > 0
    return str(types[0]["InstanceType"]), is_spot
