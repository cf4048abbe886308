"""The DAGs of the tests with an engine: jobs that bring an image to a pool, and to a cluster of others."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_emrkit import (
    ClusterPool,
    ClusterSpec,
    DockerImage,
    DockerOnYarn,
    EmrSparkOperator,
    ExistingCluster,
    SparkJob,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
_POOL = ClusterPool(
    "images",
    ClusterSpec(
        release_label="emr-6.15.0",
        size="tiny",
        log_uri="s3://{{ params.bucket }}/logs/",
        docker=DockerOnYarn([_REGISTRY]),
    ),
    max_clusters=1,
    steps_per_cluster=2,
    idle_timeout=60,
)


def _job(label: str, beats: int | str) -> SparkJob:
    image = DockerImage(f"{_REGISTRY}/emrkit-example:1")
    return SparkJob(entry_point="jobs/inside.py", args=[label, beats], docker=image)


def _dag(dag_id: str, compute: ClusterPool | ExistingCluster, jobs: Sequence[SparkJob]) -> DAG:
    with DAG(
        dag_id=dag_id,
        schedule=None,
        start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        params={"bucket": "emrkit-demo", "cluster_id": "j-NONE", "label": "none", "beats": 600},
    ) as dag:
        EmrSparkOperator.partial(task_id="job", compute=compute, deferrable=True, poll_interval=1).expand(
            job=jobs
        )
    return dag


pooled = _dag("e2e_docker_pool", _POOL, [_job("one", 4), _job("two", 4)])
killed = _dag(
    "e2e_docker_kill",
    ExistingCluster("{{ params.cluster_id }}"),
    [_job("{{ params.label }}", "{{ params.beats }}")],
)
