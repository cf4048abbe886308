from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_provider_emrkit.logs.cluster_sources import NoSources
from airflow_provider_emrkit.logs.sources import LogLine, LogSources, Read
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.log_watch import (
    COUNTING_PAUSE,
    LONGEST_SHORTAGE,
    LONGEST_SILENCE,
    TAIL_LINES,
    LogWatch,
    Pace,
)
from airflow_provider_emrkit.runs.states import RunState, RunStatus

RUN = JobRun("step", "j-1", "s-1", "t-1", "sales", "us-east-1")
RUNNING = RunStatus(RunState.RUNNING, "RUNNING")
DONE = RunStatus(RunState.SUCCEEDED, "COMPLETED")


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class OneSource(LogSources):
    """A log that gives lines at the looks it is told, and takes its time."""

    clock: Clock
    lines_at: set[int] = field(default_factory=set)
    took: float = 0.0
    note: str | None = None
    name: str = "stream"
    label: str = "stdout"
    looks: int = 0
    pause: float | None = None
    uploaded_within: float = 0.0
    silence: str | None = None
    lines_a_look: int = 1
    earlier: int = 0

    def current(self) -> Any:
        return [self]

    def read(self, cursor: Any) -> Read:
        self.looks += 1
        self.clock.seconds += self.took
        lines = [LogLine(1, f"{self.looks}.{number}", "stdout") for number in range(self.lines_a_look)]
        return Read(lines if self.looks in self.lines_at else [], "next")

    def from_end(self, limit: int) -> Read:
        self.looks += 1
        lines = [LogLine(1, f"earlier {number}", "stdout") for number in range(self.earlier)][-limit:]
        return Read(lines, "next", skipped=len(lines) < self.earlier)

    def link(self, region: str) -> str:
        return f"https://{region}/{self.name}"

    def log_sources(self, run: JobRun) -> Any:
        return self


def make(source: Any, clock: Clock, spare: float = 1.0, **pace: Any) -> LogWatch:
    return LogWatch(RUN, source, Pace(logs=2.0, **pace), clock, lambda: 0.5, lambda: spare)


def looks_in(seconds: float, watch: LogWatch, clock: Clock, source: OneSource) -> int:
    before, until = source.looks, clock() + seconds
    while watch.due is not None and watch.due < until:
        clock.seconds = max(clock(), watch.due)
        watch.read()
    return source.looks - before


@pytest.mark.parametrize(
    ("state", "due"),
    [
        pytest.param(RunState.STARTING, None, id="cluster starts"),
        pytest.param(RunState.QUEUED, None, id="waits"),
        pytest.param(RunState.NEVER_RAN, None, id="never ran"),
        pytest.param(RunState.RUNNING, 0.0, id="runs"),
        pytest.param(RunState.FAILED, 0.0, id="failed"),
    ],
)
def test_logs_are_due_when_the_job_can_have_written_any(state, due):
    watch = make(OneSource(Clock()), Clock())
    assert watch.due is None
    watch.see(RunStatus(state, ""))
    assert watch.due == due


def test_silent_logs_are_read_as_often_as_others_where_calls_are_plenty():
    clock = Clock()
    source = OneSource(clock)
    watch = make(source, clock)
    watch.see(RUNNING)
    assert looks_in(600, watch, clock, source) == 300


def test_silent_logs_are_read_seldom_while_calls_are_short():
    clock = Clock()
    source = OneSource(clock)
    watch = make(source, clock, spare=0.1)
    watch.see(RUNNING)
    looks_in(60, watch, clock, source)
    assert looks_in(600, watch, clock, source) == pytest.approx(600 / LONGEST_SILENCE, abs=1)


def test_silent_logs_leave_a_quota_that_is_used_up_to_others():
    clock = Clock()
    source = OneSource(clock)
    watch = make(source, clock, spare=0.0)
    watch.see(RUNNING)
    looks_in(3_600, watch, clock, source)
    assert looks_in(36_000, watch, clock, source) == pytest.approx(36_000 / LONGEST_SHORTAGE, abs=1)


def test_silent_logs_that_had_to_wait_for_their_turn_let_others_go_first():
    clock = Clock()
    watch = make(OneSource(clock), clock, spare=0.0)
    watch.see(RUNNING)
    watch.read()
    assert watch.due is not None
    clock.seconds = watch.due + 100
    watch.read()
    assert watch.due == clock() + 200


