"""Ends a cluster that was made for one run, and looks whether it does end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.errors import explain, is_aws_error
from airflow_provider_emrkit.runs.protocol import Released
from airflow_provider_emrkit.runs.states import CLUSTER_GOING
from airflow_provider_emrkit.runs.step_calls import cluster_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.runs.job_run import JobRun

# Seconds between the attempts to end a cluster and to see it end.
PAUSES = (1.0, 2.0, 4.0)


def end_cluster(emr: Any, run: JobRun, settle: Callable[[float], object]) -> Released:
    """Terminate a run's own cluster, and see that it ends (DescribeCluster, TerminateJobFlows).

    :param emr: boto3 client of EMR.
    :param settle: Waits some seconds, whatever happens.
    """
    problem = ""
    for wait in (0.0, *PAUSES):
        settle(wait)
        try:
            state = _state(emr, run)
            if state not in CLUSTER_GOING:
                emr.terminate_job_flows(JobFlowIds=[run.cluster_id])
                state = _state(emr, run)
        except Exception as error:
            if not is_aws_error(error):
                raise
            problem = explain(error, run.region)
            continue
        if state in CLUSTER_GOING:
            return Released(True, f"cluster {run.cluster_id} is {state}")
        problem = f"it is still {state}"
    return Released(False, problem)


def _state(emr: Any, run: JobRun) -> str:
    return cluster_state(emr.describe_cluster(ClusterId=run.cluster_id)["Cluster"])[0]
