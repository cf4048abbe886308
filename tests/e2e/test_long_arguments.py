"""Arguments that are too long for a step, through a file, bash and spark-submit into a real job."""

from __future__ import annotations

import json

import pytest

from airflow_provider_emrkit import SparkJob
from airflow_provider_emrkit.compute.request import MAX_STEP_CHARACTERS, step_characters
from airflow_provider_emrkit.jobs.argument_file import ArgumentFile
from airflow_provider_emrkit.jobs.spark_submit import spark_submit
from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.contract import ClusterRequest, StepRequest
from airflow_provider_emrkit.localemr.run.runner import SparkClusterRunner

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(600)]

TELL = """\
import json, sys
from pyspark.sql import SparkSession
conf = SparkSession.builder.getOrCreate().sparkContext.getConf()
print("TOLD " + json.dumps([sys.argv[1:], conf.get("spark.x.long"), conf.get("spark.x.default")]))
"""
ARGS = ["x" * 6_000, "", " a  b ", "'\"`$HOME $(id) \\", "two\nlines\n", "é 日本 🙂", "*"]
VALUE = "y z;" * 2_000


@pytest.mark.parametrize("deploy_mode", ["client", "cluster"])
def test_a_job_gets_what_its_author_wrote_and_the_cluster_s_defaults(
    endpoint, tmp_path, server_config, deploy_mode
):
    s3 = aws_client("s3", endpoint, "us-east-1")
    s3.create_bucket(Bucket="data")
    s3.put_object(Bucket="data", Key="tell.py", Body=TELL.encode())
    job = SparkJob("s3://data/tell.py", args=ARGS, conf={"spark.x.long": VALUE}, deploy_mode=deploy_mode)
    argv = spark_submit(job)
    file = ArgumentFile.of(argv)
    s3.put_object(Bucket="data", Key=file.key, Body=file.content)
    step = file.step_argv(f"s3://data/{file.key}")
    assert step_characters(step) < MAX_STEP_CHARACTERS < step_characters(argv)

    runner = SparkClusterRunner(server_config(endpoint, tmp_path))
    defaults = {"Classification": "spark-defaults", "Properties": {"spark.x.default": "kept"}}
    logs = {"CloudWatchLogConfiguration": {"Enabled": True, "LogGroupName": "/e2e"}}
    cluster = runner.start(
        ClusterRequest("j-LONG", "emr-7.11.0", configurations=[defaults], monitoring=logs), print
    )
    try:
        result = cluster.start_step(StepRequest("s-LONG", "long", "command-runner.jar", step)).wait()
    finally:
        cluster.stop()
    assert result.succeeded, result
    assert json.loads(told(endpoint)) == [ARGS, VALUE, "kept"]


def told(endpoint: str) -> str:
    """Give what the job wrote, from whichever log its driver has."""
    logs = aws_client("logs", endpoint, "us-east-1")
    for stream in logs.describe_log_streams(logGroupName="/e2e")["logStreams"]:
        name = stream["logStreamName"]
        page = logs.get_log_events(logGroupName="/e2e", logStreamName=name, startFromHead=True)
        for event in page["events"]:
            if event["message"].startswith("TOLD "):
                return str(event["message"].removeprefix("TOLD "))
    raise AssertionError("the job has told nothing")
