from __future__ import annotations

import time
from itertools import count

import pytest

from airflow_provider_emrkit.localemr.run.job_logs import (
    driver_logs,
    executor_logs,
    job_folder,
    job_location,
    job_target,
)
from airflow_provider_emrkit.localemr.run.outputs import Outputs
from airflow_provider_emrkit.logs.cluster_sources import NoSources
from airflow_provider_emrkit.logs.serverless_places import LogPlaces
from airflow_provider_emrkit.logs.serverless_sources import WorkerLog, serverless_sources
from airflow_provider_emrkit.logs.tail import LogTail

TO_S3 = {"s3MonitoringConfiguration": {"logUri": "s3://logs/serverless/"}}
EXECUTORS_TOO = {"SPARK_DRIVER": ["STDOUT", "STDERR"], "SPARK_EXECUTOR": ["STDERR"]}


def sources_of(server, application, job_run, **wishes):
    ids = application["applicationId"], job_run["jobRunId"]
    return serverless_sources(server.client, *ids, LogPlaces.of(application, job_run), **wishes)


def to_cloudwatch(**config):
    return {"cloudWatchLoggingConfiguration": {"enabled": True, **config}}


@pytest.fixture
def run_job(localemr_server, s3):
    """Run a job and give what GetApplication and GetJobRun say about it."""
    client = localemr_server.client("emr-serverless")
    s3.create_bucket(Bucket="logs")
    numbers = count()

    def run(application=None, overrides=None, attempts=1):
        created = client.create_application(
            name="sales",
            releaseLabel="emr-7.11.0",
            type="SPARK",
            **({"monitoringConfiguration": application} if application else {}),
        )
        name = f"job{next(numbers)}.py"
        localemr_server.jobs.script(name, fails="lost", times=attempts - 1)
        started = client.start_job_run(
            applicationId=created["applicationId"],
            executionRoleArn="arn:aws:iam::123456789012:role/job",
            jobDriver={"sparkSubmit": {"entryPoint": f"s3://code/{name}"}},
            **({"configurationOverrides": {"monitoringConfiguration": overrides}} if overrides else {}),
            **({"retryPolicy": {"maxAttempts": attempts}} if attempts > 1 else {}),
        )
        ids = {name: started[name] for name in ("applicationId", "jobRunId")}
        deadline = time.monotonic() + 20
        while (job_run := client.get_job_run(**ids)["jobRun"])["state"] != "SUCCESS":
            assert time.monotonic() < deadline, job_run
            time.sleep(0.05)
        return client.get_application(applicationId=ids["applicationId"])["application"], job_run

    return run


@pytest.fixture
def write_logs(localemr_server, tmp_path):
    """Write the logs of all attempts where localemr puts them, with executors where they are sent."""

    def write(*executors):
        for request in localemr_server.jobs.requests:
            folder, target = job_folder(request), job_target(request.monitoring)
            outputs = Outputs(
                localemr_server.client("logs"),
                localemr_server.client("s3"),
                target=target,
                location=job_location(request.monitoring, folder),
            )
            places = {"driver": driver_logs(target, folder)}
            places |= {f"executor {number}": executor_logs(target, folder, number) for number in executors}
            for who, where in places.items():
                directory = tmp_path / request.run_id / str(request.attempt) / who
                directory.mkdir(parents=True)
                logs = outputs.open(directory, where)
                for name in ("stdout", "stderr"):
                    text = f"{who} {name} {request.attempt}"
                    logs[name].write_lines([text])
                logs.close()

    return write


@pytest.fixture
def lines(localemr_server):
    def read(application, job_run, **wishes):
        sources = sources_of(localemr_server, application, job_run, **wishes)
        return sorted((line.label, line.text) for line in LogTail(sources).read().lines)

    return read


@pytest.mark.parametrize(
    "monitoring",
    [
        pytest.param(to_cloudwatch(), id="CloudWatch"),
        pytest.param(to_cloudwatch(logGroupName="/team", logStreamNamePrefix="nightly"), id="with a prefix"),
        pytest.param(to_cloudwatch(logStreamNamePrefix="nightly/"), id="with a slash"),
        pytest.param(TO_S3, id="S3"),
    ],
)
def test_the_driver_s_logs_are_where_the_application_sends_them(run_job, write_logs, lines, monitoring):
    ran = run_job(monitoring)
    write_logs()
    assert lines(*ran) == [("stderr", "driver stderr 1"), ("stdout", "driver stdout 1")]


