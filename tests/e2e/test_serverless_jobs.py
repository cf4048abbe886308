"""Job runs of EMR Serverless in real Spark, and the history server's pages of them and of steps."""

from __future__ import annotations

import contextlib
import gzip
import json
import tarfile
import time
import urllib.request
import venv
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.contract import ClusterRequest, JobRunRequest, StepRequest
from airflow_provider_emrkit.localemr.run.event_logs import event_log_directory
from airflow_provider_emrkit.localemr.run.history import HistoryServer
from airflow_provider_emrkit.localemr.run.job_runner import SparkJobRunner
from airflow_provider_emrkit.localemr.run.runner import SparkClusterRunner

pytestmark = pytest.mark.e2e

LABEL = "emr-7.11.0"
APPLICATION = "00f0000000000001"
GROUP = "/aws/emr-serverless"
MONITORING = {
    "s3MonitoringConfiguration": {"logUri": "s3://data/logs/"},
    "cloudWatchLoggingConfiguration": {"enabled": True},
}

HEAD = "from pyspark.sql import SparkSession\nspark = SparkSession.builder.getOrCreate()\n"
TELL = (
    HEAD
    + """
import json, os, sys
from pyspark import TaskContext
worker = spark.sparkContext.parallelize([1]).map(lambda _: (os.environ.get("DAY"), sys.executable)).collect()
print("TOLD " + json.dumps([sys.argv[1:], dict(os.environ), sys.executable, worker]))
"""
)
FAILS = HEAD + "spark.range(1).collect()\nraise ValueError('no such day')\n"
SLEEPS = HEAD + "print('sleeping', flush=True)\nimport time\nspark.range(1).collect()\ntime.sleep(600)\n"


@pytest.fixture(scope="module")
def s3(endpoint):
    client = aws_client("s3", endpoint, "us-east-1")
    client.create_bucket(Bucket="data")
    for name, text in {"tell.py": TELL, "fails.py": FAILS, "sleeps.py": SLEEPS}.items():
        client.put_object(Bucket="data", Key=name, Body=text.encode())
    return client


@pytest.fixture(scope="module")
def config(endpoint, s3, tmp_path_factory, server_config):
    return server_config(endpoint, tmp_path_factory.mktemp("localemr"))


@pytest.fixture(scope="module")
def history(config):
    server = HistoryServer(config)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def runner(config, history):
    made = SparkJobRunner(config)
    made.prepare(LABEL, print)
    yield made
    made.stop()


@pytest.fixture
def run_id(request):
    return f"00f{abs(hash(request.node.name)) % 16**13:013x}"


@pytest.fixture
def start(runner, run_id):
    def call(script: str, *arguments: str, **fields: Any):
        entry_point = script if "://" in script else f"s3://data/{script}"
        return runner.start(
            JobRunRequest(
                APPLICATION, run_id, 1, LABEL, entry_point, arguments, monitoring=MONITORING, **fields
            )
        )

    return call


@pytest.fixture
def log(endpoint, s3, run_id):
    """Read a log of the test's job from S3 and check that CloudWatch Logs says the same."""
    logs = aws_client("logs", endpoint, "us-east-1")

    def lines(name: str) -> list[str]:
        path = f"applications/{APPLICATION}/jobs/{run_id}/SPARK_DRIVER/{name}"
        body = s3.get_object(Bucket="data", Key=f"logs/{path}.gz")["Body"].read()
        stored = gzip.decompress(body).decode().splitlines()
        page = logs.get_log_events(logGroupName=GROUP, logStreamName=f"/{path}", startFromHead=True)
        assert [event["message"] for event in page["events"]] == [line or " " for line in stored]
        return stored

    return lines


def told(lines: list[str]) -> list[Any]:
    return json.loads(next(line for line in lines if line.startswith("TOLD ")).removeprefix("TOLD "))


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def applications(history: HistoryServer) -> list[dict[str, Any]]:
    return json.loads(get(f"{history.url()}api/v1/applications"))


def test_arguments_arrive_byte_for_byte_and_the_environment_is_the_jobs(start, log, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real-secret")
    monkeypatch.setenv("MY_OWN", "real-thing")
    args = ["a b", "", "'\"", "line\nbreak", "é ß 漢 🎈", "$HOME", "*", "\\", "--conf", "-x", "a=b;c"]
    parameters = (
        "--conf spark.emr-serverless.driverEnv.DAY='mon day' --conf spark.executorEnv.DAY=\"mon day\" "
        "--conf spark.executor.cores=4 --conf spark.executor.memory=2g --conf spark.executor.instances=3 "
        "--conf spark.dynamicAllocation.maxExecutors=9 --conf spark.emr-serverless.driver.disk=30g"
    )
    assert start("tell.py", *args, spark_submit_parameters=parameters).wait().succeeded
    received, environment, _, worker = told(log("stdout"))
    assert received == args
    assert environment["DAY"] == "mon day"
    assert worker[0][0] == "mon day"
    assert environment["AWS_ACCESS_KEY_ID"] == "localemr"
    assert not [value for value in environment.values() if value.startswith("real-")]
    assert any("INFO SparkContext: Running Spark version 3.5.6" in line for line in log("stderr"))


def test_a_packed_python_environment_runs_driver_and_workers(start, log, s3, tmp_path):
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=True, with_pip=False)
    packed = tmp_path / "env.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        for entry in environment.iterdir():
            archive.add(entry, entry.name)
    s3.upload_file(str(packed), "data", "env.tar.gz")
    python = "./environment/bin/python"
    parameters = (
        "--archives s3://data/env.tar.gz#environment "
        f"--conf spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON={python} "
        f"--conf spark.emr-serverless.driverEnv.PYSPARK_PYTHON={python} "
        f"--conf spark.executorEnv.PYSPARK_PYTHON={python}"
    )
    result = start("tell.py", spark_submit_parameters=parameters).wait()
    assert result.succeeded, result
    _, _, driver, worker = told(log("stdout"))
    assert driver.endswith("/driver/work/environment/bin/python")
    assert worker[0][1].endswith("/environment/bin/python")


