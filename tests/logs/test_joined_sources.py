from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_provider_emrkit.logs.joined_sources import (
    PATIENCE,
    FallbackSources,
    JoinedSources,
)
from airflow_provider_emrkit.logs.sources import LogLine, LogSources, Read
from airflow_provider_emrkit.logs.tail import LogTail


@dataclass
class Source:
    name: str
    label: str
    lines: list[str] = field(default_factory=list)
    error: Exception | None = None

    def read(self, cursor: int | None) -> Read:
        if self.error:
            raise self.error
        done = cursor or 0
        new = [LogLine(0, text, self.label) for text in self.lines[done:]]
        return Read(new, len(self.lines))


@dataclass
class Sources(LogSources):
    """Sources that the test writes to."""

    sources: list[Source] = field(default_factory=list)
    note: str | None = None
    pause: float | None = None
    uploaded_within: float = 0.0
    error: Exception | None = None
    observed: list[str] = field(default_factory=list)
    looks: int = 0

    def current(self) -> list[Source]:
        self.looks += 1
        if self.error:
            raise self.error
        return self.sources

    def observe(self, lines: Any) -> None:
        self.observed += [line.text for line in lines]

    def write(self, *lines: str, label: str = "stderr") -> None:
        if not self.sources:
            self.sources.append(Source(f"{label} {id(self)}", label))
        self.sources[0].lines += lines


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "DescribeLogStreams")  # type: ignore[typeddict-item]


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def first():
    return Sources(note="First.")


@pytest.fixture
def second():
    return Sources(note="Second.", pause=30.0)


@pytest.fixture
def joined(first, second, clock):
    return JoinedSources([first, second], "us-east-1", clock=lambda: clock[0])


@pytest.fixture
def fallback(first, second, clock):
    return FallbackSources(first, second, "Silent.", clock=lambda: clock[0])


def texts(tail: LogTail) -> list[str]:
    return [line.text for line in tail.read().lines]


def test_joined_sources_give_the_lines_of_all_and_all_learn_from_them(joined, first, second):
    first.write("one")
    second.write("two", label="driver")
    assert texts(LogTail(joined)) == ["one", "two"]
    assert first.observed == second.observed == ["one", "two"]
    assert (joined.note, joined.pause) == ("First. Second.", None)


def test_what_need_not_be_looked_at_often_is_not(joined, first, second, clock):
    tail = LogTail(joined)
    for moment in (0.0, 2.0, 3.9, 6.0):
        clock[0] = moment
        tail.read()
    assert (first.looks >= 4, second.looks) == (True, 2)


def test_sources_that_are_refused_cost_no_others(joined, first, second):
    second.error = refused("AccessDeniedException")
    first.write("one")
    tail = LogTail(joined)
    assert texts(tail) == ["one"]
    assert joined.note is not None
    assert "Some of the logs can't be shown here: permission is missing" in joined.note
    first.write("two")
    assert texts(tail) == ["two"]
    assert second.looks == 1


def test_sources_that_are_refused_later_stay_known(joined, first, second, clock):
    first.write("one")
    second.write("two", label="driver")
    tail = LogTail(joined)
    assert texts(tail) == ["one", "two"]
    second.error = refused("AccessDeniedException")
    second.write("three")
    clock[0] = 10.0
    assert texts(tail) == ["three"]
    assert "Some of the logs can't be shown here" in joined.note


def test_a_source_that_may_not_be_read_costs_no_others(joined, first, second):
    second.write("secret", label="driver")
    second.sources[0].error = refused("AccessDeniedException")
    first.write("one")
    tail = LogTail(joined)
    read = tail.read()
    assert ([line.text for line in read.lines], len(read.errors)) == (["one"], 1)
    first.write("two")
    assert texts(tail) == ["two"]


def test_trouble_that_passes_while_reading_is_told_to_whoever_reads(joined, first, second):
    first.write("one")
    first.sources[0].error = refused("ThrottlingException")
    second.write("two")
    read = LogTail(joined).read()
    assert [line.text for line in read.lines] == ["two"]
    assert len(read.errors) == 1


def test_trouble_that_passes_is_told_to_whoever_reads(joined, second):
    second.error = refused("ThrottlingException")
    with pytest.raises(ClientError, match="Throttling"):
        joined.current()


