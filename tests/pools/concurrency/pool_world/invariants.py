"""What must hold at the end of a simulated day; what must hold all the time is watched by the EMR itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_emrkit.pools.record import PoolRecord
from pool_world.emr import ALIVE
from pool_world.jobs import BUCKET, KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pool_world.day import Day


def broken(day: Day) -> list[str]:
    """Give what did not hold; empty when all is well."""
    found = [*day.world.violations, *_everybody_ended(day), *_jobs_are_done(day)]
    found += [*_clusters_are_used(day), *_nothing_is_left(day), *_exactly_as_many(day)]
    return found


def _everybody_ended(day: Day) -> Iterator[str]:
    for process in day.live_processes():
        if not process.done:
            yield f"{process.name} has not come to an end"


def _jobs_are_done(day: Day) -> Iterator[str]:
    dead = {process.name for process in day.world.processes if process.dead}
    for job in day.jobs:
        steps = job.steps(day.emr)
        index = job.order.token.map_index
        if job.refused and not day.faults.has_struck("", "refused"):
            yield f"job {job.token} was refused: {job.refused}"
        # Whose worker was killed may have a step, or none; a triggerer that is killed may have many jobs.
        if not steps and not job.refused and f"worker-{index}" not in dead and not _was_at_a_dead(day, dead):
            yield f"job {job.token} was never placed"
        for step in steps:
            if step.state not in ("COMPLETED", "CANCELLED"):
                yield f"job {job.token} is still {step.state}"
            if step.state == "CANCELLED" and step.started is None and not day.plan.lost:
                yield f"job {job.token} was cancelled before it ran"


def _was_at_a_dead(day: Day, dead: set[str]) -> bool:
    return any(name.startswith("triggerer") for name in dead)


def _clusters_are_used(day: Day) -> Iterator[str]:
    """A cluster that was started gets work, unless its request came late or it was ended at once."""
    for cluster in day.emr.clusters.values():
        if cluster.state in ALIVE and cluster.name:
            yield f"{cluster.id} is still {cluster.state}"
        if cluster.idle_timeout is None:
            yield f"{cluster.id} would never end by itself"
        warm = day.plan.there or day.plan.bounds.min_clusters
        if not cluster.steps and not warm and not day.faults.has_struck("run_job_flow"):
            yield f"{cluster.id} was started for nothing"


def _nothing_is_left(day: Day) -> Iterator[str]:
    stored = day.s3.objects.get((BUCKET, KEY))
    if stored is None:
        yield "there is no record"
        return
    record = PoolRecord.from_json(stored.body)
    # The last job's own may not be listed yet.
    claims = [claim for claim in record.claims if claim.until < day.swept_at]
    if claims:
        yield f"claims are left: {claims}"
    if record.holder:
        yield f"{record.holder} still holds the lease"
    waiting = {name: entry for name, entry in record.waiting.items() if entry.since}
    if waiting:
        yield f"somebody is said to wait: {waiting}"
    gone = {one for one in record.draining if day.emr.clusters[one].state not in ALIVE}
    if gone:
        yield f"draining clusters are left that are gone: {gone}"


def _exactly_as_many(day: Day) -> Iterator[str]:
    """On an empty pool, many jobs at once start as many clusters as there may be, and none more."""
    plan = day.plan
    if not plan.busy:
        return
    # Of all that were started before one has ended; EMR itself sees that there are never too many.
    first_end = min((one.ended for one in day.emr.clusters.values() if one.ended), default=day.swept_at)
    started = [one.id for one in day.emr.clusters.values() if one.created <= first_end]
    if len(started) != plan.bounds.max_clusters:
        yield f"{len(started)} clusters of {plan.bounds.max_clusters} were started: {started}"
