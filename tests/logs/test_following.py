from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError
from faithful_logs import START, FaithfulLogs

from airflow_provider_emrkit.logs.following import Following
from airflow_provider_emrkit.logs.sources import CloudWatchStream, LogSources


@dataclass
class Streams(LogSources):
    """Two streams, by a clock of their own."""

    out: FaithfulLogs = field(default_factory=FaithfulLogs)
    err: FaithfulLogs = field(default_factory=FaithfulLogs)
    now: float = 0.0
    note: str | None = None

    def current(self) -> Any:
        return [
            CloudWatchStream(logs, "/g", name, name, clock=lambda: self.now)
            for name, logs in (("out", self.out), ("err", self.err))
        ]


def follow(streams: Streams, seconds: float = 1_000.0, **options: Any) -> list[str]:
    """Follow streams to the end, by a clock that goes on by what is to be waited."""
    following = Following(streams, clock=lambda: streams.now, jitter=lambda: 0.5, **options)
    texts: list[str] = []
    while not following.is_over:
        assert streams.now < seconds
        texts += [line.text for line in following.look()]
        following.keep_place()
        streams.now += following.delay
    return texts


def test_streams_are_read_until_they_are_silent():
    streams = Streams()
    streams.out.put(0, "a")
    streams.err.put(1, "b")
    streams.out.put(2, "c")
    assert follow(streams) == ["a", "b", "c"]
    assert 5 <= streams.now <= 8


def test_what_is_there_can_be_read_at_once():
    streams = Streams()
    for number in range(12_000):
        streams.out.put(number, str(number))
    assert len(follow(streams, drain=0)) == 12_000
    assert streams.now == 0


def test_what_takes_many_looks_is_read_to_its_end():
    streams = Streams()
    for number in range(120_000):
        streams.out.put(number, "x")
    assert len(follow(streams, drain=0)) == 120_000


def test_a_time_without_answers_is_not_taken_for_silence():
    streams = Streams()
    streams.err.refuse = ["ThrottlingException"] * 4
    following = Following(streams, clock=lambda: streams.now, jitter=lambda: 0.5)
    texts: list[str] = []
    answers = 0
    while not following.is_over:
        texts += [line.text for line in following.look()]
        answers += not streams.err.refuse
        if answers == 3:
            streams.err.put(0, "just written")
        streams.now += following.delay
    assert texts == ["just written"]


def test_lines_that_come_after_the_end_are_waited_for():
    streams = Streams()

    def ended() -> bool:
        if streams.now >= 12 and not streams.err.events:
            streams.err.put(11_000, "last words")
        if streams.now >= 10 and not streams.out.events:
            streams.out.put(9_000, "late")
        return streams.now >= 10

    # What is asked only until it is true can't write any more.
    streams.err.put(8_000, "early")
    assert follow(streams, until=ended) == ["early", "late"]
    assert 15 <= streams.now <= 18


def test_streams_that_never_fall_silent_are_left_at_last():
    streams = Streams()

    def ended() -> bool:
        return streams.now >= 10

    following = Following(streams, until=ended, clock=lambda: streams.now, max_drain=30.0)
    while not following.is_over:
        streams.out.put(int(streams.now * 1000), "never silent")
        assert len(following.look()) == 1
        assert streams.now < 60
        streams.now += following.delay
    assert streams.now == 40


def test_throttling_is_borne_for_as_long_as_it_takes():
    streams = Streams()
    streams.out.put(0, "a")
    streams.err.put(1, "b")
    streams.err.refuse = ["ThrottlingException"] * 30
    assert follow(streams, seconds=10_000, until=lambda: True) == ["a", "b"]
    assert streams.err.refuse == []


def test_a_refusal_is_raised_after_the_lines_of_the_other_streams():
    streams = Streams()
    streams.out.put(0, "a")
    streams.err.refuse = ["AccessDeniedException"] * 2
    following = Following(streams)
    assert [line.text for line in following.look()] == ["a"]
    assert not following.is_over
    with pytest.raises(ClientError, match="AccessDenied"):
        following.look()


def test_an_endpoint_that_never_answers_is_given_up():
    streams = Streams()
    streams.err.refuse = ["ServiceUnavailable"] * 100
    with pytest.raises(ClientError, match="ServiceUnavailable"):
        follow(streams, seconds=10_000)


def test_trouble_is_told_once():
    streams = Streams(note="there are more")
    streams.err.refuse = ["ThrottlingException"] * 3
    following = Following(streams)
    notes = []
    for _ in range(5):
        following.look()
        notes += following.take_notes()
    assert notes == ["The logs could not be read (ThrottlingException); trying again.", "there are more"]


def test_a_place_is_kept_only_when_the_lines_were_taken():
    streams, cursor = Streams(), {}
    streams.out.put(0, "a")
    following = Following(streams, cursor=cursor)
    following.look()
    assert cursor == {}
    following.keep_place()
    assert list(cursor) == ["/g out", "/g err"]
    assert cursor["/g out"]["newest"] == START
    streams.out.put(1, "b")
    assert follow(streams, cursor=cursor) == ["b"]
