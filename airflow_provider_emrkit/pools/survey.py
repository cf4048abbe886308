"""A pool as it is: its clusters, and what they do. Live figures, never a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_emrkit.compute.pool_mark import PoolMark


@dataclass(frozen=True)
class PoolStep:
    """A step that waits or runs on a cluster of the pool.

    :param id: ``s-…``
    :param name: Its name, in which emrkit's run token is.
    :param state: ``PENDING``, ``RUNNING`` or ``CANCEL_PENDING``.
    :param created_at: Seconds since 1970.
    :param started_at: The same; None while it waits.

    >>> PoolStep("s-1", "sales.load emrkit:c66c9179a54ad449-0-1", "PENDING").started_at is None
    True
    """

    id: str
    name: str
    state: str
    created_at: float | None = None
    started_at: float | None = None


@dataclass(frozen=True)
class PoolCluster:
    """A cluster of the pool that has not ended.

    :param id: ``j-…``
    :param name: Its name, with the mark in it.
    :param mark: What its name tells.
    :param state: ``STARTING``, ``BOOTSTRAPPING``, ``RUNNING``, ``WAITING`` or ``TERMINATING``.
    :param created_at: Seconds since 1970.
    :param ready_at: The same; None while it starts.
    :param steps: Its steps that wait or run; of a cluster with very many, at least as many as fill it.

    >>> [len(cluster.steps) for cluster in survey.clusters]  # doctest: +SKIP
    [2, 0]
    """

    id: str
    name: str
    mark: PoolMark
    state: str
    created_at: float | None = None
    ready_at: float | None = None
    steps: tuple[PoolStep, ...] = ()


@dataclass(frozen=True)
class Survey:
    """What a look at a pool has found.

    :param clusters: Its clusters that have not ended, of all specs, the oldest first.

    >>> Survey().clusters
    ()
    """

    clusters: tuple[PoolCluster, ...] = ()
