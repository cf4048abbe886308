"""DAGs of the end-to-end tests whose jobs share an application of EMR Serverless."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

try:
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.operators.empty import EmptyOperator

from airflow_provider_emrkit import (
    ApplicationSpec,
    EmrApplicationGroup,
    EmrSparkOperator,
    SparkJob,
)

_ROLE = "arn:aws:iam::123456789012:role/emr-serverless-job"
_WARN = {"spark.log.level": "WARN"}
_TICKS = SparkJob(entry_point="jobs/ticks.py", args=["2"], conf=_WARN)
_RAISES = SparkJob(entry_point="jobs/raises.py", conf=_WARN)


def _dag(dag_id: str, job: SparkJob, when_done: str, *, deferrable: bool) -> DAG:
    spec = ApplicationSpec(dag_id, "emr-7.11.0", tags={"dag": "{{ dag.dag_id }}"})
    with DAG(
        dag_id=dag_id, schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), catchup=False
    ) as dag:
        with EmrApplicationGroup("shared", spec, when_done, start=True) as shared:
            compute = replace(shared.compute, execution_role_arn=_ROLE)
            EmrSparkOperator.partial(task_id="job", compute=compute, deferrable=deferrable).expand(
                job=[_TICKS, job]
            )
        shared >> EmptyOperator(task_id="after")
    return dag


def _slow() -> DAG:
    """Its start is given up before its application has started, which would not stop by itself."""
    dag_id = "e2e_application_start_ends"
    with DAG(
        dag_id=dag_id, schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), catchup=False
    ) as dag:
        spec = ApplicationSpec(dag_id, "emr-7.11.0", idle_minutes=None)
        with EmrApplicationGroup("shared", spec, start=True, deferrable=True) as shared:
            compute = replace(shared.compute, execution_role_arn=_ROLE)
            EmrSparkOperator(task_id="job", job=_TICKS, compute=compute)
    dag.get_task("shared.start").execution_timeout = timedelta(seconds=20)
    return dag


start_ends = _slow()
stopped = _dag("e2e_application_stopped", _TICKS, "stop", deferrable=False)
deleted = _dag("e2e_application_deleted", _TICKS, "delete", deferrable=True)
fails = _dag("e2e_application_fails", _RAISES, "stop", deferrable=True)
