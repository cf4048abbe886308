"""One round under the lease of a pool: look, decide, claim, act."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import fields, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.exceptions import SubmitRefusedError
from airflow_provider_emrkit.pools.acts import (
    Effect,
    after,
    place_claims,
    place_steps,
    retire_clusters,
    start_claims,
    start_clusters,
)
from airflow_provider_emrkit.pools.decision import Plan, Wanted, decide, settle
from airflow_provider_emrkit.pools.looking import look
from airflow_provider_emrkit.pools.outcomes import Outcome, Placed, Refused, Waits
from airflow_provider_emrkit.pools.patient import PatientEmr
from airflow_provider_emrkit.pools.placed_before import PlacedBefore, pooled_run
from airflow_provider_emrkit.pools.pool_setup import new_start, start_request
from airflow_provider_emrkit.pools.record import DIGITS, MAX_WAITING, Waiting
from airflow_provider_emrkit.pools.selection import selection_of
from airflow_provider_emrkit.pools.words import busy_words
from airflow_provider_emrkit.runs.refusals import is_ending, refusal
from airflow_provider_emrkit.runs.states import CLUSTER_UP

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.pools.figures import PoolFigures
    from airflow_provider_emrkit.pools.lease import HeldLease
    from airflow_provider_emrkit.pools.order import PoolBounds, PoolOrder
    from airflow_provider_emrkit.pools.record import Claim, Deed, PoolRecord
    from airflow_provider_emrkit.pools.survey import PoolCluster, Survey

# Decisions of one round: clusters that end leave their jobs, or their places, to others.
DECISIONS = 3
NOT_KNOWN = "EMR has not told what became of a request for it, which may still be carried out"


class Round:
    """One round of one process, for orders of one pool.

    :param held: The lease; whoever took it gives it back, with :attr:`record`.
    :param clients: AWS clients.
    :param orders: What waits.
    :param process: This process's name in the record.
    :param figures: What CloudWatch tells.
    :param pause: Waits some seconds; gives True when the work is to stop.

    >>> with_lease = Round(held, clients, orders, "worker-1:4711:9f3a", figures, stop.wait)  # doctest: +SKIP
    >>> with_lease.run()  # doctest: +SKIP
    >>> with_lease.outcomes  # doctest: +SKIP
    """

    def __init__(
        self,
        held: HeldLease,
        clients: AwsClients,
        orders: Iterable[PoolOrder],
        process: str,
        figures: PoolFigures,
        pause: Callable[[float], bool],
    ) -> None:
        self._held = held
        self._clients = clients
        # As the record has them: of two jobs that came at nearly the same time, one has to be first.
        self._orders = {str(one.token): replace(one, since=round(one.since, DIGITS)) for one in orders}
        self._process = process
        self._figures = figures
        self._emr = PatientEmr(clients.client("emr", retries=False), held, pause)
        self._place = next(iter(self._orders.values())).place
        self._looked_at = held.now
        self._no_growth = ""
        # Claims of what was not even tried, by deed and id.
        self._untried: set[tuple[str, str]] = set()
        self.outcomes: dict[str, Outcome] = {}
        self.late: list[str] = []
        self.sends_executors: set[str] = set()
        self.record: PoolRecord = held.record

    def correct(self, claims: Mapping[Claim, Claim | None]) -> None:
        """Take what is known of claims; None of those that have come to nothing."""
        known = (claims.get(claim, claim) for claim in self.record.claims)
        self.record = replace(self.record, claims=tuple(filter(None, known)))

    def run(self) -> None:
        """Do it; what is known so far is in :attr:`outcomes`, also when this fails.

        :raises LeaseError: when the lease is lost, or S3 refuses.
        :raises botocore.exceptions.ClientError: when EMR does not tell what there is.
        """
        enough = max(order.bounds.steps_per_cluster for order in self._orders.values())
        # A claim that ends during a long look was alive when its cluster was listed without it.
        self._looked_at = self._held.now
        survey = look(self._emr, self._place, steps_enough=enough)
        self.record = settle(self.record, survey, self._looked_at)
        self._find_placed(survey)
        for _ in range(DECISIONS):
            going = self._act(survey) if self._open() else set()
            survey = _with_going(survey, going)
            if not going:
                break
        self._let_wait(survey)

    def close(self, otherwise: Outcome) -> None:
        """Give every order an outcome, and have the record tell which of them wait.

        :param otherwise: For those that have none.
        """
        self.outcomes.update(dict.fromkeys(self._open(), otherwise))
        untried = (one for one in self.record.claims if (one.deed, one.id) in self._untried)
        self.correct(dict.fromkeys(untried))
        # What may be on its way to a cluster takes up room there, and none besides.
        claimed = {one.id for one in self.record.claims_to("place")}
        waits = {token for token, one in self.outcomes.items() if isinstance(one, Waits)}
        since = [self._orders[token].since for token in waits - claimed]
        self.record = with_waiting(self.record, self._process, since, self._held.now)

    def _open(self) -> list[str]:
        """Give the orders that have no outcome yet."""
        return [token for token in self._orders if token not in self.outcomes]

    # --- what is placed already -----------------------------------------------------------------------

    def _find_placed(self, survey: Survey) -> None:
        """Find what was placed by a request whose answer was lost, or by another process."""
        claims = {one.id: one for one in (*self.record.placed, *self.record.claims) if one.deed == "place"}
        before = PlacedBefore(self._emr, self._clients.region_name, survey)
        for token, order in self._orders.items():
            run, claim = before.listed(order), claims.get(token)
            if claim and not run:
                run, is_over = before.claimed(order, claim)
                if is_over:
                    self.record = self.record.remembering((claim,), self._held.now)
            if run:
                self.outcomes[token] = Placed(run)
            elif claim in self.record.claims:
                self.outcomes[token] = Waits(NOT_KNOWN)

    # --- deciding -------------------------------------------------------------------------------------

    def _decide(self, survey: Survey) -> Plan:
        """Decide, and write down what is to be done.

        Definitions of one pool that differ are served one after the other, that of the oldest job first.
        """
        groups: dict[PoolBounds, list[Wanted]] = {}
        for order in sorted((self._orders[token] for token in self._open()), key=lambda one: one.since):
            wanted = Wanted(str(order.token), order.since, order.spec, order.capacity)
            groups.setdefault(order.bounds, []).append(wanted)
        # Before any decision: of two specs that wait here, none is to end the clusters of the other.
        used = {order.spec: self._held.now for order in self._orders.values()}
        record, plans = replace(self.record, specs={**self.record.specs, **used}), [Plan()]
        for bounds, jobs in groups.items():
            try:
                plan = self._decide_for(bounds, jobs, survey, record)
            except SubmitRefusedError as error:
                # Of its selection, which other definitions need not have.
                self.outcomes.update({job.token: Refused(error) for job in jobs})
                continue
            record = _planned(record, plan, self._held.now)
            plans.append(plan)
        if (record.claims, record.draining) != (self.record.claims, self.record.draining):
            self._held.write(record)
        known = set(self.record.claims)
        self._untried.update((one.deed, one.id) for one in record.claims if one not in known)
        self.record = record
        return _together(plans)

    def _decide_for(
        self, bounds: PoolBounds, jobs: Sequence[Wanted], survey: Survey, record: PoolRecord
    ) -> Plan:
        return decide(
            bounds,
            jobs,
            survey,
            record,
            process=self._process,
            now=self._looked_at,
            choose=selection_of(bounds.selection, lambda: self._figures.of(_ids(survey))),
            new_start=new_start,
        )

    # --- acting ---------------------------------------------------------------------------------------

    def _act(self, survey: Survey) -> set[str]:
        """Decide and act; gives the clusters that turned out to end, or were told to."""
        plan = self._decide(survey)
        models = dict(plan.models)
        on_new = {token: start for token, start in plan.placements if start in models}
        going = self._put({token: where for token, where in plan.placements if token not in on_new})
        if plan.retire:
            going.update(retire_clusters(self._held, self._clients, plan.retire))
        if models:
            started = self._start(models, survey)
            self._put({token: started[start] for token, start in on_new.items() if start in started})
            never = [token for token, start in on_new.items() if start not in started]
            self._settle("place", dict.fromkeys(never, Effect("not_sent")))
        return going

    def _put(self, placements: Mapping[str, str]) -> set[str]:
        """Place jobs on clusters; gives the clusters that turned out to end."""
        steps: dict[str, dict[str, Mapping[str, Any]]] = {}
        for token, cluster in placements.items():
            steps.setdefault(cluster, {})[token] = self._orders[token].step
        self._untried.difference_update(("place", token) for token in placements)
        effects = place_steps(self._held, self._clients, steps)
        self._settle("place", effects)
        going = set()
        for token, effect in effects.items():
            cluster = placements[token]
            if effect.error is not None and is_ending(effect.error):
                going.add(cluster)
            else:
                self.outcomes[token] = self._outcome(self._orders[token], cluster, effect)
            if effect.late:
                self.late.append(token)
        return going

    def _outcome(self, order: PoolOrder, cluster: str, effect: Effect) -> Outcome:
        region = self._clients.region_name
        if effect.id:
            return Placed(pooled_run(order, cluster, effect.id, region))
        if effect.fate == "unknown" or effect.error is None:
            return Waits(NOT_KNOWN)
        error = refusal(f"the job could not be placed on cluster {cluster}", effect.error, region)
        return Waits(str(error)) if effect.fate != "refused" or error.retryable else Refused(error)

    def _start(self, models: Mapping[str, str], survey: Survey) -> dict[str, str]:
        """Start clusters, each like one that a job wants; gives the ids of those that do start."""
        requests = {start: start_request(self._orders[token], start) for start, token in models.items()}
        self._untried.difference_update(("start", start) for start in models)
        effects = start_clusters(self._held, self._clients, self._place, requests)
        self._settle("start", effects)
        for start, effect in effects.items():
            if effect.error is not None:
                self._not_grown(self._orders[models[start]], requests[start], effect, survey)
            elif self._orders[models[start]].executor_logs:
                self.sends_executors.add(effect.id)
        return {start: effect.id for start, effect in effects.items() if effect.id}

    def _not_grown(
        self, order: PoolOrder, request: Mapping[str, Any], effect: Effect, survey: Survey
    ) -> None:
        """Refuse the jobs that wait for a cluster that never comes, and that no other one does for."""
        what = f"pool {self._place.name} could not grow"
        error = refusal(what, effect.error or Exception(), self._clients.region_name, request)
        self._no_growth = str(error)
        if effect.fate != "refused" or error.retryable:
            return
        for token in self._open():
            other = self._orders[token]
            has_hope = any(_does(one, other, self.record) for one in survey.clusters)
            if other.spec == order.spec and not has_hope:
                self.outcomes[token] = Refused(error)

    def _settle(self, deed: Deed, effects: Mapping[str, Effect]) -> None:
        self.record = after(self.record, deed, effects, self._held.now)

    # --- waiting --------------------------------------------------------------------------------------

    def _let_wait(self, survey: Survey) -> None:
        waits = [self._orders[token].since for token in self._open()]
        record = with_waiting(self.record, self._process, waits, self._held.now)
        since = sorted(chain.from_iterable(one.since for one in record.waiting.values()))
        words: dict[PoolBounds, str] = {}
        for token in self._open():
            order = self._orders[token]
            if order.bounds not in words:
                busy = busy_words(survey, record, order.bounds, pool=self._place.name)
                words[order.bounds] = f"{busy}; {self._no_growth}" if self._no_growth else busy
            self.outcomes[token] = Waits(words[order.bounds], bisect_left(since, order.since))


def with_waiting(record: PoolRecord, process: str, since: Iterable[float], now: float) -> PoolRecord:
    """Give a record that tells which jobs a process has waiting.

    :param since: Since when each of them waits.
    :param now: Seconds since 1970 by S3's clock.
    """
    waiting = {name: one for name, one in record.waiting.items() if name != process}
    oldest = tuple(sorted(since)[:MAX_WAITING])
    return replace(record, waiting={**waiting, process: Waiting(now, oldest)} if oldest else waiting)


def _planned(record: PoolRecord, plan: Plan, now: float) -> PoolRecord:
    claims = (*start_claims(plan.starts, now), *place_claims(plan.placements, now))
    draining = record.draining.union(plan.drain, plan.retire)
    return replace(record, claims=(*record.claims, *claims), draining=draining)


def _together(plans: Sequence[Plan]) -> Plan:
    one, *others = plans
    for other in others:
        names = [field.name for field in fields(Plan)]
        one = Plan(**{name: (*getattr(one, name), *getattr(other, name)) for name in names})
    return one


def _with_going(survey: Survey, going: Collection[str]) -> Survey:
    clusters = (replace(one, state="TERMINATING") if one.id in going else one for one in survey.clusters)
    return replace(survey, clusters=tuple(clusters))


def _does(cluster: PoolCluster, order: PoolOrder, record: PoolRecord) -> bool:
    """Tell whether a job may be placed on a cluster some time."""
    takes_work = cluster.state != "TERMINATING" and cluster.id not in record.draining
    return takes_work and cluster.mark.satisfies(order.spec, order.capacity)


def _ids(survey: Survey) -> list[str]:
    """Name the clusters that CloudWatch may have figures of."""
    return [cluster.id for cluster in survey.clusters if cluster.state in CLUSTER_UP]
