from __future__ import annotations

import gzip
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from airflow_provider_emrkit.logs.cluster_sources import ArchivedSources, NoSources, StepCloudWatchSources
from airflow_provider_emrkit.logs.joined_sources import PATIENCE
from airflow_provider_emrkit.logs.tail import LogTail
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.step_sources import live_sources, step_logs_uri, step_sources

QUIET = JobRun("step", "j-1", "s-1", "t-1", "sales", "us-east-1", submitted_at=1_000.0, driver_apart=False)
ARCHIVING = replace(QUIET, log_uri="s3n://logs/emr/")
SENDING = replace(ARCHIVING, log_group="/emr", log_prefix="team/")


@pytest.fixture
def clients(localemr_server):
    return SimpleNamespace(client=localemr_server.client, region_name="us-east-1")


@pytest.fixture
def archive(localemr_server):
    s3 = localemr_server.client("s3")
    s3.create_bucket(Bucket="logs")

    def put(text: str, path: str = "steps/s-1/stderr.gz") -> None:
        s3.put_object(Bucket="logs", Key=f"emr/j-1/{path}", Body=gzip.compress(text.encode()))

    return put


@pytest.fixture
def send(localemr_server):
    logs = localemr_server.client("logs")

    def send(group: str, stream: str, text: str) -> None:
        groups = [entry["logGroupName"] for entry in logs.describe_log_groups()["logGroups"]]
        if group not in groups:
            logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        event = {"timestamp": int(time.time() * 1000), "message": text}
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])

    return send


def texts(tail: LogTail) -> list[str]:
    return [line.text for line in tail.read().lines]


def test_a_cluster_that_sends_its_logs_to_cloudwatch_is_followed_there(clients, archive, send):
    send("/emr", "team/steps/s-1/stderr", "one")
    archive("one")
    sources = step_sources(clients, SENDING)
    assert texts(LogTail(sources)) == ["one"]
    assert (sources.note, sources.pause) == (None, None)


def test_a_cluster_that_does_not_is_followed_on_s3_and_that_is_told(clients, archive):
    sources = step_sources(clients, ARCHIVING)
    assert isinstance(sources, ArchivedSources)
    tail = LogTail(sources)
    assert texts(tail) == []
    archive("one\n")
    assert texts(tail) == ["one"]
    assert sources.note is not None
    assert "does not send its logs to CloudWatch" in sources.note
    assert "EMR puts them to s3://logs/emr/j-1/steps/s-1/ every few minutes" in sources.note


def test_a_cluster_without_any_keeps_none(clients):
    sources = step_sources(clients, QUIET)
    assert isinstance(sources, NoSources)
    assert sources.note == "Cluster j-1 keeps no logs: it has neither CloudWatch logging nor a LogUri."


def test_a_cluster_that_may_not_write_to_cloudwatch_is_followed_on_s3_in_the_end(clients, archive):
    sources = step_sources(clients, SENDING)
    clock = [0.0]
    sources.clock = lambda: clock[0]
    tail = LogTail(sources)
    archive("one\n")
    assert texts(tail) == []
    clock[0] = PATIENCE
    assert texts(tail) == ["one"]
    assert sources.note is not None
    assert "nothing has come to log group /emr; its instance profile may not be allowed" in sources.note
    assert sources.pause == 30.0


def test_what_a_job_writes_to_its_own_streams_is_shown_beside_it(clients, send):
    send("/emr", "team/steps/s-1/stderr", "one")
    send("/team", "driver", "two")
    run = replace(SENDING, log_streams=(("/team", "driver"),))
    assert texts(LogTail(step_sources(clients, run))) == ["one", "two"]
    late = replace(run, submitted_at=time.time() + 60)
    assert texts(LogTail(step_sources(clients, late))) == ["one"]


def test_the_streams_of_a_job_are_all_there_is_where_its_cluster_keeps_no_logs(clients, send):
    send("/team", "driver", "two")
    sources = step_sources(clients, replace(QUIET, log_streams=(("/team", "driver"),)))
    assert texts(LogTail(sources)) == ["two"]
    assert sources.note is not None
    assert "keeps no logs" in sources.note


@pytest.mark.parametrize(
    ("wanted", "sent", "followed", "told"),
    [
        pytest.param(True, True, True, False, id="wanted and sent"),
        pytest.param(True, False, False, True, id="wanted but not sent"),
        pytest.param(False, True, False, False, id="sent but not wanted"),
    ],
)
def test_executors_are_followed_where_they_are_wanted_and_sent(clients, wanted, sent, followed, told):
    sources = live_sources(clients, replace(SENDING, executor_logs=wanted, executors_sent=sent))
    assert isinstance(sources, StepCloudWatchSources)
    assert sources.application.executors is followed
    assert ("its LogTypes have no SPARK_EXECUTOR" in (sources.note or "")) is told


def test_on_s3_executors_are_there_without_being_asked_for(clients):
    sources = step_sources(clients, replace(ARCHIVING, executor_logs=True))
    assert isinstance(sources, ArchivedSources)
    assert sources.application.executors


def test_lines_come_at_once_from_cloudwatch_alone(clients, archive):
    archive("one")
    assert live_sources(clients, ARCHIVING).current() == ()


@pytest.mark.parametrize("uri", ["s3://logs/emr", "s3n://logs/emr/"])
def test_the_folder_of_a_step_s_logs(uri):
    assert step_logs_uri(replace(QUIET, log_uri=uri)) == "s3://logs/emr/j-1/steps/s-1/"
    assert step_logs_uri(QUIET) is None
