from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError
from faithful_logs import START, FaithfulLogs

from airflow_provider_emrkit.hooks.log_events import EventPage
from airflow_provider_emrkit.logs import reading, remembering
from airflow_provider_emrkit.logs.reading import StreamCursor
from airflow_provider_emrkit.logs.sources import CloudWatchStream, LogLine


@dataclass
class Reader:
    """Looks at a stream now and then."""

    logs: Any
    now: float = 0.0
    since: int | None = None
    cursor: Any = None
    lines: list[LogLine] = field(default_factory=list)
    looks: list[int] = field(default_factory=list)

    @property
    def stream(self) -> CloudWatchStream:
        return CloudWatchStream(self.logs, "/g", "s", "out", since=self.since, clock=lambda: self.now)

    def look(self, seconds: float = 0.0) -> list[str]:
        """Let some time pass and read what is new."""
        self.now += seconds
        before = self.logs.calls
        read = self.stream.read(self.cursor)
        self.looks.append(self.logs.calls - before)
        self.cursor = read.cursor
        self.lines += read.lines
        assert [line.timestamp for line in read.lines] == sorted(line.timestamp for line in read.lines)
        return [line.text for line in read.lines]

    def texts(self) -> list[str]:
        return [line.text for line in self.lines]


@pytest.fixture(params=["places", "numbers"])
def logs(request):
    return FaithfulLogs(tokens=request.param)


def test_an_event_that_comes_late_is_given_when_the_stream_falls_silent(logs):
    reader = Reader(logs)
    logs.put(0, "a")
    logs.put(1_000, "c")
    assert reader.look() == ["a", "c"]
    logs.put(500, "b", arrived=2_000)
    assert reader.look(2) + reader.look(2) == ["b"]
    assert reader.look(60) + reader.look(60) == []


def test_an_event_that_comes_late_is_given_while_the_stream_goes_on(logs):
    reader = Reader(logs)
    for second in range(0, 60, 2):
        logs.put(second * 1000, str(second))
        if second == 20:
            logs.put(17_500, "late", arrived=20_000)
        reader.look(2)
    texts = reader.texts()
    assert sorted(texts) == sorted([*map(str, range(0, 60, 2)), "late"])
    assert texts.index("late") < texts.index("34")


def test_a_job_may_write_a_line_twice_in_a_millisecond(logs):
    reader = Reader(logs)
    logs.put(5, "same")
    assert reader.look() == ["same"]
    logs.put(5, "same")
    logs.put(5, "same")
    logs.put(1, "late", arrived=9)
    found = reader.look(2) + reader.look(2) + reader.look(2)
    assert Counter(found) == {"same": 2, "late": 1}


def test_two_late_events_do_not_bring_back_the_ones_after_them(logs):
    reader = Reader(logs)
    for number in range(100):
        logs.put(number, str(number))
    reader.look()
    logs.put(50, "late 1", arrived=200)
    logs.put(51, "late 2", arrived=200)
    assert reader.look(2) + reader.look(2) == ["late 1", "late 2"]


def test_nothing_new_costs_one_call_for_a_look(logs):
    reader = Reader(logs)
    logs.put(0, "a")
    reader.look()
    for _ in range(100):
        reader.look(2)
    assert set(reader.looks[1:]) == {1}


def test_much_to_read_costs_few_calls(logs):
    reader = Reader(logs)
    for number in range(50_000):
        logs.put(number, str(number))
    while len(reader.lines) < 50_000 or reader.look():
        reader.look(0.5)
    assert reader.texts() == [str(number) for number in range(50_000)]
    assert logs.calls <= 10


def test_a_silent_stream_is_hardly_remembered(logs):
    reader = Reader(logs)
    for number in range(5_000):
        logs.put(number * 10, str(number))
    reader.look()
    assert len(reader.cursor.memory) == 5_000
    for _ in range(80):
        reader.look(1)
    assert len(reader.cursor.memory) == remembering.KEPT_SILENT
    logs.put(60_000, "more")
    assert reader.look(2) == ["more"]


