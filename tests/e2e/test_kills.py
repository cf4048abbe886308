"""What ends a job on EMR, and what does not: users' actions and workers' ends, in a real Airflow."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from beating_runs import BeatingRun

import demo.airflow
from demo.processes import all_processes, command_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from demo.rest import Airflow

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(600)]

SYNC, DEFERRED = "e2e_kill_sync", "e2e_kill_deferred"


class Attempted(BeatingRun):
    """A run whose job is a step of a cluster."""

    def __init__(self, airflow: Airflow, localemr: Any, cluster_id: str, dag_id: str, beats: int) -> None:
        super().__init__(airflow, localemr, dag_id, beats, cluster_id=cluster_id)
        self.cluster_id = cluster_id

    def steps(self) -> list[dict[str, Any]]:
        """The steps that were to run the job, oldest first."""
        steps = self.localemr.steps(self.cluster_id)
        return [step for step in reversed(steps) if self.label in " ".join(step["Config"]["Args"])]

    def states(self) -> list[str]:
        return [step["Status"]["State"] for step in self.steps()]

    def leave_nothing(self) -> None:
        """The cluster runs one step at a time: one that goes on would hold up all other tests."""
        self.fail_run()
        active = [step["Id"] for step in self.steps() if step["Status"]["State"] in ("PENDING", "RUNNING")]
        if active:
            self.localemr.emr.cancel_steps(
                ClusterId=self.cluster_id, StepIds=active, StepCancellationOption="TERMINATE_PROCESS"
            )


@pytest.fixture(scope="module")
def cluster_id(localemr, wait_until) -> str:
    """A cluster of others, which runs one step at a time."""
    cluster_id: str = localemr.emr.run_job_flow(
        Name="team",
        ReleaseLabel="emr-7.11.0",
        Instances={
            "InstanceCount": 1,
            "MasterInstanceType": "m5.xlarge",
            "KeepJobFlowAliveWhenNoSteps": True,
        },
        JobFlowRole="EMR_EC2_DefaultRole",
        ServiceRole="EMR_DefaultRole",
    )["JobFlowId"]
    wait_until(lambda: localemr.cluster_state(cluster_id) == "WAITING", "the cluster is up", 120)
    return cluster_id


@pytest.fixture
def start(standalone, localemr, cluster_id, wait_until) -> Iterator[Callable[..., Attempted]]:
    """Start a run of a DAG, and wait until its job beats and somebody watches it."""
    demo.airflow.wait_parsed(standalone.airflow, DEFERRED, "kill_dags.py", lambda _: None)
    runs: list[Attempted] = []

    def start(dag_id: str, beats: int = 600) -> Attempted:
        runs.append(run := Attempted(standalone.airflow, localemr, cluster_id, dag_id, beats))
        run.wait_watched(wait_until, "deferred" if dag_id == DEFERRED else "running")
        return run

    yield start
    for run in runs:
        run.leave_nothing()


def _ended_for_good(run: Attempted, wait_until) -> None:
    wait_until(lambda: run.states()[0] == "CANCELLED", "the step is cancelled", 90)
    step_id = run.steps()[0]["Id"]
    told = [f"{step_id} on cluster {run.cluster_id} is CANCELLED", f"{step_id} is CANCELLED"]
    wait_until(
        lambda: any(part in line for line in run.log() for part in told), "the log tells the final state", 60
    )


@pytest.mark.parametrize("dag_id", [SYNC, DEFERRED])
@pytest.mark.parametrize(
    "action",
    [
        pytest.param(lambda run: run.mark("failed"), id="marked failed"),
        pytest.param(lambda run: run.mark("success"), id="marked success"),
        pytest.param(lambda run: run.fail_run(), id="run failed"),
    ],
)
def test_what_a_user_ends_ends_on_emr_too_and_the_cluster_goes_on(
    start, localemr, cluster_id, wait_until, dag_id, action
):
    run = start(dag_id)
    action(run)
    _ended_for_good(run, wait_until)
    wait_until(lambda: run.processes() == [], "client and driver are gone", 60)
    wait_until(lambda: localemr.cluster_state(cluster_id) == "WAITING", "the cluster waits for steps", 60)
    assert run.states() == ["CANCELLED"]


@pytest.mark.parametrize("dag_id", [SYNC, DEFERRED])
def test_a_cleared_task_runs_again_and_what_it_had_started_ends(
    start, localemr, cluster_id, wait_until, dag_id
):
    run = start(dag_id)
    run.clear()
    _ended_for_good(run, wait_until)
    wait_until(lambda: run.states()[1:] == ["RUNNING"], "the second step runs", 120)
    wait_until(lambda: run.task()["try_number"] == 2 and run.is_watched(2), "it is watched", 60)
    run.fail_run()
    wait_until(lambda: run.states() == ["CANCELLED"] * 2, "the second step is cancelled", 60)
    wait_until(lambda: run.processes() == [], "clients and drivers are gone", 60)
    wait_until(lambda: localemr.cluster_state(cluster_id) == "WAITING", "the cluster waits for steps", 60)


def test_the_end_of_a_worker_ends_nothing_and_the_retry_goes_on_with_the_job(start, wait_until):
    # Beats for a minute, so that it still does when Airflow has noticed the end and tries again.
    run = start(SYNC, beats=120)
    # What a pod's end does: a signal to the supervisor, which it passes on to the task's own process.
    title = f"airflow worker -- {run.task()['id']}"
    (task_process,) = [one for one in all_processes() if command_of(one.pid) == title]
    os.kill(task_process.parent, signal.SIGTERM)

    wait_until(lambda: run.task()["try_number"] == 2, "the task is tried again", 60)
    assert run.states() == ["RUNNING"]
    wait_until(lambda: run.task()["state"] in ("success", "failed"), "the task has ended", 180)
    assert run.task()["state"] == "success"
    assert run.states() == ["COMPLETED"]
    assert any("goes on: the worker is stopped, the task is running" in line for line in run.log())
