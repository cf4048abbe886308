"""CloudWatch Logs: what GetLogEvents gives, and what its tokens mean."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from moto.logs import models

from airflow_provider_emrkit.localemr import moto_logs
from airflow_provider_emrkit.localemr.moto_logs import EVENT_OVERHEAD, MAX_BYTES, Position, read_token

GROUP, STREAM = "/group", "stream"
NOW = int(time.time() * 1000) - 600_000


@pytest.fixture
def logs(localemr_server):
    client = localemr_server.client("logs")
    client.create_log_group(logGroupName=GROUP)
    client.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    return client


@pytest.fixture
def put(logs):
    def call(*times: int, text: str = ""):
        events = [{"timestamp": NOW + one, "message": text or f"at {one}"} for one in times]
        logs.put_log_events(logGroupName=GROUP, logStreamName=STREAM, logEvents=events)

    return call


@pytest.fixture
def get(logs):
    def call(**params):
        return logs.get_log_events(logGroupName=GROUP, logStreamName=STREAM, **params)

    return call


def times(page):
    return [event["timestamp"] - NOW for event in page["events"]]


def test_events_come_in_the_order_of_their_times_whatever_that_of_their_arrival(put, get):
    put(30, 40)
    put(10, 35)
    put(*range(200, 400))
    put(*range(150, 350))
    assert times(get(startFromHead=True)) == [10, 30, 35, 40, *sorted([*range(200, 400), *range(150, 350)])]


def test_an_event_that_arrives_late_lies_behind_a_token_and_doubles_nothing(put, get):
    put(10, 20, 30)
    end = get(startFromHead=True)["nextForwardToken"]
    put(15, 16, 40)
    page = get(startFromHead=True, nextToken=end)
    assert times(page) == [40]
    assert times(get(nextToken=page["nextForwardToken"])) == []
    assert times(get(startFromHead=True)) == [10, 15, 16, 20, 30, 40]


def test_an_event_of_the_very_time_of_the_last_one_is_still_to_come(put, get):
    put(10, 10)
    end = get(startFromHead=True)["nextForwardToken"]
    put(10)
    assert times(get(nextToken=end)) == [10]


def test_at_the_end_the_token_is_the_same_again(put, get):
    put(10)
    end = get(startFromHead=True)["nextForwardToken"]
    page = get(nextToken=end)
    assert (page["nextForwardToken"], page["events"]) == (end, [])
    put(20)
    assert times(get(nextToken=end)) == [20]


@pytest.mark.parametrize("from_head", [True, False])
def test_a_reader_of_an_empty_stream_gets_all_that_is_to_come(put, get, from_head):
    token = get(startFromHead=from_head)["nextForwardToken"]
    put(-1000, 10)
    assert times(get(nextToken=token, startFromHead=from_head)) == [-1000, 10]


def test_without_a_word_the_last_events_come_and_from_there_both_ways_lead_on(put, get):
    put(*range(10))
    page = get(limit=3)
    assert times(page) == [7, 8, 9]
    before = get(limit=3, nextToken=page["nextBackwardToken"])
    assert times(before) == [4, 5, 6]
    assert times(get(limit=3, nextToken=before["nextForwardToken"])) == [7, 8, 9]
    first = get(nextToken=before["nextBackwardToken"])
    assert times(first) == [0, 1, 2, 3]
    at_the_beginning = get(nextToken=first["nextBackwardToken"])
    assert (at_the_beginning["events"], at_the_beginning["nextBackwardToken"]) == (
        [],
        first["nextBackwardToken"],
    )
    put(10)
    assert times(get(nextToken=page["nextForwardToken"])) == [10]


def test_a_page_ends_at_the_end_of_the_time_asked_for(put, get):
    put(10, 20, 30, 40)
    limits = {"startTime": NOW + 20, "endTime": NOW + 40}
    page = get(startFromHead=True, limit=1, **limits)
    assert times(page) == [20]
    page = get(startFromHead=True, nextToken=page["nextForwardToken"], **limits)
    assert times(page) == [30]
    assert times(get(nextToken=page["nextForwardToken"], **limits)) == []
    assert times(get(**limits)) == [20, 30]
    assert times(get(startTime=NOW + 50)) == []


def test_a_reader_from_a_time_on_is_not_led_back_before_it(put, get):
    token = get(startFromHead=True, startTime=NOW + 20)["nextForwardToken"]
    put(10, 30)
    assert times(get(nextToken=token)) == [30]


def test_a_page_holds_at_most_10_000_events(put, get):
    for _ in range(3):
        put(*range(5_000))
    page = get(startFromHead=True)
    assert len(page["events"]) == 10_000
    assert len(get(nextToken=page["nextForwardToken"])["events"]) == 5_000


@pytest.mark.parametrize("text", ["x" * 100_000, "ü" * 50_000])
def test_a_page_holds_at_most_a_megabyte(put, get, text):
    for start in (0, 10):
        put(*range(start, start + 8), text=text)
    fitting = MAX_BYTES // (100_000 + EVENT_OVERHEAD)
    page = get(startFromHead=True)
    assert len(page["events"]) == fitting
    assert len(get(nextToken=page["nextForwardToken"])["events"]) == 16 - fitting
    # From behind, the last ones.
    assert times(get())[-1] == 17
    assert len(get()["events"]) == fitting


def error_code(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"]


@pytest.mark.parametrize(
    "token", ["x", "f/1", "g/" + "0" * 56, "f/" + "0" * 55 + "x", "f/-" + "0" * 55, "f/" + "٣" * 56]
)
def test_a_token_that_is_none_is_refused(get, token):
    assert error_code(get, nextToken=token) == "InvalidParameterException"


def test_a_page_of_any_size_is_not_to_be_had(get):
    assert error_code(get, limit=10_001) == "InvalidParameterException"


@pytest.mark.parametrize("place", [{"logGroupName": "/other"}, {"logStreamName": "other"}])
def test_what_is_not_there_is_not_found(logs, place):
    params = {"logGroupName": GROUP, "logStreamName": STREAM, **place}
    assert error_code(logs.get_log_events, **params) == "ResourceNotFoundException"


def test_a_description_tells_the_first_and_the_last_time(logs, put):
    put(20, 30)
    put(10)
    (found,) = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    assert (found["firstEventTimestamp"] - NOW, found["lastEventTimestamp"] - NOW) == (10, 30)


def test_a_position_is_written_and_read():
    for place in (Position(0, 0), Position(NOW, 10**30)):
        assert read_token(place.token("f")) == ("f", place)
        assert len(place.token("b")) == 58


def test_writers_at_once_lose_nothing_and_a_reader_meanwhile_gets_nothing_twice(logs, put, get):
    ended = threading.Event()

    def read():
        found, token, last = [], {}, False
        while True:
            page = get(startFromHead=True, **token)
            found += [event["message"] for event in page["events"]]
            token = {"nextToken": page["nextForwardToken"]}
            if last and not page["events"]:
                return found
            last = ended.is_set()

    with ThreadPoolExecutor(5) as pool:
        reader = pool.submit(read)
        # All of one time: each that arrives lies behind those before.
        writers = [pool.submit(lambda n=n: [put(5, text=f"{n} {i}") for i in range(40)]) for n in range(4)]
        for writer in writers:
            writer.result()
        ended.set()
        found = reader.result()
    assert sorted(found) == sorted(f"{n} {i}" for n in range(4) for i in range(40))


@pytest.fixture
def stream():
    """A stream with 200,000 events, as moto holds it."""
    moto_logs.use()
    group = models.LogGroup("123456789012", "us-east-1", GROUP)
    group.create_log_stream(STREAM)
    made = group.streams[STREAM]
    for start in range(0, 200_000, 10_000):
        made.put_log_events(
            [{"timestamp": NOW + n, "message": "m" * 120} for n in range(start, start + 10_000)]
        )
    return made


def seconds(call, repeat: int = 20) -> float:
    """The shortest time that a call takes: others are at work here."""
    found = []
    for _ in range(repeat):
        begin = time.perf_counter()
        call()
        found.append(time.perf_counter() - begin)
    return min(found)


def test_a_poll_costs_the_same_however_much_was_written(stream):
    _, _, end = stream.get_log_events(None, None, 10, None, False)
    assert seconds(lambda: stream.get_log_events(None, None, None, end, True)) < 0.001
    assert seconds(stream.to_describe_dict) < 0.001
    late = [{"timestamp": NOW + 5, "message": "late"}]
    assert seconds(lambda: stream.put_log_events(late)) < 0.005
