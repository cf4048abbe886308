"""What a holder of a pool's lease does to it: starts clusters, places jobs, ends clusters that have none.

None of these requests can be told from a second one by EMR, and any answer may be lost. So each is claimed in
the record before it is sent, is sent once, and stays claimed until it is known what came of it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_emrkit.exceptions import LeaseError, SubmitRefusedError
from airflow_provider_emrkit.hooks.errors import explain, is_aws_error, is_denied, is_throttled, is_transient
from airflow_provider_emrkit.pools.lease import LeaseLostError, PoolLease
from airflow_provider_emrkit.pools.looking import ACTIVE_STEPS
from airflow_provider_emrkit.pools.record import CLAIM_LIFE, Claim
from airflow_provider_emrkit.runs.refusals import refusal
from airflow_provider_emrkit.runs.sending import is_answer, never_left
from airflow_provider_emrkit.runs.step_calls import steps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_provider_emrkit.compute.pool_mark import PoolPlace
    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.pools.lease import HeldLease
    from airflow_provider_emrkit.pools.record import PoolRecord

log = logging.getLogger(__name__)

# Seconds for which a request stays claimed, instead of CLAIM_LIFE, that AWS has refused for its rate: EMR was
# seen to carry such a request out all the same.
THROTTLED_LIFE = 30.0
# And for one that it has answered, and need only list yet.
STARTED_LIFE = 120.0
PLACED_LIFE = 15.0
# Seconds of the lease below which it is renewed before the next act.
KEEP = 15.0
# TerminateJobFlows takes so many.
ENDS_AT_ONCE = 10

Fate = Literal["done", "refused", "throttled", "not_sent", "unknown"]


@dataclass(frozen=True)
class Effect:
    """What became of a request.

    :param fate: ``done``; ``refused``, for good; ``throttled``; ``not_sent``, since AWS could not be reached
        or the lease was lost before; ``unknown``, as there was no answer.
    :param id: What came of it: a cluster, or a step.
    :param error: Why nothing did, or nobody knows.
    :param late: Whether it was done when others may have stopped to reckon with it.

    >>> Effect("done", "j-1").is_known
    True
    """

    fate: Fate
    id: str = ""
    error: Exception | None = None
    late: bool = False

    @property
    def is_known(self) -> bool:
        """Whether it is sure what came of it."""
        return self.fate in ("done", "refused", "not_sent")


def keep(held: HeldLease) -> None:
    """Have the lease for the next call, and some more: it is renewed where little is left of it.

    :raises LeaseLostError: when it is not this process's any more.
    """
    held.check()
    if held.remaining() < KEEP:
        held.write(held.record)


def start_claims(ids: Iterable[str], now: float) -> tuple[Claim, ...]:
    """Claim that clusters will be started."""
    return tuple(Claim("start", start, "", now + CLAIM_LIFE) for start in ids)


def place_claims(placements: Iterable[tuple[str, str]], now: float) -> tuple[Claim, ...]:
    """Claim that jobs will be placed.

    :param placements: Run token of each, and its cluster, or the start of the one it will be on.
    """
    return tuple(Claim("place", token, where, now + CLAIM_LIFE) for token, where in placements)


def start_clusters(
    held: HeldLease, clients: AwsClients, place: PoolPlace, requests: Mapping[str, Mapping[str, Any]]
) -> dict[str, Effect]:
    """Start clusters (RunJobFlow), each once.

    They are claimed before, where they are not yet, and what came of them is written after. A lease that is
    lost meanwhile is no error: what was not sent yet is not sent.

    :param place: Which pool.
    :param requests: RunJobFlow's input with its ``Name``, by the start's id.
    :return: What became of each; the id is the cluster's.
    :raises LeaseError: when nothing could be claimed.
    """
    claims = _claimed(held, start_claims(requests, held.now))
    emr = clients.client("emr", retries=False)
    effects: dict[str, Effect] = {}
    for start, request in requests.items():
        run = partial(emr.run_job_flow, **request)
        answer, effect = _sent(held, claims[start], run)
        effects[start] = replace(effect, id=answer["JobFlowId"]) if answer else effect
    try:
        held.write(after(held.record, "start", effects, held.now))
    except LeaseLostError as error:
        log.warning("%s", error)
        _undo_late(clients, place, effects)
    except LeaseError as error:
        log.warning("%s; until the clusters are listed, what was claimed tells of them", error)
    return effects


def place_steps(
    held: HeldLease, clients: AwsClients, steps: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> dict[str, Effect]:
    """Add steps to clusters, each once (one AddJobFlowSteps for each cluster).

    They are claimed before, where they are not yet; the caller writes what came of them, see :func:`after`.

    :param steps: ``StepConfig`` by run token, by cluster.
    :return: What became of each, by run token; the id is the step's.
    :raises LeaseError: when nothing could be claimed.
    """
    pairs = [(token, cluster) for cluster, those in steps.items() for token in those]
    claims = _claimed(held, place_claims(pairs, held.now))
    emr = clients.client("emr", retries=False)
    effects: dict[str, Effect] = {}
    for cluster, those in steps.items():
        effects.update(_place_on(held, emr, cluster, those, claims))
    return effects


def retire_clusters(
    held: HeldLease, clients: AwsClients, ids: Sequence[str], *, must: bool = False
) -> tuple[str, ...]:
    """End clusters that have no work (TerminateJobFlows).

    They are marked before, so that nobody gives them work, and whoever comes later ends those that this does
    not.

    :param must: Whether they are waited for, so that a missing permission is an error.
    :return: Those that do end.
    :raises LeaseError: when the lease is lost before all were ended.
    :raises botocore.exceptions.ClientError: when they must end, and may not be ended.
    """
    if not held.record.draining.issuperset(ids):
        held.write(replace(held.record, draining=held.record.draining.union(ids)))
    emr = clients.client("emr", retries=False)
    ended: list[str] = []
    for first in range(0, len(ids), ENDS_AT_ONCE):
        some = list(ids[first : first + ENDS_AT_ONCE])
        keep(held)
        try:
            emr.terminate_job_flows(JobFlowIds=some)
        except Exception as error:
            if not _is_trouble(error) or (must and is_denied(error)):
                raise
            said = explain(error, clients.region_name)
            log.warning("Idle clusters could not be ended yet (%s): %s", ", ".join(some), said)
        else:
            log.info("Ending idle clusters: %s", ", ".join(some))
            ended += some
    return tuple(ended)


def after(
    record: PoolRecord, deed: Literal["start", "place"], effects: Mapping[str, Effect], now: float
) -> PoolRecord:
    """Give the record with what is known of the claims: what did not happen is not claimed any more.

    :param effects: What became of them, by the claims' ids.
    """
    claims = (
        _claim_after(claim, effects.get(claim.id) if claim.deed == deed else None, deed, now)
        for claim in record.claims
    )
    ids = {name: effect.id for name, effect in effects.items() if deed == "start" and effect.id}
    moved = (
        replace(claim, cluster_id=ids.get(claim.cluster_id, claim.cluster_id)) for claim in claims if claim
    )
    return replace(record, claims=tuple(moved))


def _claim_after(claim: Claim, effect: Effect | None, deed: str, now: float) -> Claim | None:
    if effect is None or effect.fate == "unknown":
        return claim
    if effect.fate == "throttled":
        return replace(claim, until=min(claim.until, now + THROTTLED_LIFE))
    if effect.fate != "done":
        return None
    if deed == "start":
        return replace(claim, cluster_id=effect.id, until=min(claim.until, now + STARTED_LIFE))
    return replace(claim, until=min(claim.until, now + PLACED_LIFE))


def _claimed(held: HeldLease, claims: Sequence[Claim]) -> dict[str, Claim]:
    """Write down what will be done, where it is not yet; give the claims by their ids."""
    there = {(claim.deed, claim.id) for claim in held.record.claims}
    missing = tuple(claim for claim in claims if (claim.deed, claim.id) not in there)
    if missing:
        held.write(replace(held.record, claims=(*held.record.claims, *missing)))
    wanted = {(claim.deed, claim.id) for claim in claims}
    return {claim.id: claim for claim in held.record.claims if (claim.deed, claim.id) in wanted}


def _place_on(
    held: HeldLease,
    emr: Any,
    cluster: str,
    steps: Mapping[str, Mapping[str, Any]],
    claims: Mapping[str, Claim],
) -> dict[str, Effect]:
    first = next(iter(steps))
    add = partial(emr.add_job_flow_steps, JobFlowId=cluster, Steps=list(steps.values()))
    answer, effect = _sent(held, claims[first], add)
    if answer:
        ids = zip(steps, answer["StepIds"], strict=True)
        return {token: replace(effect, id=step_id) for token, step_id in ids}
    if len(steps) > 1 and effect.fate == "refused" and _is_of_one_step(effect.error):
        alone = [_place_on(held, emr, cluster, {token: step}, claims) for token, step in steps.items()]
        return {token: effect for one in alone for token, effect in one.items()}
    return dict.fromkeys(steps, effect)


def _is_of_one_step(error: Exception | None) -> bool:
    """Tell whether EMR may have refused all steps because it does not like one of them."""
    return error is not None and type(refusal("", error, "")) is SubmitRefusedError


def _sent(held: HeldLease, claim: Claim, send: Callable[[], Any]) -> tuple[Any, Effect]:
    """Send a request once, where the lease is still held."""
    try:
        keep(held)
    except LeaseLostError as error:
        return None, Effect("not_sent", error=error)
    try:
        answer = send()
    except Exception as error:
        if not _is_trouble(error):
            raise
        return None, Effect(_fate(error), error=error)
    return answer, Effect("done", late=held.now >= claim.until)


def _fate(error: Exception) -> Fate:
    if never_left(error):
        return "not_sent"
    if not is_transient(error):
        return "refused"
    return "throttled" if is_throttled(error) or is_answer(error) else "unknown"


def _undo_late(clients: AwsClients, place: PoolPlace, effects: Mapping[str, Effect]) -> None:
    """End clusters that nobody reckons with any more, so that the pool may have too many."""
    late = {start: effect.id for start, effect in effects.items() if effect.late and effect.id}
    if not late:
        return  # whoever has the lease reckons with the others until EMR lists them
    emr = clients.client("emr")
    claimed = _claimed_starts(clients, place)
    unknown = [cluster for start, cluster in late.items() if start not in claimed]
    # Somebody may have found them already, and have given them work.
    idle = [one for one in unknown if not any(steps_of(emr, one, pages=1, states=ACTIVE_STEPS))]
    if idle:
        log.warning("Ending clusters that were started too late to be reckoned with: %s", ", ".join(idle))
        emr.terminate_job_flows(JobFlowIds=idle)


def _claimed_starts(clients: AwsClients, place: PoolPlace) -> set[str]:
    try:
        record = PoolLease(clients.client("s3"), place, "").read()
    except LeaseError as error:
        log.warning("%s", error)
        return set()
    return {claim.id for claim in record.claims_to("start")}


def _is_trouble(error: Exception) -> bool:
    return is_aws_error(error) or is_transient(error)
