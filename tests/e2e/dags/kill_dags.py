"""The DAGs of the tests that kill tasks: one job that goes on for long, on a cluster of others."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_emrkit import EmrSparkOperator, ExistingCluster, SparkJob

_BEATS = SparkJob(entry_point="jobs/beats.py", args=["{{ params.label }}", "{{ params.beats }}"])


def _dag(dag_id: str, *, deferrable: bool) -> DAG:
    with DAG(
        dag_id=dag_id,
        schedule=None,
        start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        params={"cluster_id": "j-NONE", "label": "none", "beats": 300},
    ) as dag:
        EmrSparkOperator(
            task_id="job",
            job=_BEATS,
            compute=ExistingCluster("{{ params.cluster_id }}"),
            deferrable=deferrable,
            poll_interval=1,
            retries=1,
            retry_delay=timedelta(seconds=1),
        )
    return dag


kill_sync = _dag("e2e_kill_sync", deferrable=False)
kill_deferred = _dag("e2e_kill_deferred", deferrable=True)