def test_more_than_can_be_remembered_is_not_given_twice(logs, monkeypatch):
    monkeypatch.setattr(remembering, "MAX_KEPT", 100)
    reader = Reader(logs)
    for number in range(1_000):
        logs.put(number, str(number))
    reader.look()
    logs.put(950, "late", arrived=2_000)
    logs.put(10, "too late", arrived=2_000)
    assert reader.look(4) + reader.look(10) + reader.look(100) == ["late"]


def test_a_thousand_events_of_one_moment_that_is_too_much_to_remember(logs, monkeypatch):
    monkeypatch.setattr(remembering, "MAX_KEPT", 100)
    reader = Reader(logs)
    for number in range(1_000):
        logs.put(0, str(number))
    reader.look()
    reader.look(4)
    logs.put(0, "more", arrived=2_000)
    logs.put(1, "and more")
    assert reader.look(2) == ["more", "and more"]
    assert len(reader.texts()) == 1_002
    assert len(reader.cursor.memory) <= 100


def test_of_a_stream_that_writes_much_no_late_event_is_lost_either(logs, monkeypatch):
    """A minute of it is more than can be remembered, and so it is read again the more often."""
    for module in (reading, remembering):
        monkeypatch.setattr(module, "MAX_KEPT", 2_000)
    writer, reader = Writer(random.Random(1), logs), Reader(logs)
    for second in range(0, 200, 2):
        for number in range(400 if second < 180 else 0):
            when = second * 1000 + number * 5
            is_late = second % 14 == 0 and number == 0
            writer.send(when, f"line {number}", due=when + (3_000 if is_late else 0))
        writer.deliver(second * 1000 + 2_000)
        reader.look(2)
        assert len(reader.cursor.memory) <= 4_000
    assert lost_and_doubled(writer, reader) == ({}, {})


def test_one_event_ahead_of_its_time_holds_back_no_other(logs):
    reader = Reader(logs)
    logs.put(3_600_000, "from the future", arrived=0)
    reader.look()
    for second in range(0, 300, 100):
        logs.put(second * 1000, str(second))
        reader.look(50)
        reader.look(50)
    assert reader.texts() == ["from the future", "0", "100", "200"]


def test_a_stream_that_appears_late(logs):
    reader = Reader(logs)
    logs.exists = False
    assert reader.look() == reader.look(2) == []
    assert reader.cursor is None
    logs.exists = True
    assert reader.look(2) == []
    logs.put(0, "a")
    assert reader.look(2) == ["a"]


def test_a_stream_that_is_gone_for_a_while_is_gone_on_with(logs):
    reader = Reader(logs)
    logs.put(0, "a")
    reader.look()
    logs.exists = False
    assert reader.look(2) == []
    logs.exists = True
    logs.put(1, "b")
    assert reader.look(2) == ["b"]


@pytest.mark.parametrize("silent", [0, 200])
def test_a_token_of_yesterday_is_not_needed(logs, silent):
    reader = Reader(logs)
    for number in range(40):
        logs.put(number // 4, f"line {number % 2}")
    reader.look()
    for _ in range(silent // 10):
        reader.look(10)
    logs.put(9, "same moment", arrived=10)
    logs.expired.add(reader.cursor.token)
    assert reader.look(2) == ["same moment"]
    assert len(reader.lines) == 41


def test_a_bad_request_is_not_taken_for_an_old_token(logs):
    logs.refuse = ["InvalidParameterException"]
    with pytest.raises(ClientError, match="InvalidParameterException"):
        Reader(logs).look()


def test_what_was_read_before_aws_refused_a_page_is_not_lost(logs, monkeypatch):
    reader = Reader(logs)
    pages = [["a"], ["b"]]
    for number in range(4):
        logs.put(number, str(number))
    answer = logs.get_log_events

    def small(**request):
        if len(pages) == 0:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "no"}}, "GetLogEvents")
        pages.pop()
        return answer(**{**request, "limit": 1})

    monkeypatch.setattr(logs, "get_log_events", small)
    assert reader.look() == ["0", "1"]
    with pytest.raises(ClientError, match="Throttling"):
        reader.look(2)
    monkeypatch.undo()
    assert reader.look(2) == ["2", "3"]


