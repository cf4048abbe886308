"""The amazon provider's own EMR operators and sensors on a local EMR.

Nothing in this DAG is emrkit's: it shows that a DAG of the official provider runs on a laptop as it is. Its
AWS connection leads to the local EMR (``eval "$(emrkit local env)"``); on AWS, trigger it with
``{"bucket": "your-bucket"}``. Its tasks wait on a worker, or deferred where ``[operators]
default_deferrable`` says so; that takes ``apache-airflow-providers-amazon[aiobotocore]``.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airflow.providers.amazon.aws.operators.emr import (
    EmrAddStepsOperator,
    EmrCreateJobFlowOperator,
    EmrModifyClusterOperator,
    EmrTerminateJobFlowOperator,
)
from airflow.providers.amazon.aws.operators.s3 import S3CreateObjectOperator
from airflow.providers.amazon.aws.sensors.emr import EmrJobFlowSensor, EmrStepSensor
from airflow.providers.amazon.aws.transfers.local_to_s3 import LocalFilesystemToS3Operator
from airflow.providers.amazon.aws.utils.waiter import WaitPolicy

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG  # type: ignore[no-redef,attr-defined,unused-ignore]

JOB = Path(__file__).parent / "jobs" / "count_words.py"
FOLDER = "example_amazon_emr"
# Seconds between two looks at a state. The provider's own 30 and 60 are made for AWS.
POLL = 3


# [START howto_amazon_provider_emr_on_localemr]
CLUSTER: dict[str, Any] = {
    "Name": FOLDER,
    "ReleaseLabel": "emr-7.11.0",
    "Applications": [{"Name": "Spark"}],
    "LogUri": "s3://{{ params.bucket }}/logs/",
    "JobFlowRole": "EMR_EC2_DefaultRole",
    "ServiceRole": "EMR_DefaultRole",
    "Instances": {
        "InstanceGroups": [
            {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1, "Name": "primary"}
        ],
        "KeepJobFlowAliveWhenNoSteps": True,
    },
    "AutoTerminationPolicy": {"IdleTimeout": 600},
}


def step(name: str) -> dict[str, Any]:
    """Give a step that counts words into a folder of its own name."""
    folder = f"s3://{{{{ params.bucket }}}}/{FOLDER}"
    job = ["spark-submit", "--deploy-mode", "cluster", f"{folder}/{JOB.name}"]
    args = ["--input", f"{folder}/text.txt", "--output", f"{folder}/{name}"]
    return {
        "Name": name,
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": [*job, *args]},
    }


with DAG(
    dag_id="example_amazon_emr",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"bucket": "emrkit-local"},
    tags=["example"],
    doc_md=__doc__,
) as dag:
    job = LocalFilesystemToS3Operator(
        task_id="upload_job",
        filename=str(JOB),
        dest_key=f"{FOLDER}/{JOB.name}",
        dest_bucket="{{ params.bucket }}",
        replace=True,
    )
    text = S3CreateObjectOperator(
        task_id="upload_text",
        s3_bucket="{{ params.bucket }}",
        s3_key=f"{FOLDER}/text.txt",
        data="to be or not to be",
        replace=True,
    )
    create = EmrCreateJobFlowOperator(
        task_id="create_cluster",
        job_flow_overrides=CLUSTER,
        wait_policy=WaitPolicy.WAIT_FOR_COMPLETION,
        waiter_delay=POLL,
    )
    cluster_id = "{{ ti.xcom_pull(task_ids='create_cluster') }}"
    first = EmrAddStepsOperator(
        task_id="one_step",
        job_flow_id=cluster_id,
        steps=[step("first")],
        wait_for_completion=True,
        waiter_delay=POLL,
    )
    modify = EmrModifyClusterOperator(task_id="two_at_once", cluster_id=cluster_id, step_concurrency_level=2)
    both = EmrAddStepsOperator(
        task_id="two_steps",
        job_flow_id=cluster_id,
        steps=[step("left"), step("right")],
        deferrable=False,  # deferred, it would wait for the steps itself: that is left to the sensors
    )
    watch = [
        EmrStepSensor(
            task_id=f"watch_{side}",
            job_flow_id=cluster_id,
            step_id=f"{{{{ ti.xcom_pull(task_ids='two_steps')[{number}] }}}}",
            poke_interval=POLL,
        )
        for number, side in enumerate(("left", "right"))
    ]
    terminate = EmrTerminateJobFlowOperator(
        task_id="terminate_cluster", job_flow_id=cluster_id, waiter_delay=POLL, trigger_rule="all_done"
    )
    gone = EmrJobFlowSensor(task_id="cluster_is_gone", job_flow_id=cluster_id, poke_interval=POLL)
    [job, text] >> create >> first >> modify >> both >> watch >> terminate >> gone
# [END howto_amazon_provider_emr_on_localemr]
