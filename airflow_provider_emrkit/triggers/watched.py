"""One trigger's share of the shared poller: what is new about its run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_emrkit.runs.states import RunState
from airflow_provider_emrkit.triggers.waking import Waking

if TYPE_CHECKING:
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.log_watch import Note
    from airflow_provider_emrkit.runs.states import RunStatus

# How far a run has come; events may arrive late and in another order.
_STAGES = {RunState.STARTING: 0, RunState.QUEUED: 0, RunState.RUNNING: 1, RunState.CANCELLING: 2}
_FINAL_STAGE = 3


class Watched(Waking):
    """A run that one trigger waits for. Small, as there may be ten thousand; used by the event loop alone.

    :param run: The run.
    :param base: The usual seconds between two looks.
    :param now: The loop's time.

    >>> watched = poller.watch(run, 10.0)  # doctest: +SKIP
    >>> await watched.wait(None)  # doctest: +SKIP
    >>> watched.status  # doctest: +SKIP
    """

    __slots__ = ("base", "error", "has_news", "note", "renews", "run", "since", "status")

    def __init__(self, run: JobRun, base: float, now: float) -> None:
        super().__init__()
        self.run = run
        self.base = base
        self.since = now
        self.status: RunStatus | None = None
        self.has_news = False
        self.error: Exception | None = None
        self.note: Note | None = None
        self.renews = False

    def tell(self, status: RunStatus, now: float) -> bool:
        """Take a status; gives whether it is news.

        :param now: The loop's time.
        """
        if status == self.status or (self.status is not None and self.status.state.is_final):
            return False
        if self.status is None or self.status.state is not status.state:
            self.since = now
        self.status = status
        self.has_news = True
        self.wake()
        return True

    def hint(self, status: RunStatus, now: float) -> None:
        """Take a status that an event tells, unless it is older than what is known."""
        known = self.status
        if known is None:
            self.tell(status, now)
        elif _stage(status.state) > _stage(known.state):
            self.tell(replace(status, started_at=status.started_at or known.started_at), now)

    def fail(self, error: Exception) -> None:
        """Take what makes watching impossible."""
        self.error = error
        self.wake()

    def remark(self, note: Note) -> None:
        """Take what the run's log should tell."""
        self.note = note
        self.wake()

    def take_news(self) -> RunStatus | None:
        """Give the status when it is new.

        :raises Exception: what makes watching impossible.
        """
        if self.error is not None:
            raise self.error
        if not self.has_news:
            return None
        self.has_news = False
        return self.status

    def take_note(self) -> Note | None:
        """Give what the run's log should tell, once."""
        note, self.note = self.note, None
        return note

    async def wait(self, seconds: float | None) -> None:
        """Wait until there is something to take.

        :param seconds: The longest wait; None for no end.
        """
        if self.has_news or self.error is not None or self.note is not None or self.renews:
            return
        await self.sleep(seconds)


def _stage(state: RunState) -> int:
    return _STAGES.get(state, _FINAL_STAGE)
