"""How busy the clusters of a pool are: their steps, and the jobs that may be on their way to them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.runs.states import CLUSTER_COMING_UP, CLUSTER_UP
from airflow_provider_emrkit.runs.token import Mark

if TYPE_CHECKING:
    from airflow_provider_emrkit.pools.record import Claim, PoolRecord
    from airflow_provider_emrkit.pools.survey import PoolCluster, Survey


@dataclass(frozen=True)
class Standing:
    """How busy a cluster is.

    :param cluster: Which.
    :param active: Its steps that wait or run, and the jobs that may be on their way to it.
    :param room: How many jobs more it takes.
    :param draining: Whether it gets no more work.

    >>> [standing.room for standing in standings(survey, record, 2)]  # doctest: +SKIP
    [0, 1]
    """

    cluster: PoolCluster
    active: int
    room: int
    draining: bool

    @property
    def is_going(self) -> bool:
        """Whether it ends already; it does not count as one of the pool's clusters any more."""
        return self.cluster.state not in CLUSTER_UP | CLUSTER_COMING_UP

    @property
    def is_idle(self) -> bool:
        """Whether it may be ended, since it does nothing."""
        return self.active == 0 and not self.is_going

    @property
    def takes_work(self) -> bool:
        """Whether it is not about to end."""
        return not self.draining and not self.is_going


def standings(survey: Survey, record: PoolRecord, steps_per_cluster: int) -> list[Standing]:
    """Tell how busy each cluster is, in the survey's order.

    :param record: What may be under way; claims that the survey lists must have been settled.
    """
    coming = _coming(record)
    found = []
    for cluster in survey.clusters:
        # A job that is to run on a cluster that starts is claimed for the start, until the cluster has an id.
        active = len(cluster.steps) + coming[cluster.id] + coming[cluster.mark.start]
        standing = Standing(
            cluster, active, max(0, steps_per_cluster - active), cluster.id in record.draining
        )
        found.append(standing if standing.takes_work else _closed(standing))
    return found


def unlisted_starts(record: PoolRecord, steps_per_cluster: int) -> list[int]:
    """Give the room of each cluster that may be starting and that EMR does not list yet.

    :param record: Its claims must have been settled.
    """
    coming = _coming(record)
    return [max(0, steps_per_cluster - _bound_for(claim, coming)) for claim in record.claims_to("start")]


def tokens_of(survey: Survey) -> set[str]:
    """Give the run tokens of all steps of a pool that wait or run."""
    names = (step.name for cluster in survey.clusters for step in cluster.steps)
    return {str(mark) for mark in map(Mark.of, names) if mark is not None}


def _closed(standing: Standing) -> Standing:
    return Standing(standing.cluster, standing.active, 0, standing.draining)


def _coming(record: PoolRecord) -> Counter[str]:
    """Count the jobs that may be on their way, by cluster or start."""
    return Counter(claim.cluster_id for claim in record.claims_to("place"))


def _bound_for(start: Claim, coming: Counter[str]) -> int:
    return coming[start.id] + (coming[start.cluster_id] if start.cluster_id else 0)
