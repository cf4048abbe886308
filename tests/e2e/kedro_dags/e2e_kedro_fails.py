"""Runs of the example's Kedro project that fail; copied beside the packaged project by the test."""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_emrkit import ApplicationSpec, EmrSparkOperator, KedroProject, ServerlessApplication

project = KedroProject.read("kedro_project/dist/emrkit")
application = ServerlessApplication(spec=ApplicationSpec("kedro-flights", release_label="emr-7.11.0"))

with DAG(
    "e2e_kedro_fails", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), catchup=False
):
    EmrSparkOperator(
        task_id="no_such_pipeline",
        job=project.job(
            pipeline="departures", params={"bucket": "emrkit-demo"}, variables={"DO_NOT_TRACK": 1}
        ),
        compute=application,
        deferrable=True,
    )
