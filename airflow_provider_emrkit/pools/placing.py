"""Places jobs on the clusters of a pool, in rounds that many jobs share."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_emrkit.exceptions import LeaseError, SubmitRefusedError
from airflow_provider_emrkit.hooks.errors import is_aws_error, is_transient
from airflow_provider_emrkit.hooks.patience import patiently
from airflow_provider_emrkit.logs.cluster_sources import CloudWatchPlace
from airflow_provider_emrkit.pools.clock import elapsed
from airflow_provider_emrkit.pools.figures import PoolFigures
from airflow_provider_emrkit.pools.lease import PoolLease
from airflow_provider_emrkit.pools.outcomes import Outcome, Placed, Refused, Waits
from airflow_provider_emrkit.pools.patient import PAUSES
from airflow_provider_emrkit.pools.record import PLACED_MEMORY
from airflow_provider_emrkit.pools.rounds import Round, with_waiting
from airflow_provider_emrkit.runs.refusals import refusal
from airflow_provider_emrkit.runs.step_ending import StepEnding
from airflow_provider_emrkit.runs.step_search import StepSearch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_provider_emrkit.compute.pool_mark import PoolPlace
    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.pools.order import PoolOrder
    from airflow_provider_emrkit.pools.record import Claim, PoolRecord
    from airflow_provider_emrkit.runs.job_run import JobRun

log = logging.getLogger(__name__)

# Seconds after which an order that is new here may have been placed by a process that has died since; and one
# that was in no round for longer than others remember what was placed.
FRESH = 30.0
STALE = PLACED_MEMORY / 2
MAX_KNOWN = 20_000
# Seconds for the lease when there is only to tell that nobody waits any more.
LEAVE_PATIENCE = 2.0
# Seconds in which a step has to end that is one too many.
END_PATIENCE = 20.0


class Placing:
    """Places jobs for one process. For one thread at a time for each pool.

    :param clients: AWS clients.
    :param process: This process's name; no two have the same. At most 100 characters.
    :param pause: Waits some seconds; gives True when the work is to stop.

    >>> placing = Placing(clients, "worker-1:4711:9f3a", stop.wait)  # doctest: +SKIP
    >>> placing.round([order], patience=10.0)[str(order.token)]  # doctest: +SKIP
    Waits(words='pool medium has 3 of 3 clusters; …', ahead=2)
    """

    def __init__(self, clients: AwsClients, process: str, pause: Callable[[float], bool]) -> None:
        self._clients = clients
        self._process = process
        self._pause = pause
        self._figures = PoolFigures(clients)
        self._leases: dict[PoolPlace, PoolLease] = {}
        # When it was last known of an order that it is placed nowhere, by run token.
        self._known: dict[str, float] = {}
        # What became of claims (None: nothing), when this process had lost the lease and could not say so.
        self._unsaid: dict[PoolPlace, Mapping[Claim, Claim | None]] = {}
        self._sends_executors: dict[str, bool] = {}

    def round(self, orders: Sequence[PoolOrder], patience: float) -> dict[str, Outcome]:
        """Try once to place jobs of one pool; blocks.

        :param orders: What waits here for the pool, all of it: what is left out waits no more.
        :param patience: Seconds for which the pool's lease is waited for.
        :return: What became of each, by run token. Trouble that passes lets them wait.
        """
        outcomes: dict[str, Outcome] = self._placed_long_ago(orders)
        rest = [order for order in orders if str(order.token) not in outcomes]
        if rest:
            outcomes.update(self._under_lease(rest, patience))
        known = {str(order.token): order for order in orders}
        return {token: self._informed(known[token], outcome) for token, outcome in outcomes.items()}

    def find(self, orders: Sequence[PoolOrder]) -> dict[str, JobRun]:
        """Find the steps of orders that may have been placed before, in whatever state they are.

        :param orders: Of one pool.
        :raises botocore.exceptions.ClientError: when AWS can't be asked; nobody knows then.
        """
        if not orders:
            return {}
        marks = {order.token.mark: order for order in orders}
        search = StepSearch(self._clients, self._pause)
        found = search.on_pool(orders[0].place, marks, min(order.since for order in orders))
        self._note(orders)  # the record tells what is placed from now on
        runs: dict[str, JobRun] = {}
        for one in sorted(found, key=lambda found: not found.is_active):
            order = marks[one.mark]
            run = replace(one.run, driver_apart=order.driver_apart).with_wishes(order.wishes)
            runs.setdefault(str(order.token), run)
        return runs

    def leave(self, place: PoolPlace) -> None:
        """Tell the others that nothing of this process waits for a pool any more, as well as may be."""
        try:
            held = self._lease(place).take(LEAVE_PATIENCE, self._pause)
        except LeaseError as error:
            log.debug("Others will see by themselves that nothing waits here: %s", error)
            return
        held.release(with_waiting(held.record, self._process, (), held.now))

    # --- before ---------------------------------------------------------------------------------------

    def _placed_long_ago(self, orders: Iterable[PoolOrder]) -> dict[str, Outcome]:
        """Look for orders that are new here and were made a while ago."""
        strange = [order for order in orders if self._is_strange(order)]
        old = [order for order in strange if time.time() - order.since > FRESH]
        if not old:
            return {}
        try:
            return {token: Placed(run) for token, run in self.find(old).items()}
        except Exception as error:
            outcome = self._trouble("it could not be found out whether the job was placed before", error)
            return dict.fromkeys((str(order.token) for order in old), outcome)

    def _is_strange(self, order: PoolOrder) -> bool:
        known = self._known.get(str(order.token))
        return known is None or elapsed() - known > STALE

    def _note(self, orders: Iterable[PoolOrder]) -> None:
        for order in orders:
            self._known.pop(str(order.token), None)
            self._known[str(order.token)] = elapsed()
        while len(self._known) > MAX_KNOWN:
            del self._known[next(iter(self._known))]

    # --- under the lease ------------------------------------------------------------------------------

    def _lease(self, place: PoolPlace) -> PoolLease:
        if place not in self._leases:
            s3 = self._clients.client("s3", retries=False)
            self._leases[place] = PoolLease(s3, place, self._process)
        return self._leases[place]

    def _under_lease(self, orders: Sequence[PoolOrder], patience: float) -> dict[str, Outcome]:
        place = orders[0].place
        try:
            held = self._lease(place).take(patience, self._pause)
        except LeaseError as error:
            outcome = Waits(str(error)) if error.retryable else Refused(error)
            return dict.fromkeys((str(order.token) for order in orders), outcome)
        made = Round(held, self._clients, orders, self._process, self._figures, self._pause)
        made.correct(self._unsaid.pop(place, {}))
        otherwise: Outcome = Waits("the round was not brought to its end")
        try:
            made.run()
            self._note(orders)
        except Exception as error:
            otherwise = self._trouble(f"no job could be placed in pool {place.name}", error)
        finally:
            made.close(otherwise)
            held.release(made.record)
            self._unsaid[place] = _unsaid(held.record, made.record)
        self._sends_executors.update(dict.fromkeys(made.sends_executors, True))
        for order in orders:
            if str(order.token) in made.late:
                made.outcomes[str(order.token)] = self._only_one(order, made.outcomes[str(order.token)])
        return made.outcomes

    def _trouble(self, what: str, error: Exception) -> Outcome:
        """Tell whether trouble passes.

        :raises Exception: when it is none of AWS's.
        """
        if isinstance(error, SubmitRefusedError):
            refused = error
        elif is_aws_error(error) or is_transient(error):
            refused = refusal(what, error, self._clients.region_name)
        else:
            raise error
        return Waits(str(refused)) if refused.retryable else Refused(refused)

    # --- after ----------------------------------------------------------------------------------------

    def _only_one(self, order: PoolOrder, outcome: Outcome) -> Outcome:
        """See that a job that was placed too late to be reckoned with is not placed twice."""
        if not isinstance(outcome, Placed):
            return outcome
        try:
            found = self.find([order]).get(str(order.token), outcome.run)
        except Exception as error:
            log.warning("Whether %s is the only one can't be found out: %s", outcome.run, error)
            return outcome
        if (found.cluster_id, found.step_id) == (outcome.run.cluster_id, outcome.run.step_id):
            return outcome
        log.warning("%s was placed meanwhile; ending %s.", found, outcome.run)
        ended = StepEnding(self._clients.client("emr"), self._pause).end(outcome.run, END_PATIENCE)
        log.log(logging.INFO if ended.done else logging.ERROR, "Ending it: %s", ended.message)
        return Placed(found)

    def _informed(self, order: PoolOrder, outcome: Outcome) -> Outcome:
        """Tell a run whether its cluster sends executors' logs, which those of one pool may differ in."""
        if not isinstance(outcome, Placed) or not order.executor_logs:
            return outcome
        sends = self._does_send_executors(outcome.run.cluster_id) and outcome.run.executors_sent
        return Placed(replace(outcome.run, executors_sent=sends))

    def _does_send_executors(self, cluster_id: str) -> bool:
        if cluster_id not in self._sends_executors:
            emr = self._clients.client("emr", retries=False)
            describe = partial(emr.describe_cluster, ClusterId=cluster_id)
            try:
                cluster = patiently(describe, self._pause, PAUSES)["Cluster"]
            except Exception as error:
                if not is_aws_error(error) and not is_transient(error):
                    raise
                return False
            place = CloudWatchPlace.of(cluster)
            self._sends_executors[cluster_id] = bool(place and place.executors)
        return self._sends_executors[cluster_id]


def _unsaid(written: PoolRecord, known: PoolRecord) -> Mapping[Claim, Claim | None]:
    """Give what is known of claims beside what is written of them; None where they are over.

    What was done is still claimed, for a shorter time: EMR may not list it yet.
    """
    claims = {(claim.deed, claim.id): claim for claim in known.claims}
    found = {claim: claims.get((claim.deed, claim.id)) for claim in written.claims}
    return {claim: better for claim, better in found.items() if better != claim}
