"""Twelve Spark jobs, one for each month, on a pool of two clusters that run two jobs each.

The pool's clusters are started when there is work, shared by all DAGs that name the pool, and end by
themselves when they have none. Jobs that find no room wait in the triggerer. The same DAG runs on a laptop
against the local EMR and on AWS: only the connections differ. On AWS, put the csv files of the job's input
into a bucket of yours and trigger the DAG with ``{"bucket": "your-bucket"}``.
"""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG  # type: ignore[no-redef,attr-defined,unused-ignore]

from airflow_provider_emrkit import ClusterPool, ClusterSpec, EmrSparkOperator, SparkJob

# [START howto_operator_emr_spark_cluster_pool]
two_small_clusters = ClusterPool(
    "flights",
    ClusterSpec(release_label="emr-7.11.0", size="tiny", log_uri="s3://{{ params.bucket }}/logs/"),
    max_clusters=2,
    steps_per_cluster=2,
    idle_timeout=60,
)

months = [
    SparkJob(
        entry_point="jobs/flights_of_month.py",
        args=[
            "--input", "s3://{{ params.bucket }}/nycflights13",
            "--output", "s3://{{ params.bucket }}/flights_by_month",
            "--month", month,
        ],
        conf={"spark.sql.shuffle.partitions": 2, "spark.log.level": "WARN"},
    )
    for month in range(1, 13)
]  # fmt: skip

with DAG(
    dag_id="example_cluster_pool",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"bucket": "emrkit-demo"},
    tags=["example"],
    doc_md=__doc__,
) as dag:
    EmrSparkOperator.partial(task_id="month", compute=two_small_clusters, deferrable=True).expand(job=months)
# [END howto_operator_emr_spark_cluster_pool]
