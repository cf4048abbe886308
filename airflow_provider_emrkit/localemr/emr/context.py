"""What EMR's operations act on: the store, the live clusters, the runner and the clock."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.aws_json import ApiError
from airflow_provider_emrkit.localemr.call import Call as Call  # noqa: TC001 - part of this module too
from airflow_provider_emrkit.localemr.clock import utc_now
from airflow_provider_emrkit.localemr.emr import transitions
from airflow_provider_emrkit.localemr.emr.errors import unknown_cluster, unknown_job_flow
from airflow_provider_emrkit.localemr.emr.store import Store
from airflow_provider_emrkit.localemr.emr.supervisor import Supervisor
from airflow_provider_emrkit.localemr.faults.active import Faults
from airflow_provider_emrkit.localemr.faults.logs import LateLogs
from airflow_provider_emrkit.localemr.run.contract import KILLED_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from airflow_provider_emrkit.localemr.emr.journal import Journal
    from airflow_provider_emrkit.localemr.emr.model import ClusterRecord
    from airflow_provider_emrkit.localemr.run.contract import ClusterRunner

log = logging.getLogger(__name__)

_LOST = "localemr ended while the cluster was there: its machine and its steps are gone"
# What AWS documents for clusters that have ended.
_REMEMBERED = timedelta(days=60)
_LISTENERS_SECONDS = 5.0


class Emr:
    """The clusters of one local EMR. Operations run with ``store.lock`` held.

    :param runner: What really starts clusters and steps.
    :param page_url: Gives the address of a Spark application's page, and for None of the list of all.
    :param hold_seconds: How long a waiter's request is held back for news.
    :param now: Clock.
    :param journal: Clusters of an earlier process, which are lost if they had not ended, and where changes
        are kept; None for nowhere.
    :param resize_seconds: How long an instance group takes to be resized or reconfigured.
    :param faults: What goes wrong on demand; None for nothing.

    >>> emr = Emr(runner, page_url)  # doctest: +SKIP
    """

    def __init__(
        self,
        runner: ClusterRunner,
        page_url: Callable[[str | None], str],
        *,
        hold_seconds: float = 20.0,
        now: Callable[[], datetime] = utc_now,
        journal: Journal | None = None,
        resize_seconds: float = 2.0,
        faults: Faults | None = None,
    ) -> None:
        self.runner = runner
        self.page_url = page_url
        self.store = Store(journal)
        self.now = now
        self.started = now()
        self.resize_seconds = resize_seconds
        self._hold_seconds = hold_seconds
        self._supervisors: dict[str, Supervisor] = {}
        self._is_stopping = False
        self.faults = faults or Faults()
        self._late_logs = LateLogs(self.faults)
        self.faults.subscribe(self._wake)
        self._take_over()

    def _wake(self) -> None:
        """Let the clusters look at the faults, which have changed."""
        with self.store.lock:
            for supervisor in self._supervisors.values():
                supervisor.changed.notify_all()

    def _take_over(self) -> None:
        """Judge the clusters of an earlier process: what had not ended is lost, what is old is forgotten."""
        now = self.now()
        for cluster in self.store.all_clusters():
            transitions.lose(cluster, _LOST, now)
            self.store.commit(cluster)
            if cluster.ended is not None and now - cluster.ended > _REMEMBERED:
                self.store.forget_cluster(cluster.id)

    def cluster(self, call: Call, cluster_id: str) -> ClusterRecord:
        """Find a cluster for one of the newer operations.

        :raises ApiError: ``InvalidRequestException`` when it is not there.
        """
        found = self.store.cluster(call.region, cluster_id)
        if found is None:
            raise unknown_cluster(cluster_id)
        return found

    def job_flow(self, call: Call, cluster_id: str) -> ClusterRecord:
        """Find a cluster for one of the operations that call it a job flow.

        :raises ApiError: ``ValidationException`` when it is not there.
        """
        found = self.store.cluster(call.region, cluster_id)
        if found is None:
            raise unknown_job_flow()
        return found

    def launch(self, cluster: ClusterRecord) -> None:
        """Keep a new cluster and start it.

        :raises ApiError: ``InternalServerException`` while everything is being ended.
        """
        if self._is_stopping:
            raise ApiError("InternalServerException", "localemr is stopping; no new cluster is started.")
        alive = {name: supervisor for name, supervisor in self._supervisors.items() if supervisor.is_alive}
        supervisor = Supervisor(cluster, self.runner, self.store, self.faults, self._late_logs, self.now)
        # Its thread waits for the lock; a machine that has no room for it keeps no cluster.
        supervisor.start()
        self._supervisors = {**alive, cluster.id: supervisor}
        self.store.add_cluster(cluster)

    def settled(self) -> datetime:
        """Say when a change of instances that begins now is done."""
        return self.now() + timedelta(seconds=self.resize_seconds)

    def supervisor(self, cluster: ClusterRecord) -> Supervisor | None:
        """Give what runs a cluster; None when it ended some time ago."""
        return self._supervisors.get(cluster.id)

    def changed(self, cluster: ClusterRecord) -> None:
        """Keep what an operation changed of a cluster, and tell whoever waits for it."""
        self.store.commit(cluster)
        supervisor = self.supervisor(cluster)
        if supervisor is not None:
            supervisor.news()

    def hold(self, call: Call, cluster: ClusterRecord, is_over: Callable[[], bool]) -> None:
        """Hold a waiter's request back until ``is_over``: it would sleep long and ask again."""
        supervisor = self.supervisor(cluster)
        if call.is_waiter and supervisor is not None:
            supervisor.changed.wait_for(is_over, self._hold_seconds)

    def stop(self, seconds: float = 15.0) -> bool:
        """End all clusters and wait for it.

        :param seconds: How long to wait for them to end in good order, before they are killed.
        :return: False when one did not end.
        """
        with self.store.lock:
            self._is_stopping = True
            supervisors = list(self._supervisors.values())
        for supervisor in supervisors:
            supervisor.terminate("USER_REQUEST", "localemr stops")
        ended = _joined(supervisors, seconds)
        if not ended:
            for supervisor in supervisors:
                supervisor.kill()
            ended = _joined(supervisors, KILLED_LIMIT)
        self.store.changes.settle(_LISTENERS_SECONDS)
        self._late_logs.flush(_LISTENERS_SECONDS)
        return ended

    def reset(self) -> None:
        """End all clusters and forget them."""
        if not self.stop():
            log.warning("not every cluster ended before the reset")
        with self.store.lock:
            self.store.clear()
            self._is_stopping = False


def _joined(supervisors: list[Supervisor], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    ended = [supervisor.join(deadline - time.monotonic()) for supervisor in supervisors]
    return all(ended)
