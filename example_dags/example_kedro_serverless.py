"""A Kedro project on EMR Serverless: two of its pipelines, each a task.

Package the project first; its packages, and the Python that runs it, come along with each run, so that the
application needs no image of its own::

    emrkit package kedro_project --archive

The same DAG runs on a laptop against the local EMR and on AWS: only the connections differ. On AWS, name the
job runtime role in the emrkit connection (``execution_role_arn``), put the csv files of the project's input
into a bucket of yours and trigger the DAG with ``{"bucket": "your-bucket"}``.
"""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG  # type: ignore[no-redef,attr-defined,unused-ignore]

from airflow_provider_emrkit import ApplicationSpec, EmrSparkOperator, KedroProject, ServerlessApplication

# [START howto_operator_emr_spark_kedro]
# Once it is packaged, KedroProject.read("kedro_project/dist/emrkit") gives the same.
project = KedroProject(
    entry_point="kedro_project/dist/emrkit/entrypoint.py",
    archive="kedro_project/dist/emrkit/environment.tar.gz",
    conf_source="kedro_project/dist/emrkit/conf-flights.tar.gz",
    variables={"DO_NOT_TRACK": 1},  # Kedro's telemetry would ask for the internet
)

application = ServerlessApplication(
    spec=ApplicationSpec(
        "kedro-flights", release_label="emr-7.11.0", log_uri="s3://{{ params.bucket }}/logs/"
    )
)

with DAG(
    dag_id="example_kedro_serverless",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"bucket": "emrkit-demo"},
    tags=["example"],
    doc_md=__doc__,
) as dag:
    for pipeline, env in (("carriers", "strict"), ("delays", None)):
        EmrSparkOperator(
            task_id=pipeline,
            job=project.job(
                pipeline=pipeline,
                env=env,
                runner="ThreadRunner",
                params={"bucket": "{{ params.bucket }}"},
                conf={"spark.sql.shuffle.partitions": 2, "spark.log.level": "WARN"},
            ),
            compute=application,
            deferrable=True,
        )
# [END howto_operator_emr_spark_kedro]
