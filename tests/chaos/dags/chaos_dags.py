"""The DAGs of the chaos: one job that leaves marks, here and there, awaited and deferred."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.sdk import DAG

from airflow_provider_emrkit import (
    ApplicationSpec,
    ClusterSpec,
    DynamicCluster,
    EmrSparkOperator,
    ExistingCluster,
    ServerlessApplication,
    SparkJob,
)

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
    "serverless": ServerlessApplication(spec=ApplicationSpec("chaos", "emr-7.11.0")),
}


def _dag(dag_id: str, retries: int = 12) -> DAG:
    return DAG(
        dag_id=dag_id,
        schedule=None,
        start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        max_active_runs=MANY,
        max_active_tasks=MANY,
        params={"seconds": 4, "exit_code": 0},
        user_defined_macros={"cluster_id": cluster_id},
        default_args={"retries": retries, "retry_delay": timedelta(seconds=1), "poll_interval": 1},
    )


for _place, _compute in PLACES.items():
    for _way in ("awaited", "deferred"):
        # The second one is for jobs that fail by themselves.
        for _name, _retries in ((f"chaos_{_place}_{_way}", 12), (f"chaos_{_place}_{_way}_failing", 1)):
            with _dag(_name, _retries) as _made:
                EmrSparkOperator(task_id="job", job=JOB, compute=_compute, deferrable=_way == "deferred")
            globals()[_name] = _made

with _dag("chaos_mapped") as mapped:
    EmrSparkOperator.partial(task_id="job", compute=PLACES["existing"], deferrable=True).expand(job=[JOB])
