"""DAGs of the end-to-end tests whose deferrable jobs have to wait for their application."""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_emrkit import ApplicationSpec, EmrSparkOperator, ServerlessApplication, SparkJob

_ROLE = "arn:aws:iam::123456789012:role/emr-serverless-job"
_BEATS = SparkJob(entry_point="jobs/beats.py", args=["theirs", "1"])


def _dag(dag_id: str, *, auto_start: bool) -> DAG:
    spec = ApplicationSpec(dag_id, "emr-7.11.0", auto_start=auto_start)
    with DAG(
        dag_id=dag_id, schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), catchup=False
    ) as dag:
        compute = ServerlessApplication(spec=spec, execution_role_arn=_ROLE)
        EmrSparkOperator(task_id="job", job=_BEATS, compute=compute, deferrable=True, poll_interval=1)
    return dag


by_hand = _dag("e2e_waits_for_start", auto_start=False)
updated = _dag("e2e_waits_for_job_runs", auto_start=True)
