"""Places a job in a pool from a worker: at once where there is room, else later, by whoever waits for it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.exceptions import PoolBusyError, SubmitRefusedError
from airflow_provider_emrkit.pools.clock import elapsed
from airflow_provider_emrkit.pools.holder import new_holder
from airflow_provider_emrkit.pools.ordering import kept_below, make_order, stage_order
from airflow_provider_emrkit.pools.outcomes import Placed, Refused
from airflow_provider_emrkit.pools.pace import pause_after
from airflow_provider_emrkit.pools.placing import Placing
from airflow_provider_emrkit.pools.words import WaitingNews, busy_message
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.step_calls import KIND
from airflow_provider_emrkit.runs.step_compiling import StepCompiling

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.compute.pool import ClusterPool
    from airflow_provider_emrkit.hooks.emrkit import EmrKitHook
    from airflow_provider_emrkit.jobs.spark_job import SparkJob
    from airflow_provider_emrkit.logs.wishes import LogWishes
    from airflow_provider_emrkit.pools.order import PoolOrder
    from airflow_provider_emrkit.pools.outcomes import Waits
    from airflow_provider_emrkit.runs.token import RunToken

# Seconds for which a round waits for the lease, and between two rounds, at least.
PATIENCE = 10.0
PAUSE = 10.0


@dataclass(frozen=True)
class StagedOrder:
    """An order that found no room yet.

    :param uri: Where it is on S3.
    :param order: The order.
    :param wait_until: When its time to wait is up, in seconds since 1970.

    >>> StagedOrder(uri, order, wait_until).run_to_be("us-east-1").pool  # doctest: +SKIP
    'medium'
    """

    uri: str
    order: PoolOrder
    wait_until: float

    def run_to_be(self, region: str) -> JobRun:
        """Give the run that will be, without the ids that it gets when it is placed.

        :param region: AWS region.
        """
        order = self.order
        return JobRun(
            KIND,
            cluster_id="",
            step_id="",
            token=str(order.token),
            name=order.token.marked(),
            region=region,
            driver_apart=order.driver_apart,
            relaunch=order.token.relaunch,
            pool=order.place.name,
        ).with_wishes(order.wishes)


class PlacingHere:
    """Places one job.

    :param hook: The ``emrkit`` connection.
    :param log: The task's log.
    :param pause: Waits some seconds; gives True when the work is to stop.
    :param wishes: What is wanted of the job's logs.

    >>> placing = PlacingHere(hook, self.log, stop.wait, NO_WISHES)  # doctest: +SKIP
    >>> placing.place(job, pool, token, waits=True)  # doctest: +SKIP
    """

    def __init__(self, hook: EmrKitHook, log: Any, pause: Callable[[float], bool], wishes: LogWishes) -> None:
        self._hook = hook
        self._log = log
        self._pause = pause
        self._wishes = wishes

    def place(
        self, job: SparkJob, pool: ClusterPool, token: RunToken, *, waits: bool
    ) -> JobRun | StagedOrder:
        """Place a job whose files are all on S3, where there is room.

        :param waits: Whether room is waited for here; else the order is put to S3 for who waits for it.
        :raises PoolBusyError: when there is no room in the time that the pool gives.
        :raises StagingError: when the job could not be kept on S3 if it had to wait.
        :raises SubmitRefusedError: when AWS does not take it, or the work is to stop.
        """
        if not waits:  # not only on days when the pool is full
            kept_below(self._hook.settings.staging_uri)
        order = self._order(job, pool, token)
        wait_until = order.since + pool.wait_seconds
        placing = Placing(self._hook.clients, new_holder(), self._pause)
        news = WaitingNews(pool.name)
        while True:
            began = elapsed()
            outcome = self._round(placing, order)
            took = elapsed() - began
            if isinstance(outcome, Placed):
                return outcome.run
            line = news.news(outcome.words, time.time())
            if line:
                self._log.info("%s", line)
            left = wait_until - time.time()
            if left <= 0 or not waits:
                placing.leave(order.place)
            if left <= 0:
                waited = time.time() - order.since
                raise PoolBusyError(busy_message(pool.name, waited, outcome.words))
            if not waits:
                return StagedOrder(self._staged(order), order, wait_until)
            if self._pause(min(left, pause_after(took, PAUSE))):
                raise SubmitRefusedError(f"the job waited for room in pool {pool.name}")

    def _round(self, placing: Placing, order: PoolOrder) -> Placed | Waits:
        outcome = placing.round([order], PATIENCE)[str(order.token)]
        if isinstance(outcome, Refused):
            raise outcome.error
        return outcome

    def _order(self, job: SparkJob, pool: ClusterPool, token: RunToken) -> PoolOrder:
        settings = self._hook.settings
        compiling = StepCompiling(self._hook.clients, self._pause, settings.staging_uri)
        return make_order(compiling, pool, job, token, settings, self._wishes, since=time.time())

    def _staged(self, order: PoolOrder) -> str:
        return stage_order(order, self._hook.settings.staging_uri, self._hook.client("s3"), self._pause)
