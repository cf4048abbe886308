"""Watches one run to its end, state and log lines, in steps that a worker and a triggerer take alike."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_emrkit.hooks.errors import error_code, explain, is_aws_error, is_transient
from airflow_provider_emrkit.logs.cluster_sources import NoSources
from airflow_provider_emrkit.logs.tail import DEFAULT_MAX_LINES, LogTail
from airflow_provider_emrkit.runs.progress import Progress
from airflow_provider_emrkit.runs.states import RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_emrkit.logs.sources import LogLine
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.protocol import Runs
    from airflow_provider_emrkit.runs.states import RunStatus

MAX_BACKOFF = 60.0

# Seconds after a change of state in which a job that waits for its start is looked at as often as its log:
# the sooner it is known to run, the sooner its first lines are shown.
SOON = 30.0


@dataclass(frozen=True)
class Pace:
    """How often to look, in seconds.

    :param poll: Between two looks at the state.
    :param logs: Between two looks at the logs.
    :param drain: How long the logs must have been silent after the end of the job; they come a little late.
    :param max_drain: How long to wait for that silence.
    :param max_lines: Lines to show at most for one look at the logs.

    >>> Pace(poll=30.0).logs
    2.0
    """

    poll: float = 5.0
    logs: float = 2.0
    drain: float = 5.0
    max_drain: float = 30.0
    max_lines: int = DEFAULT_MAX_LINES


@dataclass(frozen=True)
class Note:
    """Something to tell in the task's log.

    :param level: A level of :mod:`logging`.
    """

    level: int
    text: str


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
class _Trouble:
    """A streak of calls that failed for reasons that pass: told once, and backed off with jitter."""

    jitter: Callable[[], float]
    streak: int = 0

    def delay(self, pause: float) -> float:
        self.streak += 1
        longest: float = min(MAX_BACKOFF, pause * 2**self.streak)
        return pause + self.jitter() * max(0.0, longest - pause)


@dataclass
class RunWatch:
    """One watched run. Not thread-safe; ``tick`` blocks for as long as AWS takes to answer.

    Throttling, faults of AWS and broken connections never fail the run, and trouble with its logs does not
    either.

    :param run: The run.
    :param runs: Where it runs.
    :param pace: How often to look.
    :param clock: Seconds that only go up.
    :param now: Seconds since 1970.
    :param jitter: A random number from 0 to 1.

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
    status: RunStatus | None = None
    _tail: LogTail | None = None
    _next_poll: float = 0.0
    _next_read: float = 0.0
    _ended: float | None = None
    _last_line: float = 0.0
    _changed: float = 0.0
    _logs_given_up: bool = False

    def __post_init__(self) -> None:
        self._progress = Progress(self.run)
        self._polling = _Trouble(self.jitter)
        self._reading = _Trouble(self.jitter)

    def tick(self) -> Tick:
        """Look at what is due.

        :raises botocore.exceptions.ClientError: when AWS refuses to tell the run's state for good.
        """
        notes: list[Note] = []
        if self._ended is None and self.clock() >= self._next_poll:
            self._poll(notes)
        lines = self._read(notes) if self._may_have_lines() and self.clock() >= self._next_read else ()
        done = self._ended is not None and self._drained(self._ended)
        return Tick(self.status, notes, lines, done, 0.0 if done else self._delay())

    def _poll(self, notes: list[Note]) -> None:
        try:
            self.status = self.runs.states([self.run])[self.run]
        except Exception as error:
            if not is_transient(error):
                raise
            self._next_poll = self.clock() + self._polling.delay(self.pace.poll)
            if self._polling.streak == 1:
                code = error_code(error) or type(error).__name__
                text = f"EMR did not answer ({code}); the job goes on, asking again more slowly."
                notes.append(Note(logging.WARNING, text))
            return
        self._polling.streak = 0
        # Spread over the interval, so that tasks that started together do not ask together.
        news = self._progress.news(self.status, self.now())
        notes += [Note(logging.INFO, text) for text in news]
        if news:
            self._changed = self.clock()
        self._next_poll = self.clock() + self._pause() * (0.9 + 0.2 * self.jitter())
        if self.status.state.is_final:
            self._ended = self._last_line = self.clock()
            self._next_read = 0.0

    def _pause(self) -> float:
        waits = self.status is not None and self.status.state in (RunState.STARTING, RunState.QUEUED)
        soon = waits and self.clock() - self._changed < SOON
        return min(self.pace.poll, self.pace.logs) if soon else self.pace.poll

    def _may_have_lines(self) -> bool:
        """Before the job runs there is nothing to read, and asking costs quota."""
        if self._logs_given_up or self.status is None:
            return False
        return self.status.state not in (RunState.STARTING, RunState.QUEUED, RunState.NEVER_RAN)

    def _read(self, notes: list[Note]) -> Sequence[LogLine]:
        self._next_read = self.clock() + self.pace.logs
        try:
            if self._tail is None:
                self._tail = self._open_logs(notes)
            new = self._tail.read()
        except Exception as error:
            if not is_aws_error(error):
                raise
            self._note_log_trouble(error, notes)
            return ()
        if new.errors:
            self._note_log_trouble(new.errors[0], notes)
        else:
            self._reading.streak = 0
        if new.lines:
            self._last_line = self.clock()
        if not new.complete:
            self._next_read = self.clock()
        return new.lines

    def _open_logs(self, notes: list[Note]) -> LogTail:
        sources = self.runs.log_sources(self.run)
        if sources.note:
            notes.append(Note(logging.INFO, sources.note))
        if isinstance(sources, NoSources):
            self._logs_given_up = True
        return LogTail(sources, self.pace.max_lines)

    def _note_log_trouble(self, error: Exception, notes: list[Note]) -> None:
        """A run is not failed for its logs: back off when that helps, else say so and go on without them."""
        if is_transient(error):
            self._next_read = self.clock() + self._reading.delay(self.pace.logs)
            if self._reading.streak == 1:
                code = error_code(error) or type(error).__name__
                notes.append(
                    Note(logging.WARNING, f"The job's logs could not be read ({code}); trying again.")
                )
            return
        self._logs_given_up = True
        reason = explain(error, self.run.region)
        notes.append(Note(logging.WARNING, f"The job's logs can't be shown here: {reason}"))

    def _drained(self, ended: float) -> bool:
        if not self._may_have_lines():
            return True
        silent_since = max(ended, self._last_line)
        return self.clock() - silent_since >= self.pace.drain or self.clock() - ended >= self.pace.max_drain

    def _delay(self) -> float:
        due = [] if self._ended is not None else [self._next_poll]
        if self._may_have_lines():
            due.append(self._next_read)
        return max(0.0, min(due, default=self.clock()) - self.clock())
