"""Making, showing and ending clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.cluster_rules import cluster_record
from airflow_provider_emrkit.localemr.emr.errors import invalid_request, validation_error
from airflow_provider_emrkit.localemr.emr.model import STARTING_STATES, ClusterRecord
from airflow_provider_emrkit.localemr.emr.paging import page
from airflow_provider_emrkit.localemr.emr.runtime_roles import allows_runtime_roles
from airflow_provider_emrkit.localemr.emr.shapes import cluster_arn, cluster_details, cluster_summary
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.emr.context import Call, Emr

MAX_TERMINATED_AT_ONCE = 10

# A waiter that sees one of these would sleep and ask again; "cluster running" is happy with RUNNING and
# WAITING.
_PASSING_STATES = STARTING_STATES | {"TERMINATING"}


def run_job_flow(emr: Emr, call: Call) -> dict[str, Any]:
    """RunJobFlow."""
    name, runtime_roles = call.params.get("SecurityConfiguration"), False
    if name:
        security = emr.store.resources.get("security configuration", call.region, name)
        if security is None:
            raise invalid_request(f"Security configuration with name '{name}' does not exist.")
        runtime_roles = allows_runtime_roles(security.data["SecurityConfiguration"])
    cluster = cluster_record(call.params, call.region, emr.now(), runtime_roles=runtime_roles)
    try:
        emr.runner.check(cluster.release_label)
    except ClusterStartError as error:
        raise validation_error(str(error)) from error
    emr.launch(cluster)
    return {"JobFlowId": cluster.id, "ClusterArn": cluster_arn(cluster)}


def describe_cluster(emr: Emr, call: Call) -> dict[str, Any]:
    """DescribeCluster."""
    cluster = emr.cluster(call, call.params["ClusterId"])
    if cluster.state in _PASSING_STATES:
        before = cluster.state
        emr.hold(
            call, cluster, lambda: cluster.state not in _PASSING_STATES or _went_down(before, cluster.state)
        )
    return {"Cluster": cluster_details(cluster, emr.now())}


def _went_down(before: str, after: str) -> bool:
    return before in STARTING_STATES and after == "TERMINATING"


def list_clusters(emr: Emr, call: Call) -> dict[str, Any]:
    """ListClusters."""
    after, before = call.params.get("CreatedAfter"), call.params.get("CreatedBefore")
    states = frozenset(call.params.get("ClusterStates", ()))

    def is_wanted(cluster: ClusterRecord) -> bool:
        in_time = (after is None or cluster.created > after) and (before is None or cluster.created < before)
        return in_time and (not states or cluster.state in states)

    clusters = emr.store.clusters(call.region)
    found, marker = page(clusters, call.params.get("Marker"), lambda cluster: cluster.id, keep=is_wanted)
    now = emr.now()
    return {"Clusters": [cluster_summary(cluster, now) for cluster in found], "Marker": marker}


def terminate_job_flows(emr: Emr, call: Call) -> dict[str, Any]:
    """TerminateJobFlows: ends the unprotected clusters even when it fails for a protected one."""
    ids = call.params["JobFlowIds"]
    if len(ids) > MAX_TERMINATED_AT_ONCE:
        raise validation_error(
            f"At most {MAX_TERMINATED_AT_ONCE} job flows can be terminated in one request."
        )
    clusters = [emr.job_flow(call, cluster_id) for cluster_id in ids]
    for cluster in clusters:
        supervisor = emr.supervisor(cluster)
        if supervisor is not None and not cluster.termination_protected:
            supervisor.terminate("USER_REQUEST", "User request")
    if any(cluster.termination_protected and cluster.is_open for cluster in clusters):
        raise validation_error(
            "Could not shut down one or more job flows since they are termination protected."
        )
    return {}


OPERATIONS = {
    "DescribeCluster": describe_cluster,
    "ListClusters": list_clusters,
    "RunJobFlow": run_job_flow,
    "TerminateJobFlows": terminate_job_flows,
}
