"""Looks at a pool: its clusters and what they do, as EMR lists them."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.pool_mark import PoolMark
from airflow_provider_emrkit.hooks.errors import is_not_found
from airflow_provider_emrkit.pools.survey import PoolCluster, PoolStep, Survey
from airflow_provider_emrkit.runs.states import CLUSTER_COMING_UP, CLUSTER_UP
from airflow_provider_emrkit.runs.step_calls import created_at, ready_at, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_provider_emrkit.compute.pool_mark import PoolPlace

WORKING_STATES = CLUSTER_COMING_UP | CLUSTER_UP
ACTIVE_CLUSTERS = (*sorted(WORKING_STATES), "TERMINATING")
ACTIVE_STEPS = ("PENDING", "RUNNING", "CANCEL_PENDING")
# Clusters whose steps are listed at the same time: what a look takes is what a lease is held for.
THREADS = 4


def look(emr: Any, place: PoolPlace, *, steps_enough: int) -> Survey:
    """Find the clusters of a pool that have not ended, and their steps that wait or run.

    One ListClusters for 50 active clusters of the account, and one ListSteps for each cluster of the pool
    that may work. A cluster that goes away between the calls is left out.

    :param emr: boto3 client.
    :param place: Which pool.
    :param steps_enough: So many steps of a cluster need be known; further pages are not asked for.
    :raises botocore.exceptions.ClientError: when EMR refuses a call; a look may be repeated.

    >>> look(clients.client("emr"), place, steps_enough=2).clusters  # doctest: +SKIP
    """
    key = (place.name, place.key)
    return Survey(pool_clusters(emr, lambda mark: (mark.pool, mark.place) == key, steps_enough=steps_enough))


def pool_clusters(
    emr: Any, is_wanted: Callable[[PoolMark], bool], *, steps_enough: float
) -> tuple[PoolCluster, ...]:
    """Find clusters of any pools, as :func:`look` finds those of one, the oldest first.

    :param is_wanted: Tells by what a cluster's name tells whether it is wanted.
    """
    found = list(_members(emr, is_wanted))
    with ThreadPoolExecutor(min(THREADS, len(found)) or 1, "emrkit-pool-look") as threads:
        looked_at = threads.map(partial(_with_steps, emr, steps_enough), found)
        clusters = [cluster for cluster in looked_at if cluster is not None]
    return tuple(sorted(clusters, key=_age))


def _members(emr: Any, is_wanted: Callable[[PoolMark], bool]) -> Iterator[PoolCluster]:
    for page in pages(emr.list_clusters, {"ClusterStates": list(ACTIVE_CLUSTERS)}):
        for cluster in page.get("Clusters", ()):
            name = cluster.get("Name") or ""
            mark = PoolMark.of(name)
            if mark is not None and is_wanted(mark):
                state = (cluster.get("Status") or {}).get("State") or ""
                yield PoolCluster(cluster["Id"], name, mark, state, created_at(cluster), ready_at(cluster))


def _with_steps(emr: Any, enough: float, cluster: PoolCluster) -> PoolCluster | None:
    if cluster.state not in WORKING_STATES:
        return cluster
    request = {"ClusterId": cluster.id, "StepStates": list(ACTIVE_STEPS)}
    steps: list[PoolStep] = []
    try:
        for page in pages(emr.list_steps, request):
            steps.extend(map(_step, page.get("Steps", ())))
            if len(steps) >= enough:
                break
    except Exception as error:
        if is_not_found(error):
            return None
        raise
    return replace(cluster, steps=tuple(steps))


def _step(step: Mapping[str, Any]) -> PoolStep:
    status = step.get("Status") or {}
    started = seconds((status.get("Timeline") or {}).get("StartDateTime"))
    return PoolStep(step["Id"], step.get("Name") or "", status.get("State") or "", created_at(step), started)


def pages(ask: Callable[..., Any], request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Give the answers to a request of EMR's that lists something, page by page."""
    more: dict[str, Any] = {}
    while True:
        answer = ask(**request, **more)
        yield answer
        if not answer.get("Marker"):
            return
        more = {"Marker": answer["Marker"]}


def _age(cluster: PoolCluster) -> tuple[float, str]:
    return (math.inf if cluster.created_at is None else cluster.created_at, cluster.id)
