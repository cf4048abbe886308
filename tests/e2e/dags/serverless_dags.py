"""DAGs of the tests of jobs on EMR Serverless: one that goes on for long, and one that fails."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_emrkit import ApplicationSpec, EmrSparkOperator, ServerlessApplication, SparkJob

_BEATS = SparkJob(
    entry_point="jobs/ending_beats.py",
    args=["{{ params.label }}", "{{ params.beats }}", "{{ params.end }}"],
)
_RAISES = SparkJob(entry_point="jobs/raises.py", conf={"spark.log.level": "WARN"})
_NIGHTLY = ServerlessApplication(spec=ApplicationSpec("e2e-serverless", "emr-7.11.0"))


def _dag(dag_id: str, job: SparkJob, retries: int, *, deferrable: bool) -> DAG:
    with DAG(
        dag_id=dag_id,
        schedule=None,
        start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        params={"label": "none", "beats": 300, "end": "no-such-file"},
    ) as dag:
        EmrSparkOperator(
            task_id="job",
            job=job,
            compute=_NIGHTLY,
            deferrable=deferrable,
            poll_interval=1,
            retries=retries,
            retry_delay=timedelta(seconds=1),
        )
    return dag


serverless_sync = _dag("e2e_serverless_sync", _BEATS, 1, deferrable=False)
serverless_deferred = _dag("e2e_serverless_deferred", _BEATS, 1, deferrable=True)
serverless_fails = _dag("e2e_serverless_fails", _RAISES, 0, deferrable=True)
