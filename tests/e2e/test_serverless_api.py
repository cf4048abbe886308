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

pytestmark = pytest.mark.e2e

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
    deadline, pause = time.monotonic() + 120, threading.Event()
    while (found := read())["state"] not in states:
        assert time.monotonic() < deadline, found
        pause.wait(0.2)
    return found


def test_a_job_is_retried_and_one_that_dies_with_localemr_is_lost_but_not_forgotten(up, tmp_path):
    status = up()
    client, s3 = (aws_client(name, status.url, "us-east-1") for name in ("emr-serverless", "s3"))
    s3.put_object(Bucket=STAGING_BUCKET, Key="job.py", Body=JOB.encode())
    logs = {"s3MonitoringConfiguration": {"logUri": f"s3://{STAGING_BUCKET}/logs/"}}
    made = client.create_application(releaseLabel="emr-7.11.0", type="SPARK", monitoringConfiguration=logs)
    names = {"applicationId": made["applicationId"]}

    def submit(what, **request):
        spark = {"entryPoint": f"s3://{STAGING_BUCKET}/job.py", "entryPointArguments": [str(tmp_path), what]}
        started = client.start_job_run(
            **names, executionRoleArn=ROLE, jobDriver={"sparkSubmit": spark}, **request
        )
        return started["jobRunId"]

    flaky = submit("flaky", retryPolicy={"maxAttempts": 2})
    run = in_state(lambda: client.get_job_run(**names, jobRunId=flaky)["jobRun"], *ENDED)
    attempts = client.list_job_run_attempts(**names, jobRunId=flaky)["jobRunAttempts"]
    assert [(item["attempt"], item["state"]) for item in attempts] == [(2, "SUCCESS"), (1, "FAILED")], run
    assert "ValueError: no such day" in attempts[1]["stateDetails"]
    assert run["billedResourceUtilization"]["vCPUHour"] > 0
    for number in (1, 2):
        folder = f"logs/applications/{made['applicationId']}/jobs/{flaky}/attempts/{number}/SPARK_DRIVER"
        log = s3.get_object(Bucket=STAGING_BUCKET, Key=f"{folder}/stdout.gz")["Body"].read()
        assert gzip.decompress(log).startswith(b"COUNT 7\n")

    page = client.get_dashboard_for_job_run(**names, jobRunId=flaky, attempt=1)["url"]
    with urllib.request.urlopen(page, timeout=90) as shown:
        assert "/history/" in shown.url

    long = submit("long", clientToken="once")
    in_state(lambda: {"state": (tmp_path / "pid").exists()}, True)
    driver = Process.of(int((tmp_path / "pid").read_text()))
    status.process.send(signal.SIGKILL)
    assert status.process.wait_gone(10)
    assert driver is not None

    again = up(status.port)
    client = aws_client("emr-serverless", again.url, "us-east-1")
    assert driver.wait_gone(10)
    lost = client.get_job_run(**names, jobRunId=long)["jobRun"]
    assert (lost["state"], "localemr ended" in lost["stateDetails"]) == ("FAILED", True)
    assert client.get_job_run(**names, jobRunId=flaky)["jobRun"]["state"] == "SUCCESS"
    assert submit("long", clientToken="once") == long
    new = submit("short")
    in_state(lambda: client.get_job_run(**names, jobRunId=new)["jobRun"], "SUCCESS")
    client.stop_application(**names)
    in_state(lambda: client.get_application(**names)["application"], "STOPPED")