def test_logs_that_speak_are_read_often_though_calls_are_short():
    clock = Clock()
    source = OneSource(clock, lines_at=set(range(1_000)))
    watch = make(source, clock, spare=0.1)
    watch.see(RUNNING)
    assert looks_in(60, watch, clock, source) == 30


def test_the_last_lines_are_waited_for_at_the_usual_pace_though_calls_are_short():
    clock = Clock()
    source = OneSource(clock)
    watch = make(source, clock, spare=0.1, drain=10.0)
    watch.see(RUNNING)
    looks_in(300, watch, clock, source)
    watch.see(DONE)
    assert looks_in(10, watch, clock, source) == 5
    assert not watch.is_over
    assert looks_in(3, watch, clock, source) == 1
    assert watch.is_over


def test_a_log_is_not_silent_for_the_time_that_a_look_takes():
    clock = Clock()
    source = OneSource(clock, took=8.0, lines_at={2})
    watch = make(source, clock, drain=5.0)
    watch.see(DONE)
    watch.read()
    assert not watch.is_over, "a line may have come while the look took its time"
    clock.seconds = watch.due or 0.0
    assert [line.text for line in watch.read()[0]] == ["2.0"]


def test_the_pause_starts_when_a_slow_look_is_over():
    clock = Clock()
    source = OneSource(clock, took=8.0)
    watch = make(source, clock)
    watch.see(RUNNING)
    watch.read()
    assert watch.due == 8 + 2


def test_a_run_without_logs_is_over_when_it_has_ended_and_is_never_due():
    clock = Clock()

    class Without:
        def log_sources(self, run: JobRun) -> Any:
            return NoSources("they will be in s3://logs/")

    watch = make(Without(), clock)
    watch.see(RUNNING)
    _, notes = watch.read()
    assert [note.text for note in notes] == ["they will be in s3://logs/"]
    assert watch.due is None
    assert not watch.is_over
    watch.see(DONE)
    assert watch.is_over


def test_what_sources_have_to_say_is_told_once_and_what_is_new_of_it_later():
    clock = Clock()
    source = OneSource(clock, note="They come late.")
    watch = make(source, clock)
    watch.see(RUNNING)
    told = [watch.read()[1] for _ in range(2)]
    source.note = "They come late. Some are missing."
    told += [watch.read()[1] for _ in range(2)]
    source.note = None
    told.append(watch.read()[1])
    assert [[note.text for note in notes] for notes in told] == [
        ["They come late."],
        [],
        ["Some are missing."],
        [],
        [],
    ]


@pytest.mark.parametrize(("lines_at", "told"), [(set(), ["No permission?"]), ({1}, [])])
def test_a_job_that_ended_without_a_line_is_told_why_that_may_be(lines_at, told):
    clock = Clock()
    source = OneSource(clock, lines_at=lines_at)
    source.silence = "No permission?"
    watch = make(source, clock)
    watch.see(RUNNING)
    watch.read()
    watch.see(DONE)
    assert [note.text for note in watch.close()[1]] == told


def test_sources_that_change_seldom_are_looked_at_seldom():
    clock = Clock()
    source = OneSource(clock, pause=30.0)
    watch = make(source, clock)
    watch.see(RUNNING)
    assert looks_in(600, watch, clock, source) == 20


def test_what_is_uploaded_every_few_minutes_gets_one_last_look_and_is_not_waited_for():
    clock = Clock()
    source = OneSource(clock, lines_at={2}, pause=30.0)
    watch = make(source, clock)
    watch.see(RUNNING)
    watch.read()
    clock.seconds += 5
    watch.see(DONE)
    assert watch.due is not None
    assert watch.due <= clock()
    assert not watch.is_over
    lines, _ = watch.read()
    assert [line.text for line in lines] == ["2.0"]
    assert watch.is_over


