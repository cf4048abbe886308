from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_emrkit import ExistingCluster, SparkJob
from airflow_provider_emrkit.exceptions import ExistingRunError, SubmitRefusedError
from airflow_provider_emrkit.logs.wishes import LogWishes
from airflow_provider_emrkit.runs.earlier import Found
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.protocol import Released
from airflow_provider_emrkit.runs.states import RunState, RunStatus
from airflow_provider_emrkit.runs.takeover import Takeover
from airflow_provider_emrkit.runs.token import RunToken

SECOND = RunToken("sales", "manual__1", "load", -1, generation=3, try_number=2)
FIRST = replace(SECOND, try_number=1)
STARTED = 1_000.0


def found(token: RunToken, state: RunState, submitted_at: float = STARTED + 10) -> Found:
    run = JobRun(
        "step", "j-1", f"s-{token}", str(token), token.marked(), "us-east-1", submitted_at=submitted_at
    )
    return Found(run, RunStatus(state, state.name), token.mark)


class FakeRuns:
    def __init__(self, *answers: Any, ends: bool = True) -> None:
        self.answers = list(answers)
        self.ends = ends
        self.ended: list[JobRun] = []

    def earlier(self, compute: Any, token: Any, since: Any) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self, run: JobRun, patience: float) -> Released:
        self.ended.append(run)
        # EMR's acceptance of a cancellation is not the end yet.
        return Released(True, "CANCELLED" if self.ends else "still CANCEL_PENDING", ended=self.ends)


def take_over(runs: FakeRuns, on_existing: str = "attach") -> Found | None:
    takeover = Takeover(runs, logging.getLogger("tests"))  # type: ignore[arg-type]
    job = SparkJob("s3://code/job.py", deploy_mode="client")
    return takeover.run(job, ExistingCluster("j-1"), SECOND, STARTED, on_existing)


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING, RunState.SUCCEEDED])
def test_work_of_the_try_before_that_is_alive_or_done_is_taken_over(state):
    earlier = found(FIRST, state)
    runs = FakeRuns([earlier])
    assert take_over(runs) == replace(earlier, run=replace(earlier.run, driver_apart=False))
    assert runs.ended == []


def test_what_is_wanted_of_the_logs_now_counts_not_what_the_earlier_try_wanted():
    earlier = found(FIRST, RunState.RUNNING)
    earlier = replace(earlier, run=earlier.run.with_wishes(LogWishes(True, (("/old", "driver"),))))
    wishes = LogWishes(False, (("/new", "driver"),))
    takeover = Takeover(FakeRuns([earlier]), logging.getLogger("tests"), wishes)  # type: ignore[arg-type]
    taken = takeover.run(SparkJob("s3://code/job.py"), ExistingCluster("j-1"), SECOND, STARTED, "attach")
    assert taken is not None
    assert (taken.run.executor_logs, taken.run.log_streams) == (False, (("/new", "driver"),))


def test_failed_work_is_no_work():
    assert take_over(FakeRuns([found(FIRST, RunState.FAILED)])) is None


def test_nothing_is_taken_over_where_there_is_nothing():
    assert take_over(FakeRuns([])) is None


def test_what_a_cleared_try_has_left_is_ended_before_the_job_is_submitted_anew():
    left = found(replace(FIRST, generation=1), RunState.RUNNING)
    runs = FakeRuns([left])
    assert take_over(runs) is None
    assert runs.ended == [left.run]


def test_work_that_is_being_cancelled_is_waited_for():
    going = found(FIRST, RunState.CANCELLING)
    runs = FakeRuns([going])
    assert take_over(runs) is None
    assert runs.ended == [going.run]


def test_the_job_is_not_submitted_beside_work_that_does_not_end():
    message = r"could not be ended \(still CANCEL_PENDING\).*end it by hand"
    with pytest.raises(SubmitRefusedError, match=message):
        take_over(FakeRuns([found(FIRST, RunState.CANCELLING)], ends=False))


def test_fresh_ends_what_runs_and_does_not_care_for_what_is_done():
    running = found(FIRST, RunState.RUNNING)
    runs = FakeRuns([running])
    assert take_over(runs, "fresh") is None
    assert runs.ended == [running.run]
    assert take_over(FakeRuns([found(FIRST, RunState.SUCCEEDED)]), "fresh") is None


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.SUCCEEDED])
def test_fail_names_the_run(state):
    with pytest.raises(ExistingRunError, match="step s-"):
        take_over(FakeRuns([found(FIRST, state)]), "fail")


def test_nothing_is_submitted_when_nobody_knows_whether_the_job_runs():
    with pytest.raises(SubmitRefusedError, match="not found out"):
        take_over(FakeRuns(SubmitRefusedError("not found out")))