@pytest.mark.parametrize("monitoring", [to_cloudwatch(), TO_S3], ids=["CloudWatch", "S3"])
def test_the_lines_of_each_attempt_come_once_and_say_whose_they_are(run_job, write_logs, lines, monitoring):
    ran = run_job(monitoring, attempts=2)
    write_logs()
    assert lines(*ran) == [
        ("stderr", "driver stderr 1"),
        ("stderr of attempt 2", "driver stderr 2"),
        ("stdout", "driver stdout 1"),
        ("stdout of attempt 2", "driver stdout 2"),
    ]


def test_what_a_job_run_says_wins_over_its_application(run_job, write_logs, lines):
    ran = run_job(to_cloudwatch(), {"cloudWatchLoggingConfiguration": {"enabled": False}, **TO_S3})
    write_logs()
    assert lines(*ran) == [("stderr", "driver stderr 1"), ("stdout", "driver stdout 1")]


@pytest.mark.parametrize(
    ("monitoring", "labels"),
    [
        pytest.param(to_cloudwatch(logTypes=EXECUTORS_TOO), ["executor 7 stderr"], id="CloudWatch"),
        pytest.param(TO_S3, ["executor 7 stderr", "executor 7 stdout"], id="S3"),
    ],
)
def test_executors_logs_are_followed_on_request(run_job, write_logs, lines, monitoring, labels):
    ran = run_job(monitoring)
    write_logs(7)
    assert [label for label, _ in lines(*ran, executors=True)] == [*labels, "stderr", "stdout"]
    assert [label for label, _ in lines(*ran)] == ["stderr", "stdout"]


def test_executors_whose_logs_are_not_sent_are_told(run_job, localemr_server):
    ran = run_job(to_cloudwatch())
    note = sources_of(localemr_server, *ran, executors=True).note
    assert note is not None
    assert "does not send its executors' logs to CloudWatch" in note


def test_s3_takes_its_time_and_that_is_told(run_job, localemr_server):
    sources = sources_of(localemr_server, *run_job(TO_S3))
    assert (sources.pause, sources.uploaded_within) == (15.0, 15.0)
    assert "puts them to s3://logs/serverless/ every quarter of a minute" in sources.note


@pytest.mark.parametrize(
    "monitoring", [None, {"managedPersistenceMonitoringConfiguration": {"enabled": False}}]
)
def test_logs_that_can_t_be_read_are_told_to_be_elsewhere(run_job, localemr_server, monitoring):
    sources = sources_of(localemr_server, *run_job(monitoring))
    assert isinstance(sources, NoSources)
    assert "neither to CloudWatch nor to S3" in (sources.note or "")


def test_the_logs_of_one_attempt_can_be_asked_for(run_job, write_logs, lines):
    ran = run_job(TO_S3, attempts=2)
    write_logs()
    assert lines(*ran, attempt=2) == [
        ("stderr of attempt 2", "driver stderr 2"),
        ("stdout of attempt 2", "driver stdout 2"),
    ]


def test_a_stream_that_appears_late_is_found(run_job, write_logs, localemr_server):
    sources = sources_of(localemr_server, *run_job(to_cloudwatch()))
    clock = [0.0]
    sources.first.clock = lambda: clock[0]
    tail = LogTail(sources)
    assert tail.read().lines == []
    write_logs()
    clock[0] = 1.9  # the next look at the logs, but for a little
    assert len(tail.read().lines) == 2


@pytest.mark.parametrize(
    ("path", "label", "order"),
    [
        ("SPARK_DRIVER/stdout.gz", "stdout", ""),
        ("SPARK_DRIVER/archived/stderr_3.gz", "stderr", "3"),
        ("attempts/3/SPARK_EXECUTOR/12/archived/stdout_10.gz", "executor 12 stdout of attempt 3", "10"),
    ],
)
def test_a_log_is_known_by_its_path(path, label, order):
    log = WorkerLog.of(path)
    assert log is not None
    assert (log.label, log.order) == (label, order)


@pytest.mark.parametrize(
    "path", ["HIVE_DRIVER/stderr.gz", "SPARK_DRIVER/stderr.gz/x", "x/SPARK_DRIVER/stdout"]
)
def test_another_path_is_no_log(path):
    assert WorkerLog.of(path) is None