def test_only_what_is_asked_for_of_a_stream_that_others_write_to(logs):
    reader = Reader(logs, since=START + 100)
    logs.put(50, "of another run")
    logs.put(100, "mine")
    assert reader.look() == ["mine"]
    logs.put(60, "of another run, late", arrived=150)
    logs.put(101, "mine too")
    assert reader.look(4) + reader.look(10) + reader.look(60) == ["mine too"]
    read = reader.stream.from_end(10)
    assert ([line.text for line in read.lines], read.skipped) == (["mine", "mine too"], False)


def test_a_cursor_goes_on_in_another_process(logs):
    reader = Reader(logs)
    for number in range(100):
        logs.put(number, str(number))
    reader.look()
    text = json.dumps(reader.cursor.to_dict())
    assert len(text) < 3_000
    reader.cursor = StreamCursor.from_dict(json.loads(text))
    reader.now = -1_000.0
    logs.put(95, "late", arrived=200)
    logs.put(100, "new")
    assert reader.look() == ["late", "new"]
    assert [reader.look(2) for _ in range(20)] == [[]] * 20


def test_what_is_no_cursor_is_not_taken_for_one(logs):
    for values in ({}, {"token": "f/1"}, "f/1", {**StreamCursor().to_dict(), "memory": {"floor": 0}}):
        with pytest.raises(ValueError, match="no cursor of a stream"):
            StreamCursor.from_dict(values)


def test_a_look_does_not_change_the_cursor_it_begins_with(logs):
    reader = Reader(logs)
    logs.put(0, "a")
    logs.put(1, "b")
    reader.look()
    before = reader.cursor
    logs.put(2, "c")
    assert [line.text for line in reader.stream.read(before).lines] == ["c"]
    assert [line.text for line in reader.stream.read(before).lines] == ["c"]


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_the_end_of_a_stream_is_found_behind_empty_pages(logs, limit):
    for number in range(10):
        logs.put(number, str(number))
    for seed in range(30):
        logs.random, logs.hard = random.Random(seed), 0.6
        try:
            read = Reader(logs).stream.from_end(limit)
        except ClientError:
            continue
        texts = [line.text for line in read.lines]
        count = len(texts)
        assert texts == [str(number) for number in range(10 - count, 10)]
        assert count == min(limit, 10) or read.skipped
        assert read.skipped or count == 10


def test_late_events_before_the_end_that_was_read_are_given_too(logs):
    for number in range(10):
        logs.put(number * 10, str(number))
    reader = Reader(logs)
    read = reader.stream.from_end(5)
    assert read.skipped
    reader.cursor = read.cursor
    logs.put(75, "late", arrived=200)
    logs.put(5, "long before what was read", arrived=200)
    logs.put(300, "new")
    assert reader.look(4) + reader.look(10) == ["late", "new"]


@dataclass
class Writer:
    """Writes to a stream at random, and delivers some of it late."""

    random: random.Random
    logs: FaithfulLogs
    written: Counter[tuple[int, str]] = field(default_factory=Counter)
    _waiting: list[tuple[int, int, str]] = field(default_factory=list)

    def write(self, now: int, lateness: int) -> None:
        """Write what is written in the two seconds before ``now`` (milliseconds)."""
        kind = self.random.random()
        count = 0 if kind < 0.3 else self.random.randrange(1, 5 if kind < 0.8 else 60)
        for _ in range(count):
            when = now - self.random.randrange(2_000) if self.random.random() < 0.7 else now - 7
            due = now + (self.random.randrange(lateness) if self.random.random() < 0.2 else 0)
            text = self.random.choice(["a", "b", f"line {self.random.randrange(10**6)}"])
            self.send(when, text, due)
        self.deliver(now)

    def send(self, when: int, text: str, due: int) -> None:
        """Let an event be delivered at the first :meth:`deliver` that is not before ``due``."""
        self._waiting.append((due, when, text))

    def deliver(self, now: int) -> None:
        due = [entry for entry in self._waiting if entry[0] <= now]
        self._waiting = [entry for entry in self._waiting if entry[0] > now]
        for _, when, text in due:
            self.logs.put(when, text, arrived=now)
            self.written[(START + when, text)] += 1


