from __future__ import annotations

import gzip

import pytest

from airflow_provider_emrkit.logs.cluster_sources import (
    ArchivedSources,
    CloudWatchPlace,
    StepCloudWatchSources,
    bucket_and_prefix,
)
from airflow_provider_emrkit.logs.tail import LogTail
from airflow_provider_emrkit.runs.watch import Pace

APPLICATION = "application_1700000000000_0001"
DRIVER = f"applications/{APPLICATION}/container_1700000000000_0001_01_000001"
SUBMITTED = f"24/01/01 INFO YarnClientImpl: Submitted application {APPLICATION}"


@pytest.mark.parametrize(
    ("config", "place"),
    [
        pytest.param(None, None, id="none"),
        pytest.param({"Enabled": False, "LogGroupName": "/g"}, None, id="off"),
        pytest.param({"Enabled": True}, CloudWatchPlace("/aws/emr/j-1"), id="defaults"),
        pytest.param(
            {"Enabled": True, "LogGroupName": "/g", "LogStreamNamePrefix": "/team/"},
            CloudWatchPlace("/g", "team/"),
            id="all",
        ),
    ],
)
def test_the_cluster_says_where_its_logs_go(config, place):
    monitoring = {"CloudWatchLogConfiguration": config} if config else None
    assert CloudWatchPlace.of({"Id": "j-1", "MonitoringConfiguration": monitoring}) == place


def test_the_driver_s_streams_are_found_by_the_id_that_spark_submit_writes(logs, write):
    write("/emr", "team/steps/s-1/stderr", (0, "24/01/01 INFO Client: Requesting"), (1, SUBMITTED))
    write("/emr", f"team/{DRIVER}/stdout", (5, "24 rows"))
    write("/emr", f"team/{DRIVER}/stderr", (4, "Running"))
    write("/emr", f"team/{DRIVER.replace('000001', '000002')}/stderr", (4, "an executor"))
    write(
        "/emr",
        "team/applications/application_1700000000000_0002/container_1_0002_01_000001/stdout",
        (4, "other"),
    )
    clock = [0.0]
    tail = LogTail(
        StepCloudWatchSources(logs, CloudWatchPlace("/emr", "team/"), "s-1", clock=lambda: clock[0])
    )
    # In the same look that reads the id: a look later, their first lines would be that much later too.
    assert [(line.label, line.text) for line in tail.read().lines][1:] == [
        ("submit", SUBMITTED),
        ("stderr", "Running"),
        ("stdout", "24 rows"),
    ]


def test_streams_that_are_not_there_yet_are_looked_for_at_every_look_at_the_logs(logs, write):
    write("/emr", "steps/s-1/stderr", (1, SUBMITTED))
    clock = [0.0]
    tail = LogTail(StepCloudWatchSources(logs, CloudWatchPlace("/emr"), "s-1", clock=lambda: clock[0]))
    tail.read()
    write("/emr", f"{DRIVER}/stdout", (2, "24 rows"))
    clock[0] = Pace().logs - 0.1  # the look before took its time
    assert [line.text for line in tail.read().lines] == ["24 rows"]


def test_streams_of_a_second_driver_are_found_too(logs, write):
    write("/emr", "steps/s-1/stderr", (1, SUBMITTED))
    write("/emr", f"{DRIVER}/stdout", (5, "first"))
    write("/emr", f"{DRIVER}/stderr", (5, "first"))
    clock = [0.0]
    tail = LogTail(StepCloudWatchSources(logs, CloudWatchPlace("/emr"), "s-1", clock=lambda: clock[0]))
    tail.read(), tail.read()
    write("/emr", f"{DRIVER.replace('_01_', '_02_')}/stdout", (9, "second"))
    clock[0] = 31.0
    assert [line.text for line in tail.read().lines] == ["second"]


def test_in_client_mode_the_step_s_streams_are_the_driver_s(logs, write):
    write("/emr", "steps/s-1/stdout", (0, SUBMITTED))
    sources = StepCloudWatchSources(logs, CloudWatchPlace("/emr"), "s-1", driver_apart=False)
    assert [line.label for line in LogTail(sources).read().lines] == ["stdout"]
    assert sources.application.id is None


def test_archived_logs_of_step_and_driver(s3):
    s3.create_bucket(Bucket="logs")
    for key, text in {
        "emr/j-1/steps/s-1/stderr.gz": SUBMITTED,
        f"emr/j-1/containers/{APPLICATION}/container_1700000000000_0001_01_000001/stderr.gz": "ValueError: x",
        f"emr/j-1/containers/{APPLICATION}/container_1700000000000_0001_01_000002/stderr.gz": "executor",
    }.items():
        s3.put_object(Bucket="logs", Key=key, Body=gzip.compress(text.encode()))
    sources = ArchivedSources(s3, "s3n://logs/emr/", "j-1", "s-1")
    tail = LogTail(sources)
    assert sorted((line.label, line.text) for line in tail.read().lines) == [
        ("stderr", "ValueError: x"),
        ("submit", SUBMITTED),
    ]


@pytest.mark.parametrize("uri", ["s3://logs/emr", "s3n://logs/emr/", "s3a://logs//emr/"])
def test_emr_writes_an_s3_uri_in_several_ways(uri):
    assert bucket_and_prefix(uri) == ("logs", "emr/")
