"""What the clusters of a pool are to be like, and how many there may be: all that starting one takes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.pool_mark import PoolMark
from airflow_provider_emrkit.compute.pool_request import (
    pool_capacity,
    pool_cluster_request,
    pool_place,
    pool_spec_hash,
)
from airflow_provider_emrkit.pools.order import PoolBounds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.compute.cluster_spec import ClusterSpec
    from airflow_provider_emrkit.compute.pool import ClusterPool
    from airflow_provider_emrkit.compute.pool_mark import PoolPlace
    from airflow_provider_emrkit.hooks.settings import EmrKitSettings
    from airflow_provider_emrkit.pools.order import PoolOrder
    from airflow_provider_emrkit.runs.step_compiling import StepCompiling

# Of a start's id; in hex it has twice as many digits.
START_BYTES = 6


def pool_bounds(pool: ClusterPool) -> PoolBounds:
    """Tell how a pool may grow, and how it is used.

    >>> from airflow_provider_emrkit import ClusterPool, ClusterSpec
    >>> pool_bounds(ClusterPool("medium", ClusterSpec("emr-7.11.0"), max_clusters=3)).max_clusters
    3
    """
    return PoolBounds(pool.max_clusters, pool.min_clusters, pool.steps_per_cluster, str(pool.selection))


@dataclass(frozen=True)
class PoolSetup:
    """What the clusters of a pool are to be like.

    :param place: Which pool.
    :param bounds: How it may grow.
    :param spec: What its clusters are like but for their size.
    :param capacity: How big they are at least.
    :param cluster: The RunJobFlow request of one, without its ``Name``.

    >>> PoolSetup.of(pool, hook.settings, compiling).bounds.max_clusters  # doctest: +SKIP
    3
    """

    place: PoolPlace
    bounds: PoolBounds
    spec: str
    capacity: tuple[int, int, int]
    cluster: Mapping[str, Any] = field(hash=False)

    @classmethod
    def of(
        cls,
        pool: ClusterPool,
        settings: EmrKitSettings,
        compiling: StepCompiling,
        *,
        executor_logs: bool = False,
    ) -> PoolSetup:
        """Make it of a pool.

        :param pool: The pool, rendered.
        :param settings: What the connection says.
        :param compiling: Makes the request, as far as the installed boto3 can ask for it.
        :param executor_logs: Whether executors' logs go to CloudWatch too.
        :raises InvalidValueError: when the pool has no place.
        """
        place = pool_place(pool, settings.staging_uri)

        def compiled(spec: ClusterSpec) -> dict[str, Any]:
            defaults = settings.cluster_defaults()
            return pool_cluster_request(
                replace(pool, spec=spec), defaults, place, executor_logs=executor_logs
            )

        cluster = compiling.cluster(compiled, pool.spec)
        return cls(place, pool_bounds(pool), pool_spec_hash(cluster), pool_capacity(cluster), cluster)

    def is_served_by(self, mark: PoolMark) -> bool:
        """Tell whether a cluster does for jobs of this setup."""
        return mark.satisfies(self.spec, self.capacity)

    def starts(self, number: int) -> dict[str, dict[str, Any]]:
        """Make the requests of so many clusters (RunJobFlow), by the id of each start."""
        return {start: start_request(self, start) for start in (new_start() for _ in range(number))}


def new_start() -> str:
    """Make the id of a start: by it, its cluster is known by name."""
    return secrets.token_hex(START_BYTES)


def start_request(like: PoolSetup | PoolOrder, start: str) -> dict[str, Any]:
    """Make the RunJobFlow request of a start.

    :param like: What the cluster is to be like.
    """
    mark = PoolMark(like.place.name, like.place.key, like.spec, like.capacity, start)
    return {**like.cluster, "Name": mark.marked()}
