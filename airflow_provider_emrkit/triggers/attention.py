"""What one trigger does while its run goes on: tells its changes, streams its logs, minds its limits."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.errors import is_aws_error
from airflow_provider_emrkit.logs.writing import LogWriter
from airflow_provider_emrkit.runs.limits import Breach, breach, next_deadline
from airflow_provider_emrkit.runs.log_watch import LOG_OPERATION, LogWatch, Note, may_have_lines
from airflow_provider_emrkit.runs.progress import Progress
from airflow_provider_emrkit.runs.watch import Tick
from airflow_provider_emrkit.triggers.pool_desk import look_for_room

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.limits import Limits
    from airflow_provider_emrkit.runs.log_watch import Pace
    from airflow_provider_emrkit.runs.states import RunStatus
    from airflow_provider_emrkit.triggers.poller import SharedPoller

# Seconds for one last look before a run is said to have passed a limit.
LAST_LOOK = 10.0
# Seconds for a look at its log that is under way then.
LAST_LINES = 2.0
# The limit that is the task's, and not one of the run's own.
EXECUTION_TIMEOUT = "execution_timeout"


class Attention:
    """One run in the care of one trigger.

    :param poller: Where its states come from.
    :param run: The run.
    :param pace: How often to look.
    :param limits: How long the run may take.
    :param deadline: When the task's time is up, in seconds since 1970; None for never.
    :param log: The trigger's log.
    :param again: Whether the run may have been followed before. A run that is seen to wait has not been.

    >>> await Attention(poller, run, Pace(), Limits(), None, self.log).to_the_end()  # doctest: +SKIP
    """

    __slots__ = (
        "_again",
        "_deadline",
        "_flowing",
        "_has_streamed",
        "_limits",
        "_log",
        "_pace",
        "_poller",
        "_progress",
        "_stream",
        "_watched",
    )

    def __init__(
        self,
        poller: SharedPoller,
        run: JobRun,
        pace: Pace,
        limits: Limits,
        deadline: float | None,
        log: Any,
        *,
        again: bool = False,
    ) -> None:
        self._again = again
        self._poller = poller
        self._watched = poller.watch(run, pace.poll)
        self._pace = pace
        self._limits = limits
        self._deadline = deadline
        self._log = log
        self._progress = Progress(run)
        self._stream: _Stream | None = None
        self._flowing: asyncio.Task[None] | None = None
        self._has_streamed = False

    @property
    def status(self) -> RunStatus | None:
        """How the run is doing, as far as is known."""
        return self._watched.status

    async def to_the_end(self) -> Breach | None:
        """Wait for the end of the run and of its logs; gives the limit that it passed before, if any."""
        watched = self._watched
        try:
            while True:
                if watched.renews:
                    watched.renews = False
                    await self._poller.renew(self._log)
                await self._show(watched.take_news(), watched.take_note())
                if self._is_over():
                    await self._close()
                    return None
                if not self._passed():
                    await watched.wait(self._seconds())
                elif passed := await self._passed_indeed():
                    await self._close()
                    return passed
        finally:
            self._poller.leave(watched)
            if self._flowing:
                self._flowing.cancel()

    async def _show(self, status: RunStatus | None, note: Note | None) -> None:
        """Write what is new: of a run that has ended, its last lines first."""
        notes = [note] if note else []
        if status:
            notes += [Note(logging.INFO, text) for text in self._progress.news(status, time.time())]
            notes += [Note(logging.WARNING, text) for text in self._progress.doubts(status)]
            self._see(status)
        if not self._has_ended():
            self._tell(notes)
            notes = []
        if self._stream and (self._flowing or self._stream.is_due):
            await self._flow(self._stream)
        self._tell(notes)

    async def _flow(self, stream: _Stream) -> None:
        """Write what is new of the log; AWS may take long to answer, and limits hold in this time, too."""
        self._flowing = self._flowing or asyncio.ensure_future(stream.flow())
        await asyncio.wait({self._flowing}, timeout=self._seconds_to_limit())
        if not self._flowing.done():
            return
        flowed, self._flowing = self._flowing, None
        flowed.result()
        if stream.logs.due is None:
            self._stream = None  # there is nothing to be read, now or later

    async def _close(self) -> None:
        if self._flowing:
            await asyncio.wait({self._flowing}, timeout=LAST_LINES)
        if self._stream and (self._flowing is None or self._flowing.done()):
            await self._stream.close()

    def _see(self, status: RunStatus) -> None:
        if status.state.is_final:
            self._poller.leave(self._watched)  # its logs may take a while yet, its state is what it is
            if self._watched.run.pool:
                look_for_room(self._poller, self._watched.run.pool)
        if not may_have_lines(status):
            self._again = False
        elif not self._has_streamed:
            self._has_streamed = True
            self._stream = _Stream(self._poller, self._watched.run, self._pace, self._log, self._again)
        if self._stream:
            self._stream.logs.see(status)

    def _tell(self, notes: Sequence[Note]) -> None:
        for note in notes:
            self._log.log(note.level, "%s", note.text)

    def _has_ended(self) -> bool:
        status = self._watched.status
        return status is not None and status.state.is_final

    def _is_over(self) -> bool:
        return self._has_ended() and (self._stream is None or self._stream.logs.is_over)

    def _passed(self) -> Breach | None:
        """Tell which limit the run has passed, as far as is known."""
        if self._has_ended():
            return None
        now = time.time()
        if self._deadline is not None and now >= self._deadline:
            sentence = f"{self._watched.run} took longer than its task may ({EXECUTION_TIMEOUT})"
            return Breach(EXECUTION_TIMEOUT, 0.0, sentence)
        return breach(self._limits, self._watched.run, self._watched.status, now)

    async def _passed_indeed(self) -> Breach | None:
        """Look once more: the state may have changed since the last look, or the run may have ended."""
        try:
            status = await asyncio.wait_for(self._poller.look(self._watched.run), LAST_LOOK)
        except Exception as error:
            if not is_aws_error(error) and not isinstance(error, asyncio.TimeoutError):
                raise
        else:
            self._watched.tell(status, asyncio.get_running_loop().time())
        return self._passed()

    def _seconds(self) -> float | None:
        """Give the seconds until there is something to do without news."""
        seconds = [self._seconds_to_limit()]
        if self._stream and self._stream.logs.due is not None:
            seconds.append(max(0.0, self._stream.logs.due - time.monotonic()))
        return min((one for one in seconds if one is not None), default=None)

    def _seconds_to_limit(self) -> float | None:
        due = [] if self._has_ended() else [self._deadline, self._next_limit()]
        return min((max(0.0, when - time.time()) for when in due if when is not None), default=None)

    def _next_limit(self) -> float | None:
        return next_deadline(self._limits, self._watched.run, self._watched.status)


class _Stream:
    """The lines of a run that writes some, on their way into the task's log."""

    __slots__ = ("_poller", "_writer", "logs")

    def __init__(self, poller: SharedPoller, run: JobRun, pace: Pace, log: Any, again: bool) -> None:
        connected = poller.connected
        self._poller = poller
        self._writer = LogWriter(log)
        self.logs = LogWatch(
            run,
            connected.runs,
            pace,
            spare=lambda: connected.quotas.spare(LOG_OPERATION),
            on_aws=connected.on_aws,
            again=again,
        )

    @property
    def is_due(self) -> bool:
        return self.logs.due is not None and self.logs.due <= time.monotonic()

    async def flow(self) -> None:
        """Write what is new, and what there is to tell about the logs themselves before it."""
        lines, notes = await self._poller.in_context(self._poller.log_reads, self.logs.read)
        await self._write(Tick(None, notes, lines))

    async def close(self) -> None:
        """Write the end of logs that were too long to show, and what is missing."""
        lines, notes = self.logs.close()
        await self._write(Tick(None, (), lines))
        await self._write(Tick(None, notes))

    async def _write(self, tick: Tick) -> None:
        for _ in self._writer.write_in_parts(tick):
            await asyncio.sleep(0)  # the loop belongs to all triggers
