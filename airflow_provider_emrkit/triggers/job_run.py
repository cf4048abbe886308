"""The one trigger: watches a run, streams its logs, ends it when a user asks or its time is up."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit._compat import BaseTrigger, TriggerEvent, read_task_state
from airflow_provider_emrkit.runs.job_run import JobRun

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping

    from airflow_provider_emrkit.runs.protocol import Runs
    from airflow_provider_emrkit.runs.states import RunStatus
    from airflow_provider_emrkit.runs.watch import RunWatch, Tick

# What Airflow 3.3 and later say when they cancel a trigger because of a user, before they call on_kill.
USER_ACTION = "__airflow_user_action__"

# Seconds for ending a run because of a user; Airflow gives on_kill 30 by default.
PATIENCE = 25.0

# Seconds after which a trigger that starts can't be starting for the first time.
RESTARTED_AFTER = 120.0


class EmrJobRunTrigger(BaseTrigger):
    """Watches one run until it ends.

    Its event holds ``state`` (``ended``, ``timeout`` or ``error``), ``run``, ``status`` and ``message``, all
    plain JSON, so that the task can go on from the event alone.

    A user's action on the deferred task (mark, clear, failing the DAG run) ends the run on EMR. A restart of
    the triggerer, or handing the trigger over to another one, never does.

    :param run: ``JobRun.to_dict()``.
    :param emrkit_conn_id: The ``emrkit`` connection.
    :param poll_interval: Seconds between two looks at the state.
    :param log_poll_interval: Seconds between two looks at the logs.
    :param log_drain: Seconds the logs must be silent after the end.
    :param max_lines: Lines to show at most for one look at the logs.
    :param deadline: When the run's time is up, in seconds since 1970; None for never.
    :param deferred_at: When the task was deferred, in seconds since 1970.

    >>> trigger = EmrJobRunTrigger(run.to_dict(), "emrkit_default")  # doctest: +SKIP
    """

    def __init__(
        self,
        run: Mapping[str, Any],
        emrkit_conn_id: str = "emrkit_default",
        poll_interval: float = 5.0,
        log_poll_interval: float = 2.0,
        log_drain: float = 5.0,
        max_lines: int = 1_000,
        deadline: float | None = None,
        deferred_at: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call,unused-ignore]
        self.job_run = JobRun.from_dict(run)
        self.emrkit_conn_id = emrkit_conn_id
        self.poll_interval = poll_interval
        self.log_poll_interval = log_poll_interval
        self.log_drain = log_drain
        self.max_lines = max_lines
        self.deadline = deadline
        self.deferred_at = deferred_at
        self._opened: Runs | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what Airflow makes the trigger from again. No secrets: 3.x stores it in plain text."""
        kwargs = {
            "run": self.job_run.to_dict(),
            "emrkit_conn_id": self.emrkit_conn_id,
            "poll_interval": self.poll_interval,
            "log_poll_interval": self.log_poll_interval,
            "log_drain": self.log_drain,
            "max_lines": self.max_lines,
            "deadline": self.deadline,
            "deferred_at": self.deferred_at,
        }
        return "airflow_provider_emrkit.triggers.job_run.EmrJobRunTrigger", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch until the run has ended, or its time is up."""
        try:
            payload = await self._watch_to_the_end()
        except asyncio.CancelledError as error:
            if not (error.args and error.args[0] == USER_ACTION):
                await self._uninterrupted(self._end_if_released())
            raise
        except Exception as error:
            # The task has to wake up and clean up whatever happens here.
            self.log.exception("Watching %s failed", self.job_run)
            payload = self._payload("error", message=f"{type(error).__name__}: {error}")
        # Outside of the try: Airflow may cancel a generator that has yielded.
        yield TriggerEvent(payload)  # type: ignore[no-untyped-call,unused-ignore]

    async def on_kill(self) -> None:
        """End the run because of a user; called by Airflow 3.3 and later."""
        await self._uninterrupted(self._end_if_released())

    async def _watch_to_the_end(self) -> dict[str, Any]:
        watch = await self._open_watch()
        while True:
            tick = await asyncio.to_thread(watch.tick)
            await self._show(tick)
            if tick.done:
                return self._payload("ended", tick.status)
            left = self._seconds_left()
            if left <= 0:
                return await self._time_out(tick.status)
            await asyncio.sleep(min(tick.delay, left))

    async def _open_watch(self) -> RunWatch:
        from airflow_provider_emrkit.logs.writing import LogWriter
        from airflow_provider_emrkit.runs.watch import Pace, RunWatch

        runs = await self._open()
        self._writer = LogWriter(self.log)
        if self.deferred_at and time.time() - self.deferred_at > RESTARTED_AFTER:
            self.log.info("The triggerer was started again; the job's log is read from its start once more.")
        pace = Pace(
            self.poll_interval, self.log_poll_interval, drain=self.log_drain, max_lines=self.max_lines
        )
        return RunWatch(self.job_run, runs, pace)

    async def _open(self) -> Runs:
        """Make the AWS clients. Airflow's connections can't be asked from every thread, but from this one."""
        from asgiref.sync import sync_to_async

        from airflow_provider_emrkit.hooks.emrkit import EmrKitHook
        from airflow_provider_emrkit.runs.opening import open_runs

        if self._opened is None:
            hook = EmrKitHook(self.emrkit_conn_id, self.job_run.region)
            self._opened = await sync_to_async(open_runs)(hook)
        return self._opened

    async def _show(self, tick: Tick) -> None:
        for _ in self._writer.write_in_parts(tick):
            await asyncio.sleep(0)  # the loop belongs to all triggers

    def _seconds_left(self) -> float:
        return float("inf") if self.deadline is None else self.deadline - time.time()

    async def _time_out(self, status: RunStatus | None) -> dict[str, Any]:
        """End the run here: by the time the worker wakes up, Airflow 2 may not let it do so any more."""
        message = await self._end()
        return self._payload("timeout", status, message)

    async def _uninterrupted(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what must not stay half done, within :data:`PATIENCE` seconds.

        A triggerer cancels a trigger that is to go about once a second until it is gone, so also while it is
        asking Airflow and AWS.
        """
        task = asyncio.create_task(work)
        until = time.monotonic() + PATIENCE
        while not task.done() and time.monotonic() < until:
            with suppress(asyncio.CancelledError):
                await asyncio.wait({task}, timeout=until - time.monotonic())

    async def _end_if_released(self) -> None:
        """End the run, unless its task still waits for it: then somebody else watches, or will soon."""
        from asgiref.sync import sync_to_async

        if self.task_instance is None:
            return
        try:
            state = await sync_to_async(read_task_state)(self.task_instance)
        except Exception:
            self.log.exception("The state of the task is not known; %s goes on", self.job_run)
            return
        if state == "deferred":
            return
        self.log.info("The task is %s and no longer waits for its job.", state or "cleared")
        self.log.info("Ended: %s", await self._end())

    async def _end(self) -> str:
        from airflow_provider_emrkit.runs.releasing import release

        try:
            runs = await self._open()
            cancelled = await asyncio.to_thread(runs.cancel, self.job_run)
            await asyncio.to_thread(release, runs, self.job_run, self.log)
        except Exception as error:
            self.log.exception("%s could not be ended", self.job_run)
            return f"it could not be ended: {error}"
        if not cancelled.done:
            self.log.error("%s", cancelled.message)
        return cancelled.message

    def _payload(self, state: str, status: RunStatus | None = None, message: str = "") -> dict[str, Any]:
        return {
            "state": state,
            "run": self.job_run.to_dict(),
            "status": status.to_dict() if status else None,
            "message": message,
        }
