"""The DAGs of the chaos: one job that leaves marks, here and there, awaited and deferred."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.sdk import DAG

from airflow_provider_emrkit import ClusterSpec, DynamicCluster, EmrSparkOperator, ExistingCluster, SparkJob

FOLDER = os.environ["EMRKIT_CHAOS_FOLDER"]
MANY = 1_000


def cluster_id() -> str:
    """The shared cluster of the moment; a new one takes the place of one that was lost."""
    return (Path(FOLDER) / "cluster").read_text().strip()


JOB = SparkJob(
    "jobs/marks.py",
    args=[
        f"{FOLDER}/marks/{{{{ run_id }}}}.jsonl",
        "{{ ti.try_number }}",
        "{{ params.seconds }}",
        "{{ params.exit_code }}",
    ],
)
PLACES = {
    "dynamic": DynamicCluster(ClusterSpec("emr-7.11.0", size="tiny", cloudwatch_logs=False)),
    "existing": ExistingCluster("{{ cluster_id() }}"),
}


def _dag(dag_id: str, place: str, way: str, retries: int) -> DAG:
    with DAG(
        dag_id=dag_id,
        schedule=None,
        start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        max_active_runs=MANY,
        max_active_tasks=MANY,
        params={"seconds": 4, "exit_code": 0},
        user_defined_macros={"cluster_id": cluster_id},
        default_args={"retries": retries, "retry_delay": timedelta(seconds=1), "poll_interval": 1},
    ) as dag:
        EmrSparkOperator(task_id="job", job=JOB, compute=PLACES[place], deferrable=way == "deferred")
    return dag


for _place in PLACES:
    for _way in ("awaited", "deferred"):
        _name = f"chaos_{_place}_{_way}"
        globals()[_name] = _dag(_name, _place, _way, retries=12)
        # For jobs that fail by themselves.
        globals()[f"{_name}_failing"] = _dag(f"{_name}_failing", _place, _way, retries=1)
