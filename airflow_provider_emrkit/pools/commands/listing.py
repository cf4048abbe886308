"""The pools of an account and region as they are, for people: from EMR, and from the pools' records."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.account import explained, refusal
from airflow_provider_emrkit.compute.pool_mark import PoolMark, PoolPlace
from airflow_provider_emrkit.compute.pool_request import LEASE_TAG, OWNER_TAG, TEAM_TAG
from airflow_provider_emrkit.pools.lease_object import LeaseObject
from airflow_provider_emrkit.pools.looking import pool_clusters
from airflow_provider_emrkit.pools.record import WAITING_LIFE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_emrkit.pools.lease_object import Seen
    from airflow_provider_emrkit.pools.record import Claim
    from airflow_provider_emrkit.pools.survey import PoolCluster, PoolStep


@dataclass(frozen=True)
class ListedCluster:
    """A cluster of a pool, and what is known of it beside its name.

    :param cluster: The cluster, with its steps.
    :param release: Its release label; empty where it was not asked.
    :param at_once: Steps it runs at once (``StepConcurrencyLevel``); None where it was not asked.
    :param is_draining: Whether it gets no more work.

    >>> PoolListing(emr, s3).pools("medium")[0].clusters[0].is_open  # doctest: +SKIP
    True
    """

    cluster: PoolCluster
    release: str = ""
    at_once: int | None = None
    is_draining: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it may get work: it is not ending, nor to end."""
        return self.cluster.state != "TERMINATING" and not self.is_draining

    def steps(self, *states: str) -> tuple[PoolStep, ...]:
        """Give those of its steps that are in one of some states."""
        return tuple(step for step in self.cluster.steps if step.state in states)


@dataclass(frozen=True)
class ListedPool:
    """A pool, as far as it is known.

    :param name: The pool.
    :param key: What stands for its place in the names of its clusters; see :attr:`PoolPlace.key`.
    :param team: Whose it is: empty for everybody's, None where that is not known.
    :param place: The place; None where the tags of its clusters do not tell it.
    :param owner: Whom to ask about it; empty where that is not known.
    :param clusters: Its clusters that have not ended, the oldest first.
    :param record: What its processes have told each other; None where that is not known.
    :param problem: Why the record is not known.

    >>> pools = PoolListing(boto3.client("emr"), boto3.client("s3")).pools()  # doctest: +SKIP
    """

    name: str
    key: str
    team: str | None
    place: PoolPlace | None
    owner: str
    clusters: tuple[ListedCluster, ...]
    record: Seen | None = None
    problem: str = ""

    def count(self, *states: str) -> int:
        """Count the steps in some states."""
        return sum(len(cluster.steps(*states)) for cluster in self.clusters)

    @property
    def at_once(self) -> int | None:
        """How many steps run at once on its open clusters; None where that is not known."""
        known = [cluster.at_once for cluster in self.clusters if cluster.is_open]
        return None if None in known else sum(number or 0 for number in known)


