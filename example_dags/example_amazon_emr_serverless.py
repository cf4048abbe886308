"""The amazon provider's own EMR Serverless operators and sensors on a local EMR.

Nothing in this DAG is emrkit's: it shows that a DAG of the official provider runs on a laptop as it is. Its
AWS connection leads to the local EMR (``eval "$(emrkit local env)"``); on AWS, trigger it with
``{"bucket": "your-bucket", "role": "arn:aws:iam::…:role/…"}``. Its tasks wait on a worker, or deferred where
``[operators] default_deferrable`` says so; that takes ``apache-airflow-providers-amazon[aiobotocore]``.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from airflow.providers.amazon.aws.operators.emr import (
    EmrServerlessCreateApplicationOperator,
    EmrServerlessDeleteApplicationOperator,
    EmrServerlessStartJobOperator,
    EmrServerlessStopApplicationOperator,
)
from airflow.providers.amazon.aws.operators.s3 import S3CreateObjectOperator
from airflow.providers.amazon.aws.sensors.emr import EmrServerlessApplicationSensor, EmrServerlessJobSensor
from airflow.providers.amazon.aws.transfers.local_to_s3 import LocalFilesystemToS3Operator

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG  # type: ignore[no-redef,attr-defined,unused-ignore]

JOB = Path(__file__).parent / "jobs" / "count_words.py"
FOLDER = "example_amazon_emr_serverless"
S3_FOLDER = f"s3://{{{{ params.bucket }}}}/{FOLDER}"
# Seconds between two looks at a state. The provider's own 60 are made for AWS.
POLL = 3


# [START howto_amazon_provider_emr_serverless_on_localemr]
DRIVER = {
    "sparkSubmit": {
        "entryPoint": f"{S3_FOLDER}/{JOB.name}",
        "entryPointArguments": ["--input", f"{S3_FOLDER}/text.txt", "--output", f"{S3_FOLDER}/counts"],
        "sparkSubmitParameters": "--conf spark.executor.cores=1 --conf spark.executor.memory=1g",
    }
}
LOGS = {"monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": f"{S3_FOLDER}/logs/"}}}

with DAG(
    dag_id="example_amazon_emr_serverless",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"bucket": "emrkit-local", "role": "arn:aws:iam::123456789012:role/emr-serverless-job"},
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
    create = EmrServerlessCreateApplicationOperator(
        task_id="create_application",
        release_label="emr-7.11.0",
        job_type="SPARK",
        config={"name": FOLDER},
        waiter_delay=POLL,
    )
    application_id = "{{ ti.xcom_pull(task_ids='create_application') }}"
    there = EmrServerlessApplicationSensor(
        task_id="application_is_there", application_id=application_id, poke_interval=POLL
    )
    run = EmrServerlessStartJobOperator(
        task_id="count_words",
        application_id=application_id,
        execution_role_arn="{{ params.role }}",
        job_driver=DRIVER,
        configuration_overrides=LOGS,
        name=FOLDER,
        waiter_delay=POLL,
    )
    watch = EmrServerlessJobSensor(
        task_id="job_is_done",
        application_id=application_id,
        job_run_id="{{ ti.xcom_pull(task_ids='count_words') }}",
        poke_interval=POLL,
    )
    stop = EmrServerlessStopApplicationOperator(
        task_id="stop_application",
        application_id=application_id,
        waiter_delay=POLL,
        trigger_rule="all_done",
    )
    delete = EmrServerlessDeleteApplicationOperator(
        task_id="delete_application", application_id=application_id, waiter_delay=POLL
    )
    [job, text] >> create >> there >> run >> watch >> stop >> delete
# [END howto_amazon_provider_emr_serverless_on_localemr]