@pytest.mark.parametrize("tokens", ["places", "numbers"])
@pytest.mark.parametrize("part", range(10))
def test_nothing_is_lost_and_nothing_comes_twice(tokens, part):
    """Late events, small and empty pages, throttling, old tokens, a stream that appears late: 300 rounds."""
    for seed in range(part * 15, part * 15 + 15):
        rng = random.Random(seed)
        logs = FaithfulLogs(random.Random(seed), tokens, hard=rng.choice([0.0, 0.2, 0.5]))
        writer, reader = Writer(rng, logs), Reader(logs)
        logs.exists = rng.random() < 0.5
        for look in range(60):
            now = look * 2_000
            logs.exists = logs.exists or look > 5
            if look < 40:
                writer.write(now, lateness=20_000)
            writer.deliver(now)
            if rng.random() < 0.05 and reader.cursor:
                logs.expired.add(reader.cursor.token)
            try:
                reader.look(2)
            except ClientError:
                continue
        for _ in range(10):
            logs.hard = 0.0
            reader.look(2)
        assert (seed, *lost_and_doubled(writer, reader)) == (seed, {}, {})
        assert sum(writer.written.values()) > 50


def lost_and_doubled(writer: Writer, reader: Reader) -> tuple[dict[Any, int], dict[Any, int]]:
    found = Counter((line.timestamp, line.text) for line in reader.lines)
    return dict(writer.written - found), dict(found - writer.written)


def test_the_pause_between_sweeps_grows_with_what_there_is_to_read_again(logs):
    """At a hundred lines a second, reading again costs no more than twice what reading costs."""
    reader = Reader(logs)
    given = [0]
    answer = logs.get_log_events

    def counted(**request):
        page = answer(**request)
        given[0] += len(page["events"])
        return page

    logs.get_log_events = counted
    for second in range(0, 240, 2):
        for number in range(200):
            logs.put(second * 1000 + number * 10, f"{second} {number}")
        reader.look(2)
    assert len(reader.lines) == 24_000
    assert given[0] < 3 * 24_000


TODAY = 1_700_000_000.0


def page_at(seconds: float, token: str, count: int = 3, size: int = 10) -> EventPage:
    """Give a page whose events were taken in so many seconds ago."""
    when = round((TODAY - seconds) * 1000)
    event = {"timestamp": when, "ingestionTime": when, "message": "x" * size}
    return EventPage([event] * count, token)


def calls_of_a_look(*pages: EventPage) -> tuple[int, bool]:
    """Look at a stream that gives one page after the other, and then what comes during each call."""
    asked: list[str | None] = []

    def ask(token: str | None, _start: int) -> EventPage:
        asked.append(token)
        number = len(asked)
        return pages[number - 1] if number <= len(pages) else page_at(-number / 10, f"f/{number}")

    complete = reading.read_on(ask, None, 0.0, TODAY)[2]
    return len(asked), complete


def test_a_look_at_what_is_being_written_ends_though_more_comes_during_each_call():
    assert calls_of_a_look(page_at(1.0, "f/1")) == (1, True)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page_at(3_600.0, "f/1"), id="written long ago: a page may hold any part"),
        pytest.param(page_at(1.0, "f/1", count=reading.FULL_EVENTS), id="many events"),
        pytest.param(page_at(1.0, "f/1", count=2, size=reading.FULL_BYTES), id="many bytes"),
        pytest.param(page_at(0.0, "f/1", count=0), id="empty, with another token"),
    ],
)
def test_a_look_goes_on_after_a_page_that_may_not_be_the_last(page):
    assert calls_of_a_look(page) == (2, True)
