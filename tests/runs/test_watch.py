from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from airflow_provider_emrkit.exceptions import AccessDeniedError
from airflow_provider_emrkit.logs.cluster_sources import NoSources
from airflow_provider_emrkit.logs.sources import LogLine, LogSources, Read
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.states import RunState, RunStatus
from airflow_provider_emrkit.runs.tolerance import REFUSALS
from airflow_provider_emrkit.runs.watch import Pace, RunWatch

RUN = JobRun("step", "j-1", "s-1", "t-1", "sales", "us-east-1", submitted_at=1_000.0)
STARTING = RunStatus(RunState.STARTING, "PENDING", compute_state="STARTING", compute_message="Provisioning")
RUNNING = RunStatus(RunState.RUNNING, "RUNNING")
DONE = RunStatus(RunState.SUCCEEDED, "COMPLETED")


def aws_error(code: str, status: int = 400) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "ListSteps")


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Source:
    """A log that gives prepared reads, then nothing."""

    reads: list[Any]
    name: str = "stream"
    label: str = "stdout"

    def read(self, cursor: str | None) -> Read:
        if not self.reads:
            return Read(cursor=cursor)
        read = self.reads.pop(0)
        if isinstance(read, Exception):
            raise read
        return Read([LogLine(1, text, self.label) for text in read], "next")


@dataclass
class FakeRuns:
    """Gives prepared answers; the last one for ever."""

    answers: list[Any]
    reads: list[Any] = field(default_factory=list)
    note: str | None = None
    asked: int = 0
    looked: int = 0

    def states(self, runs: Any) -> Any:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return {RUN: answer}

    def log_sources(self, run: JobRun) -> Any:
        self.looked += 1
        if self.note:
            return NoSources(self.note)
        source = Source(self.reads)

        class Sources(LogSources):
            def current(self) -> Any:
                return [source]

        return Sources()


def make(runs: FakeRuns, clock: Clock, **pace: Any) -> RunWatch:
    return RunWatch(
        RUN, runs, Pace(poll=10.0, logs=2.0, **pace), clock, now=lambda: 1_000 + clock(), jitter=lambda: 0.5
    )


def run_to_the_end(watch: RunWatch, clock: Clock, limit: int = 1_000) -> list[Any]:
    ticks = []
    for _ in range(limit):
        ticks.append(watch.tick())
        if ticks[-1].done:
            return ticks
        clock.seconds += max(ticks[-1].delay, 0.001)
    raise AssertionError("the watch does not end")


def told(ticks: list[Any]) -> list[str]:
    return [note.text for tick in ticks for note in tick.notes]


def test_each_state_is_told_once_with_the_seconds_since_the_submission():
    clock = Clock()
    runs = FakeRuns([STARTING, STARTING, RUNNING, RUNNING, DONE])
    ticks = run_to_the_end(make(runs, clock), clock)
    assert told(ticks) == [
        "Cluster j-1 is STARTING (0 s): Provisioning",
        "Step s-1 is RUNNING (4 s)",
        "Step s-1 is COMPLETED (24 s)",
    ]


@pytest.mark.parametrize("state", [RunState.STARTING, RunState.QUEUED])
def test_a_job_that_is_about_to_start_is_looked_at_as_often_as_its_log_but_not_for_ever(state):
    clock = Clock()
    runs = FakeRuns([RunStatus(state, "PENDING", compute_state="BOOTSTRAPPING")])
    watch = make(runs, clock)
    while clock() < 90:
        clock.seconds += watch.tick().delay
    assert runs.asked == 15 + 6


def test_logs_are_not_asked_for_before_the_job_can_have_written_any():
    clock = Clock()
    runs = FakeRuns([STARTING])
    watch = make(runs, clock)
    for _ in range(20):
        clock.seconds += watch.tick().delay
    assert runs.looked == 0


