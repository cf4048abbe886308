"""Follows the logs of one run, as far as they can be, without ever failing it."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_emrkit.hooks.errors import error_code, explain, is_aws_error, is_transient
from airflow_provider_emrkit.hooks.patience import Trouble
from airflow_provider_emrkit.logs.cluster_sources import NoSources
from airflow_provider_emrkit.logs.tail import LogTail
from airflow_provider_emrkit.logs.text import one_line
from airflow_provider_emrkit.logs.volume import DEFAULT_MAX_LINES, DEFAULT_MAX_RUN_LINES, RunVolume
from airflow_provider_emrkit.runs.states import RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_emrkit.logs.sources import LogLine, LogSources
    from airflow_provider_emrkit.logs.tail import NewLines
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.protocol import Runs
    from airflow_provider_emrkit.runs.states import RunStatus

# Seconds of the longest pause between two looks at silent logs while the API quota is short, and while it is
# used up: logs of jobs that write or have ended would have to wait as well. And the part of the quota's burst
# from which on it is short.
LONGEST_SILENCE = 30.0
LONGEST_SHORTAGE = 600.0
SHORT_SPARE = 0.5
# Seconds between two looks at logs of which so much has been shown that the rest is only counted.
COUNTING_PAUSE = 10.0
# Seconds for which a log that is long is read on after the end of its job, at most.
LONGEST_READING = 300.0
# Lines before the end of a log that has been followed before, which it is followed from.
TAIL_LINES = 10_000

# The call that reading logs makes most.
LOG_OPERATION = "GetLogEvents"


@dataclass(frozen=True)
class Pace:
    """How often to look, in seconds.

    :param poll: Between two looks at the state.
    :param logs: Between two looks at the logs.
    :param drain: How long the logs must have been silent after the end of the job; they come a little late.
    :param max_drain: How long to wait for that silence.
    :param max_lines: Lines to show at most for one look at the logs.
    :param max_run_lines: Lines to show at most for the whole run, beside its last ones.

    >>> Pace(poll=30.0).logs
    2.0
    """

    poll: float = 5.0
    logs: float = 2.0
    drain: float = 5.0
    max_drain: float = 30.0
    max_lines: int = DEFAULT_MAX_LINES
    max_run_lines: int = DEFAULT_MAX_RUN_LINES


@dataclass(frozen=True)
class Note:
    """Something to tell in the task's log.

    :param level: A level of :mod:`logging`.
    """

    level: int
    text: str


def _plenty() -> float:
    return 1.0


@dataclass
class LogWatch:
    """The logs of one run. Not thread-safe; ``read`` blocks for as long as AWS takes to answer.

    :param run: The run.
    :param runs: Where it runs.
    :param pace: How often to look.
    :param clock: Seconds that only go up.
    :param jitter: A random number from 0 to 1.
    :param spare: What is left of the API quota's burst, from 0 to 1.
    :param on_aws: Whether the AWS console shows the logs, so that what is left out can be linked.
    :param again: Whether the logs may have been followed before: then they are followed from
        :data:`TAIL_LINES` before their end, which is said.

    >>> watch = LogWatch(run, runs, Pace())  # doctest: +SKIP
    >>> watch.see(status)  # doctest: +SKIP
    >>> lines, notes = watch.read()  # doctest: +SKIP
    >>> lines, notes = watch.close()  # doctest: +SKIP
    """

    run: JobRun
    runs: Runs
    pace: Pace
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    spare: Callable[[], float] = _plenty
    on_aws: bool = True
    again: bool = False
    _tail: LogTail | None = None
    _next_read: float = 0.0
    _ended: float | None = None
    _last_line: float = 0.0
    _looked: float = float("-inf")
    _silence: int = 0
    _late: float = 0.0
    _has_started: bool = False
    _given_up: bool = False
    _read_since_end: bool = False
    _is_complete: bool = True
    _noted: str = ""
    _refused: set[tuple[str, str]] = field(default_factory=set)
    _trouble: Trouble = field(init=False)
    _volume: RunVolume = field(init=False)

    def __post_init__(self) -> None:
        self._trouble = Trouble(self.jitter)
        self._volume = RunVolume(self.pace.max_run_lines)

    def see(self, status: RunStatus) -> None:
        """Learn how the run is doing: before it runs there is nothing to read, and asking costs quota."""
        self._has_started = may_have_lines(status)
        if status.state.is_final and self._ended is None:
            self._ended = self._last_line = self.clock()
            self._next_read = 0.0
            if self._tail is not None:
                self._tail.sources.note_end()

    @property
    def due(self) -> float | None:
        """When the next look is due, by the clock; None for never, as far as is known."""
        return self._next_read if self._may_have_lines() else None

    @property
    def is_over(self) -> bool:
        """Whether the run has ended and what it wrote is read."""
        if self._ended is None:
            return False
        if not self._may_have_lines():
            return True
        uploaded = self._looked >= self._ended + self._uploaded_within
        if self._slowest_pause and self._read_since_end and uploaded:
            return True  # what is uploaded every few minutes is not waited for
        # What no look has found silent is not: whoever asks may do so between two looks.
        silent = self._looked - max(self._ended, self._last_line)
        if self._is_complete and uploaded and silent >= self.pace.drain:
            return True
        return self.clock() >= self._ended + (self.pace.max_drain if self._is_complete else LONGEST_READING)

    @property
    def has_lines(self) -> bool:
        """Whether anything has been read."""
        return self._tail is not None and bool(self._tail.spoken)

    def read(self) -> tuple[Sequence[LogLine], Sequence[Note]]:
        """Read what is new; gives lines, and what there is to tell about the logs themselves."""
        notes: list[Note] = []
        try:
            lines = self._read(notes)
        except Exception as error:  # whatever it is: it is about the log alone, and the job goes on
            lines = ()
            self._note_trouble(error, notes)
        return lines, notes

    def close(self) -> tuple[Sequence[LogLine], Sequence[Note]]:
        """Give the last lines where only counting went on, and tell how many lines are not shown."""
        lines, left_out = self._volume.rest(), self._volume.left_out
        if not (left_out or self._may_miss_end):
            return lines, self._silence_note()
        missing = [f"{left_out:,} lines of the job's log are not shown here"] if left_out else []
        if self._may_miss_end:
            missing.append("the last lines of the job's log could not be read in time")
        where = self._places()
        text = f"{'; '.join(missing)}.{f' All of it: {where}' if where else ''}"
        return lines, [Note(logging.INFO, text[0].upper() + text[1:])]

    def rest(self) -> Sequence[LogLine]:
        """Read what came after the watch was over; blocks.

        :raises Exception: what AWS raised.
        """
        if self._tail is None or self._given_up:
            return ()
        new = self._tail.read()
        if new.errors and not new.lines:
            raise new.errors[0]
        return new.lines

    @property
    def _may_miss_end(self) -> bool:
        return not self._given_up and (not self._is_complete or self._trouble.streak > 0)

    @property
    def _slowest_pause(self) -> float:
        """The seconds between two looks that the sources ask for; 0 where they don't."""
        return (self._tail.sources.pause or 0.0) if self._tail else 0.0

    @property
    def _uploaded_within(self) -> float:
        return self._tail.sources.uploaded_within if self._tail else 0.0

    def _may_have_lines(self) -> bool:
        return self._has_started and not self._given_up

    def _read(self, notes: list[Note]) -> Sequence[LogLine]:
        now = self.clock()
        self._late = now - (self._next_read or now)
        self._next_read = now + self.pace.logs
        if self._tail is None:
            self._tail = self._open(notes)
        new = self._tail.read(sparing=self._is_sparing(self._tail))
        self._note_news(self._tail.sources, notes)
        self._silence = 0 if new.lines else self._silence + 1
        # Reading may have taken long: the pause starts when it is over.
        self._next_read = self.clock() + (self._pause() if new.complete else 0.0)
        self._is_complete = new.complete
        if not self._note_errors(new.errors, notes):
            self._trouble.end()
            # What came while the look took its time may be in none of its answers.
            self._looked = now
            self._read_since_end = self._ended is not None and now >= self._ended and new.complete
        if new.lines:
            self._last_line = self.clock()
            self._note_again(new, notes)
        return self._volume.admit(new.lines, new.left_out)

    def _is_sparing(self, tail: LogTail) -> bool:
        """Tell whether to read silent sources seldom: before the end, where others need the calls."""
        if self._ended is not None or self._silence:
            return False
        return tail.is_crowded or self.spare() < SHORT_SPARE

    def _pause(self) -> float:
        """Give the seconds until the next look; silent logs make room for others where calls are short."""
        pause = max(self.pace.logs, self._slowest_pause)
        if self._ended is not None:
            return pause
        if self._volume.is_full:
            pause = max(pause, COUNTING_PAUSE)
        spare = self.spare()
        if not self._silence or spare >= SHORT_SPARE:
            return pause
        longest, seconds = max(LONGEST_SILENCE, pause), pause * 2.0 ** min(self._silence, 16)
        if not spare:
            # Who has waited for long for his turn is one of many who did.
            longest, seconds = max(LONGEST_SHORTAGE, pause), max(seconds, 2 * self._late)
        return min(longest, seconds) * (0.75 + 0.5 * self.jitter())

    def _note_news(self, sources: LogSources, notes: list[Note]) -> None:
        """Tell what there is to know about the sources, and later what is new of it."""
        note = sources.note or ""
        if note not in self._noted:
            notes.append(Note(logging.INFO, note.removeprefix(self._noted).strip()))
            self._noted = note

    def _silence_note(self) -> Sequence[Note]:
        """Say why there may be no line at all, where the sources know and have not said so."""
        silence = self._tail.sources.silence if self._tail else None
        if not silence or self.has_lines or silence in self._noted:
            return ()
        if self._given_up or self._refused:
            return ()  # why there is nothing has been told
        return [Note(logging.WARNING, silence)]

    def _note_again(self, new: NewLines, notes: list[Note]) -> None:
        """Say once what is shown of a log that may have been followed before."""
        if not self.again:
            return
        self.again = False
        why = "the triggerer was started again, or this is another try"
        text = f"The job may have been followed before ({why}): "
        if new.skipped:
            text += (
                f"the last {len(new.lines):,} lines of its log so far are shown. All of it: {self._places()}"
            )
        else:
            text += "its log is shown from its start"
        notes.append(Note(logging.INFO, text))

    def _places(self) -> str:
        return self._tail.places(self.run.region, on_aws=self.on_aws) if self._tail else ""

    def _open(self, notes: list[Note]) -> LogTail:
        sources = self.runs.log_sources(self.run)
        self._note_news(sources, notes)
        if isinstance(sources, NoSources):
            self._given_up = True
        if self._ended is not None:
            sources.note_end()
        return LogTail(
            sources, self.pace.max_lines, from_end=TAIL_LINES if self.again else None, clock=self.clock
        )

    def _note_errors(self, errors: Sequence[Exception], notes: list[Note]) -> bool:
        """Say what of the logs is refused, the others go on; gives whether there was trouble that passes."""
        passing = [error for error in errors if is_transient(error)]
        for error in errors:
            # One sentence for all the streams that the same action lacks for.
            kind = (error_code(error) or type(error).__name__, getattr(error, "operation_name", ""))
            if error not in passing and kind not in self._refused:
                self._refused.add(kind)
                text = f"Some of the job's logs can't be shown here: {self._reason(error)}"
                notes.append(Note(logging.WARNING, text))
        if passing:
            self._back_off(passing[0], notes)
        return bool(passing)

    def _note_trouble(self, error: Exception, notes: list[Note]) -> None:
        """Back off when that helps, else say so and go on without the logs."""
        if is_transient(error):
            self._back_off(error, notes)
            return
        self._given_up = True
        notes.append(Note(logging.WARNING, f"The job's logs can't be shown here: {self._reason(error)}"))

    def _back_off(self, error: Exception, notes: list[Note]) -> None:
        now = self.clock()
        self._next_read = now + self._trouble.delay(self.pace.logs)
        if self._ended is not None:
            # A time without answers is no silence, but it is not waited for longer than for that.
            self._last_line = now
            self._next_read = min(self._next_read, max(now, self._ended + self.pace.max_drain))
        if self._trouble.streak == 1:
            code = error_code(error) or type(error).__name__
            notes.append(Note(logging.WARNING, f"The job's logs could not be read ({code}); trying again."))

    def _reason(self, error: Exception) -> str:
        return explain(error, self.run.region) if is_aws_error(error) else one_line(repr(error))


def may_have_lines(status: RunStatus) -> bool:
    """Tell whether a job can have written anything."""
    return status.state not in (RunState.STARTING, RunState.QUEUED, RunState.NEVER_RAN)
