"""How job runs of EMR Serverless are doing: in few calls, many at once, and also when it forgets some."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from faulty_emr import aws_error, throttled
from serverless_rig import ServerlessRig

from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.limits import Limits, breach
from airflow_provider_emrkit.runs.serverless_calls import job_run_status
from airflow_provider_emrkit.runs.serverless_states import (
    FEW,
    MAX_ASKED,
    MAX_PAGES,
    JobRunMemory,
    job_run_states,
)
from airflow_provider_emrkit.runs.states import NOT_LISTED, RunState
from airflow_provider_emrkit.runs.tolerance import NEW
from airflow_provider_emrkit.runs.unlisted import UNLISTED_FOR

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Many:
    """An EMR Serverless with many job runs, which counts what it is asked."""

    def __init__(self, count: int) -> None:
        self.calls: Counter[str] = Counter()
        self.states = {f"00run{number:04}": "RUNNING" for number in range(count)}
        self.forgotten: set[str] = set()
        self.throttled_after = 1_000_000

    def runs(self) -> list[JobRun]:
        return [
            JobRun(
                "job_run", "", "", "t-1", "sales", "us-east-1",
                submitted_at=START.timestamp(), application_id="00app", job_run_id=one,
            )
            for one in self.states
        ]  # fmt: skip

    def list_job_runs(self, **request: Any) -> dict[str, Any]:
        self.calls["ListJobRuns"] += 1
        assert request["createdAtAfter"] < START
        found = [self._summary(one) for one, state in self.states.items() if state in request["states"]]
        first = int(request.get("nextToken", 0))
        more = {"nextToken": str(first + 50)} if len(found) > first + 50 else {}
        return {"jobRuns": found[first : first + 50], **more}

    def get_job_run(self, **request: Any) -> dict[str, Any]:
        job_run_id = request["jobRunId"]
        if self.calls["GetJobRun"] >= self.throttled_after:
            raise throttled()
        self.calls["GetJobRun"] += 1
        if job_run_id in self.forgotten:
            raise aws_error("ResourceNotFoundException", "gone", 404)
        return {"jobRun": {**self._summary(job_run_id), "startedAt": START, "endedAt": START}}

    def _summary(self, job_run_id: str) -> dict[str, Any]:
        state = self.states[job_run_id]
        return {"id": job_run_id, "state": state, "stateDetails": state, "attempt": 1, "updatedAt": START}

    def asked(self) -> dict[str, int]:
        calls, self.calls = dict(self.calls), Counter()
        return calls


@pytest.fixture
def rig(localemr_server):
    return ServerlessRig(localemr_server)


def test_a_run_is_followed_from_its_submission_to_its_end(rig):
    run = rig.held()
    running = rig.status(run)
    assert (running.state, running.detail, running.attempt) == (RunState.RUNNING, "RUNNING", 1)
    assert running.started_at is not None
    assert running.ended_at is None
    rig.server.jobs.finish("job")
    ended = rig.status(rig.wait(run, "SUCCESS"))
    assert (ended.state, ended.message) == (RunState.SUCCEEDED, "")
    assert ended.started_at == running.started_at
    assert ended.ended_at >= ended.started_at


@pytest.mark.parametrize(
    ("state", "means"),
    [
        ("SUBMITTED", RunState.STARTING),
        ("PENDING", RunState.STARTING),
        ("SCHEDULED", RunState.STARTING),
        ("QUEUED", RunState.QUEUED),
        ("RUNNING", RunState.RUNNING),
        ("CANCELLING", RunState.CANCELLING),
        ("SUCCESS", RunState.SUCCEEDED),
        ("FAILED", RunState.FAILED),
        ("CANCELLED", RunState.CANCELLED),
        ("SOMETHING_NEW", RunState.STARTING),
    ],
)
def test_each_state_has_its_meaning(state, means):
    assert job_run_status({"state": state}).state is means


def test_why_a_run_failed_is_kept(rig):
    assert (
        rig.status(rig.failed("ExitCode: 1. ValueError: no day")).message == "ExitCode: 1. ValueError: no day"
    )


def test_that_a_run_is_tried_once_more_is_told_with_the_reason(rig):
    rig.server.jobs.script("flaky", fails="OSError: disk", times=1)
    rig.server.jobs.script("held flaky", hold=True)
    job_run = {"state": "RUNNING", "attempt": 2, "stateDetails": "RUNNING"}

    class Emr:
        meta = rig.really.meta
        asked: list[int] = []  # noqa: RUF012

        def get_job_run(self, attempt: int = 0, **_: Any) -> dict[str, Any]:
            self.asked.append(attempt)
            before = {"state": "FAILED", "attempt": 1, "stateDetails": "OSError: disk"}
            return {"jobRun": before if attempt == 1 else job_run}

    memory, emr, run = JobRunMemory(), Emr(), rig.submit()
    statuses = [job_run_states(emr, [run], memory)[run] for _ in range(3)]
    assert {(one.attempt, one.message) for one in statuses} == {(2, "attempt 1 failed: OSError: disk")}
    assert emr.asked == [0, 1, 0, 0]


def test_few_runs_are_asked_for_one_by_one():
    emr = Many(FEW)
    assert len(job_run_states(emr, emr.runs(), JobRunMemory())) == FEW
    assert emr.asked() == {"GetJobRun": FEW}


def test_many_runs_that_do_not_change_take_a_call_for_fifty():
    emr, memory = Many(90), JobRunMemory()
    first = job_run_states(emr, emr.runs(), memory)
    assert emr.asked() == {"ListJobRuns": 2, "GetJobRun": 90}
    assert job_run_states(emr, emr.runs(), memory) == first
    assert emr.asked() == {"ListJobRuns": 2}


def test_what_has_changed_is_asked_for():
    emr, memory = Many(90), JobRunMemory()
    job_run_states(emr, emr.runs(), memory)
    emr.states |= {"00run0007": "SUCCESS", "00run0008": "CANCELLING"}
    emr.asked()
    states = {run.job_run_id: status.state for run, status in job_run_states(emr, emr.runs(), memory).items()}
    assert (states["00run0007"], states["00run0008"]) == (RunState.SUCCEEDED, RunState.CANCELLING)
    assert emr.asked() == {"ListJobRuns": 2, "GetJobRun": 2}


def test_a_look_at_very_many_ends_soon_and_the_next_ones_ask_for_the_rest():
    emr, memory = Many(2 * MAX_ASKED), JobRunMemory()
    assert len(job_run_states(emr, emr.runs(), memory)) == 2 * MAX_ASKED
    assert emr.asked()["GetJobRun"] == MAX_ASKED
    job_run_states(emr, emr.runs(), memory)
    job_run_states(emr, emr.runs(), memory)
    assert emr.asked() == {"ListJobRuns": 8, "GetJobRun": MAX_ASKED}


def test_those_that_have_all_ended_at_once_are_all_found_to_have():
    emr, memory = Many(2 * MAX_ASKED + 1), JobRunMemory()
    job_run_states(emr, emr.runs(), memory)
    emr.states = dict.fromkeys(emr.states, "FAILED")
    left = emr.runs()
    for _ in range(3):
        statuses = job_run_states(emr, left, memory)
        left = [run for run in left if run not in statuses or not statuses[run].state.is_final]
    assert left == []


def test_those_that_the_list_is_too_short_for_have_their_turns():
    emr, memory = Many(50 * MAX_PAGES + 2 * MAX_ASKED), JobRunMemory()
    last = emr.runs()[-1]
    emr.states[last.job_run_id] = "SUCCESS"
    looks = [job_run_states(emr, emr.runs(), memory).get(last) for _ in range(10)]
    assert RunState.SUCCEEDED in {status.state for status in looks if status}


def test_what_is_known_when_aws_limits_the_rate_is_not_lost():
    emr, memory = Many(90), JobRunMemory()
    emr.states = dict.fromkeys(emr.states, "FAILED")
    left = emr.runs()
    for _ in range(3):
        emr.throttled_after = emr.calls["GetJobRun"] + 35
        statuses = job_run_states(emr, left, memory)
        left = [run for run in left if run not in statuses]
    assert left == []
    emr.throttled_after = 0
    with pytest.raises(type(throttled()), match="Rate exceeded"):
        job_run_states(emr, emr.runs(), memory)


def test_an_application_that_is_gone_has_no_list_and_its_runs_are_judged_one_by_one():
    emr = Many(2 * FEW)
    emr.forgotten = set(emr.states)
    emr.list_job_runs = lambda **_: emr.get_job_run(jobRunId=next(iter(emr.states)))
    assert {status.detail for status in job_run_states(emr, emr.runs(), JobRunMemory()).values()} == {
        NOT_LISTED
    }


def test_runs_of_others_do_not_make_the_list_endless():
    emr = Many(2_000)
    job_run_states(emr, emr.runs()[1_900:1_920], JobRunMemory())
    assert emr.asked() == {"ListJobRuns": MAX_PAGES, "GetJobRun": 20}


def test_each_application_is_asked_for_itself(localemr_server):
    first, second = (ServerlessRig(localemr_server, name=name) for name in ("one", "two"))
    runs = [first.submit(), second.submit()]
    assert set(first.runs.states(runs)) == set(runs)


def test_a_refusal_is_told_and_not_sat_out(rig):
    run = rig.submit()
    rig.emr.fail("get_job_run", throttled())
    with pytest.raises(type(throttled()), match="Rate exceeded"):
        rig.runs.states([run])


class TestARunThatEmrServerlessDoesNotKnow:
    """It may be too new to be known everywhere, or have been forgotten."""

    @pytest.fixture
    def look(self):
        emr = Many(2)
        run, other = emr.runs()
        emr.forgotten.add(run.job_run_id)
        clock = [START.timestamp()]
        memory = JobRunMemory(clock=lambda: clock[0], now=lambda: clock[0])

        def look(after: float = 0.0):
            clock[0] += after
            statuses = job_run_states(emr, [run, other], memory)
            assert statuses[other].state is RunState.RUNNING
            return statuses[run]

        look.emr = emr
        return look

    def test_it_is_waited_for_while_it_is_new(self, look):
        states = [look(NEW / 5 - 1).state for _ in range(5)]
        assert states == [RunState.QUEUED] * 5

    def test_it_is_given_up_after_some_looks(self, look):
        look(NEW + 1)
        assert look(UNLISTED_FOR / 2).state is RunState.QUEUED
        gone = look(UNLISTED_FOR / 2)
        assert (gone.state, gone.detail) == (RunState.UNLISTED, NOT_LISTED)

    def test_it_may_come_back(self, look):
        look(NEW + 1)
        look.emr.forgotten.clear()
        assert look(UNLISTED_FOR).state is RunState.RUNNING
        look.emr.forgotten.add("00run0000")
        assert look(UNLISTED_FOR).state is RunState.QUEUED


class TestWithABoto3ThatKnowsNoTimes:
    """startedAt and endedAt are younger than what some installations have."""

    def test_a_run_that_goes_on_has_started_with_its_last_change(self):
        status = job_run_status({"state": "RUNNING", "updatedAt": START})
        assert status.started_at == START.timestamp()

    def test_a_run_that_is_over_tells_how_long_it_took(self):
        ended = START + timedelta(minutes=5)
        job_run = {"state": "SUCCESS", "updatedAt": ended, "totalExecutionDurationSeconds": 240}
        status = job_run_status(job_run)
        assert (status.started_at, status.ended_at) == (START.timestamp() + 60, ended.timestamp())

    def test_a_run_that_never_began_has_no_start(self):
        assert job_run_status({"state": "FAILED", "updatedAt": START}).started_at is None


class TestLimits:
    """start_timeout, queue_timeout and run_timeout count what their names say."""

    RUN = replace(Many(1).runs()[0], submitted_at=START.timestamp())
    LIMITS = Limits(starting=60.0, queued=60.0, running=60.0)

    def passed(self, after: float, **job_run: Any) -> str | None:
        status = job_run_status({"attemptCreatedAt": START, **job_run})
        found = breach(self.LIMITS, self.RUN, status, START.timestamp() + after)
        return found and found.which

    def test_waiting_for_workers_is_starting(self):
        assert self.passed(59, state="SCHEDULED") is None
        assert self.passed(60, state="SCHEDULED") == "starting"

    def test_the_time_in_the_queue_is_not_of_the_start(self):
        job_run = {"state": "SCHEDULED", "queuedDurationMilliseconds": 100_000}
        assert self.passed(159, **job_run) is None
        assert self.passed(160, **job_run) == "starting"

    def test_another_attempt_starts_anew(self):
        job_run = {"state": "PENDING", "attempt": 2, "attemptCreatedAt": START + timedelta(hours=1)}
        assert self.passed(3_659, **job_run) is None
        assert self.passed(3_660, **job_run) == "starting"

    def test_waiting_for_its_turn_is_queued(self):
        assert self.passed(60, state="QUEUED") == "queued"

    def test_running_is_running(self):
        started = START + timedelta(hours=1)
        assert self.passed(3_659, state="RUNNING", startedAt=started) is None
        assert self.passed(3_660, state="RUNNING", startedAt=started) == "running"
