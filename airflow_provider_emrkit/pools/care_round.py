"""One time that a pool's lease is held to change the pool as a whole, and what came of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.errors import is_aws_error
from airflow_provider_emrkit.pools.acts import retire_clusters, start_clusters
from airflow_provider_emrkit.pools.awaiting import Awaited
from airflow_provider_emrkit.pools.decision import settle
from airflow_provider_emrkit.pools.looking import look
from airflow_provider_emrkit.pools.patient import PatientEmr
from airflow_provider_emrkit.pools.sizing import plan_size
from airflow_provider_emrkit.pools.standing import standings
from airflow_provider_emrkit.pools.survey import Survey
from airflow_provider_emrkit.runs.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from airflow_provider_emrkit.pools.care import PoolCare
    from airflow_provider_emrkit.pools.lease import HeldLease
    from airflow_provider_emrkit.pools.pool_setup import PoolSetup
    from airflow_provider_emrkit.pools.record import PoolRecord
    from airflow_provider_emrkit.pools.standing import Standing

log = logging.getLogger(__name__)

# Steps of a cluster that have to be known to see how busy it is: which one goes first, what people are told.
STEPS_ENOUGH = 50


@dataclass(frozen=True)
class CareReport:
    """What was done to a pool, and what is left of it.

    :param started: Ids of the clusters that were started.
    :param retired: Ids of those that were told to end.
    :param draining: Ids of those that get no more work, and end when they have done theirs.
    :param serving: Ids of those that get work, those that start included.
    :param starts: Starts under way whose clusters EMR does not list yet.
    :param missing: How many clusters there are too few, since the pool is at its ``max_clusters``.
    :param awaited: What is to be waited for until it is all done; not part of the JSON.

    >>> CareReport(started=("j-1",)).to_dict()["started"]
    ['j-1']
    """

    started: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    draining: tuple[str, ...] = ()
    serving: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    missing: int = 0

    awaited: Awaited = field(default_factory=Awaited)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        told = {name: value for name, value in vars(self).items() if name != "awaited"}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}


class CareRound:
    """One time that the lease of a pool is held, to change the pool as a whole.

    :param care: Whose.
    :param held: The lease.

    >>> CareRound(care, care.lease.take(10.0, stop.wait)).look()  # doctest: +SKIP
    """

    def __init__(self, care: PoolCare, held: HeldLease) -> None:
        self._care = care
        self.held = held
        self.survey = Survey()
        self.there: list[Standing] = []

    def look(self) -> None:
        """Look at the pool, and settle what has become clear."""
        emr = PatientEmr(self._care.clients.client("emr", retries=False), self.held, self._care.pause)
        # A claim that ends during a long look was alive when its cluster was listed without it.
        began = self.held.now
        self.survey = look(emr, self._care.place, steps_enough=STEPS_ENOUGH)
        record = settle(self.held.record, self.survey, began)
        if record != self.held.record:
            self.held.write(record)
        self.there = [one for one in standings(self.survey, record, 1) if not one.is_going]

    def end(self) -> None:
        """Give the lease back."""
        self.held.release()

    def remove_record(self) -> None:
        """Remove the lease with all that is in it (DeleteObject)."""
        self.held.remove()

    def drain(self, ids: Iterable[str]) -> None:
        """Write down that clusters get no more work."""
        draining = self.held.record.draining.union(ids)
        if draining != self.held.record.draining:
            self.held.write(replace(self.held.record, draining=draining))

    def retire(self, ids: Collection[str]) -> tuple[str, ...]:
        """End clusters.

        :raises botocore.exceptions.ClientError: when they may not be ended.
        """
        retire_clusters(self.held, self._care.clients, list(ids), must=True)
        return tuple(ids)

    def retire_idle(self) -> tuple[str, ...]:
        """End the clusters that get no more work and have none."""
        draining = self.held.record.draining
        return self.retire(
            [one.cluster.id for one in self.there if one.is_idle and one.cluster.id in draining]
        )

    def start(self, setup: PoolSetup, number: int) -> tuple[str, ...]:
        """Start clusters; gives the ids that are known.

        :raises SubmitRefusedError: when EMR starts none, for a reason that is known.
        """
        if not number:
            return ()
        effects = start_clusters(self.held, self._care.clients, setup.place, setup.starts(number))
        started = tuple(effect.id for effect in effects.values() if effect.id)
        errors = [effect.error for effect in effects.values() if effect.error]
        if errors and not started and all(effect.is_known for effect in effects.values()):
            if not is_aws_error(errors[0]):
                raise errors[0]
            what = f"no cluster of pool {setup.place.name} was started"
            raise refusal(what, errors[0], self._care.clients.region_name, setup.cluster) from errors[0]
        for error in errors:
            log.warning(
                "A cluster of pool %s was not started, or may not have been: %s", setup.place.name, error
            )
        return started

    def report(
        self,
        awaited: Awaited,
        *,
        started: tuple[str, ...] = (),
        retired: tuple[str, ...] = (),
        missing: int = 0,
    ) -> CareReport:
        """Tell what was done, and what is left."""
        draining = self.held.record.draining
        left = [one.cluster.id for one in self.there if one.cluster.id not in retired]
        return CareReport(
            started=started,
            retired=retired,
            draining=tuple(one for one in left if one in draining),
            serving=(*(one for one in left if one not in draining), *started),
            starts=_unknown(self.held.record),
            missing=missing,
            awaited=awaited,
        )


def sized(turn: CareRound, setup: PoolSetup, size: int, *, shrink: bool) -> CareReport:
    """Bring a pool to a number of clusters that do for jobs of a setup, as far as it may grow.

    :param shrink: Whether there may be too many.
    """
    plan = plan_size(setup, size, turn.survey, turn.held.record, shrink=shrink)
    turn.drain((*plan.in_the_way, *plan.surplus))
    retired = turn.retire_idle()
    if plan.missing and retired:
        turn.look()  # what ends has left its place
        plan = replace(
            plan_size(setup, size, turn.survey, turn.held.record, shrink=False), surplus=plan.surplus
        )
    started = turn.start(setup, plan.starts)
    claims = turn.held.record.claims_to("start")
    known = (claim.cluster_id for claim in claims if claim.cluster_id)
    awaited = Awaited(
        up=tuple(dict.fromkeys((*plan.serving, *started, *known))),
        starts=_unknown(turn.held.record),
        gone=plan.surplus,
    )
    return turn.report(awaited, started=started, retired=retired, missing=plan.missing)


def _unknown(record: PoolRecord) -> tuple[str, ...]:
    return tuple(claim.id for claim in record.claims_to("start") if not claim.cluster_id)
