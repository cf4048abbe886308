"""Auto-termination and managed scaling policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.cluster_rules import checked_idle_timeout
from airflow_provider_emrkit.localemr.emr.errors import closed_job_flow
from airflow_provider_emrkit.localemr.emr.release_rules import release_of
from airflow_provider_emrkit.localemr.emr.scaling_rules import checked_managed_scaling

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.emr.context import Call, Emr
    from airflow_provider_emrkit.localemr.emr.model import ClusterRecord


def put_auto_termination_policy(emr: Emr, call: Call) -> dict[str, Any]:
    """PutAutoTerminationPolicy; the idle time counts from here."""
    cluster = _open_cluster(emr, call)
    policy = call.params.get("AutoTerminationPolicy", {})
    cluster.auto_termination = checked_idle_timeout(policy, release_of(cluster.release_label))
    if cluster.idle_since is not None:
        cluster.idle_since = emr.now()
    emr.changed(cluster)
    return {}


def get_auto_termination_policy(emr: Emr, call: Call) -> dict[str, Any]:
    """GetAutoTerminationPolicy."""
    seconds = emr.cluster(call, call.params["ClusterId"]).auto_termination
    return {"AutoTerminationPolicy": None if seconds is None else {"IdleTimeout": int(seconds)}}


def remove_auto_termination_policy(emr: Emr, call: Call) -> dict[str, Any]:
    """RemoveAutoTerminationPolicy."""
    cluster = _open_cluster(emr, call)
    cluster.auto_termination = None
    emr.changed(cluster)
    return {}


def put_managed_scaling_policy(emr: Emr, call: Call) -> dict[str, Any]:
    """PutManagedScalingPolicy: kept and shown; a cluster of one machine has nothing to scale."""
    cluster = _open_cluster(emr, call)
    policy = call.params["ManagedScalingPolicy"]
    cluster.managed_scaling = checked_managed_scaling(
        policy, release_of(cluster.release_label), cluster.instances, cluster.uses_fleets
    )
    emr.changed(cluster)
    return {}


def get_managed_scaling_policy(emr: Emr, call: Call) -> dict[str, Any]:
    """GetManagedScalingPolicy."""
    return {"ManagedScalingPolicy": emr.cluster(call, call.params["ClusterId"]).managed_scaling}


def remove_managed_scaling_policy(emr: Emr, call: Call) -> dict[str, Any]:
    """RemoveManagedScalingPolicy."""
    cluster = _open_cluster(emr, call)
    cluster.managed_scaling = None
    emr.changed(cluster)
    return {}


def _open_cluster(emr: Emr, call: Call) -> ClusterRecord:
    cluster = emr.cluster(call, call.params["ClusterId"])
    if not cluster.is_open:
        raise closed_job_flow()
    return cluster


OPERATIONS = {
    "GetAutoTerminationPolicy": get_auto_termination_policy,
    "GetManagedScalingPolicy": get_managed_scaling_policy,
    "PutAutoTerminationPolicy": put_auto_termination_policy,
    "PutManagedScalingPolicy": put_managed_scaling_policy,
    "RemoveAutoTerminationPolicy": remove_auto_termination_policy,
    "RemoveManagedScalingPolicy": remove_managed_scaling_policy,
}