def test_state_and_logs_have_their_own_pace():
    clock = Clock()
    runs = FakeRuns([RUNNING], reads=[["a"]] * 100)
    watch = make(runs, clock)
    lines = 0
    while clock() < 60:
        tick = watch.tick()
        lines += len(tick.lines)
        clock.seconds += tick.delay
    assert runs.asked == 6
    assert lines == 30


def test_lines_that_come_late_are_waited_for():
    clock = Clock()
    runs = FakeRuns([DONE], reads=[[], [], ["late"]])
    ticks = run_to_the_end(make(runs, clock, drain=5.0), clock)
    assert [line.text for tick in ticks for line in tick.lines] == ["late"]
    assert clock() == pytest.approx(4 + 5, abs=1.1)  # the next look after five silent seconds


def test_a_log_that_never_ends_does_not_keep_the_task():
    clock = Clock()
    runs = FakeRuns([DONE], reads=[["more"]] * 1_000)
    run_to_the_end(make(runs, clock, drain=5.0, max_drain=20.0), clock)
    assert clock() == pytest.approx(20, abs=2)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(aws_error("ThrottlingException"), id="throttled"),
        pytest.param(aws_error("Unknown", 503), id="fault of AWS"),
        pytest.param(ConnectTimeoutError(endpoint_url="http://emr"), id="no connection"),
    ],
)
def test_trouble_that_passes_is_told_once_and_backed_off(error):
    clock = Clock()
    runs = FakeRuns([error, error, error, error, DONE])
    ticks = run_to_the_end(make(runs, clock), clock)
    warnings = [note for tick in ticks for note in tick.notes if note.level == logging.WARNING]
    assert len(warnings) == 1
    assert "the job goes on" in warnings[0].text
    assert ticks[-1].status == DONE
    assert clock() > 4 * 10.0  # four polls, each a little later than usual


def test_a_refusal_that_stays_is_raised_as_what_it_is():
    clock = Clock()
    runs = FakeRuns([aws_error("AccessDeniedException")])
    with pytest.raises(AccessDeniedError, match="step s-1 on cluster j-1 can't be watched"):
        run_to_the_end(make(runs, clock), clock)
    assert runs.asked == REFUSALS


def test_a_refusal_that_passes_does_the_run_no_harm():
    clock = Clock()
    runs = FakeRuns([*[aws_error("ExpiredTokenException")] * (REFUSALS - 1), RUNNING, DONE])
    assert run_to_the_end(make(runs, clock), clock)[-1].status == DONE


def test_a_look_may_be_asked_for_before_it_is_due():
    clock = Clock()
    runs = FakeRuns([RUNNING, DONE])
    watch = make(runs, clock)
    watch.tick()
    assert watch.tick().status == RUNNING
    assert watch.tick(look=True).status == DONE


def test_logs_that_are_denied_do_not_fail_the_run():
    clock = Clock()
    runs = FakeRuns([RUNNING, DONE], reads=[aws_error("AccessDeniedException")] * 100)
    ticks = run_to_the_end(make(runs, clock), clock)
    assert len([text for text in told(ticks) if "can't be shown here" in text]) == 1
    assert ticks[-1].status == DONE


def test_logs_that_are_throttled_come_later():
    clock = Clock()
    runs = FakeRuns(
        [RUNNING], reads=[aws_error("ThrottlingException"), aws_error("ThrottlingException"), ["a"]]
    )
    watch = make(runs, clock)
    ticks = []
    while clock() < 60:
        ticks.append(watch.tick())
        clock.seconds += ticks[-1].delay
    assert [line.text for tick in ticks for line in tick.lines] == ["a"]
    assert len([text for text in told(ticks) if "could not be read" in text]) == 1


def test_a_cluster_without_live_logs_says_once_where_they_will_be():
    clock = Clock()
    runs = FakeRuns([RUNNING, RUNNING, DONE], note="Logs will be in s3://logs/")
    ticks = run_to_the_end(make(runs, clock), clock)
    assert told(ticks).count("Logs will be in s3://logs/") == 1
    assert runs.looked == 1
