"""A step that logs in to ECR: bash, the command lines of AWS and Hadoop on a cluster of the local EMR."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import pytest

from airflow_provider_emrkit.jobs.ecr_login import client_config_of, logged_in
from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.contract import ClusterRequest, StepRequest
from airflow_provider_emrkit.localemr.run.runner import SparkClusterRunner

pytestmark = pytest.mark.e2e

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


def lines(endpoint: str) -> list[str]:
    """Give what the job wrote."""
    logs = aws_client("logs", endpoint, "us-east-1")
    page = logs.get_log_events(
        logGroupName="/login", logStreamName="steps/s-LOGIN/stdout", startFromHead=True
    )
    return [event["message"] for event in page["events"] if event["message"].strip()]
