from __future__ import annotations

import time

import pytest

from airflow_provider_emrkit.logs import user_streams
from airflow_provider_emrkit.logs.tail import LogTail
from airflow_provider_emrkit.logs.user_streams import UserStreams


@pytest.fixture
def follow(logs):
    """Follow streams from 20 seconds after the fixture's start on; gives the tail and a clock to move."""
    clock = [0.0]
    submitted = int(time.time() * 1000) - 40_000

    def follow(*streams: tuple[str, str], since: int | None = None):
        since = submitted if since is None else since
        sources = UserStreams(logs, streams, since, clock=lambda: clock[0])
        return LogTail(sources), clock

    return follow


def test_a_stream_that_many_runs_share_is_read_from_the_submission_on(follow, write):
    write("/team", "driver", (0, "the run before"), (30_000, "this one"))
    tail, _ = follow(("/team", "driver"))
    assert [(line.label, line.text) for line in tail.read().lines] == [("driver", "this one")]
    write("/team", "driver", (31_000, "more"))
    assert [line.text for line in tail.read().lines] == ["more"]


def test_a_stream_or_group_may_not_be_there_yet(follow, write):
    tail, _ = follow(("/team", "driver"), ("/later", "driver-*"), since=0)
    assert tail.read().lines == []
    write("/team", "driver", (0, "hello"))
    assert [line.text for line in tail.read().lines] == ["hello"]


def test_streams_whose_names_begin_alike_are_found_as_they_appear(follow, write):
    write("/team", "driver-1", (0, "one"))
    write("/team", "worker-1", (0, "another"))
    tail, clock = follow(("/team", "driver-*"), since=0)
    assert [(line.label, line.text) for line in tail.read().lines] == [("driver-1", "one")]
    write("/team", "driver-2", (1, "two"))
    clock[0] = 11.0
    assert [(line.label, line.text) for line in tail.read().lines] == [("driver-2", "two")]


def test_of_too_many_streams_that_begin_alike_the_first_are_read_and_that_is_told(follow, write, monkeypatch):
    monkeypatch.setattr(user_streams, "MAX_STREAMS", 2)
    for number in range(3):
        write("/team", f"driver-{number}", (0, "x"))
    tail, _ = follow(("/team", "driver-*"), since=0)
    assert len(tail.read().lines) == 2
    assert tail.sources.note == "Of the log streams /team driver-* the first 2 are followed; there are more."


@pytest.mark.parametrize(
    "name", ["emrkit", "submit", "stdout", "executor 2 stderr", "stderr of attempt 2", " emrkit "]
)
def test_a_stream_is_not_taken_for_what_emrkit_finds_or_says_by_itself(follow, write, name):
    write("/team", name, (0, "hello"))
    tail, _ = follow(("/team", name), since=0)
    assert [(line.label, line.text) for line in tail.read().lines] == [(f"/team:{name}", "hello")]
