"""Jobs on EMR Serverless in a real Airflow: what ends them and what does not, and what a failure tells."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from beating_runs import TASK_ID, BeatingRun

import demo.airflow
from demo.environment import REGION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from demo.rest import Airflow

# Each of them waits for several things, one after the other, which may all be slow.
pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(900)]

SYNC, DEFERRED, FAILS = "e2e_serverless_sync", "e2e_serverless_deferred", "e2e_serverless_fails"
ENDED = ("SUCCESS", "FAILED", "CANCELLED")
# Half seconds that a job beats when nothing ends it: longer than a test lasts.
BEATS = 2_000


class Attempted(BeatingRun):
    """A run whose job is a job run on an application.

    :param end: A file that is not there; the job beats until it is.
    """

    def __init__(self, airflow: Airflow, localemr: Any, client: Any, dag_id: str, end: Path) -> None:
        super().__init__(airflow, localemr, dag_id, BEATS, end=str(end))
        self.client = client
        self._end = end

    def end_job(self) -> None:
        """Let the job come to its end, with success."""
        self._end.touch()

    def beats(self) -> list[int]:
        """The numbers of the job's lines that the task's log has, sorted."""
        found = (re.search(rf"beat (\d+) of {self.label}", line) for line in self.log())
        return sorted(int(match[1]) for match in found if match)

    def job_runs(self) -> list[dict[str, Any]]:
        """The job runs of the task, the oldest first."""
        found = []
        for application in self.client.list_applications()["applications"]:
            pages = self.client.get_paginator("list_job_runs").paginate(applicationId=application["id"])
            summaries = [one for page in pages for one in page["jobRuns"]]
            for one in summaries:
                if one["name"].startswith(f"{self.dag_id}.{TASK_ID} "):
                    ids = {"applicationId": application["id"], "jobRunId": one["id"]}
                    found.append(self.client.get_job_run(**ids)["jobRun"])
        ours = [one for one in found if one["tags"]["emrkit:run_id"] == self.run_id]
        return sorted(ours, key=lambda one: one["createdAt"])

    def states(self) -> list[str]:
        return [one["state"] for one in self.job_runs()]

    def leave_nothing(self) -> None:
        active = [one for one in self.job_runs() if one["state"] not in ENDED]
        if active:
            self.fail_run()
        for one in self.job_runs():
            if one["state"] not in ENDED:
                ids = {"applicationId": one["applicationId"], "jobRunId": one["jobRunId"]}
                self.client.cancel_job_run(**ids)


@pytest.fixture(scope="module")
def client(localemr) -> Any:
    """A client of EMR Serverless."""
    return boto3.client(
        "emr-serverless",
        endpoint_url=localemr.endpoint,
        region_name=REGION,
        aws_access_key_id="localemr",
        aws_secret_access_key="localemr",
    )


@pytest.fixture
def start(standalone, localemr, client, wait_until, tmp_path) -> Iterator[Callable[..., Attempted]]:
    """Start a run of a DAG, and wait until its job beats and somebody watches it."""
    demo.airflow.wait_parsed(standalone.airflow, FAILS, "serverless_dags.py", lambda _: None)
    runs: list[Attempted] = []

    def start(dag_id: str) -> Attempted:
        end = tmp_path / f"end-{len(runs)}"
        runs.append(run := Attempted(standalone.airflow, localemr, client, dag_id, end))
        run.wait_watched(wait_until, "deferred" if dag_id == DEFERRED else "running")
        return run

    yield start
    for run in runs:
        run.leave_nothing()


@pytest.mark.parametrize("dag_id", [SYNC, DEFERRED])
@pytest.mark.parametrize("action", ["marked failed", "marked success", "run failed"])
def test_what_a_user_ends_in_airflow_is_cancelled(start, wait_until, dag_id, action):
    run = start(dag_id)
    run.fail_run() if action == "run failed" else run.mark(action.removeprefix("marked "))
    wait_until(lambda: run.states() == ["CANCELLED"], "the job run is cancelled", 90)
    wait_until(lambda: run.processes() == [], "its processes are gone", 60)
    (job_run,) = run.job_runs()
    told = [f"{job_run['jobRunId']} on application {job_run['applicationId']} is CANCELLED"]
    told.append(f"{job_run['jobRunId']} is CANCELLED")
    wait_until(lambda: any(part in line for line in run.log() for part in told), "the log tells", 60)


def test_a_cleared_task_runs_again_and_what_it_had_started_is_cancelled(start, wait_until):
    run = start(DEFERRED)
    run.clear()
    wait_until(lambda: run.states() == ["CANCELLED", "RUNNING"], "another job run has begun", 120)
    wait_until(lambda: run.task()["try_number"] == 2 and run.is_watched(2), "it is watched", 60)


def test_the_job_s_lines_come_while_it_runs_and_its_ids_are_there(standalone, start, wait_until):
    run = start(DEFERRED)
    wait_until(lambda: 3 in run.beats(), "its lines come", 60)
    assert run.states() == ["RUNNING"]
    run.end_job()
    wait_until(lambda: run.task()["state"] == "success", "the task is done", 90)
    # The last lines of a worker are on their way when its task is shown as done.
    wait_until(lambda: any("Billed: " in line for line in run.log()), "its cost is told", 30)
    (told,) = [match[1] for line in run.log() if (match := re.search(r"ended after (\d+) beats", line))]
    assert run.beats() == list(range(int(told)))
    assert run.states() == ["SUCCESS"]


def test_a_triggerer_that_ends_ends_no_job_and_the_next_one_goes_on(standalone, start, wait_until):
    run = start(DEFERRED)
    standalone.end_triggerers(signal.SIGTERM)
    assert run.states() == ["RUNNING"]
    last = max(run.beats(), default=-1)
    standalone.start_triggerer()
    wait_until(lambda: max(run.beats(), default=-1) > last, "the next one goes on", 120)
    run.end_job()
    wait_until(lambda: run.task()["state"] in ("success", "failed"), "the task has ended", 120)
    assert run.task()["state"] == "success"
    assert run.states() == ["SUCCESS"]


def test_the_failure_of_a_job_names_its_python_error(dag_test):
    ended, printed = dag_test(FAILS, Path(__file__).parent / "dags")
    assert ended == '{"state": "failed"}', printed
    error = "UserCodeError: job run .* failed: ValueError: no flights on 2013-02-30 \\(raises.py line 9;"
    assert re.search(error, printed), printed
