"""State changes that come by themselves, from the events queue, into the event loop of the triggers."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from airflow_provider_emrkit.runs.states import RunState, RunStatus, step_state

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from airflow_provider_emrkit.events.queue import EventQueue, EventReader
    from airflow_provider_emrkit.events.state_change import StateChange

# Seconds for which an event that came proves that events come.
PROVEN_FOR = 3_600.0
# Ends that looking found first, after which it does not any more.
MISSES = 3
# Seconds without any run to wait for, after which nobody listens.
IDLE = 60.0

_STARTED = frozenset({"RUNNING"})


class Pushes:
    """Reads the events queue while there is somebody to tell.

    :param loop: The event loop of the triggers.
    :param hint: Takes a change, and what it says about a run where it says enough; called in the loop.
    :param is_watched: Tells whether somebody waits for a change; called in other threads.

    >>> Pushes(loop, poller.hint, poller.is_watched).follow(queue)  # doctest: +SKIP
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hint: Callable[[StateChange, RunStatus | None], None],
        is_watched: Callable[[StateChange], bool],
    ) -> None:
        self._loop = loop
        self._hint = hint
        self._is_watched = is_watched
        self._queue: EventQueue | None = None
        self._reader: EventReader | None = None
        self._stop = threading.Event()
        self._seen_at: dict[str, float] = {}
        self._missed: Counter[str] = Counter()
        self._idle: asyncio.TimerHandle | None = None

    def are_proven(self, kind: str) -> bool:
        """Tell whether changes are told by events for now: one came lately, and the queue answers.

        :param kind: The sort of runs. An event of one proves nothing of another, whose events a rule may
            leave out.
        """
        seen_at = self._seen_at.get(kind)
        if self._reader is None or seen_at is None or not self._reader.is_up:
            return False
        return self._loop.time() - seen_at < PROVEN_FOR

    def follow(self, queue: EventQueue | None) -> None:
        """Read a queue from now on; None for none."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if queue is self._queue and (self._reader is not None or queue is None):
            return
        self._end()
        self._queue = queue
        if queue is not None:
            from airflow_provider_emrkit.events.queue import EventReader

            self._stop = threading.Event()
            self._reader = EventReader(queue, self._deliver, self._stop)
            self._reader.start()

    def rest(self) -> None:
        """Stop reading in a while, if nobody has come by then."""
        if self._loop.is_closed():
            self._end()
        elif self._reader is not None and self._idle is None:
            self._idle = self._loop.call_later(IDLE, self._end)

    def note_missed(self, kind: str) -> None:
        """Learn that a run has ended without an event: when that goes on, events don't come any more.

        :param kind: The sort of run.
        """
        self._missed[kind] += 1
        if self._missed[kind] >= MISSES:
            self._seen_at.pop(kind, None)

    def _end(self) -> None:
        self._stop.set()
        self._reader = None

    def _deliver(self, change: StateChange) -> bool:
        """Take a change in the reader's thread."""
        if not self._is_watched(change) or self._loop.is_closed():
            return False
        self._loop.call_soon_threadsafe(self._take, change)
        return True

    def _take(self, change: StateChange) -> None:
        self._seen_at[change.run_kind], self._missed[change.run_kind] = self._loop.time(), 0
        self._hint(change, told(change))


def told(change: StateChange) -> RunStatus | None:
    """Give what an event says about a run; None for what is only a reason to look.

    >>> from airflow_provider_emrkit.events.state_change import StateChange
    >>> told(StateChange("step", "j-1", "s-1", "COMPLETED", 60.0)).state
    <RunState.SUCCEEDED: 'succeeded'>
    """
    state = step_state(change.state) if change.kind == "step" else RunState.QUEUED
    if state is RunState.QUEUED:  # also for words that EMR may invent
        return None
    return RunStatus(
        state,
        change.state,
        started_at=change.at if change.state in _STARTED else None,
        ended_at=change.at if state.is_final else None,
        by_event=True,
    )
