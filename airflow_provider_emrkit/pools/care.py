"""What people do to a pool as a whole: warm it up, resize, drain and delete it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_emrkit.hooks.errors import is_aws_error, is_denied, is_transient, typed
from airflow_provider_emrkit.hooks.patience import patiently
from airflow_provider_emrkit.pools.awaiting import Awaited, claimed_starts
from airflow_provider_emrkit.pools.care_round import STEPS_ENOUGH, CareReport, CareRound, sized
from airflow_provider_emrkit.pools.lease import LeaseLostError, PoolLease
from airflow_provider_emrkit.pools.looking import look
from airflow_provider_emrkit.runs.step_ending import INTERRUPT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from airflow_provider_emrkit.compute.pool_mark import PoolPlace
    from airflow_provider_emrkit.exceptions import EmrKitError
    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.pools.pool_setup import PoolSetup
    from airflow_provider_emrkit.pools.survey import PoolCluster, Survey

T = TypeVar("T")

log = logging.getLogger(__name__)

# Seconds for which the lease is waited for: others hold it for a few seconds at a time.
LEASE_PATIENCE = 60.0
# Rounds in which the lease may be lost.
ROUNDS = 3
# Steps of a cluster that are listed at most, where all are to be cancelled.
ALL_STEPS = 10_000
# CancelSteps takes so many.
CANCELS_AT_ONCE = 256
# Seconds between two looks whether steps have been cancelled.
CANCEL_PAUSES = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0)


class PoolCare:
    """Changes a pool as a whole, under its lease. Blocks.

    Each of its works may be done again at any time: what was done is seen, and the rest is done.

    :param clients: AWS clients.
    :param place: Which pool.
    :param holder: What this process is called in the lease; no two processes have the same name.
    :param pause: Waits some seconds; gives True when the work is to stop.

    >>> care = PoolCare(clients, place, "worker-1:4711:9f3a", stop.wait)  # doctest: +SKIP
    >>> care.drain().draining  # doctest: +SKIP
    ('j-1',)
    """

    def __init__(
        self, clients: AwsClients, place: PoolPlace, holder: str, pause: Callable[[float], bool]
    ) -> None:
        self.clients = clients
        self.place = place
        self.pause = pause
        self.lease = PoolLease(clients.client("s3"), place, holder)

    def warm_up(self, setup: PoolSetup, clusters: int | None = None) -> CareReport:
        """Bring the pool to a number of clusters that do for jobs of a setup; those that start count.

        :param clusters: How many; by default its ``min_clusters``.
        :raises SubmitRefusedError: when EMR starts none of them.
        :raises LeaseError: when the lease can't be taken.
        """
        size = setup.bounds.min_clusters if clusters is None else clusters
        return self._round(lambda turn: sized(turn, setup, size, shrink=False))

    def resize(self, setup: PoolSetup, clusters: int) -> CareReport:
        """Start or end clusters until so many do for jobs of a setup: idle ones first, others drain.

        :raises SubmitRefusedError: when EMR starts none of them.
        :raises LeaseError: when the lease can't be taken.
        """
        return self._round(lambda turn: sized(turn, setup, clusters, shrink=True))

    def drain(self, ids: Collection[str] | None = None) -> CareReport:
        """Give clusters no more work, and end those that have none.

        The others are ended, when they have none, by whoever holds the lease then.

        :param ids: Which; by default all there are. Those that are not in the pool are left alone.
        :raises LeaseError: when the lease can't be taken.
        """

        def work(turn: CareRound) -> CareReport:
            wanted = tuple(one.cluster.id for one in turn.there if ids is None or one.cluster.id in ids)
            turn.drain(wanted)
            return turn.report(Awaited(gone=wanted), retired=turn.retire_idle())

        return self._round(work)

    def tend(self, awaited: Awaited) -> CareReport:
        """See that what somebody waits for ends: nothing of it gets work, and what has none is ended."""
        return self.drain(None if awaited.all_gone else awaited.gone)

    def delete(self, *, force: bool = False) -> CareReport:
        """Begin to end the whole pool: nothing of it gets work, and what has none is ended.

        When nothing is left, :meth:`forget` removes the rest.

        :param force: End what is at work as well. Its steps are cancelled first, so that their tasks see a
            cancelled job and send it to no other cluster; termination protection is taken off.
        :raises LeaseError: when the lease can't be taken.
        :raises EmrKitError: when AWS refuses.
        """
        report = self.drain()
        if force:
            self._cancel_steps()
            report = self._round(self._end_all)
        return replace(report, awaited=Awaited(all_gone=True))

    def forget(self) -> bool:
        """Remove the lease object of a pool that has no clusters (DeleteObject); False when it has any.

        A process that uses the pool later makes another one.
        """

        def work(turn: CareRound) -> bool:
            if turn.there or claimed_starts(turn.held.record):
                return False
            turn.remove_record()
            return True

        return self._round(work)

    def protected(self, ids: Iterable[str]) -> tuple[str, ...]:
        """Name the clusters that somebody has protected against termination (DescribeCluster)."""
        emr = self.clients.client("emr")
        found = (emr.describe_cluster(ClusterId=one)["Cluster"] for one in ids)
        return tuple(cluster["Id"] for cluster in found if cluster.get("TerminationProtected"))

    def look(self, steps_enough: int = STEPS_ENOUGH) -> Survey:
        """Look at the pool's clusters; asks again while AWS throttles or can't be reached."""
        emr = self.clients.client("emr")
        return patiently(lambda: look(emr, self.place, steps_enough=steps_enough), self.pause)

    def _round(self, work: Callable[[CareRound], T]) -> T:
        """Take the lease, look, and work; once more where the lease is lost on the way."""
        for left in reversed(range(ROUNDS)):
            turn = CareRound(self, self.lease.take(LEASE_PATIENCE, self.pause))
            try:
                turn.look()
                return work(turn)
            except LeaseLostError as error:
                if not left:
                    raise
                log.info("%s; trying again", error)
            except Exception as error:
                if not is_aws_error(error):
                    raise
                raise self._typed(error) from error
            finally:
                turn.end()
        raise AssertionError("the last round gives something or raises")

    def _end_all(self, turn: CareRound) -> CareReport:
        ids = turn.retire([one.cluster.id for one in turn.there])
        turn.look()
        protected = self.protected(one.cluster.id for one in turn.there)
        if protected:
            log.warning("Taking the termination protection off: %s", ", ".join(protected))
            emr = self.clients.client("emr")
            emr.set_termination_protection(JobFlowIds=list(protected), TerminationProtected=False)
            turn.retire(protected)
        return turn.report(Awaited(), retired=ids)

    def _cancel_steps(self) -> None:
        """Cancel all that waits or runs (CancelSteps), and see that nothing waits any more."""
        try:
            for pause in (*CANCEL_PAUSES, 0.0):
                clusters = self.look(ALL_STEPS).clusters
                asked = [self._cancel_steps_of(cluster) for cluster in clusters]
                if not any(asked):
                    return
                self.pause(pause)
        except Exception as error:
            if not is_aws_error(error):
                raise
            raise self._typed(error) from error
        log.warning("Steps of pool %s have not ended yet; they end with their clusters", self.place.name)

    def _cancel_steps_of(self, cluster: PoolCluster) -> bool:
        emr = self.clients.client("emr")
        return patiently(lambda: _cancel_steps(emr, cluster), self.pause)

    def _typed(self, error: Exception) -> EmrKitError:
        return typed(f"pool {self.place.name} could not be changed", error, self.clients.region_name)


def _cancel_steps(emr: Any, cluster: PoolCluster) -> bool:
    """Ask EMR to cancel the steps of a cluster that wait or run (CancelSteps).

    What EMR refuses because it has just ended, or its cluster has, is left to the next look.

    :return: Whether there were any that were not being cancelled yet.
    :raises botocore.exceptions.ClientError: when it may not be done.
    """
    ids = [step.id for step in cluster.steps if step.state != "CANCEL_PENDING"]
    for first in range(0, len(ids), CANCELS_AT_ONCE):
        some = ids[first : first + CANCELS_AT_ONCE]
        try:
            emr.cancel_steps(ClusterId=cluster.id, StepIds=some, StepCancellationOption=INTERRUPT)
        except Exception as error:
            if is_denied(error) or is_transient(error):
                raise
            log.info("Steps of cluster %s could not be cancelled: %s", cluster.id, error)
    return bool(ids)
