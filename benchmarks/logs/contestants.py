"""Who reads in a triggerer: the triggers, and how they are set."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from airflow.providers.amazon.aws.triggers.ecs import TaskDoneTrigger

from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.triggers.job_run import EmrJobRunTrigger
from benchmarks.contestants import REGION
from benchmarks.logs.plan import GROUP, stream_names
from benchmarks.logs.scenarios import ASYNC, ECS, PAUSE
from benchmarks.logs.triggers import CountedHookTrigger, CountedJobRunTrigger, CountedTaskDoneTrigger
from benchmarks.scenarios import EMRKIT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.triggers.base import BaseTrigger

    from benchmarks.logs.scenarios import LogScenario
    from benchmarks.schedule import Job

# So many looks that no trigger gives up by itself, and so many lines that none is left out.
_ENOUGH = 10_000_000

# emrkit keeps to EMR's quotas by itself, but takes those of a region with lower ones for CloudWatch Logs'.
ENVIRON: Mapping[str, str] = {"AIRFLOW__EMRKIT__API_QUOTAS": json.dumps({"GetLogEvents": [25, 25.0]})}


def triggers(contestant: str, scenario: LogScenario, job: Job) -> Sequence[BaseTrigger]:
    """Give the triggers that read a job's log.

    :raises KeyError: for one who reads in no trigger.
    """
    return {EMRKIT: _emrkit, ECS: _ecs, ASYNC: _async_hook}[contestant](scenario, job)


def _emrkit(scenario: LogScenario, job: Job) -> Sequence[BaseTrigger]:
    run = JobRun(
        "step",
        job.cluster_id,
        job.step_id,
        job.token,
        job.name,
        REGION,
        submitted_at=time.time(),
        driver_apart=len(_streams(scenario, job)) > 1,
        log_group=GROUP,
    )
    kind = EmrJobRunTrigger if scenario.sink else CountedJobRunTrigger
    return [
        kind(
            run.to_dict(),
            poll_interval=scenario.interval,
            log_poll_interval=PAUSE,
            max_lines=_ENOUGH,
            deferred_at=time.time(),
        )
    ]


def _ecs(scenario: LogScenario, job: Job) -> Sequence[BaseTrigger]:
    kind = TaskDoneTrigger if scenario.sink else CountedTaskDoneTrigger
    return [
        kind(
            cluster="bench",
            task_arn=f"arn:aws:ecs:{REGION}:123456789012:task/bench/{number}",
            waiter_delay=int(PAUSE),
            waiter_max_attempts=_ENOUGH,
            aws_conn_id="aws_default",
            region_name=REGION,
            log_group=GROUP,
            log_stream=stream,
        )
        for number, stream in enumerate(_streams(scenario, job))
    ]


def _async_hook(scenario: LogScenario, job: Job) -> Sequence[BaseTrigger]:
    return [CountedHookTrigger(GROUP, stream) for stream in _streams(scenario, job)]


def _streams(scenario: LogScenario, job: Job) -> Sequence[str]:
    return stream_names(scenario.log, job.step_id) if scenario.log else ()
