"""What to do with a pool now: pure, from what is there, what may be under way and what is wanted."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_emrkit.pools.growing import growth, places_left
from airflow_provider_emrkit.pools.record import WAITING_LIFE
from airflow_provider_emrkit.pools.retiring import SPEC_REST, in_the_way, outdated, surplus
from airflow_provider_emrkit.pools.rooms import PLANNED, TIERS, Rooms
from airflow_provider_emrkit.pools.selection import fewest_steps
from airflow_provider_emrkit.pools.standing import standings, tokens_of, unlisted_starts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from airflow_provider_emrkit.pools.order import PoolBounds
    from airflow_provider_emrkit.pools.record import Deed, PoolRecord
    from airflow_provider_emrkit.pools.selection import Candidate
    from airflow_provider_emrkit.pools.standing import Standing
    from airflow_provider_emrkit.pools.survey import Survey


@dataclass(frozen=True)
class Wanted:
    """A job that waits for room.

    :param token: Its run token.
    :param since: Since when it waits, in seconds since 1970.
    :param spec: What its cluster must be like but for its size; see :attr:`PoolMark.spec`.
    :param capacity: How big its cluster must be at least; see :attr:`PoolMark.capacity`.

    >>> Wanted("c66c9179a54ad449-0-1", 1_700_000_000.0, "0123456789ab", (1, 2, 8)).capacity
    (1, 2, 8)
    """

    token: str
    since: float
    spec: str
    capacity: tuple[int, int, int]

    @property
    def wishes(self) -> tuple[str, tuple[int, int, int]]:
        """What its cluster must be like."""
        return self.spec, self.capacity


@dataclass(frozen=True)
class Plan:
    """What a holder of the lease does.

    :param starts: Ids of clusters to start; see :attr:`PoolMark.start`.
    :param placements: Run token of a job, and the id of the cluster, or of the start, it is placed on.
    :param retire: Ids of clusters to terminate; they have no work, and drain already or are in ``drain``.
    :param drain: Ids of clusters that get no more work, and did till now.
    :param models: For each start, the run token of the job whose cluster it is like. Not every start has a
        placement: some are for jobs of other processes, or bring the pool to its minimum.

    >>> Plan().starts
    ()
    """

    starts: tuple[str, ...] = ()
    placements: tuple[tuple[str, str], ...] = ()
    retire: tuple[str, ...] = ()
    drain: tuple[str, ...] = ()
    models: tuple[tuple[str, str], ...] = ()


def decide(
    bounds: PoolBounds,
    wanted: Sequence[Wanted],
    survey: Survey,
    record: PoolRecord,
    *,
    process: str,
    now: float,
    choose: Callable[[Sequence[Candidate]], str],
    new_start: Callable[[], str],
) -> Plan:
    """Decide what to do with a pool.

    :param bounds: How it may grow.
    :param wanted: The jobs this process has waiting. What EMR lists already, or is claimed, is left out.
    :param survey: Its clusters.
    :param record: What may be under way, and who else waits.
    :param process: This process's name in the record.
    :param now: Seconds since 1970 by S3's clock.
    :param choose: Gives the id of one of several clusters with room; see :mod:`.selection`.
    :param new_start: Makes the id of a start.
    """
    tokens = tokens_of(survey)
    record = _settled(record, survey, tokens, now)
    jobs = _to_place(wanted, tokens, record)
    others = sorted(since for name, one in record.waiting.items() if name != process for since in one.since)
    steps = bounds.steps_per_cluster
    pool, unlisted = standings(survey, record, steps), unlisted_starts(record, steps)
    leaving = {*surplus(bounds, jobs, pool), *outdated(jobs, pool, record, now)}
    pool = standings(survey, _draining(record, leaving), steps)
    alike = 0 if _other_specs(record, jobs) else len(others)
    models = {new_start(): job for job in growth(bounds, jobs, alike, pool, Rooms.of(pool), unlisted)}
    rooms = _rooms(pool, models, steps)
    placements = _placements(jobs, rooms, others, choose)
    if not places_left(bounds, pool, (*unlisted, *models)):
        lacking = _lacking(jobs, dict(placements), rooms)[sum(unlisted) :]
        making_place = _making_place(lacking, jobs, placements, pool, record, steps)
        if making_place:
            leaving.update(making_place)
            pool = standings(survey, _draining(record, leaving), steps)
            placements = _placements(jobs, _rooms(pool, models, steps), others, choose)
    return Plan(
        starts=tuple(models),
        placements=placements,
        retire=_idle(pool, leaving | record.draining),
        drain=tuple(cluster.id for cluster in survey.clusters if cluster.id in leaving),
        models=tuple((start, job.token) for start, job in models.items()),
    )


def settle(record: PoolRecord, survey: Survey, now: float) -> PoolRecord:
    """Drop from a record what has become clear or is over.

    Those are claims that EMR lists or that can't take effect any more, what processes told that are gone,
    clusters that drain no more because they have ended, and specs that nobody uses. Jobs that were claimed
    are remembered for a while. Times that lie too far ahead are brought back.

    :param now: Seconds since 1970 by S3's clock.
    """
    return _settled(record, survey, tokens_of(survey), now)


def _settled(record: PoolRecord, survey: Survey, tokens: Collection[str], now: float) -> PoolRecord:
    record = record.by(now)
    started = {cluster.mark.start for cluster in survey.clusters}
    listed: dict[Deed, Collection[str]] = {"start": started, "place": tokens}
    claims = [one for one in record.claims if one.until > now and one.id not in listed[one.deed]]
    there = {cluster.id for cluster in survey.clusters} | {one.cluster_id for one in claims}
    kept = set(claims)
    return replace(
        record.remembering([one for one in record.claims if one not in kept], now),
        claims=tuple(claims),
        draining=record.draining & there,
        waiting={
            name: one for name, one in record.waiting.items() if one.since and now - one.seen < WAITING_LIFE
        },
        specs={spec: at for spec, at in record.specs.items() if now - at < SPEC_REST},
    )


def _to_place(wanted: Iterable[Wanted], tokens: Collection[str], record: PoolRecord) -> list[Wanted]:
    """Give the jobs that are nowhere yet, once each, the oldest first."""
    placed = {claim.id for claim in record.claims_to("place")}.union(tokens)
    once = {job.token: job for job in sorted(wanted, key=_age, reverse=True) if job.token not in placed}
    return sorted(once.values(), key=_age)


def _other_specs(record: PoolRecord, jobs: Iterable[Wanted]) -> set[str]:
    """Give the specs in use beside those of the jobs at hand; whoever wants such clusters starts them."""
    return set(record.specs) - {job.spec for job in jobs}


def _placements(
    jobs: Sequence[Wanted],
    rooms: Rooms,
    others: Sequence[float],
    choose: Callable[[Sequence[Candidate]], str],
) -> tuple[tuple[str, str], ...]:
    """Place jobs as far as there is room that no older one waits for.

    :param jobs: The oldest first.
    :param others: Since when jobs of other processes wait, the oldest first.
    """
    placements = []
    full = set()  # wishes: what one found no room for has none for another
    for job in jobs:
        ahead = bisect_left(others, job.since)
        found = None if job.wishes in full else _find(job, rooms, ahead, choose)
        if found is None:
            full.add(job.wishes)
            continue
        rooms.take(found)
        placements.append((job.token, found))
    return tuple(placements)


def _find(job: Wanted, rooms: Rooms, ahead: int, choose: Callable[[Sequence[Candidate]], str]) -> str | None:
    """Find a cluster for a job.

    :param ahead: How many older jobs wait; the best room is left to them.
    """
    fitting = rooms.fitting(job)
    for states in TIERS:
        tier = [one for one in fitting if one.state in states]
        room = sum(one.room for one in tier)
        if room > ahead:
            return fewest_steps(tier) if PLANNED in states else choose(tier)
        ahead -= room
    return None


def _lacking(jobs: Iterable[Wanted], placed: Collection[str], rooms: Rooms) -> list[Wanted]:
    """Give the jobs that found no room since there is none, not since it is left to older ones."""
    waiting = [job for job in jobs if job.token not in placed]
    full = {wishes for wishes, job in {job.wishes: job for job in waiting}.items() if not rooms.fitting(job)}
    return [job for job in waiting if job.wishes in full]


def _making_place(
    lacking: Sequence[Wanted],
    jobs: Sequence[Wanted],
    placements: Sequence[tuple[str, str]],
    pool: Sequence[Standing],
    record: PoolRecord,
    steps: int,
) -> list[str]:
    """Give the clusters that make place for the jobs that lack one; of their work only younger jobs lose."""
    older = {job.token for job in jobs[: jobs.index(lacking[0])]} if lacking else set()
    spared = {cluster for token, cluster in placements if token in older}
    coming = Counter(cluster for _, cluster in placements)
    busier = [replace(one, active=one.active + coming[one.cluster.id]) for one in pool]
    return in_the_way(lacking, steps, busier, record, spared)


def _rooms(pool: Iterable[Standing], models: Mapping[str, Wanted], steps: int) -> Rooms:
    rooms = Rooms.of(pool)
    for start, job in models.items():
        rooms.plan(start, job, steps)
    return rooms


def _draining(record: PoolRecord, leaving: Collection[str]) -> PoolRecord:
    return replace(record, draining=record.draining | frozenset(leaving))


def _idle(pool: Iterable[Standing], leaving: Collection[str]) -> tuple[str, ...]:
    return tuple(one.cluster.id for one in pool if one.is_idle and one.cluster.id in leaving)


def _age(job: Wanted) -> tuple[float, str]:
    return job.since, job.token
