"""What a step has cost, as far as EMR tells: normalized instance hours."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.errors import explain, is_aws_error
from airflow_provider_emrkit.runs.step_calls import ready_at, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.states import RunStatus

_log = logging.getLogger(__name__)


def read_step_cost(emr: Any, run: JobRun, status: RunStatus) -> dict[str, Any] | None:
    """Ask EMR what a finished step has used (DescribeCluster).

    :param emr: An EMR client.
    :return: None when EMR does not say, or can't be asked: that fails no run.
    """
    try:
        cluster = emr.describe_cluster(ClusterId=run.cluster_id)["Cluster"]
    except Exception as error:
        if not is_aws_error(error):
            raise
        _log.info("What %s has used could not be asked for: %s", run, explain(error, run.region))
        return None
    return step_cost(cluster, run, status, time.time())


def step_cost(
    cluster: Mapping[str, Any], run: JobRun, status: RunStatus, now: float
) -> dict[str, Any] | None:
    """Work out a step's part of its cluster's normalized instance hours.

    A normalized instance hour is an hour of one m1.small; larger instances count as several
    (``Cluster.NormalizedInstanceHours``). EMR counts hours that have begun, and somewhat late. All of a
    cluster that was made for the job is the job's. Of a cluster of others it is the part of the time since
    the cluster was up in which the job ran: an estimate, which knows neither of steps that ran beside it nor
    of nodes that came and went. Members of the result:

    - ``normalized_instance_hours``: the job's part,
    - ``cluster_normalized_instance_hours``: the whole cluster's so far,
    - ``share``: the job's part of it, 0 to 1,
    - ``estimated``: whether the share is an estimate.

    :param cluster: DescribeCluster's answer.
    :param now: Seconds since 1970.
    :return: None when EMR says nothing of the cluster's hours, or the times of job or cluster are not known.
    """
    hours = cluster.get("NormalizedInstanceHours")
    share = 1.0 if run.owns_cluster else _share(cluster, status, now)
    if not isinstance(hours, (int, float)) or share is None:
        return None
    return {
        "normalized_instance_hours": round(hours * share, 3),
        "cluster_normalized_instance_hours": hours,
        "share": round(share, 4),
        "estimated": not run.owns_cluster,
    }


def _share(cluster: Mapping[str, Any], status: RunStatus, now: float) -> float | None:
    timeline = (cluster.get("Status") or {}).get("Timeline") or {}
    up, ended = ready_at(cluster), seconds(timeline.get("EndDateTime")) or now
    if up is None or status.started_at is None or status.ended_at is None or ended <= up:
        return None
    return min(1.0, max(0.0, status.ended_at - status.started_at) / (ended - up))
