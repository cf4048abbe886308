"""EMR Serverless through boto3 with real Spark: attempts, a server that is killed, repeated requests."""

from __future__ import annotations

import gzip
import os
import signal
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.config import STAGING_BUCKET, ServerConfig
from airflow_provider_emrkit.localemr.launcher import start, stop
from airflow_provider_emrkit.localemr.processes import Process
from airflow_provider_emrkit.localemr.run.clients import aws_client

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ROLE = "arn:aws:iam::123456789012:role/job"
ENDED = ("SUCCESS", "FAILED", "CANCELLED")
JOB = """
import os, sys, time
from pathlib import Path
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
folder, what = sys.argv[1:3]
spark.range(7).write.mode("overwrite").parquet("s3://emrkit-local/out")
print("COUNT", spark.read.parquet("s3://emrkit-local/out").count(), flush=True)
first = not Path(folder, "tried").exists()
Path(folder, "tried").touch()
if what == "flaky" and first:
    raise ValueError("no such day")
if what == "long":
    Path(folder, "part").write_text(f"{os.getpid()}\\n")
    Path(folder, "part").rename(Path(folder, "pid"))
    time.sleep(600)
"""


@pytest.fixture
def up(tmp_path):
    started = []
    cache = Path(os.environ["EMRKIT_CACHE_DIR"])

    def call(port=0):
        config = ServerConfig(data_dir=tmp_path / "data", port=port, cache_dir=cache)
        started.append(start(config, lambda _: None))
        return started[-1]

    yield call
    for status in started:
        if status.process.is_alive:
            stop(status, lambda _: None)


def in_state(read, *states):
    deadline, pause = time.monotonic() + 240, threading.Event()
    while (found := read())["state"] not in states:
        assert time.monotonic() < deadline, found
        pause.wait(0.2)
    return found


class Jobs:
    """An application of a server, and jobs for it."""

    def __init__(self, url: str, folder: Path, application_id: str | None = None) -> None:
        self.client, self.s3 = (aws_client(name, url, "us-east-1") for name in ("emr-serverless", "s3"))
        self._folder = folder
        self.s3.put_object(Bucket=STAGING_BUCKET, Key="job.py", Body=JOB.encode())
        self.names = {"applicationId": application_id or self._create()}

    def _create(self) -> str:
        logs = {"s3MonitoringConfiguration": {"logUri": f"s3://{STAGING_BUCKET}/logs/"}}
        request = {"releaseLabel": "emr-7.11.0", "type": "SPARK", "monitoringConfiguration": logs}
        return str(self.client.create_application(**request)["applicationId"])

    def submit(self, what: str, **request) -> str:
        """Start a job run."""
        words = [str(self._folder), what]
        spark = {"entryPoint": f"s3://{STAGING_BUCKET}/job.py", "entryPointArguments": words}
        given = {"executionRoleArn": ROLE, "jobDriver": {"sparkSubmit": spark}, **self.names, **request}
        return str(self.client.start_job_run(**given)["jobRunId"])

    def run(self, run_id: str) -> dict:
        """Look at a job run."""
        return dict(self.client.get_job_run(**self.names, jobRunId=run_id)["jobRun"])


def test_a_job_that_fails_has_another_attempt_with_logs_and_a_page_of_its_own(up, tmp_path):
    jobs = Jobs(up().url, tmp_path)
    run_id = jobs.submit("flaky", retryPolicy={"maxAttempts": 2})
    names = {**jobs.names, "jobRunId": run_id}
    run = in_state(lambda: jobs.run(run_id), *ENDED)
    attempts = jobs.client.list_job_run_attempts(**names)["jobRunAttempts"]
    assert [(item["attempt"], item["state"]) for item in attempts] == [(2, "SUCCESS"), (1, "FAILED")], run
    assert "ValueError: no such day" in attempts[1]["stateDetails"]
    assert run["billedResourceUtilization"]["vCPUHour"] > 0
    for number in (1, 2):
        folder = f"logs/applications/{jobs.names['applicationId']}/jobs/{run_id}/attempts/{number}"
        key = f"{folder}/SPARK_DRIVER/stdout.gz"
        log = jobs.s3.get_object(Bucket=STAGING_BUCKET, Key=key)["Body"].read()
        assert gzip.decompress(log).startswith(b"COUNT 7\n")
    page = jobs.client.get_dashboard_for_job_run(**names, attempt=1)["url"]
    with urllib.request.urlopen(page, timeout=90) as shown:
        assert "/history/" in shown.url


def test_a_job_that_dies_with_localemr_is_lost_and_not_forgotten(up, tmp_path):
    status = up()
    jobs = Jobs(status.url, tmp_path)
    run_id = jobs.submit("long", clientToken="once")
    in_state(lambda: {"state": (tmp_path / "pid").exists()}, True)
    driver = Process.of(int((tmp_path / "pid").read_text()))
    status.process.send(signal.SIGKILL)
    assert status.process.wait_gone(60)
    assert driver is not None

    jobs = Jobs(up(status.port).url, tmp_path, jobs.names["applicationId"])
    assert driver.wait_gone(60)
    lost = jobs.run(run_id)
    assert (lost["state"], "localemr ended" in lost["stateDetails"]) == ("FAILED", True)
    assert jobs.submit("long", clientToken="once") == run_id
    new = jobs.submit("short")
    in_state(lambda: jobs.run(new), "SUCCESS")
    jobs.client.stop_application(**jobs.names)
    in_state(lambda: jobs.client.get_application(**jobs.names)["application"], "STOPPED")
