"""What the operators that care for a pool of clusters have in common: the work, and waiting for its end."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit._compat import BaseOperator, conf
from airflow_provider_emrkit.compute.pool import ClusterPool
from airflow_provider_emrkit.exceptions import EmrKitError, RunTimedOutError
from airflow_provider_emrkit.operators.rendering import RendersSpecs
from airflow_provider_emrkit.operators.timing import check_limit, execution_deadline
from airflow_provider_emrkit.validation import check_flag, check_instance, check_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from airflow_provider_emrkit._compat import Context
    from airflow_provider_emrkit.pools.care import PoolCare
    from airflow_provider_emrkit.pools.care_round import CareReport
    from airflow_provider_emrkit.pools.pool_setup import PoolSetup

MIN_POLL_INTERVAL = 1.0
DEFAULT_POLL_INTERVAL = 10.0
DEFAULT_TIMEOUT = 3_600.0


class EmrPoolOperator(RendersSpecs, BaseOperator):
    """What the operators for pools have in common.

    Each does its work under the pool's lease, and waits until it is done. Its result is in XCom: ``pool``,
    ``started``, ``retired``, ``draining`` and ``serving`` (ids of clusters), ``starts`` (ids of starts whose
    clusters EMR did not list yet) and ``missing``, as they were before it waited.

    :param cluster_pool: The pool. (templated)
    :param emrkit_conn_id: The ``emrkit`` connection. (templated)
    :param deferrable: Wait in the triggerer instead of on a worker; by default ``[operators]
        default_deferrable``.
    :param wait: Whether to wait at all.
    :param timeout: How long to wait, in seconds or as a timedelta; None for as long as it takes.
    :param poll_interval: Seconds between two looks, at least 1.
    :raises InvalidValueError: when an argument can't be right; DAG files then fail to load.

    >>> class EmrPoolThingOperator(EmrPoolOperator):  # doctest: +SKIP
    ...     def work(self, care): ...
    """

    template_fields: Sequence[str] = ("cluster_pool", "emrkit_conn_id")
    ui_color = "#fbe5d1"

    _stop: threading.Event | None = None
    pool_setup: PoolSetup

    def __init__(
        self,
        *,
        cluster_pool: ClusterPool,
        emrkit_conn_id: str = "emrkit_default",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        wait: bool = True,
        timeout: timedelta | float | None = DEFAULT_TIMEOUT,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cluster_pool = cluster_pool
        self.emrkit_conn_id = emrkit_conn_id
        self.deferrable = deferrable
        self.wait = wait
        self.timeout = timeout
        self.poll_interval = poll_interval
        owner = type(self).__name__
        check_instance(owner, "cluster_pool", cluster_pool, ClusterPool)
        check_flag(owner, "wait", wait)
        check_limit(owner, "timeout", timeout)
        check_seconds(owner, "poll_interval", poll_interval, MIN_POLL_INTERVAL)

    @abstractmethod
    def work(self, care: PoolCare) -> CareReport:
        """Do what the operator is for; it may be done again at any time."""

    def after(self, care: PoolCare) -> None:
        """Do what is left to be done when the wait is over."""

    @property
    @abstractmethod
    def stays(self) -> str:
        """What becomes of it all when nobody waits any more."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Do it, and wait until it is done, here or in the triggerer.

        :raises SubmitRefusedError: when EMR starts no cluster, or the pool's lease can't be taken.
        :raises RunError: when clusters do not come up; the type says why.
        """
        care = self._open()
        report = self.work(care)
        self._show(report)
        result = {"pool": care.place.name, **report.to_dict()}
        if self.wait:
            if self.deferrable:
                self._defer(context, care, report, result)
            self._wait(context, care, report)
            self.after(care)
        return result

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Go on where the trigger ended.

        :param context: The task's context.
        :param event: The trigger's payload.
        :raises EmrKitError: when the wait came to no good end; the type says why.
        """
        from airflow_provider_emrkit.runs.outcome import retyped

        if event["state"] == "timeout":
            raise self._timed_out(event["message"])
        if event["state"] == "error":
            error, said = retyped(event["error"], event["message"], EmrKitError)
            raise error(said)
        self.log.info("Pool %s: %s", self.cluster_pool.name, event["message"])
        self.after(self._open())
        return dict(event["report"])

    def on_kill(self) -> None:
        """Wait no longer; called when the task is stopped while a worker has it."""
        if self._stop is not None:
            # In a thread: the code that the signal has interrupted may hold the event's own lock.
            threading.Thread(target=self._stop.set, daemon=True).start()

    def _open(self) -> PoolCare:
        from airflow_provider_emrkit.pools.opening import open_pool

        self._stop = threading.Event()
        care, self.pool_setup = open_pool(self.cluster_pool, self.emrkit_conn_id, self._stop.wait)
        return care

    def _wait(self, context: Context, care: PoolCare, report: CareReport) -> None:
        from airflow_provider_emrkit.pools.watching import PoolWatch, wait_for_pool

        watch = PoolWatch(care, report.awaited, self.poll_interval)
        deadline = self._deadline(context)
        last = wait_for_pool(watch, care.pause, self._tell, deadline)
        if not last.done and care.pause(0.0):
            raise EmrKitError(f"Airflow stopped the task: {self.stays}")
        if not last.done:
            raise self._timed_out(last.words)

    def _defer(self, context: Context, care: PoolCare, report: CareReport, result: dict[str, Any]) -> None:
        from airflow_provider_emrkit.pools.watching import condition_to_dict
        from airflow_provider_emrkit.triggers.pool_care import EmrPoolTrigger

        self.log.info("Waiting in the triggerer. Should the task be ended meanwhile: %s", self.stays)
        trigger = EmrPoolTrigger(
            asdict(care.place),
            condition_to_dict(report.awaited),
            emrkit_conn_id=self.emrkit_conn_id,
            region_name=care.clients.region_name,
            poll_interval=self.poll_interval,
            deadline=self._deadline(context),
            report=result,
        )
        self.defer(trigger=trigger, method_name="execute_complete")

    def _deadline(self, context: Context) -> float | None:
        """Tell when the wait is over, in seconds since 1970; None for never."""
        seconds = check_limit(type(self).__name__, "timeout", self.timeout)
        own = None if seconds is None else time.time() + seconds
        ends = (own, execution_deadline(context["ti"], self.execution_timeout) if self.deferrable else None)
        return min((end for end in ends if end is not None), default=None)

    def _timed_out(self, words: str) -> RunTimedOutError:
        name = self.cluster_pool.name
        return RunTimedOutError(f"pool {name}: the time to wait is up (timeout), {self.stays}; {words}")

    def _show(self, report: CareReport) -> None:
        name = self.cluster_pool.name
        for what, ids in (
            ("started", report.started),
            ("told to end", report.retired),
            ("get no more work, and end when they have done theirs", report.draining),
            ("serve", report.serving),
            ("may be starting", report.starts),
        ):
            if ids:
                self.log.info("Clusters of pool %s, %s: %s", name, what, ", ".join(ids))
        if report.missing:
            text = "%d clusters are missing, as pool %s has its max_clusters; others have to end before."
            self.log.warning(text, report.missing, name)

    def _tell(self, level: int, text: str) -> None:
        self.log.log(level, "%s", text)
