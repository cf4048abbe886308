"""Which pool is meant by a name, where several have it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from airflow_provider_emrkit.compute.pool_mark import PoolPlace
from airflow_provider_emrkit.pools.commands.listing import ListedPool

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_emrkit.compute.pool import ClusterPool
    from airflow_provider_emrkit.pools.commands.listing import PoolListing


class NoSuchPoolError(Exception):
    """No cluster is in a pool of that name, and no record of one was found.

    >>> find_pool(listing, "medum")  # doctest: +SKIP
    Traceback (most recent call last):
    NoSuchPoolError: no cluster of this account and region is in a pool medum; …
    """


class SeveralPoolsError(Exception):
    """Several pools have the name; the message lists them.

    >>> find_pool(listing, "medium")  # doctest: +SKIP
    Traceback (most recent call last):
    SeveralPoolsError: there are 2 pools medium; choose one with …
    """


def find_pool(
    listing: PoolListing, name: str, team: str | None = None, lease_uri: str | None = None
) -> ListedPool:
    """Find the one pool that is meant.

    :param team: Whose it is; empty for everybody's, None for any.
    :param lease_uri: Where it is kept: the S3 object of its lease, or what that is below; None for anywhere.
    :raises NoSuchPoolError: when there is none.
    :raises SeveralPoolsError: when there are several.

    >>> find_pool(listing, "medium", team="sales").clusters  # doctest: +SKIP
    """
    known = () if lease_uri is None else (_place(name, team or "", lease_uri),)
    pools = listing.pools(name, each=True, known=known)
    found = [pool for pool in pools if _is_meant(pool, team, lease_uri)]
    if len(found) > 1:
        raise SeveralPoolsError(_several(name, found))
    if found:
        return found[0]
    # Where all clusters have ended, jobs may wait all the same.
    for place in known:
        pool = listing.without_clusters(place)
        if pool.problem or (pool.record and pool.record.etag):
            return pool
    raise NoSuchPoolError(_none(name, pools))


def _place(name: str, team: str, uri: str) -> PoolPlace:
    if uri.endswith(f"/{name}.json"):
        return PoolPlace(name, team, uri)
    return PoolPlace.below(uri, name, team)


def _is_meant(pool: ListedPool, team: str | None, lease_uri: str | None) -> bool:
    if team is not None and pool.team != team:
        return False
    if lease_uri is None:
        return True
    return pool.place is not None and _place(pool.name, pool.place.team, lease_uri) == pool.place


def _several(name: str, pools: Sequence[ListedPool]) -> str:
    return "\n".join([f"there are {len(pools)} pools {name}; choose one with", *map(_line, pools)])


def _options(pool: ListedPool) -> str:
    if pool.place is None:
        return f"its --team and --lease-uri, which the tags of {pool.clusters[0].cluster.id} do not tell"
    return shlex.join(["--team", pool.place.team, "--lease-uri", pool.place.uri])


def _none(name: str, pools: Sequence[ListedPool]) -> str:
    if pools:
        return "\n".join([f"no pool {name} is of that team and place; there is", *map(_line, pools)])
    return (
        f"no cluster of this account and region is in a pool {name}; see emrkit pool list, or say where the "
        "pool is kept with --lease-uri (and --team)"
    )


def _line(pool: ListedPool) -> str:
    return f"  {_options(pool)}  ({len(pool.clusters)} clusters)"


def with_defined(
    listing: PoolListing, pools: Sequence[ListedPool], defined: Iterable[ClusterPool]
) -> list[tuple[ListedPool, ClusterPool | None]]:
    """Give pools with what is defined for them, and those that are defined and have no clusters.

    :param defined: Pools, of which those without a ``lease_uri`` may be kept anywhere.
    """
    definitions = list(defined)
    found = [(pool, next((one for one in definitions if _fits(pool, one)), None)) for pool in pools]
    missing = [one for one in definitions if not any(_fits(pool, one) for pool in pools)]
    return [*found, *((_idle(listing, one), one) for one in missing)]


def _fits(pool: ListedPool, defined: ClusterPool) -> bool:
    if pool.name != defined.name or pool.team not in (None, defined.team or ""):
        return False
    if pool.place is None or defined.lease_uri is None:
        return True
    return PoolPlace.below(defined.lease_uri, defined.name, defined.team or "") == pool.place


def _idle(listing: PoolListing, defined: ClusterPool) -> ListedPool:
    team, owner = defined.team or "", defined.owner or ""
    if defined.lease_uri is None:
        problem = "it has no lease_uri: the connections of Airflow say where it is kept"
        return ListedPool(defined.name, "", team, None, owner, (), None, problem)
    return listing.without_clusters(PoolPlace.below(defined.lease_uri, defined.name, team), owner)
