"""What the arguments of an ``EmrSparkOperator`` may be, judged when a DAG is parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from airflow_provider_emrkit.compute.image_fit import check_image_fits
from airflow_provider_emrkit.compute.pool import ClusterPool
from airflow_provider_emrkit.compute.targets import DynamicCluster, ExistingCluster
from airflow_provider_emrkit.jobs.spark_job import SparkJob
from airflow_provider_emrkit.logs.wishes import LogStream
from airflow_provider_emrkit.operators.stopping import OnKill
from airflow_provider_emrkit.operators.timing import check_limit
from airflow_provider_emrkit.runs.earlier import ON_EXISTING
from airflow_provider_emrkit.runs.limits import Limits
from airflow_provider_emrkit.validation import (
    InvalidValueError,
    check_choice,
    check_flag,
    check_instance,
    check_integer,
    check_seconds,
    check_sequence,
)

if TYPE_CHECKING:
    from airflow_provider_emrkit.operators.spark import EmrSparkOperator

OWNER = "EmrSparkOperator"
MIN_POLL_INTERVAL = 1.0
ON_KILL: tuple[OnKill, ...] = get_args(OnKill)
MAX_INFRA_RETRIES = 10
ON_CLUSTERS = (DynamicCluster, ExistingCluster, ClusterPool)


def check_arguments(given: EmrSparkOperator) -> None:
    """Check what an operator was given; what holds a template is judged when it has been rendered.

    :raises InvalidValueError: when an argument can't be right.
    """
    check_instance(OWNER, "job", given.job, SparkJob)
    compute: Any = given.compute
    if not isinstance(compute, ON_CLUSTERS) and not _is_serverless(compute):
        mend = "give a DynamicCluster, an ExistingCluster, a ClusterPool or a ServerlessApplication"
        raise InvalidValueError(OWNER, "compute", compute, "is nothing a job can run on", mend)
    check_placement(given)
    check_choice(OWNER, "on_existing", given.on_existing, ON_EXISTING)
    check_choice(OWNER, "on_kill", given.kill_action, ON_KILL)
    check_integer(OWNER, "infra_retries", given.infra_retries, 0, MAX_INFRA_RETRIES)
    if given.poll_interval is not None:
        check_seconds(OWNER, "poll_interval", given.poll_interval, MIN_POLL_INTERVAL)
    check_flag(OWNER, "executor_logs", given.executor_logs)
    for index, stream in enumerate(check_sequence(OWNER, "log_streams", given.log_streams)):
        check_instance(OWNER, f"log_streams[{index}]", stream, LogStream)
    limits_of(given)


def check_placement(given: EmrSparkOperator) -> None:
    """Check that what a job is to run on can run it, as far as that is known yet.

    :raises InvalidValueError: when it can't.
    """
    compute: Any = given.compute
    if isinstance(compute, ON_CLUSTERS):
        check_image_fits(OWNER, given.job, compute)
        return
    from airflow_provider_emrkit.compute.serverless_fit import check_serverless_fit

    check_serverless_fit(OWNER, given.job, compute)


def _is_serverless(compute: Any) -> bool:
    # Loaded by DAG files that name it, and no others.
    from airflow_provider_emrkit.compute.serverless import ServerlessApplication

    return isinstance(compute, ServerlessApplication)


def limits_of(given: EmrSparkOperator) -> Limits:
    """Give how long an operator's job may take.

    :raises InvalidValueError: when a limit is none.
    """
    return Limits(
        total=check_limit(OWNER, "timeout", given.timeout),
        starting=check_limit(OWNER, "start_timeout", given.start_timeout),
        queued=check_limit(OWNER, "queue_timeout", given.queue_timeout),
        running=check_limit(OWNER, "run_timeout", given.run_timeout),
    )
