"""The one trigger: watches a run, streams its logs, ends it when a user asks or its time is up."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit._compat import AIRFLOW_V_3_3_PLUS, BaseTrigger, TriggerEvent, read_task_state
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.limits import Limits
from airflow_provider_emrkit.runs.log_watch import Pace
from airflow_provider_emrkit.triggers import settling

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping

    from airflow_provider_emrkit.runs.limits import Breach
    from airflow_provider_emrkit.runs.states import RunStatus
    from airflow_provider_emrkit.triggers.attention import Attention
    from airflow_provider_emrkit.triggers.poller import SharedPoller

# Seconds for ending a run because of a user; Airflow gives on_kill 30 by default.
PATIENCE = 25.0
# Seconds of them for asking Airflow first, and for the answers of AWS that come late.
ASKING = 5.0

# Seconds from a task's deferral within which a trigger is taken to start for the first time, and seconds from
# a job's submission to the deferral of the task that submitted it. See _may_be_again.
FIRST_START = 10.0
FIRST_DEFERRAL = 60.0


class EmrJobRunTrigger(BaseTrigger):
    """Watches one run until it ends.

    Its event holds ``state`` (``ended``, ``timeout`` or ``error``), ``run``, ``status``, ``message`` and
    ``limit`` (the one that passed), all plain JSON, so that the task can go on from the event alone. A status
    with ``by_event`` was told by the events queue, and EMR has not been asked.

    A user's action on the deferred task (mark, clear, failing the DAG run) ends the run on EMR. A restart of
    the triggerer, or handing the trigger over to another one, never does.

    :param run: ``JobRun.to_dict()``.
    :param emrkit_conn_id: The ``emrkit`` connection.
    :param poll_interval: Seconds between two looks at the state; more where nothing is about to happen.
    :param log_poll_interval: Seconds between two looks at the logs.
    :param log_drain: Seconds the logs must be silent after the end.
    :param max_lines: Lines to show at most for one look at the logs.
    :param max_run_lines: Lines to show at most for the whole run, beside its last ones.
    :param deadline: When the task's time is up, in seconds since 1970; None for never.
    :param deferred_at: When the task was deferred, in seconds since 1970.
    :param on_kill: What a user's action does to the run: ``cancel`` or ``leave``.
    :param limits: ``Limits.to_dict()``.

    >>> trigger = EmrJobRunTrigger(run.to_dict(), "emrkit_default")  # doctest: +SKIP
    """

    _last_work: asyncio.Task[None] | None = None
    _patient_until = 0.0

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
        on_kill: str = "cancel",
        limits: Mapping[str, float] | None = None,
        max_run_lines: int = 100_000,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call,unused-ignore]
        self.job_run = JobRun.from_dict(run)
        self.emrkit_conn_id = sys.intern(emrkit_conn_id)
        # Triggers are held by the thousand, most of them with the same settings.
        self.pace = _shared_pace(poll_interval, log_poll_interval, log_drain, max_lines, max_run_lines)
        self.limits = _shared_limits(tuple(sorted((limits or {}).items())))
        self.deadline = deadline
        self.deferred_at = deferred_at
        self.kill_action = sys.intern(on_kill)  # on_kill itself is Airflow's

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what Airflow makes the trigger from again. No secrets: 3.x stores it in plain text."""
        kwargs = {
            "run": self.job_run.to_dict(),
            "emrkit_conn_id": self.emrkit_conn_id,
            "poll_interval": self.pace.poll,
            "log_poll_interval": self.pace.logs,
            "log_drain": self.pace.drain,
            "max_lines": self.pace.max_lines,
            "deadline": self.deadline,
            "deferred_at": self.deferred_at,
            "on_kill": self.kill_action,
            "limits": self.limits.to_dict(),
            "max_run_lines": self.pace.max_run_lines,
        }
        return "airflow_provider_emrkit.triggers.job_run.EmrJobRunTrigger", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch until the run has ended, or its time is up."""
        self.logger()  # one for the class: a logger of its own takes a third of what a trigger may
        begun = settling.now()
        try:
            payload = await self._watched()
            await settling.worker_has_ended(begun)
        except asyncio.CancelledError:
            # From 3.3 on a user's action calls on_kill: without that the triggerer ends, and would wait in
            # vain for what its triggers ask of Airflow now. Before, nothing tells one from the other.
            if not AIRFLOW_V_3_3_PLUS:
                await self._uninterrupted(self._end_if_released())
            raise
        # Outside of the try: Airflow may cancel a generator that has yielded.
        yield TriggerEvent(payload)  # type: ignore[no-untyped-call,unused-ignore]

    async def on_kill(self) -> None:
        """End the run because of a user; called by Airflow 3.3 and later."""
        await self._uninterrupted(self._end_if_released())

    async def cleanup(self) -> None:
        """Wait for the end of a kill: before Python 3.12, a second cancel makes Airflow forget on_kill."""
        await self._work_done()

    async def _watched(self) -> dict[str, Any]:
        try:
            return await self._to_the_end()
        except Exception as error:
            # The task has to wake up and clean up whatever happens here.
            self.log.exception("Watching %s failed", self.job_run)
            return {**self._payload("error", message=str(error)), "error": type(error).__name__}

    async def _to_the_end(self) -> dict[str, Any]:
        attention = await self._attention()
        passed = await attention.to_the_end()
        return await self._outcome(attention.status, passed)

    async def _attention(self) -> Attention:
        from airflow_provider_emrkit.triggers.attention import Attention

        again = self._may_be_again()
        poller = await self._connect()
        return Attention(poller, self.job_run, self.pace, self.limits, self.deadline, self.log, again=again)

    def _may_be_again(self) -> bool:
        """Tell whether the run may have been followed before, by a triggerer that is gone or an earlier try.

        Airflow does not say: a trigger that starts again gets what it got the first time. So a start counts
        as the first only right after the deferral, of a job that is not older than that; or, as is seen
        later, when the job has not begun. A busy triggerer's first start may be taken for another one, which
        does no harm: then the end of the log is read, which is all of it unless the job has written more than
        ten thousand lines by then, and what is missing is said. The other way round, a triggerer that was
        stopped within these seconds has the log read from its start.
        """
        if self.deferred_at is None:
            return False
        late = time.time() - self.deferred_at > FIRST_START
        return late or self.deferred_at - self.job_run.submitted_at > FIRST_DEFERRAL

    async def _outcome(self, status: RunStatus | None, passed: Breach | None) -> dict[str, Any]:
        if passed is None:
            return self._payload("ended", status)
        # End it here: by the time the worker wakes up, Airflow 2 may not let it do so any more.
        message = f"{passed.sentence}; {await self._end()}"
        return {**self._payload("timeout", status, message), "limit": passed.which}

    async def _connect(self) -> SharedPoller:
        """Find the poller and see that it can ask AWS."""
        from airflow_provider_emrkit.triggers.poller import shared_poller

        poller = shared_poller(self.emrkit_conn_id, self.job_run.region)
        await poller.connecting.connected(self.log)
        return poller

    async def _uninterrupted(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what must not stay half done, within :data:`PATIENCE` seconds."""
        self._last_work = asyncio.create_task(work)
        self._patient_until = time.monotonic() + PATIENCE
        await self._work_done()

    async def _work_done(self) -> None:
        """Wait for work that must not stay half done.

        A triggerer cancels a trigger that is to go about once a second until it is gone, so also while it is
        asking Airflow and AWS.
        """
        while self._last_work and not self._last_work.done() and time.monotonic() < self._patient_until:
            with suppress(asyncio.CancelledError):
                await asyncio.wait({self._last_work}, timeout=self._patient_until - time.monotonic())

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
        if self.kill_action == "leave":
            self.log.info("%s, as on_kill is 'leave'.", self._left())
            return
        self.log.info("Ended: %s", await self._end())

    def _left(self) -> str:
        """Tell what becomes of the run when nobody ends it."""
        return f"{self.job_run} goes on"

    async def _end(self) -> str:
        """End the run and what was made for it; gives what came of it."""
        from airflow_provider_emrkit.runs.releasing import release

        def end() -> Any:
            ended = runs.end(self.job_run, PATIENCE - ASKING)
            release(runs, self.job_run, self.log)
            return ended

        try:
            poller = await self._connect()
            runs = (await poller.connecting.connected(self.log)).runs
            ended = await poller.in_context(poller.ends, end)
        except Exception as error:
            self.log.exception("%s could not be ended", self.job_run)
            return f"it could not be ended: {error}"
        if not ended.done:
            self.log.error("%s", ended.message)
        return str(ended.message)

    def _payload(self, state: str, status: RunStatus | None = None, message: str = "") -> dict[str, Any]:
        return {
            "state": state,
            "run": self.job_run.to_dict(),
            "status": status.to_dict() if status else None,
            "message": message,
            "limit": None,
            "error": None,
        }


@lru_cache(maxsize=256)
def _shared_pace(poll: float, logs: float, drain: float, max_lines: int, max_run_lines: int) -> Pace:
    return Pace(poll, logs, drain=drain, max_lines=max_lines, max_run_lines=max_run_lines)


@lru_cache(maxsize=256)
def _shared_limits(items: tuple[tuple[str, float], ...]) -> Limits:
    return Limits.from_dict(dict(items))