def test_an_example_of_an_emr_machine_runs(start, log):
    examples = "local:///usr/lib/spark/examples/jars/spark-examples.jar"
    parameters = "--class org.apache.spark.examples.SparkPi"
    assert start(examples, "1", spark_submit_parameters=parameters).wait().succeeded
    assert any(line.startswith("Pi is roughly 3.") for line in log("stdout"))


def test_a_job_that_fails_says_why(start, log):
    result = start("fails.py").wait()
    assert not result.succeeded
    assert result.details == (
        "Job failed, please check complete logs in configured logging destination. ExitCode: 1. "
        "Last few exceptions: ValueError: no such day"
    )
    assert any(line.startswith("Traceback") for line in log("stderr") + log("stdout"))


def processes_of(directory: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(directory).encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_text().replace("\0", " "))
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_a_running_job_has_a_page_and_a_cancelled_one_no_process(
    start, history, config, run_id, endpoint, wait_until
):
    job = start("sleeps.py")
    logs = aws_client("logs", endpoint, "us-east-1")
    stream = f"/applications/{APPLICATION}/jobs/{run_id}/SPARK_DRIVER/stdout"

    def says_so() -> bool:
        with contextlib.suppress(logs.exceptions.ResourceNotFoundException):
            page = logs.get_log_events(logGroupName=GROUP, logStreamName=stream)
            return [event["message"] for event in page["events"]] == ["sleeping"]
        return False

    wait_until(says_so, "the job's line in CloudWatch Logs while it runs", 180)
    page = history.url(run_id)
    assert "/history/local-" in page
    (running,) = [one for one in applications(history) if one["id"] in page]
    assert running["attempts"][0]["completed"] is False
    assert "<title>" in get(page)
    jobs_dir = config.data_dir / "jobs"
    assert processes_of(jobs_dir)
    started = time.monotonic()
    job.cancel()
    assert job.wait().cancelled
    assert time.monotonic() - started < 12
    assert processes_of(jobs_dir) == []
    assert list(jobs_dir.iterdir()) == []


def test_a_finished_jobs_page_shows_its_name(start, history, run_id):
    assert start("tell.py", spark_submit_parameters="--name 'the daily sum'").wait().succeeded
    page = history.url(run_id)
    (shown,) = [one for one in applications(history) if one["id"] in page]
    assert shown["name"] == "the daily sum"
    assert shown["attempts"][0]["completed"] is True
    assert "the daily sum" in get(page)


def test_steps_in_both_deploy_modes_and_in_scripts_have_pages(config, history, s3):
    cluster = SparkClusterRunner(config).start(
        ClusterRequest("j-PAGES", LABEL, log_uri="s3://data/emr"), print
    )
    commands = {
        "s-CLIENT": ["spark-submit", "--name", "client", "s3://data/tell.py"],
        "s-CLUSTER": ["spark-submit", "--deploy-mode", "cluster", "--name", "cluster", "s3://data/tell.py"],
        "s-SCRIPT": ["bash", "-c", "spark-submit --name script s3://data/tell.py"],
    }
    try:
        for step_id, words in commands.items():
            step = cluster.start_step(StepRequest(step_id, "e2e", "command-runner.jar", words))
            assert step.wait().succeeded
        report = s3.get_object(Bucket="data", Key="emr/j-PAGES/steps/s-CLUSTER/stderr.gz")["Body"].read()
        application = next(
            line.split()[-1]
            for line in gzip.decompress(report).decode().splitlines()
            if "Submitted application" in line
        )
    finally:
        cluster.stop()
    # The pages outlive the cluster.
    names = {one["id"]: one["name"] for one in applications(history)}
    shown = {owner: history.url(owner) for owner in ("s-CLIENT", application, "s-SCRIPT")}
    names = {one["id"]: one["name"] for one in applications(history)}
    assert [names[page.split("/")[-3]] for page in shown.values()] == ["client", "cluster", "script"]


def test_a_jobs_own_event_log_settings_win(start, history, config, run_id, s3):
    before = set(event_log_directory(config).iterdir())
    parameters = "--conf spark.eventLog.enabled=false"
    assert start("tell.py", spark_submit_parameters=parameters).wait().succeeded
    assert set(event_log_directory(config).iterdir()) == before
    assert history.url(run_id) == history.url()
