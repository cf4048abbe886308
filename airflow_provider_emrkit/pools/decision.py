"""What to do with a pool now: pure, from what is there, what may be under way and what is wanted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """What a holder of the lease does.

    :param starts: Ids of clusters to start; see :attr:`PoolMark.start`.
    :param placements: Run token of a job, and the id of the cluster, or of the start, it is placed on.
    :param retire: Ids of clusters to terminate; they have no work.
    :param drain: Ids of clusters that get no more work.

    >>> Plan().starts
    ()
    """

    starts: tuple[str, ...] = ()
    placements: tuple[tuple[str, str], ...] = ()
    retire: tuple[str, ...] = ()
    drain: tuple[str, ...] = ()
