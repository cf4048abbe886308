"""Settings of a cluster that can be changed while it lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.cluster_rules import check_concurrency
from airflow_provider_emrkit.localemr.emr.errors import closed_job_flow, invalid_request
from airflow_provider_emrkit.localemr.emr.release_rules import release_of

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.emr.context import Call, Emr
    from airflow_provider_emrkit.localemr.emr.model import ClusterRecord


def modify_cluster(emr: Emr, call: Call) -> dict[str, Any]:
    """ModifyCluster."""
    cluster = emr.cluster(call, call.params["ClusterId"])
    if not cluster.is_open:
        raise invalid_request(f"Cluster {cluster.id} can't be modified in state {cluster.state}.")
    if "StepConcurrencyLevel" in call.params:
        level = call.params["StepConcurrencyLevel"]
        cluster.step_concurrency = check_concurrency(level, release_of(cluster.release_label))
    if "ExtendedSupport" in call.params:
        cluster.request["ExtendedSupport"] = call.params["ExtendedSupport"]
    emr.changed(cluster)
    return {
        "StepConcurrencyLevel": cluster.step_concurrency,
        "ExtendedSupport": cluster.request.get("ExtendedSupport"),
    }


def set_termination_protection(emr: Emr, call: Call) -> dict[str, Any]:
    """SetTerminationProtection."""
    for cluster in _open_job_flows(emr, call):
        cluster.termination_protected = call.params["TerminationProtected"]
        emr.changed(cluster)
    return {}


def set_visible_to_all_users(emr: Emr, call: Call) -> dict[str, Any]:
    """SetVisibleToAllUsers."""
    for cluster in _open_job_flows(emr, call):
        cluster.visible_to_all_users = call.params["VisibleToAllUsers"]
        emr.changed(cluster)
    return {}


def set_keep_alive(emr: Emr, call: Call) -> dict[str, Any]:
    """SetKeepJobFlowAliveWhenNoSteps."""
    for cluster in _open_job_flows(emr, call):
        cluster.keep_alive = call.params["KeepJobFlowAliveWhenNoSteps"]
        emr.changed(cluster)
    return {}


def set_unhealthy_node_replacement(emr: Emr, call: Call) -> dict[str, Any]:
    """SetUnhealthyNodeReplacement."""
    for cluster in _open_job_flows(emr, call):
        cluster.unhealthy_node_replacement = call.params["UnhealthyNodeReplacement"]
        emr.changed(cluster)
    return {}


def _open_job_flows(emr: Emr, call: Call) -> list[ClusterRecord]:
    clusters = [emr.job_flow(call, cluster_id) for cluster_id in call.params["JobFlowIds"]]
    if not all(cluster.is_open for cluster in clusters):
        raise closed_job_flow()
    return clusters


OPERATIONS = {
    "ModifyCluster": modify_cluster,
    "SetKeepJobFlowAliveWhenNoSteps": set_keep_alive,
    "SetTerminationProtection": set_termination_protection,
    "SetUnhealthyNodeReplacement": set_unhealthy_node_replacement,
    "SetVisibleToAllUsers": set_visible_to_all_users,
}