def test_when_all_are_refused_that_is_an_error(joined, first, second):
    first.error = second.error = refused("AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        joined.current()


def test_where_cloudwatch_speaks_s3_is_never_asked(fallback, first, second, clock):
    tail = LogTail(fallback)
    first.write("one")
    second.write("one")
    assert texts(tail) == ["one"]
    clock[0] = 10 * PATIENCE
    first.write("two")
    assert texts(tail) == ["two"]
    assert second.looks == 0
    assert (fallback.note, fallback.pause) == ("First.", None)


def test_where_cloudwatch_stays_silent_the_lines_come_from_s3(fallback, first, second, clock):
    tail = LogTail(fallback)
    second.write("one", "two")
    assert texts(tail) == []
    clock[0] = PATIENCE - 1
    assert texts(tail) == []
    assert fallback.note == "First."
    clock[0] = PATIENCE
    assert texts(tail) == ["one", "two"]
    assert (fallback.note, fallback.pause) == ("Second. Silent.", 30.0)
    first.write("one", "two")  # at last; they were shown
    assert texts(tail) == []
    second.write("three")
    assert texts(tail) == ["three"]


def test_cloudwatch_may_speak_late(fallback, first, second, clock):
    tail = LogTail(fallback)
    texts(tail)
    clock[0] = PATIENCE
    assert texts(tail) == []
    assert fallback.note == "First. Silent."
    first.write("one")
    second.write("one")
    assert texts(tail) == ["one"]
    assert fallback.note == "First."


def test_s3_is_looked_at_now_and_then(fallback, second, clock):
    tail = LogTail(fallback)
    for moment in (0, PATIENCE, PATIENCE + 10, PATIENCE + 29, PATIENCE + 31):
        clock[0] = moment
        tail.read()
    assert second.looks == 2


@pytest.mark.parametrize(("code", "looks"), [("AccessDenied", 1), ("SlowDown", 2)])
def test_where_s3_can_t_be_listed_cloudwatch_is_listened_to_on(fallback, first, second, clock, code, looks):
    tail = LogTail(fallback)
    second.error = refused(code)
    for moment in (0, PATIENCE, PATIENCE + 31):
        clock[0] = moment
        assert texts(tail) == []
    first.write("one")
    assert texts(tail) == ["one"]
    assert second.looks == looks


def test_where_there_is_nothing_but_cloudwatch_its_silence_is_told(first, clock):
    fallback = FallbackSources(first, None, "Silent.", clock=lambda: clock[0])
    tail = LogTail(fallback)
    tail.read()
    clock[0] = PATIENCE
    tail.read()
    assert fallback.note == "First. Silent."


def test_lines_of_others_do_not_make_cloudwatch_speak(fallback, second, clock):
    own = Sources()
    tail = LogTail(JoinedSources([fallback, own], "us-east-1"))
    own.write("mine", label="driver")
    assert texts(tail) == ["mine"]
    second.write("theirs")
    clock[0] = PATIENCE
    assert texts(tail) == ["theirs"]


class TestALogThatEndsSoon:
    """A job may be over before its first place has been silent for long."""

    def test_the_second_place_is_looked_at_when_the_run_has_ended(self, fallback, second):
        tail = LogTail(fallback)
        second.write("archived")
        assert texts(tail) == []
        fallback.note_end()
        assert texts(tail) == ["archived"]
        assert fallback.note == "Second. Silent."

    def test_the_first_place_is_read_where_it_has_lines(self, fallback, first, second):
        first.write("one")
        second.write("one, archived")
        fallback.note_end()
        assert texts(LogTail(fallback)) == ["one"]

    def test_the_first_place_is_not_called_silent_for_that(self, fallback, first):
        fallback.note_end()
        assert texts(LogTail(fallback)) == []
        assert fallback.note == "First."
        first.write("late")
        assert texts(LogTail(fallback)) == ["late"]

    def test_what_comes_late_is_waited_for_where_nothing_came_at_once(self, fallback, first, second):
        second.uploaded_within = 15.0
        assert JoinedSources([fallback], "us-east-1").uploaded_within == 15.0
        first.write("one")
        assert texts(LogTail(fallback)) == ["one"]
        assert fallback.uploaded_within == 0.0


def test_where_the_first_place_may_not_be_read_the_second_one_is(fallback, first, second):
    first.error = refused("AccessDeniedException")
    second.write("archived")
    tail = LogTail(fallback)
    assert texts(tail) == ["archived"]
    assert fallback.note.startswith("The logs in CloudWatch can't be shown here: permission is missing")
    second.write("more")
    assert texts(tail) == ["more"]
    assert first.looks == 1
