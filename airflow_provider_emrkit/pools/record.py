"""What the processes that use a pool tell each other, beside what EMR knows: the content of the lease."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Deed = Literal["start", "place"]


@dataclass(frozen=True)
class Claim:
    """What a holder of the lease is about to do, or may have done without an answer.

    EMR can't be told to do a thing once, and a process may stall or die between any two lines. So what is
    to be done is written down first, by a write that only the holder of the lease can make. Whoever holds the
    lease later counts it as done until EMR lists it, or until it can't take effect any more.

    :param deed: ``start`` a cluster, or ``place`` a job on one.
    :param id: The start's id (:attr:`PoolMark.start`), or the job's run token.
    :param cluster_id: The cluster, where it is known.
    :param until: When it can't take effect any more, in seconds since 1970 by S3's clock.

    >>> Claim("place", "c66c9179a54ad449-0-1", "j-1", 1_000.0).deed
    'place'
    """

    deed: Deed
    id: str
    cluster_id: str
    until: float


@dataclass(frozen=True)
class Waiting:
    """The jobs that one process has waiting for the pool.

    :param seen: When it told so, in seconds since 1970 by S3's clock; of a process that is gone it gets old.
    :param since: Since when each of them waits, in seconds since 1970, the oldest first; at most 500.
    """

    seen: float
    since: tuple[float, ...]


@dataclass(frozen=True)
class PoolRecord:
    """What is known about a pool that EMR does not know. Plain JSON both ways.

    :param holder: Who holds the lease; empty for nobody.
    :param fence: Counts how often the lease was taken.
    :param claims: What may be under way.
    :param draining: Clusters that get no more work, and are ended when they have none.
    :param waiting: Jobs that wait, by process.
    :param specs: When each spec was last used for a job, in seconds since 1970 by S3's clock.

    >>> PoolRecord.from_json(PoolRecord(fence=3).to_json()).fence  # doctest: +SKIP
    3
    """

    holder: str = ""
    fence: int = 0
    claims: tuple[Claim, ...] = ()
    draining: frozenset[str] = frozenset()
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    specs: Mapping[str, float] = field(default_factory=dict)
