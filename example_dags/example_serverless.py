"""Two Spark jobs on an application of EMR Serverless, which is set up before them and stopped after them.

The application is made where there is none, updated where it is not as it is described here, and used by each
DAG that describes the same one. The same DAG runs on a laptop against the local EMR and on AWS: only the
connections differ. On AWS, name the job runtime role in the emrkit connection (``execution_role_arn``),
put the csv files of the jobs' input into a bucket of yours and trigger the DAG with
``{"bucket": "your-bucket"}``.
"""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG  # type: ignore[no-redef,attr-defined,unused-ignore]

from airflow_provider_emrkit import ApplicationSpec, EmrApplicationGroup, EmrSparkOperator, SparkJob

# [START howto_operator_emr_spark_serverless]
flights = ApplicationSpec(
    "flights",
    release_label="emr-7.11.0",
    max_cpu=32,
    max_memory_gb=128,
    log_uri="s3://{{ params.bucket }}/logs/",
)

january, february = (
    SparkJob(
        entry_point="jobs/flights_of_month.py",
        args=[
            "--input", "s3://{{ params.bucket }}/nycflights13",
            "--output", "s3://{{ params.bucket }}/flights_of_month",
            "--month", month,
        ],
        conf={"spark.sql.shuffle.partitions": 2, "spark.log.level": "WARN"},
    )
    for month in (1, 2)
)  # fmt: skip

with (
    DAG(
        dag_id="example_serverless",
        schedule=None,
        start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        params={"bucket": "emrkit-demo"},
        tags=["example"],
        doc_md=__doc__,
    ) as dag,
    EmrApplicationGroup("application", flights) as application,
):
    EmrSparkOperator(task_id="january", job=january, compute=application.compute, deferrable=True)
    EmrSparkOperator(task_id="february", job=february, compute=application.compute, deferrable=True)
# [END howto_operator_emr_spark_serverless]