class PoolListing:
    """Finds pools by the names of clusters, and asks what they do.

    That takes one ListClusters for 50 clusters of the account, and one ListSteps for each cluster of a pool.

    :param emr: boto3 client of EMR.
    :param s3: boto3 client of S3.

    >>> PoolListing(emr, s3).pools("medium")[0].team  # doctest: +SKIP
    'sales'
    """

    def __init__(self, emr: Any, s3: Any) -> None:
        self._emr = emr
        self._s3 = s3

    def pools(
        self, name: str | None = None, *, each: bool = False, known: Sequence[PoolPlace] = ()
    ) -> list[ListedPool]:
        """Give the pools that have clusters, by name and team.

        :param name: This pool alone, in all of its places.
        :param each: Whether each cluster is asked about (DescribeCluster), rather than one of each spec.
        :param known: Places that are known already, for clusters whose tags do not tell them.
        :raises AccountError: when AWS refuses.
        """
        by_place: dict[tuple[str, str], list[PoolCluster]] = defaultdict(list)
        with explained():
            clusters = pool_clusters(self._emr, lambda mark: name in (None, mark.pool), steps_enough=math.inf)
            for cluster in clusters:
                by_place[cluster.mark.pool, cluster.mark.place].append(cluster)
            found = [self._pool(members, known, each=each) for members in by_place.values()]
        return sorted(found, key=lambda pool: (pool.name, pool.team or "", pool.key))

    def without_clusters(self, place: PoolPlace, owner: str = "") -> ListedPool:
        """Give a pool that no cluster tells of, with its record."""
        record, problem = read_record(self._s3, place)
        return ListedPool(place.name, place.key, place.team, place, owner, (), record, problem)

    # --- one pool -----------------------------------------------------------------------------------------

    def _pool(self, clusters: list[PoolCluster], known: Sequence[PoolPlace], *, each: bool) -> ListedPool:
        mark = clusters[0].mark
        described = self._described(clusters, each=each)
        place, owner = _told(mark, described.values(), known)
        record, problem = self._record(place)
        draining = record.record.draining if record else frozenset()
        listed = tuple(self._listed(one, described, one.id in draining) for one in clusters)
        team = place.team if place else None
        return ListedPool(mark.pool, mark.place, team, place, owner, listed, record, problem)

    def _described(self, clusters: Sequence[PoolCluster], *, each: bool) -> dict[str, Mapping[str, Any]]:
        """Describe clusters (DescribeCluster), by what their answers stand for: an id, or a spec."""
        found: dict[str, Mapping[str, Any]] = {}
        for cluster in clusters:
            key = cluster.id if each else cluster.mark.spec
            if key not in found:
                found[key] = self._emr.describe_cluster(ClusterId=cluster.id).get("Cluster") or {}
        return found

    def _listed(
        self, cluster: PoolCluster, described: Mapping[str, Mapping[str, Any]], is_draining: bool
    ) -> ListedCluster:
        about = described.get(cluster.id) or described.get(cluster.mark.spec) or {}
        release, at_once = about.get("ReleaseLabel"), about.get("StepConcurrencyLevel")
        oldest_first = tuple(sorted(cluster.steps, key=lambda step: (step.created_at or 0.0, step.id)))
        return ListedCluster(
            replace(cluster, steps=oldest_first), str(release or ""), int(at_once or 1), is_draining
        )

    def _record(self, place: PoolPlace | None) -> tuple[Seen | None, str]:
        if place is None:
            return None, "the tags of its clusters do not tell where its lease is kept"
        return read_record(self._s3, place)


def _told(
    mark: PoolMark, described: Iterable[Mapping[str, Any]], known: Sequence[PoolPlace]
) -> tuple[PoolPlace | None, str]:
    """Read from tags where a pool is kept and whom to ask; anybody may have changed them."""
    tags = [
        {tag["Key"]: tag.get("Value") or "" for tag in cluster.get("Tags") or ()} for cluster in described
    ]
    tagged = [PoolPlace(mark.pool, one.get(TEAM_TAG, ""), one.get(LEASE_TAG, "")) for one in tags]
    place = next((one for one in (*tagged, *known) if one.key == mark.place), None)
    return place, next((one[OWNER_TAG] for one in tags if one.get(OWNER_TAG)), "")


def read_record(s3: Any, place: PoolPlace) -> tuple[Seen | None, str]:
    """Read the record of a pool (GetObject).

    :return: The record, or None and why it is not known.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return LeaseObject(s3, place.uri).look(), ""
    except ClientError as error:
        return None, refusal(error)
    except BotoCoreError as error:
        return None, str(error)


def waiting(seen: Seen) -> list[float]:
    """Tell since when jobs wait for room, in seconds since 1970, the oldest first."""
    live = (one for one in seen.record.waiting.values() if seen.at - one.seen < WAITING_LIFE)
    return sorted(since for one in live for since in one.since)


def under_way(seen: Seen) -> list[Claim]:
    """Give the claims that may still take effect."""
    return [claim for claim in seen.record.claims if claim.until > seen.at]