@pytest.mark.parametrize("pause", [15.0, None], ids=["alone", "beside streams"])
def test_what_is_uploaded_within_seconds_is_waited_for_that_long(pause):
    clock = Clock()
    source = OneSource(clock, pause=pause, uploaded_within=15.0)
    watch = make(source, clock)
    watch.see(RUNNING)
    watch.read()
    clock.seconds += 5
    watch.see(DONE)
    while not watch.is_over:
        clock.seconds = max(clock(), watch.due or 0.0)
        watch.read()
    assert 20 <= clock() < 20 + (watch.pace.logs if pause is None else 1)


def told(notes: Any) -> list[str]:
    return [note.text for note in notes]


def test_what_is_too_much_for_a_run_is_counted_seldom_and_its_end_shown_and_linked():
    clock = Clock()
    source = OneSource(clock, lines_at=set(range(1_000)), lines_a_look=300)
    watch = make(source, clock, max_run_lines=400)
    watch.see(RUNNING)
    watch.read()
    watch.read()
    assert looks_in(100, watch, clock, source) == 100 / COUNTING_PAUSE
    watch.see(DONE)
    lines, notes = watch.read()
    assert not lines
    rest, notes = watch.close()
    assert [line.text for line in rest][1:] == [f"{source.looks}.{number}" for number in range(200, 300)]
    missing = f"{source.looks * 300 - 400 - 100:,} lines"
    assert rest[0].text.startswith(f"… {missing} left out")
    assert told(notes) == [
        f"{missing} of the job's log are not shown here. All of it: stdout: https://us-east-1/stream"
    ]


def test_where_the_console_shows_nothing_the_log_is_named():
    clock = Clock()
    source = OneSource(clock, lines_at={1}, lines_a_look=30)
    watch = LogWatch(RUN, source, Pace(max_lines=10), clock, on_aws=False)
    watch.see(DONE)
    watch.read()
    _, notes = watch.close()
    assert told(notes) == ["20 lines of the job's log are not shown here. All of it: stdout: stream"]


def test_a_log_that_is_shown_whole_needs_no_word():
    clock = Clock()
    watch = make(OneSource(clock, lines_at={1}), clock)
    watch.see(DONE)
    watch.read()
    assert watch.close() == ((), ())


@pytest.mark.parametrize(
    ("earlier", "words"),
    [
        pytest.param(TAIL_LINES, "its log is shown from its start", id="all of it"),
        pytest.param(TAIL_LINES + 1, "the last 10,000 lines of its log so far are shown", id="the end"),
    ],
)
def test_a_log_that_was_followed_before_is_followed_from_before_its_end(earlier, words):
    clock = Clock()
    source = OneSource(clock, lines_at={2}, earlier=earlier)
    watch = LogWatch(RUN, source, Pace(), clock, again=True)
    watch.see(RUNNING)
    lines, notes = watch.read()
    assert (len(lines), lines[-1].text) == (TAIL_LINES, f"earlier {earlier - 1}")
    [note] = told(notes)
    assert words in note
    assert ("https://us-east-1/stream" in note) is (earlier > TAIL_LINES)
    lines, notes = watch.read()
    assert [line.text for line in lines] == ["2.0"]
    assert not notes


def test_nothing_is_said_of_a_log_that_has_no_lines_yet():
    clock = Clock()
    watch = LogWatch(RUN, OneSource(clock), Pace(), clock, again=True)
    watch.see(RUNNING)
    assert watch.read() == ([], [])


@dataclass
class Several(OneSource):
    """More logs beside this one, which may be refused."""

    others: list[OneSource] = field(default_factory=list)

    def current(self) -> Any:
        return [self, *self.others]


@dataclass
class Failing(OneSource):
    error: Exception | None = None

    def read(self, cursor: Any) -> Read:
        self.looks += 1
        if self.error is None:
            return Read([LogLine(1, f"{self.name} {self.looks}", self.label)], "next")
        raise self.error


def refused(code: str, operation: str = "GetLogEvents") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "Access Denied"}}, operation)  # type: ignore[typeddict-item]


def test_streams_that_are_refused_are_told_in_one_line_and_the_others_go_on():
    clock = Clock()
    denied = [
        Failing(clock, name=name, error=refused("AccessDeniedException")) for name in ("driver out", "driver")
    ]
    watch = make(Several(clock, lines_at={1, 2}, others=denied), clock)
    watch.see(RUNNING)
    lines, notes = watch.read()
    assert [line.text for line in lines] == ["1.0"]
    [note] = told(notes)
    assert note.startswith("Some of the job's logs can't be shown here: permission is missing")
    assert "GetLogEvents" in note
    clock.seconds += 2
    lines, notes = watch.read()
    assert ([line.text for line in lines], notes) == (["2.0"], [])
    watch.see(DONE)
    assert watch.due is not None
    assert looks_in(600, watch, clock, denied[0]) == 10


