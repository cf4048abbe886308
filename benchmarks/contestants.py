"""Who is compared: the triggers, as their operators make them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.triggers.job_run import EmrJobRunTrigger
from benchmarks.floor import SleepingTrigger
from benchmarks.scenarios import ADD_STEPS, EMRKIT, FLOOR, SENSOR, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.triggers.base import BaseTrigger

    from benchmarks.schedule import Job

REGION = "us-east-1"
QUEUE_PATH = "/123456789012/emrkit-events"

# So many looks that no trigger gives up by itself.
_ENOUGH = 100_000

# An account with raised quotas.
_RAISED = {
    "EMR": [2_000, 1_000.0],
    "ListSteps": [1_000, 200.0],
    "DescribeStep": [1_000, 200.0],
    "DescribeCluster": [1_000, 200.0],
}


@dataclass(frozen=True)
class Contestant:
    """One implementation of waiting for a step.

    :param trigger: Makes the trigger of a job.
    :param succeeded: Reads from an event's payload whether it says that the job succeeded.
    :param environ: Settings of its triggerer, for a scenario.
    """

    trigger: Callable[[Job, Scenario], BaseTrigger]
    succeeded: Callable[[Any], bool]
    environ: Callable[[Scenario], Mapping[str, str]]


def connections(scenario: Scenario, endpoint_url: str) -> dict[str, dict[str, Any]]:
    """Give Airflow's connections, as the supervisor answers when a trigger asks for one."""
    extra = {"region_name": REGION, "endpoint_url": endpoint_url}
    aws = {"conn_type": "aws", "login": "AKIABENCH", "password": "bench", "extra": json.dumps(extra)}
    found = {"aws_default": aws}
    if scenario.push:
        own = {"events_queue_url": f"{endpoint_url}{QUEUE_PATH}"}
        found["emrkit_default"] = {"conn_type": "emrkit", "extra": json.dumps(own)}
    return found


def _emrkit(job: Job, scenario: Scenario) -> BaseTrigger:
    run = JobRun(
        "step",
        job.cluster_id,
        job.step_id,
        job.token,
        job.name,
        REGION,
        submitted_at=time.time(),
    )
    return EmrJobRunTrigger(run.to_dict(), poll_interval=scenario.interval, deferred_at=time.time())


def _emrkit_succeeded(payload: Any) -> bool:
    return payload.get("state") == "ended" and (payload.get("status") or {}).get("state") == "succeeded"


def _emrkit_environ(scenario: Scenario) -> Mapping[str, str]:
    """Set quotas: without, emrkit takes EMR's defaults to hold, but at AWS's own addresses alone."""
    return {"AIRFLOW__EMRKIT__API_QUOTAS": json.dumps({} if scenario.quotas else _RAISED)}


def _sensor(job: Job, scenario: Scenario) -> BaseTrigger:
    from airflow.providers.amazon.aws.triggers.emr import EmrStepSensorTrigger

    return EmrStepSensorTrigger(
        job.cluster_id, job.step_id, waiter_delay=int(scenario.interval), waiter_max_attempts=_ENOUGH
    )


def _add_steps(job: Job, scenario: Scenario) -> BaseTrigger:
    from airflow.providers.amazon.aws.triggers.emr import EmrAddStepsTrigger

    return EmrAddStepsTrigger(
        job.cluster_id, [job.step_id], waiter_delay=int(scenario.interval), waiter_max_attempts=_ENOUGH
    )


def _floor(job: Job, _scenario: Scenario) -> BaseTrigger:
    return SleepingTrigger(job.ends - job.deferred)


def _no_environ(_scenario: Scenario) -> Mapping[str, str]:
    return {}


def _peer_succeeded(payload: Any) -> bool:
    return bool(payload.get("status") == "success")


CONTESTANTS: Mapping[str, Contestant] = {
    EMRKIT: Contestant(_emrkit, _emrkit_succeeded, _emrkit_environ),
    SENSOR: Contestant(_sensor, _peer_succeeded, _no_environ),
    FLOOR: Contestant(_floor, _peer_succeeded, _no_environ),
    ADD_STEPS: Contestant(_add_steps, _peer_succeeded, _no_environ),
}
