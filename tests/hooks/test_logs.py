from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
import time
from datetime import datetime, timezone

import pytest
from airflow_fixtures import Collected

from airflow_provider_emrkit import CloudWatchLogsHook, LogStream
from airflow_provider_emrkit.exceptions import EmrKitError
from airflow_provider_emrkit.hooks.emrkit import EmrKitHook
from airflow_provider_emrkit.validation import InvalidValueError


@pytest.fixture
def start():
    return int(time.time() * 1000) - 60_000


@pytest.fixture
def put(localemr_server, start):
    """Write events of (milliseconds, message) to a stream of the group /team."""
    logs = localemr_server.client("logs")

    def write(stream: str, *events: tuple[int, str], group: str = "/team") -> None:
        for create, names in (
            (logs.create_log_group, {"logGroupName": group}),
            (logs.create_log_stream, {"logGroupName": group, "logStreamName": stream}),
        ):
            with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
                create(**names)
        entries = [{"timestamp": start + offset, "message": message} for offset, message in events]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=entries)

    return write


@pytest.fixture
def hook(emrkit_connection):
    return CloudWatchLogsHook()


def texts(lines) -> list[str]:
    return [line.text for line in lines]


def test_the_client_is_the_one_that_all_hooks_share(hook):
    assert hook.get_conn() is EmrKitHook().client("logs")


def test_streams_are_given_by_time(hook, put):
    put("out", (0, "a"), (2, "c"))
    put("err", (1, "b"))
    lines = list(hook.stream([("/team", "out"), LogStream("/team", "err")], drain=0))
    assert [(line.label, line.text) for line in lines] == [("out", "a"), ("err", "b"), ("out", "c")]


def test_streams_that_are_not_there_yet_and_those_of_later_attempts_are_read_too(hook, put, monkeypatch):
    monkeypatch.setattr("airflow_provider_emrkit.logs.user_streams.LOOK_PAUSE", 0.05)
    ended, read = threading.Event(), []
    lines = hook.stream([("/team", "job/*")], until=ended, poll_interval=0.02, drain=0.2)

    def write() -> None:
        put("job/attempts/1/stdout", (0, "first"))
        put("other", (1, "not asked for"))
        wait_until(lambda: len(read) == 1)
        put("job/attempts/2/stdout", (2, "second"))
        wait_until(lambda: len(read) == 2)
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    read += []
    for line in lines:
        read.append(line.text)
    writer.join()
    assert read == ["first", "second"]


def wait_until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_one_can_go_on_later_from_where_one_was(hook, put):
    cursor: dict = {}
    put("out", (0, "a"))
    assert texts(hook.stream([("/team", "out")], drain=0, cursor=cursor)) == ["a"]
    put("out", (1, "b"))
    later = json.loads(json.dumps(cursor))
    assert texts(hook.stream([("/team", "out")], drain=0, cursor=later)) == ["b"]
    assert texts(hook.stream([("/team", "out")], drain=0, cursor=later)) == []


def test_whoever_stops_in_the_middle_of_a_look_gets_it_again(hook, put):
    cursor: dict = {}
    put("out", (0, "a"), (1, "b"))
    for _ in hook.stream([("/team", "out")], drain=0, cursor=cursor):
        break
    assert texts(hook.stream([("/team", "out")], drain=0, cursor=cursor)) == ["a", "b"]


@pytest.mark.parametrize("kind", ["milliseconds", "datetime"])
def test_only_what_was_written_since(hook, put, start, kind):
    put("shared", (0, "before"), (1000, "mine"))
    since = start + 1000
    moment = datetime.fromtimestamp(since / 1000, timezone.utc) if kind == "datetime" else since
    assert texts(hook.stream([("/team", "shared")], drain=0, since=moment)) == ["mine"]


def test_lines_are_written_into_a_log_with_their_own_time_and_level(hook, put, start, monkeypatch):
    monkeypatch.setattr("airflow_provider_emrkit._compat.AIRFLOW_V_3_0_PLUS", False)
    log, collected = logging.getLogger("tests.followed"), Collected()
    log.setLevel(logging.INFO)
    log.addHandler(collected)
    put("out", (0, "hello"), (5, "24/01/01 10:00:00 WARN TaskSetManager: Lost task"))
    assert hook.follow([("/team", "out")], log, drain=0) == 2
    assert asyncio.run(hook.afollow([("/team", "out")], log, drain=0)) == 2
    log.removeHandler(collected)
    first, second = collected.records[:2]
    assert (first.getMessage(), first.levelname) == ("[out] hello", "INFO")
    assert second.levelname == "WARNING"
    assert round(first.created * 1000) == start
    assert collected.lines[2:] == collected.lines[:2]


def test_reading_holds_up_no_event_loop(hook, put, monkeypatch):
    put("out", *((number, f"line {number}") for number in range(2_000)))
    monkeypatch.setattr("airflow_provider_emrkit.logs.user_streams.LOOK_PAUSE", 0.0)
    lags: list[float] = []
    loops: set[int] = set()
    client = hook.get_conn()
    answer = client.get_log_events

    def noted(**request):
        loops.add(threading.get_ident())
        return answer(**request)

    monkeypatch.setattr(client, "get_log_events", noted)

    async def beat() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            lags.append(time.monotonic() - before)

    async def run() -> list[str]:
        ended = asyncio.Event()
        heart = asyncio.create_task(beat())
        read = []
        async for line in hook.astream([("/team", "o*")], until=ended, poll_interval=0.02, drain=0.1):
            read.append(line.text)
            if len(read) == 2_000:
                ended.set()
        heart.cancel()
        return read

    assert asyncio.run(run()) == [f"line {number}" for number in range(2_000)]
    assert threading.get_ident() not in loops
    assert len(lags) > 3


def test_what_aws_refuses_is_put_into_words(hook, monkeypatch):
    client = hook.get_conn()
    error = client.exceptions.ClientError(
        {"Error": {"Code": "AccessDeniedException", "Message": "logs:GetLogEvents"}}, "GetLogEvents"
    )

    def refuse(**request):
        raise error

    monkeypatch.setattr(client, "get_log_events", refuse)
    with pytest.raises(EmrKitError, match="the logs can't be read: permission is missing: logs:GetLogEvents"):
        list(hook.stream([("/team", "out")]))


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        pytest.param({"streams": [("/team", "a:b")]}, "stream", id="no name of a stream"),
        pytest.param({"streams": ("/t", "ab")}, "streams", id="one stream, and no list"),
        pytest.param({"streams": [("/team", "a")], "cursor": {"x": 1}}, "cursor", id="no cursor"),
    ],
)
def test_what_can_t_be_right_is_named(hook, arguments, field):
    with pytest.raises(InvalidValueError) as caught:
        next(hook.stream(**arguments))
    assert caught.value.field == field