def test_a_log_that_makes_emrkit_stumble_costs_the_log_and_not_the_job():
    clock = Clock()

    class Broken(OneSource):
        def current(self) -> Any:
            raise ValueError("no such stream\nat all")

    watch = make(Broken(clock), clock)
    watch.see(RUNNING)
    lines, notes = watch.read()
    assert not lines
    assert told(notes) == ["The job's logs can't be shown here: ValueError('no such stream\\nat all')"]
    assert watch.due is None


def test_a_time_without_answers_after_the_end_is_no_silence_and_has_an_end():
    clock = Clock()
    source = Failing(clock)
    watch = make(source, clock)
    watch.see(RUNNING)
    watch.read()
    source.error = refused("ThrottlingException")
    watch.see(DONE)
    while clock() < 25:
        clock.seconds = max(clock(), watch.due or 0)
        watch.read()
        assert not watch.is_over or clock() >= 30
    clock.seconds = max(clock(), watch.due or 0)
    assert clock() <= 30
    watch.read()
    clock.seconds = 30
    assert watch.is_over
    _, notes = watch.close()
    assert told(notes) == [
        "The last lines of the job's log could not be read in time. All of it: "
        "stdout: https://us-east-1/stream"
    ]


def test_a_log_that_is_long_is_read_on_after_the_end_of_its_job():
    clock = Clock()

    class Long(OneSource):
        def read(self, cursor: Any) -> Read:
            self.looks += 1
            self.clock.seconds += 10
            return Read([LogLine(1, "a", "stdout")], self.looks, complete=self.looks >= 12)

    source = Long(clock)
    watch = make(source, clock)
    watch.see(DONE)
    while not watch.is_over:
        clock.seconds = max(clock(), watch.due or 0)
        watch.read()
    assert source.looks >= 12
    assert not watch.close()[1]


def test_the_late_lines_of_one_source_are_not_lost_because_another_is_refused():
    clock = Clock()
    other = Failing(clock, name="driver")
    watch = make(Several(clock, others=[other]), clock)
    watch.see(DONE)
    watch.read()
    denied = Failing(clock, name="out", error=refused("AccessDeniedException"))
    watch._tail.sources.others.append(denied)  # type: ignore[union-attr]
    assert [line.text for line in watch.rest()] == ["driver 2"]


def test_silence_is_what_a_look_has_found():
    clock = Clock()
    source = OneSource(clock, lines_at={1, 2})
    watch = make(source, clock, drain=1.0)
    watch.see(DONE)
    watch.read()
    clock.seconds += 1.5
    assert not watch.is_over
    clock.seconds = watch.due or 0
    assert [line.text for line in watch.read()[0]] == ["2.0"]
    clock.seconds = watch.due or 0
    watch.read()
    assert watch.is_over


def test_of_many_executors_the_silent_ones_are_read_seldom_and_all_of_them_at_the_end():
    clock = Clock()
    executors = [OneSource(clock, name=f"executor {number}") for number in range(50)]
    driver = Several(clock, lines_at=set(range(1_000)), others=executors)  # type: ignore[arg-type]
    watch = make(driver, clock)
    watch.see(RUNNING)
    assert looks_in(600, watch, clock, driver) == 300
    assert sum(one.looks for one in executors) / 50 < 60
    watch.see(DONE)
    before = [one.looks for one in executors]
    watch.read()
    assert [one.looks for one in executors] == [looks + 1 for looks in before]


def test_where_the_logs_are_refused_nothing_is_said_of_their_silence():
    clock = Clock()
    source = Failing(clock, error=refused("AccessDeniedException"))
    source.silence = "May the nodes write there?"
    watch = make(source, clock)
    watch.see(RUNNING)
    assert len(watch.read()[1]) == 1
    watch.see(DONE)
    watch.read()
    assert watch.close() == ((), ())
