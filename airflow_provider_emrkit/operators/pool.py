"""Operators that care for a pool of clusters: warm it up, resize, drain and delete it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.operators.pool_care import EmrPoolOperator
from airflow_provider_emrkit.templating import is_template
from airflow_provider_emrkit.validation import InvalidValueError, check_flag, check_integer, check_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_emrkit.pools.care import PoolCare
    from airflow_provider_emrkit.pools.care_round import CareReport

# Said of clusters that drain while nobody waits for it.
_DRAINED = (
    "clusters that drain get no more work, and end when the pool is used next, or by their idle timeout"
)

_CLUSTER_ID = re.compile(r"j-[A-Z0-9]+", re.ASCII)


class EmrPoolWarmUpOperator(EmrPoolOperator):
    """Bring a pool to a number of clusters, and wait until they are up.

    Clusters that do for the pool's jobs count, those that start too. Idle ones end after ``idle_timeout`` all
    the same.

    :param clusters: How many, at most the pool's ``max_clusters``; by default its ``min_clusters``.
        (templated)
    :param options: As for :class:`EmrPoolOperator`.

    >>> EmrPoolWarmUpOperator(task_id="warm_up", cluster_pool=medium, clusters=2)  # doctest: +SKIP
    """

    template_fields = (*EmrPoolOperator.template_fields, "clusters")

    def __init__(self, *, clusters: int | str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.clusters = clusters
        if clusters is not None:
            _number(self, clusters)

    def work(self, care: PoolCare) -> CareReport:
        """Start what is missing."""
        return care.warm_up(self.pool_setup, None if self.clusters is None else _number(self, self.clusters))

    @property
    def stays(self) -> str:
        """What becomes of it all when nobody waits any more."""
        return f"its clusters stay, and end when they have had no work for {self.cluster_pool.idle_timeout} s"


class EmrPoolResizeOperator(EmrPoolOperator):
    """Start or end clusters of a pool until there are so many, and wait for it.

    Idle ones end first, others get no more work and end when they have done theirs. That is a wish of the
    moment and no new bound: later jobs and idle timeouts change the number again.

    :param clusters: How many, 0 to the pool's ``max_clusters``. (templated)
    :param options: As for :class:`EmrPoolOperator`.

    >>> EmrPoolResizeOperator(task_id="shrink", cluster_pool=medium, clusters=1)  # doctest: +SKIP
    """

    template_fields = (*EmrPoolOperator.template_fields, "clusters")

    def __init__(self, *, clusters: int | str, **options: Any) -> None:
        super().__init__(**options)
        self.clusters = clusters
        _number(self, clusters)

    def work(self, care: PoolCare) -> CareReport:
        """Start what is missing, and end what is too much."""
        return care.resize(self.pool_setup, _number(self, self.clusters))

    @property
    def stays(self) -> str:
        """What becomes of it all when nobody waits any more."""
        return f"what was started stays, and {_DRAINED}"


class EmrPoolDrainOperator(EmrPoolOperator):
    """Give clusters of a pool no more work, end them when they have none, and wait for it.

    Jobs that come meanwhile get other clusters, which the pool starts as ever.

    :param cluster_ids: Which; by default all there are. (templated)
    :param options: As for :class:`EmrPoolOperator`.

    >>> EmrPoolDrainOperator(task_id="drain", cluster_pool=medium)  # doctest: +SKIP
    """

    template_fields = (*EmrPoolOperator.template_fields, "cluster_ids")

    def __init__(self, *, cluster_ids: Sequence[str] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.cluster_ids = cluster_ids
        self._ids()

    def work(self, care: PoolCare) -> CareReport:
        """Drain them."""
        return care.drain(self._ids())

    @property
    def stays(self) -> str:
        """What becomes of it all when nobody waits any more."""
        return _DRAINED

    def _ids(self) -> tuple[str, ...] | None:
        if self.cluster_ids is None:
            return None
        ids = check_texts(type(self).__name__, "cluster_ids", self.cluster_ids)
        for one in ids:
            if not is_template(one) and not _CLUSTER_ID.fullmatch(one):
                mend = "write it like j-1K48XXXXXXHCB"
                raise InvalidValueError(type(self).__name__, "cluster_ids", one, "is no cluster's id", mend)
        return ids


class EmrPoolDeleteOperator(EmrPoolOperator):
    """End all clusters of a pool, wait until they are gone, and remove what emrkit keeps of it on S3.

    Clusters that are started meanwhile end too. A job that uses the pool later makes it anew.

    :param force: End clusters at once, whatever they do: their steps are cancelled first, and termination
        protection is taken off. Otherwise they do what they have begun.
    :param options: As for :class:`EmrPoolOperator`.

    >>> EmrPoolDeleteOperator(task_id="delete", cluster_pool=medium, force=True)  # doctest: +SKIP
    """

    def __init__(self, *, force: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.force = force
        check_flag(type(self).__name__, "force", force)

    def work(self, care: PoolCare) -> CareReport:
        """Begin to end all of it."""
        return care.delete(force=self.force)

    def after(self, care: PoolCare) -> None:
        """Remove the pool's lease."""
        if care.forget():
            self.log.info("Removed %s; pool %s is gone.", care.place.uri, care.place.name)
        else:
            self.log.warning("Pool %s has new clusters: jobs use it.", care.place.name)

    @property
    def stays(self) -> str:
        """What becomes of it all when nobody waits any more."""
        return _DRAINED


def _number(operator: EmrPoolOperator, clusters: int | str) -> int:
    """Give a number of clusters, which may have been a template; one that is not rendered yet counts as 0."""
    owner = type(operator).__name__
    if isinstance(clusters, str):
        if is_template(clusters):
            return 0
        if not clusters.isdecimal():
            raise InvalidValueError(owner, "clusters", clusters, "is no whole number", "write it like 2")
        clusters = int(clusters)
    check_integer(owner, "clusters", clusters, 0, operator.cluster_pool.max_clusters)
    return clusters
