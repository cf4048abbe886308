"""A Spark job that brings its own image, with a package that neither Spark nor the cluster has.

The cluster that is made for it is set up for the image by itself. The same DAG runs on a laptop against the
local EMR, in Docker or Podman: ``python3 dev/example_image.py`` makes the image there. On AWS, push an image
with Java, Python and the package ``haversine`` to an ECR of yours, name it here, put the csv files of the
job's input into a bucket of yours and trigger the DAG with ``{"bucket": "your-bucket"}``.
"""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG  # type: ignore[no-redef,attr-defined,unused-ignore]

from airflow_provider_emrkit import ClusterSpec, DockerImage, DynamicCluster, EmrSparkOperator, SparkJob

# [START howto_operator_emr_spark_docker]
great_circles = SparkJob(
    entry_point="jobs/great_circles.py",
    args=[
        "--input", "s3://{{ params.bucket }}/nycflights13",
        "--output", "s3://{{ params.bucket }}/great_circles",
    ],
    conf={"spark.sql.shuffle.partitions": 2},
    docker=DockerImage("123456789012.dkr.ecr.us-east-1.amazonaws.com/emrkit-example:1"),
)  # fmt: skip

one_small_cluster = DynamicCluster(
    ClusterSpec(release_label="emr-6.15.0", size="tiny", log_uri="s3://{{ params.bucket }}/logs/")
)

with DAG(
    dag_id="example_docker_step",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"bucket": "emrkit-demo"},
    tags=["example"],
    doc_md=__doc__,
) as dag:
    EmrSparkOperator(task_id="great_circles", job=great_circles, compute=one_small_cluster, deferrable=True)
# [END howto_operator_emr_spark_docker]
