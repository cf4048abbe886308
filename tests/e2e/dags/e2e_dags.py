"""The DAGs of the end-to-end tests: one job each, on a cluster made for it, or two that share a pool."""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_emrkit import ClusterPool, ClusterSpec, DynamicCluster, EmrSparkOperator, SparkJob

_COMPUTE = DynamicCluster(
    ClusterSpec(release_label="emr-7.11.0", size="tiny", log_uri="s3://{{ params.bucket }}/logs/")
)
_FLIGHTS = SparkJob(
    entry_point="../../../example_dags/jobs/flights_summary.py",
    args=[
        *("--input", "s3://{{ params.bucket }}/nycflights13"),
        *("--output", "s3://{{ params.bucket }}/{{ dag.dag_id }}"),
    ],
    conf={"spark.sql.shuffle.partitions": 4, "spark.log.level": "WARN"},
)
_TICKS = SparkJob(entry_point="jobs/ticks.py", args=["{{ params.ticks }}"], conf={"spark.log.level": "WARN"})
_LINES = SparkJob(
    entry_point="jobs/lines.py",
    args=["{{ params.lines }}", "{{ params.seconds }}"],
    conf={"spark.log.level": "WARN"},
)
_RAISES = SparkJob(entry_point="jobs/raises.py")


def _dag(dag_id: str, job: SparkJob, *, deferrable: bool) -> DAG:
    with DAG(
        dag_id=dag_id,
        schedule=None,
        start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        params={"bucket": "emrkit-demo", "ticks": 8, "lines": 200, "seconds": 20},
    ) as dag:
        EmrSparkOperator(task_id="job", job=job, compute=_COMPUTE, deferrable=deferrable)
    return dag


def _pool_dag(dag_id: str, *, deferrable: bool) -> DAG:
    pool = ClusterPool(dag_id, _COMPUTE.spec, max_clusters=1, idle_timeout=60)
    with DAG(
        dag_id=dag_id,
        schedule=None,
        start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        params={"bucket": "emrkit-demo", "ticks": 2},
    ) as dag:
        EmrSparkOperator.partial(task_id="job", compute=pool, deferrable=deferrable).expand(job=[_TICKS] * 2)
    return dag


flights_sync = _dag("e2e_flights_sync", _FLIGHTS, deferrable=False)
raises_sync = _dag("e2e_raises_sync", _RAISES, deferrable=False)
raises_deferrable = _dag("e2e_raises_deferrable", _RAISES, deferrable=True)
ticks = _dag("e2e_ticks", _TICKS, deferrable=True)
lines_sync = _dag("e2e_lines_sync", _LINES, deferrable=False)
lines_deferrable = _dag("e2e_lines_deferrable", _LINES, deferrable=True)
pool_sync = _pool_dag("e2e_pool_sync", deferrable=False)
pool_deferrable = _pool_dag("e2e_pool_deferrable", deferrable=True)
