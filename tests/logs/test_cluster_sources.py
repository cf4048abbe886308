from __future__ import annotations

import gzip

import pytest

from airflow_provider_emrkit.logs import containers
from airflow_provider_emrkit.logs.cluster_sources import (
    ArchivedSources,
    CloudWatchPlace,
    StepCloudWatchSources,
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
        pytest.param(
            {"Enabled": True, "LogTypes": {"SPARK_EXECUTOR": ["STDERR"]}},
            CloudWatchPlace("/aws/emr/j-1", executors=True),
            id="executors",
        ),
        pytest.param(
            {"Enabled": True, "LogTypes": {"SPARK_DRIVER": ["STDERR"]}},
            CloudWatchPlace("/aws/emr/j-1"),
            id="no executors",
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


def test_a_driver_s_last_words_are_read_though_it_has_written_nothing_there_before(logs, write):
    write("/emr", "steps/s-1/stderr", (1, SUBMITTED))
    write("/emr", f"{DRIVER}/stderr", (2, "Running"))
    tail = LogTail(StepCloudWatchSources(logs, CloudWatchPlace("/emr"), "s-1", clock=lambda: 0.0))
    tail.read()
    write("/emr", f"{DRIVER}/stdout", (9, "24 rows"))
    assert [(line.label, line.text) for line in tail.read().lines] == [("stdout", "24 rows")]


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


def test_each_attempt_s_lines_come_once_and_say_whose_they_are(logs, write):
    write("/emr", "steps/s-1/stderr", (1, SUBMITTED))
    write("/emr", f"{DRIVER}/stderr", (5, "first"))
    write("/emr", f"{DRIVER.replace('_01_', '_02_')}/stderr", (9, "second"))
    tail = LogTail(StepCloudWatchSources(logs, CloudWatchPlace("/emr"), "s-1"))
    assert [(line.label, line.text) for line in tail.read().lines][1:] == [
        ("stderr", "first"),
        ("stderr of attempt 2", "second"),
    ]
    assert tail.read().lines == []


def test_executors_are_followed_on_request_also_those_that_come_late(logs, write):
    launching = "INFO YarnAllocator: Launching container {} on host ip-10-0-0-7 for executor with ID 1 for"
    container = DRIVER.rpartition("/")[2].replace("000001", "000002")
    write("/emr", "steps/s-1/stderr", (1, SUBMITTED))
    write("/emr", f"{DRIVER}/stdout", (2, "driver"))
    write("/emr", f"{DRIVER}/stderr", (2, launching.format(container)))
    clock = [0.0]
    sources = StepCloudWatchSources(
        logs, CloudWatchPlace("/emr"), "s-1", clock=lambda: clock[0], executors=True
    )
    tail = LogTail(sources)
    assert len(tail.read().lines) == 3
    write("/emr", f"{DRIVER.replace('000001', '000002')}/stderr", (5, "one"))
    clock[0] = 11.0
    assert [(line.label, line.text) for line in tail.read().lines] == [("executor 1 stderr", "one")]
    write("/emr", f"{DRIVER.replace('000001', '000003')}/stdout", (6, "two"))
    clock[0] = 22.0
    assert [(line.label, line.text) for line in tail.read().lines] == [("executor 3 stdout", "two")]
    assert sources.note is None


def test_executors_of_a_driver_in_client_mode_are_found_by_what_the_driver_writes(logs, write):
    write("/emr", "steps/s-1/stderr", (0, SUBMITTED))
    for number in (1, 2):
        write("/emr", f"{DRIVER.replace('000001', f'00000{number}')}/stderr", (1, f"container {number}"))
    sources = StepCloudWatchSources(logs, CloudWatchPlace("/emr"), "s-1", driver_apart=False, executors=True)
    assert [(line.label, line.text) for line in LogTail(sources).read().lines] == [
        ("stderr", SUBMITTED),
        ("executor 2 stderr", "container 2"),
    ]


def test_of_too_many_executors_those_that_are_left_out_are_told(logs, write, monkeypatch):
    monkeypatch.setattr(containers, "MAX_EXECUTORS", 2)
    write("/emr", "steps/s-1/stderr", (0, SUBMITTED))
    for number in range(2, 5):
        write("/emr", f"{DRIVER.replace('000001', f'00000{number}')}/stderr", (1, "x"))
    sources = StepCloudWatchSources(logs, CloudWatchPlace("/emr"), "s-1", executors=True)
    assert len(LogTail(sources).read().lines) == 3
    assert f"those of others are in the streams applications/{APPLICATION}/" in sources.note


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


@pytest.fixture
def archive(s3):
    """Put logs below the LogUri; gives what a run's sources are made of."""
    s3.create_bucket(Bucket="logs")

    def put(**texts: str) -> None:
        for path, text in texts.items():
            s3.put_object(Bucket="logs", Key=f"emr/j-1/{path}", Body=gzip.compress(text.encode()))

    return put


def test_archived_logs_are_followed_as_they_come(s3, archive):
    """Attempts of the driver and hours of a long log among them; each line once."""
    sources = ArchivedSources(s3, "s3://logs/emr", "j-1", "s-1", executors=True)
    tail, container = LogTail(sources), f"containers/{APPLICATION}/container_1700000000000_0001"
    assert tail.read().lines == []
    archive(**{"steps/s-1/stderr.gz": f"{SUBMITTED}\n", "steps/s-1/controller.gz": "INFO Synchronously"})
    assert [line.text for line in tail.read().lines] == [SUBMITTED]
    archive(
        **{
            f"{container}_01_000001/stdout.gz": "first\n",
            f"{container}_01_000001/prelaunch.out.gz": "Setting up env variables",
            f"{container}_02_000001/stdout.gz": "second\n",
            f"{container}_02_000002/stderr.gz": "executor\n",
        }
    )
    assert sorted((line.label, line.text) for line in tail.read().lines) == [
        ("executor 2 stderr of attempt 2", "executor"),
        ("stdout", "first"),
        ("stdout of attempt 2", "second"),
    ]
    archive(
        **{
            "steps/s-1/stderr.2026-11-28-10.gz": f"{SUBMITTED}\nstate: RUNNING\n",
            "steps/s-1/stderr.gz": "state: FINISHED\n",
            f"{container}_02_000001/stdout.gz": "second\nmore\n",
        }
    )
    assert sorted(line.text for line in tail.read().lines + tail.read().lines) == [
        "more",
        "state: FINISHED",
        "state: RUNNING",
    ]
    assert tail.read().lines == []
    assert sources.pause == 30.0


def test_in_client_mode_no_containers_are_looked_at_unless_executors_are_wanted(s3, archive):
    archive(
        **{
            "steps/s-1/stderr.gz": SUBMITTED,
            f"containers/{APPLICATION}/container_1700000000000_0001_01_000002/stderr.gz": "executor",
        }
    )
    plain = LogTail(ArchivedSources(s3, "s3://logs/emr", "j-1", "s-1", driver_apart=False))
    assert [line.label for line in plain.read().lines] == ["stderr"]
    asked = LogTail(ArchivedSources(s3, "s3://logs/emr", "j-1", "s-1", driver_apart=False, executors=True))
    assert [line.label for line in asked.read().lines] == ["stderr", "executor 2 stderr"]
