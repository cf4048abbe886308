"""The addresses that EMR's API gives for an application lead to its page in a real Spark history server."""

from __future__ import annotations

import gzip
import re
import urllib.request

import pytest

from demo.environment import BUCKET

pytestmark = pytest.mark.e2e

JOB = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("shown on a page").getOrCreate()
print(spark.range(10).count())
"""


@pytest.fixture(scope="module")
def cluster(localemr):
    localemr.s3.put_object(Bucket=BUCKET, Key="pages/job.py", Body=JOB.encode())
    cluster_id = localemr.emr.run_job_flow(
        Name="pages",
        ReleaseLabel="emr-7.11.0",
        LogUri=f"s3://{BUCKET}/pages/logs",
        JobFlowRole="EMR_EC2_DefaultRole",
        ServiceRole="EMR_DefaultRole",
        Instances={
            "InstanceCount": 1,
            "MasterInstanceType": "m5.xlarge",
            "KeepJobFlowAliveWhenNoSteps": True,
        },
    )["JobFlowId"]
    yield cluster_id
    localemr.emr.terminate_job_flows(JobFlowIds=[cluster_id])


@pytest.fixture(scope="module")
def application_id(localemr, cluster):
    """The id of an application that has run in cluster mode, as the step's log tells it."""
    args = ["spark-submit", "--deploy-mode", "cluster", f"s3://{BUCKET}/pages/job.py"]
    step = {
        "Name": "job",
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": args},
    }
    (step_id,) = localemr.emr.add_job_flow_steps(JobFlowId=cluster, Steps=[step])["StepIds"]
    localemr.emr.get_waiter("step_complete").wait(ClusterId=cluster, StepId=step_id)
    key = f"pages/logs/{cluster}/steps/{step_id}/stderr.gz"
    log = gzip.decompress(localemr.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()).decode()
    return re.search(r"Submitted application (application_\d+_\d+)", log)[1]


def page(answer):
    """Follow the address that the API has given, which starts the history server."""
    assert answer["PresignedURLReady"]
    url = answer["PresignedURL"]
    with urllib.request.urlopen(url, timeout=90) as answer:
        return answer.read().decode()


def test_a_page_on_the_cluster(localemr, cluster, application_id):
    ask = localemr.emr.get_on_cluster_app_ui_presigned_url
    assert "shown on a page" in page(ask(ClusterId=cluster, ApplicationId=application_id))


def test_a_page_that_outlives_the_cluster(localemr, cluster, application_id):
    emr = localemr.emr
    arn = emr.describe_cluster(ClusterId=cluster)["Cluster"]["ClusterArn"]
    ui = emr.create_persistent_app_ui(TargetResourceArn=arn)["PersistentAppUIId"]
    emr.terminate_job_flows(JobFlowIds=[cluster])
    emr.get_waiter("cluster_terminated").wait(ClusterId=cluster)
    ask = emr.get_persistent_app_ui_presigned_url
    assert "shown on a page" in page(ask(PersistentAppUIId=ui, ApplicationId=application_id))
    assert "History Server" in page(ask(PersistentAppUIId=ui))
