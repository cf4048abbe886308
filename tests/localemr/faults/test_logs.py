"""Logs that arrive late."""

from __future__ import annotations

import io
import threading

import pytest

from airflow_provider_emrkit.localemr.faults.active import Faults
from airflow_provider_emrkit.localemr.faults.cluster_kinds import LateEvents, LogDelay
from airflow_provider_emrkit.localemr.faults.logs import LateLogs


class LogService:
    """Takes calls; what it was given can be waited for."""

    exceptions = "its exceptions"

    def __init__(self):
        self.calls = []
        self.changed = threading.Condition()

    def put_log_events(self, **params):
        with self.changed:
            self.calls.append(params)
            self.changed.notify_all()
        return "answer"

    create_log_stream = put_log_events

    def put_object(self, *, Body, **params):  # noqa: N803 - boto3's name
        if "fails" in params:
            raise ValueError("no")
        return self.put_log_events(Body=Body.read(), **params)

    def wait(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.calls) >= count, 10), self.calls
            return self.calls


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def service():
    return LogService()


@pytest.fixture
def late(faults):
    return LateLogs(faults)


@pytest.fixture
def clock():
    """Seconds that pass only when the test says so."""
    return [0.0]


@pytest.fixture
def timed(faults, clock):
    """Late logs by that clock, at which they look when as many real seconds have passed."""
    return LateLogs(faults, lambda: clock[0])


def client(late, service, logs="cloudwatch", cluster="etl"):
    return late.client(service, logs, {"cluster": (cluster, "j-1")}, "j-1")


def test_without_a_fault_calls_are_made_at_once(late, service):
    assert client(late, service).put_log_events(line=1) == "answer"
    assert service.calls == [{"line": 1}]


def test_late_calls_are_made_when_their_time_has_come_in_their_order(faults, timed, service, clock):
    faults.put("x", [LogDelay(seconds=0.2)])
    logs = client(timed, service)
    for line in range(3):
        assert logs.put_log_events(line=line) is None
    assert service.calls == []
    clock[0] = 0.2
    assert service.wait(3) == [{"line": 0}, {"line": 1}, {"line": 2}]


def test_what_is_missing_comes_when_the_fault_is_taken_away_and_before_what_follows(faults, late, service):
    faults.put("x", [LogDelay(seconds=3600)])
    logs = client(late, service)
    logs.put_log_events(line=1)
    faults.remove("x")
    logs.put_log_events(line=2)
    assert service.wait(2) == [{"line": 1}, {"line": 2}]


def test_everything_is_sent_at_the_end(faults, late, service):
    faults.put("x", [LogDelay(seconds=3600)])
    client(late, service).put_log_events(line=1)
    assert late.flush(10)
    assert service.calls == [{"line": 1}]


def test_only_the_logs_that_are_meant_are_late(faults, late, service):
    faults.put("x", [LogDelay(seconds=3600, logs="s3", cluster="slow*")])
    client(late, service, "s3", "fast").put_log_events(line=1)
    client(late, service, "cloudwatch", "slow").put_log_events(line=2)
    client(late, service, "s3", "slow").put_log_events(line=3)
    assert service.calls == [{"line": 1}, {"line": 2}]


def test_the_body_of_a_late_call_outlives_the_callers_file(faults, late, service):
    faults.put("x", [LogDelay(seconds=3600)])
    with io.BytesIO(b"packed") as body:
        client(late, service).put_object(Body=body, Key="k")
    faults.clear()
    assert service.wait(1) == [{"Body": b"packed", "Key": "k"}]


def test_a_late_call_that_fails_holds_up_no_other(faults, late, service, caplog):
    faults.put("x", [LogDelay(seconds=3600)])
    logs = client(late, service)
    logs.put_object(Body=io.BytesIO(b"x"), fails=True)
    logs.put_log_events(line=1)
    faults.clear()
    assert service.wait(1) == [{"line": 1}]
    assert "late logs of j-1/cloudwatch: no" in caplog.text


def test_what_is_more_than_memory_may_hold_is_delivered_early(faults, late, service, monkeypatch):
    monkeypatch.setattr("airflow_provider_emrkit.localemr.faults.logs.MAX_BYTES", 25)
    faults.put("x", [LogDelay(seconds=3600)])
    logs = client(late, service)
    for line in range(4):
        logs.put_log_events(logEvents=[{"message": str(line) * 10}])
    assert [call["logEvents"][0]["message"][0] for call in service.wait(2)] == ["0", "1"]
    faults.clear()
    assert [call["logEvents"][0]["message"][0] for call in service.wait(4)] == ["0", "1", "2", "3"]


def test_what_is_no_call_is_the_clients_own(late, service):
    assert client(late, service).exceptions == "its exceptions"


def lines(*numbers):
    return [{"timestamp": number, "message": str(number)} for number in numbers]


def test_a_part_of_the_lines_comes_after_later_ones_with_their_old_times(faults, late, service):
    faults.put("x", [LateEvents(seconds=3600, nth=2, times=2)])
    logs = client(late, service)
    logs.put_log_events(logStreamName="s", logEvents=lines(1, 2))
    logs.put_log_events(logStreamName="s", logEvents=lines(3, 4))
    assert service.calls == [
        {"logStreamName": "s", "logEvents": lines(1)},
        {"logStreamName": "s", "logEvents": lines(4)},
    ]
    faults.clear()
    assert service.wait(4)[2:] == [
        {"logStreamName": "s", "logEvents": lines(2)},
        {"logStreamName": "s", "logEvents": lines(3)},
    ]


def test_late_lines_come_by_themselves_when_their_time_has_come(faults, timed, service, clock):
    faults.put("x", [LateEvents(seconds=0.2, times=1)])
    client(timed, service).put_log_events(logEvents=lines(1, 2))
    clock[0] = 0.2
    assert service.wait(2) == [{"logEvents": lines(2)}, {"logEvents": lines(1)}]


def test_of_many_lines_about_as_many_are_late_as_was_said_and_all_come(faults, late, service):
    faults.put("x", [LateEvents(seconds=3600, probability=0.2)])
    logs = client(late, service)
    for start in range(0, 1000, 100):
        logs.put_log_events(logEvents=lines(*range(start, start + 100)))
    on_time = sum(len(call["logEvents"]) for call in service.calls)
    assert 700 < on_time < 900
    assert late.flush(10)
    assert sorted(e["timestamp"] for call in service.calls for e in call["logEvents"]) == [*range(1000)]


def test_late_lines_of_a_stream_that_is_made_late_come_after_it(faults, late, service):
    faults.put("x", [LogDelay(seconds=0.4), LateEvents(seconds=0.1, times=1)])
    logs = client(late, service)
    logs.create_log_stream(logStreamName="s")
    logs.put_log_events(logEvents=lines(1, 2))
    assert service.wait(3)[0] == {"logStreamName": "s"}


def test_the_lines_of_others_come_in_time(faults, late, service):
    faults.put("x", [LateEvents(seconds=3600, cluster="slow*")])
    client(late, service, cluster="fast").put_log_events(logEvents=lines(1))
    assert service.calls == [{"logEvents": lines(1)}]
