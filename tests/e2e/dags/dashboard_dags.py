"""A job on EMR Serverless."""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_emrkit import ApplicationSpec, EmrSparkOperator, ServerlessApplication, SparkJob

with DAG("e2e_dashboard", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), catchup=False):
    EmrSparkOperator(
        task_id="job",
        job=SparkJob("jobs/ticks.py", args=["1"], conf={"spark.log.level": "WARN"}),
        compute=ServerlessApplication(spec=ApplicationSpec("e2e-dashboard", "emr-7.11.0")),
        emrkit_conn_id="emrkit_{{ 'default' }}",
        poll_interval=1,
    )
