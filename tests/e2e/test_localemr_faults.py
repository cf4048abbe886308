"""Faults on demand of a real local EMR, in a process of its own, with a job in real Spark."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.config import ServerConfig
from airflow_provider_emrkit.localemr.launcher import start, stop
from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.testing.faults import faults

# The cluster's Spark may have to be downloaded first.
pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(900)]

GROUP = "/aws/emr/faults"
CLUSTER = {
    "Name": "faulty",
    "ReleaseLabel": "emr-7.11.0",
    "LogUri": "s3://logs/emr/",
    "JobFlowRole": "r",
    "ServiceRole": "r",
    "Applications": [{"Name": "Spark"}, {"Name": "AmazonCloudWatchAgent"}],
    "Instances": {"InstanceCount": 1, "MasterInstanceType": "m5.xlarge", "KeepJobFlowAliveWhenNoSteps": True},
    "MonitoringConfiguration": {"CloudWatchLogConfiguration": {"Enabled": True, "LogGroupName": GROUP}},
}
JOB = """
from pyspark.sql import SparkSession
print("rows:", SparkSession.builder.getOrCreate().range(7).count())
"""


@pytest.fixture
def url(tmp_path):
    """The address of a local EMR whose second step fails, as its configuration says."""
    (tmp_path / "faults.json").write_text(
        json.dumps({"failed_step": {"nth": 2, "message": "ValueError: no such day"}})
    )
    config = ServerConfig(
        data_dir=tmp_path / "data",
        port=0,
        cache_dir=Path(os.environ["EMRKIT_CACHE_DIR"]),
        ephemeral=True,
        faults=tmp_path / "faults.json",
    )
    status = start(config, print, timeout=200)
    yield status.url
    stop(status, print)


def step(name: str) -> dict:
    jar_step = {"Jar": "command-runner.jar", "Args": ["spark-submit", "s3://logs/job.py"]}
    return {"Name": name, "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar_step}


def test_a_step_fails_and_logs_are_late(url, wait_until):
    emr, s3, logs = (aws_client(service, url, "us-east-1") for service in ("emr", "s3", "logs"))
    s3.create_bucket(Bucket="logs")
    s3.put_object(Bucket="logs", Key="job.py", Body=JOB.encode())

    def ended(cluster_id, step_id):
        status = emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]["Status"]
        return status if status["State"] in ("COMPLETED", "FAILED") else None

    def lines(cluster_id):
        found = s3.list_objects_v2(Bucket="logs", Prefix=f"emr/{cluster_id}/steps/").get("Contents", [])
        return [item["Key"] for item in found]

    with faults(url, log_delay=3600):
        cluster_id = emr.run_job_flow(**CLUSTER)["JobFlowId"]
        ids = emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=[step("runs"), step("fails")])["StepIds"]
        first = wait_until(lambda: ended(cluster_id, ids[0]), "the first step's end", 300)
        second = wait_until(lambda: ended(cluster_id, ids[1]), "the second step's end", 200)
        assert (first["State"], second["State"]) == ("COMPLETED", "FAILED")
        assert lines(cluster_id) == []
        assert logs.describe_log_groups()["logGroups"] == []

    assert second["FailureDetails"]["Message"] == "ValueError: no such day"
    log_file = second["FailureDetails"]["LogFile"].removeprefix("s3://logs/")
    wait_until(lambda: log_file in lines(cluster_id), "the failed step's log")
    body = s3.get_object(Bucket="logs", Key=log_file)["Body"].read()
    assert gzip.decompress(body).decode() == "ValueError: no such day\n"
    stream = {"logGroupName": GROUP, "logStreamNames": [f"steps/{ids[0]}/stdout"]}
    wait_until(lambda: logs.describe_log_groups()["logGroups"], "the log group")
    wait_until(lambda: logs.filter_log_events(**stream)["events"], "the first step's line")
    assert [event["message"] for event in logs.filter_log_events(**stream)["events"]] == ["rows: 7"]
