"""A Spark job on an EMR cluster that is made for it and ends with it.

The job's file lies beside this one and is staged to S3 by the operator. The same DAG runs on a laptop
against the local EMR and on AWS: only the connections differ. On AWS, put the csv files of the job's input
into a bucket of yours and trigger the DAG with ``{"bucket": "your-bucket"}``.
"""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG  # type: ignore[no-redef,attr-defined,unused-ignore]

from airflow_provider_emrkit import ClusterSpec, DynamicCluster, EmrSparkOperator, SparkJob

# [START howto_operator_emr_spark_dynamic_cluster]
flights_summary = SparkJob(
    entry_point="jobs/flights_summary.py",
    args=[
        "--input", "s3://{{ params.bucket }}/nycflights13",
        "--output", "s3://{{ params.bucket }}/flights_summary",
    ],
    conf={"spark.sql.shuffle.partitions": 4, "spark.log.level": "WARN"},
)  # fmt: skip

one_small_cluster = DynamicCluster(
    ClusterSpec(release_label="emr-7.11.0", size="tiny", log_uri="s3://{{ params.bucket }}/logs/")
)

with DAG(
    dag_id="example_dynamic_cluster",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"bucket": "emrkit-demo"},
    tags=["example"],
    doc_md=__doc__,
) as dag:
    EmrSparkOperator(
        task_id="flights_summary", job=flights_summary, compute=one_small_cluster, deferrable=True
    )
# [END howto_operator_emr_spark_dynamic_cluster]
