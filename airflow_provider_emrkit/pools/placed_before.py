"""What was placed before: by a request whose answer was lost, or by a process that died."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.errors import is_not_found
from airflow_provider_emrkit.pools.looking import ACTIVE_STEPS
from airflow_provider_emrkit.runs.step_calls import created_at, run_of, steps_of
from airflow_provider_emrkit.runs.token import Mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.pools.order import PoolOrder
    from airflow_provider_emrkit.pools.record import Claim
    from airflow_provider_emrkit.pools.survey import Survey
    from airflow_provider_emrkit.runs.job_run import JobRun

# Of a cluster's newest steps, 50 each: a job may have waited for long since its request got no answer.
PAGES = 4
# In which somebody ends a step. Of two steps with the same token it is the one not to go on with.
CANCELLED = ("CANCEL_PENDING", "CANCELLED")


class PlacedBefore:
    """Finds the steps of orders on the clusters of a pool.

    :param emr: boto3 client of EMR.
    :param region: AWS region.
    :param survey: What is known of the pool.

    >>> PlacedBefore(emr, "us-east-1", survey).listed(order)  # doctest: +SKIP
    """

    def __init__(self, emr: Any, region: str, survey: Survey) -> None:
        self._emr = emr
        self._region = region
        self._survey = survey
        self._listed = {mark: found for mark, *found in sorted(_active(survey), key=_is_cancelled)}
        self._newest: dict[str, list[Mapping[str, Any]]] = {}

    def listed(self, order: PoolOrder) -> JobRun | None:
        """Give the run of an order whose step waits or runs."""
        if order.token.mark not in self._listed:
            return None
        cluster, step = self._listed[order.token.mark]
        return pooled_run(order, cluster, step.id, self._region, step.created_at)

    def claimed(self, order: PoolOrder, claim: Claim) -> tuple[JobRun | None, bool]:
        """Look for an order that may have been placed on a cluster, in any state (ListSteps).

        :return: Its run, if any, and whether that is over; one that is not takes up room.
        """
        starts = {cluster.mark.start: cluster.id for cluster in self._survey.clusters}
        cluster = starts.get(claim.cluster_id, claim.cluster_id)
        found = [step for step in self._steps(cluster) if Mark.of(step.get("Name") or "") == order.token.mark]
        if not found:
            return None, False
        step = min(found, key=lambda one: _state(one) in CANCELLED)
        run = pooled_run(order, cluster, step["Id"], self._region, created_at(step))
        return run, _state(step) not in ACTIVE_STEPS

    def _steps(self, cluster: str) -> list[Mapping[str, Any]]:
        if cluster not in self._newest:
            self._newest[cluster] = self._list(cluster) if cluster.startswith("j-") else []
        return self._newest[cluster]

    def _list(self, cluster: str) -> list[Mapping[str, Any]]:
        try:
            return list(steps_of(self._emr, cluster, pages=PAGES))
        except Exception as error:
            if is_not_found(error):
                return []
            raise


def pooled_run(
    order: PoolOrder, cluster_id: str, step_id: str, region: str, submitted_at: float | None = None
) -> JobRun:
    """Make the handle of a job that was placed, without a call.

    Its cluster is like the order's in all but its size, so that its logs go where the order's would.

    :param submitted_at: Seconds since 1970; now, by default.
    """
    run = run_of(
        {**order.cluster, "Id": cluster_id},
        step_id,
        order.token.mark,
        name=order.token.marked(),
        region=region,
        submitted_at=time.time() if submitted_at is None else submitted_at,
        owns_cluster=False,
    )
    run = replace(run, pool=order.place.name, driver_apart=order.driver_apart)
    return run.with_wishes(order.wishes)


def _state(step: Mapping[str, Any]) -> str:
    return str((step.get("Status") or {}).get("State") or "")


def _active(survey: Survey) -> list[tuple[Mark, str, Any]]:
    found = ((Mark.of(step.name), cluster.id, step) for cluster in survey.clusters for step in cluster.steps)
    return [(mark, cluster, step) for mark, cluster, step in found if mark is not None]


def _is_cancelled(found: tuple[Mark, str, Any]) -> bool:
    # The others come last, and stay.
    return found[2].state not in CANCELLED
