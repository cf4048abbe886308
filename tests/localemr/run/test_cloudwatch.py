"""Live lines in CloudWatch Logs."""

from __future__ import annotations

import time

import boto3
import pytest
from moto import mock_aws

from airflow_provider_emrkit.localemr.run import cloudwatch
from airflow_provider_emrkit.localemr.run.cloudwatch import (
    EVENT_OVERHEAD,
    MAX_BATCH_BYTES,
    MAX_EVENT_BYTES,
    MAX_EVENTS,
    CloudWatchPublisher,
    Event,
    as_events,
    batches,
    log_target,
)


def monitoring(**config):
    return {"CloudWatchLogConfiguration": {"Enabled": True, **config}}


@pytest.mark.parametrize(
    ("config", "group", "stdout", "driver_stderr"),
    [
        pytest.param({}, "/aws/emr/j-1", "steps/s-1/stdout", "applications/a/c/stderr", id="defaults"),
        pytest.param(
            {"LogGroupName": "/mine", "LogStreamNamePrefix": "etl/x"},
            "/mine",
            "etl/x/steps/s-1/stdout",
            "etl/x/applications/a/c/stderr",
            id="named",
        ),
        pytest.param(
            {"LogTypes": {"STEP_LOGS": ["STDERR"], "SPARK_DRIVER": ["STDOUT", "STDERR"]}},
            "/aws/emr/j-1",
            None,
            "applications/a/c/stderr",
            id="only-some-types",
        ),
        pytest.param(
            {"LogTypes": {"STEP_LOGS": ["STDOUT"]}}, "/aws/emr/j-1", "steps/s-1/stdout", None, id="no-driver"
        ),
    ],
)
def test_streams_are_named_as_emr_names_them(config, group, stdout, driver_stderr):
    target = log_target(monitoring(**config), "j-1")
    assert target.group == group
    assert target.step_stream("s-1", "stdout") == stdout
    assert target.driver_stream("a", "c", "stderr") == driver_stderr


@pytest.mark.parametrize("absent", [{}, {"CloudWatchLogConfiguration": {"Enabled": False}}])
def test_a_cluster_that_did_not_ask_sends_nothing(absent):
    assert log_target(absent, "j-1") is None


def test_an_empty_line_is_an_event_too():
    assert [event.message for event in as_events(1, "")] == [" "]


def test_a_long_line_is_cut_between_characters():
    line = "é" * MAX_EVENT_BYTES
    events = list(as_events(1, line))
    assert "".join(event.message for event in events) == line
    assert all(event.size <= MAX_EVENT_BYTES for event in events)


def test_batches_keep_the_services_limits_and_the_order():
    small = [Event(number, "x") for number in range(MAX_EVENTS + 1)]
    assert [len(batch) for batch in batches(small)] == [MAX_EVENTS, 1]
    large = [Event(number, "x" * 200_000) for number in range(12)]
    cut = list(batches(large))
    assert [event for batch in cut for event in batch] == large
    assert all(sum(event.size for event in batch) <= MAX_BATCH_BYTES for batch in cut)
    assert len(cut[0]) == MAX_BATCH_BYTES // (200_000 + EVENT_OVERHEAD)


@mock_aws
def test_close_returns_when_every_line_is_there_in_order():
    client = boto3.client("logs", region_name="us-east-1")
    publisher = CloudWatchPublisher(client, "/aws/emr/j-1")
    now = time.time_ns() // 1_000_000
    for number in range(500):
        publisher.add("steps/s-1/stdout", now + number, f"line {number}")
    publisher.add("steps/s-1/stderr", now, "")
    publisher.close()
    got = client.get_log_events(
        logGroupName="/aws/emr/j-1", logStreamName="steps/s-1/stdout", startFromHead=True, limit=1000
    )["events"]
    assert [event["message"] for event in got] == [f"line {number}" for number in range(500)]
    assert [event["timestamp"] for event in got] == [now + number for number in range(500)]


@mock_aws
def test_a_group_that_exists_is_used():
    client = boto3.client("logs", region_name="us-east-1")
    for _ in range(2):
        publisher = CloudWatchPublisher(client, "/mine")
        publisher.add("s", time.time_ns() // 1_000_000, "x")
        publisher.close()
    assert len(client.get_log_events(logGroupName="/mine", logStreamName="s")["events"]) == 2


def test_a_log_service_that_is_gone_never_stops_a_job(monkeypatch):
    class Gone:
        class exceptions:  # noqa: N801 - the client's own name for it
            class ResourceAlreadyExistsException(Exception): ...  # noqa: N818

        def create_log_group(self, **_):
            raise ConnectionError

    monkeypatch.setattr(cloudwatch, "_MAX_WAITING_BYTES", 1000)
    monkeypatch.setattr(cloudwatch, "FLUSH_EVERY", 0.001)
    publisher = CloudWatchPublisher(Gone(), "/g")
    for number in range(200):
        publisher.add("s", number, "x" * 100)
    publisher.close()


def test_close_can_be_called_twice():
    publisher = CloudWatchPublisher(None, "/g")
    publisher.close()
    publisher.close()
