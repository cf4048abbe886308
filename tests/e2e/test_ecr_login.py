"""A step that logs in to ECR: bash, the command lines of AWS and Hadoop on clusters of the local EMR."""

from __future__ import annotations

import base64
import gzip
import json
import sys
from pathlib import Path

import pytest

from airflow_provider_emrkit.jobs.docker_image import DockerImage
from airflow_provider_emrkit.jobs.ecr_login import client_config_of, logged_in
from airflow_provider_emrkit.jobs.spark_job import SparkJob
from airflow_provider_emrkit.jobs.spark_submit import spark_submit
from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.contract import ClusterRequest, StepRequest
from airflow_provider_emrkit.localemr.run.runner import SparkClusterRunner

# The first of them may have to make the image, and to install Spark.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
FILE = client_config_of([HOST])
# The file, and once more when it has been written anew.
JOB = f"""\
hdfs dfs -cat {FILE} && echo
first=$(hdfs dfs -stat %Y {FILE})
until [[ $(hdfs dfs -stat %Y {FILE} 2>/dev/null || echo $first) != $first ]]; do sleep 0.2; done
hdfs dfs -cat {FILE} && echo
"""


@pytest.fixture
def aws() -> Path:
    """The directory of AWS's command line: a cluster's own PATH is that of a machine of EMR."""
    root = Path(__file__).parents[2] / ".venv" / "awscli" / "bin"
    found = [place for place in (root, Path(sys.prefix) / "bin") if (place / "aws").exists()]
    if not found:
        pytest.fail("the AWS CLI is missing; install it with: python3 dev/bootstrap.py awscli")
    return found[0]


def test_the_login_is_on_hdfs_while_the_job_runs(endpoint, tmp_path, server_config, aws):
    runner = SparkClusterRunner(server_config(endpoint, tmp_path))
    logs = {"CloudWatchLogConfiguration": {"Enabled": True, "LogGroupName": "/login"}}
    cluster = runner.start(ClusterRequest("j-LOGIN", "emr-6.15.0", monitoring=logs), print)
    step = logged_in(["bash", "-c", JOB], [HOST], every=2)
    with_aws = ["bash", "-c", 'PATH=$0:$PATH; exec "$@"', str(aws), *step]
    try:
        result = cluster.start_step(StepRequest("s-LOGIN", "login", "command-runner.jar", with_aws)).wait()
    finally:
        cluster.stop()
    assert result.succeeded, result
    first, again = map(json.loads, lines(endpoint))
    for config in (first, again):
        user, _, password = base64.b64decode(config["auths"][HOST]["auth"]).decode().partition(":")
        assert user == "AWS"
        assert password


def test_a_job_in_an_image_needs_no_command_line_of_aws_on_this_machine(
    endpoint, tmp_path, server_config, example_image
):
    s3 = aws_client("s3", endpoint, "us-east-1")
    s3.create_bucket(Bucket="login")
    s3.put_object(Bucket="login", Key="job.py", Body=b"import haversine\nprint(haversine.__name__)\n")
    host = example_image.partition("/")[0]
    trusted = {"Classification": "docker", "Properties": {"docker.trusted.registries": host}}
    configurations = [{"Classification": "container-executor", "Configurations": [trusted]}]
    runner = SparkClusterRunner(server_config(endpoint, tmp_path))
    asked = ClusterRequest("j-IMAGE", "emr-6.15.0", "s3://login/logs/", configurations=configurations)
    cluster = runner.start(asked, print)
    argv = logged_in(spark_submit(SparkJob("s3://login/job.py", docker=DockerImage(example_image))), [host])
    try:
        cluster.start_step(StepRequest("s-IMAGE", "image", "command-runner.jar", argv)).wait()
    finally:
        cluster.stop()
    found = s3.list_objects_v2(Bucket="login", Prefix="logs/j-IMAGE/containers/")["Contents"]
    key = next(one["Key"] for one in found if one["Key"].endswith("stdout.gz"))
    assert "haversine" in gzip.decompress(s3.get_object(Bucket="login", Key=key)["Body"].read()).decode()


def lines(endpoint: str) -> list[str]:
    """Give what the job wrote."""
    logs = aws_client("logs", endpoint, "us-east-1")
    page = logs.get_log_events(
        logGroupName="/login", logStreamName="steps/s-LOGIN/stdout", startFromHead=True
    )
    return [event["message"] for event in page["events"] if event["message"].strip()]
