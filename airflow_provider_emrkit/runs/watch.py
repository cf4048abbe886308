"""Watches one run to its end, state and log lines, as a worker does that waits for one run alone."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_emrkit.hooks.errors import error_code, is_aws_error, is_transient, typed
from airflow_provider_emrkit.hooks.patience import Trouble
from airflow_provider_emrkit.runs.log_watch import LogWatch, Note, Pace
from airflow_provider_emrkit.runs.pacing import Situation, pause
from airflow_provider_emrkit.runs.progress import Progress
from airflow_provider_emrkit.runs.tolerance import Tolerance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_emrkit.logs.sources import LogLine
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.protocol import Runs
    from airflow_provider_emrkit.runs.states import RunStatus

__all__ = ["Note", "Pace", "RunWatch", "Tick", "no_answer"]


@dataclass(frozen=True)
class Tick:
    """What one look gave.

    :param status: How the run is doing, as far as is known; None before the first answer.
    :param notes: What emrkit has to tell.
    :param lines: What the job wrote.
    :param done: Whether the run has ended and its logs are read.
    :param delay: Seconds until the next look is due.
    """

    status: RunStatus | None
    notes: Sequence[Note] = ()
    lines: Sequence[LogLine] = ()
    done: bool = False
    delay: float = 0.0


@dataclass
class RunWatch:
    """One watched run. Not thread-safe; ``tick`` blocks for as long as AWS takes to answer.

    Throttling, faults of AWS and broken connections never fail the run, and trouble with its logs does not
    either. (A triggerer that watches many has
    :class:`~airflow_provider_emrkit.triggers.poller.SharedPoller`.)

    :param run: The run.
    :param runs: Where it runs.
    :param pace: How often to look.
    :param clock: Seconds that only go up.
    :param now: Seconds since 1970.
    :param jitter: A random number from 0 to 1.
    :param on_aws: Whether the AWS console shows the run.
    :param again: Whether the run may have been followed before.

    >>> watch = RunWatch(run, runs)  # doctest: +SKIP
    >>> while not (tick := watch.tick()).done:  # doctest: +SKIP
    ...     stop.wait(tick.delay)
    """

    run: JobRun
    runs: Runs
    pace: Pace = field(default_factory=Pace)
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    jitter: Callable[[], float] = random.random
    on_aws: bool = True
    again: bool = False
    status: RunStatus | None = None
    _next_poll: float = 0.0
    _changed: float = 0.0

    def __post_init__(self) -> None:
        self._progress = Progress(self.run)
        self._polling = Trouble(self.jitter)
        self._tolerance = Tolerance()
        self._logs = LogWatch(
            self.run, self.runs, self.pace, self.clock, self.jitter, on_aws=self.on_aws, again=self.again
        )

    def tick(self, *, look: bool = False) -> Tick:
        """Look at what is due.

        :param look: Look at the run's state also where that is not due.
        :raises EmrKitError: when AWS refuses to tell the run's state for good; the type says why.
        """
        notes: list[Note] = []
        if not self._has_ended() and (look or self.clock() >= self._next_poll):
            self._poll(notes)
        lines, more = self._logs.read() if self._logs_are_due() else ((), ())
        done = self._has_ended() and self._logs.is_over
        if done:
            last, told = self._logs.close()
            lines, more = [*lines, *last], [*more, *told]
        return Tick(self.status, [*notes, *more], lines, done, 0.0 if done else self._delay())

    @property
    def has_lines(self) -> bool:
        """Whether the job's log has given any."""
        return self._logs.has_lines

    def late_lines(self) -> Sequence[LogLine]:
        """Read what the job's log has got since the last look; blocks.

        :raises Exception: what AWS raised.
        """
        return self._logs.rest()

    def _logs_are_due(self) -> bool:
        return self._logs.due is not None and self.clock() >= self._logs.due

    def _has_ended(self) -> bool:
        return self.status is not None and self.status.state.is_final

    def _poll(self, notes: list[Note]) -> None:
        try:
            self.status = self.runs.states([self.run])[self.run]
        except Exception as error:
            self._next_poll = self.clock() + self._after_failure(error, notes)
            return
        self._polling.end()
        self._tolerance.end()
        news = self._progress.news(self.status, self.now())
        notes += [Note(logging.INFO, text) for text in news]
        notes += [Note(logging.WARNING, text) for text in self._progress.doubts(self.status)]
        if news:
            self._changed = self.clock()
        self._logs.see(self.status)
        situation = Situation(self.status, self.clock() - self._changed)
        # Spread over the interval, so that tasks that started together do not ask together.
        seconds = pause(self.pace.poll, situation, soon=self.pace.logs)
        self._next_poll = self.clock() + seconds * (0.9 + 0.2 * self.jitter())

    def _after_failure(self, error: Exception, notes: list[Note]) -> float:
        """Give the seconds until the next look after one that failed."""
        if is_transient(error):
            delay = self._polling.delay(self.pace.poll)
            if self._polling.streak == 1:
                notes.append(no_answer(error))
            return delay
        refusal_pause = self._tolerance.pause(error, self.run.submitted_at)
        if refusal_pause is not None:
            return refusal_pause
        if not is_aws_error(error):
            raise error
        raise typed(f"{self.run} can't be watched", error, self.run.region) from error

    def _delay(self) -> float:
        due = [] if self._has_ended() else [self._next_poll]
        if self._logs.due is not None:
            due.append(self._logs.due)
        return max(0.0, min(due, default=self.clock()) - self.clock())


def no_answer(error: BaseException) -> Note:
    """Tell that EMR could not be asked, which does the run no harm."""
    code = error_code(error) or type(error).__name__
    return Note(logging.WARNING, f"EMR did not answer ({code}); the job goes on, asking again more slowly.")
