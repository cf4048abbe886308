"""Follows all sources of one run: each line once, by the time it was written, not too many at once."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.errors import is_timeout
from airflow_provider_emrkit.logs.refusals import Refusals
from airflow_provider_emrkit.logs.volume import DEFAULT_MAX_LINES, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_emrkit.logs.sources import LogLine, LogSource, LogSources, Read

# More sources than a job's driver and spark-submit have.
MANY_SOURCES = 8
# Where calls are to be spared, a source is read again after this part of the time it has been silent for, and
# after so many seconds at most.
SPARING = 0.25
LONGEST_SPARING = 15.0

# No source has this name.
_LISTING = ""


@dataclass
class LogCursor:
    """How far each source of a run has been read.

    >>> cursor = LogCursor()
    >>> cursor.positions["/aws/emr/j-1 steps/s-1/stderr"] = "f/123"
    """

    positions: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class NewLines:
    """What has been written since the last look.

    :param lines: Ordered by time.
    :param complete: Whether that was all there is for now.
    :param errors: What went wrong with single sources, or when looking for further ones; they are read again
        from where they were, after a while where they were refused.
    :param left_out: How many lines there were beside these.
    :param skipped: Whether there are lines before these that were not read, nor counted.
    """

    lines: Sequence[LogLine] = ()
    complete: bool = True
    errors: Sequence[Exception] = ()
    left_out: int = 0
    skipped: bool = False


class LogTail:
    """Reads what is new from all sources of a run.

    :param sources: The run's sources.
    :param max_lines: Lines to give at most for one look; of more, the first and the last are given, with a
        line between them that says how many are missing.
    :param cursor: Where to start.
    :param from_end: Where to start without a cursor: that many lines before the end, and not at the start.
        They are given in one look, whatever ``max_lines``.
    :param clock: Seconds that only go up.

    >>> LogTail(runs.log_sources(run)).read().lines  # doctest: +SKIP
    """

    def __init__(
        self,
        sources: LogSources,
        max_lines: int = DEFAULT_MAX_LINES,
        cursor: LogCursor | None = None,
        from_end: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sources = sources
        self.cursor = cursor or LogCursor()
        self.spoken: dict[str, LogSource] = {}
        self._max_lines = max_lines
        self._from_end = from_end
        self._clock = clock
        self._known: Sequence[LogSource] = ()
        self._spoke_at: dict[str, float] = {}
        self._read_at: dict[str, float] = {}
        self._refusals = Refusals(clock)

    @property
    def is_crowded(self) -> bool:
        """Whether there are so many sources that reading all of them takes much of an account's quota."""
        return len(self._known) > MANY_SOURCES

    def read(self, *, sparing: bool = False) -> NewLines:
        """Read what is new; blocks.

        :param sparing: Leave out sources that have been silent for long, most of the times.
        :raises Exception: what AWS raised when no source at all could be found out.
        """
        lines: list[LogLine] = []
        errors: list[Exception] = []
        complete, skipped = True, False
        seen: set[str] = set()
        # What is read may name further sources, whose first lines are waited for the most.
        while new := [source for source in self._current(errors) if source.name not in seen]:
            seen.update(source.name for source in new)
            found: list[LogLine] = []
            for source in new:
                if self._refusals.hold(source.name) or (sparing and self._is_quiet(source)):
                    continue
                try:
                    read = self._read(source)
                except Exception as error:  # one failing source must not lose the lines of the others
                    self._refusals.note(source.name, error)
                    errors.append(error)
                    if is_timeout(error):
                        break  # it takes minutes to be given up, and the others would take as long
                    continue
                if read.lines:
                    self.spoken[source.name] = source
                found += read.lines
                complete, skipped = complete and read.complete, skipped or read.skipped
            self.sources.observe(found)
            lines += found
        return self._ordered(lines, complete, errors, skipped)

    def places(self, region: str, *, on_aws: bool) -> str:
        """Tell where what was read is, what was found last (the driver's) first.

        :param on_aws: Whether the AWS console shows it.
        """
        found = reversed(self.spoken.values())
        return "; ".join(f"{one.label}: {one.link(region) if on_aws else one.name}" for one in found)

    def _current(self, errors: list[Exception]) -> Sequence[LogSource]:
        """Name the sources; where further ones can't be looked for, those that are known."""
        if self._refusals.hold(_LISTING):
            return self._known
        try:
            self._known = self.sources.current()
        except Exception as error:
            if not self._known:
                raise
            self._refusals.note(_LISTING, error)
            errors.append(error)
        return self._known

    def _is_quiet(self, source: LogSource) -> bool:
        now = self._clock()
        if source.name not in self._read_at:
            return False
        silent = now - self._spoke_at[source.name]
        return now - self._read_at[source.name] < min(LONGEST_SPARING, silent * SPARING)

    def _read(self, source: LogSource) -> Read:
        position = self.cursor.positions.get(source.name)
        from_end = self._from_end if position is None else None
        read = source.read(position) if from_end is None else source.from_end(from_end)
        if read.cursor is not None:
            self.cursor.positions[source.name] = read.cursor
        self._read_at[source.name] = now = self._clock()
        if read.lines or not read.complete or source.name not in self._spoke_at:
            self._spoke_at[source.name] = now
        return read

    def _ordered(
        self, lines: list[LogLine], complete: bool, errors: Sequence[Exception], skipped: bool
    ) -> NewLines:
        # Stable: lines of one source keep their order, also where two have the same time.
        ordered = sorted(lines, key=lambda line: line.timestamp or 0)
        if self._from_end is None:
            shown, left_out = shortened(ordered, self._max_lines)
            return NewLines(shown, complete, errors, left_out)
        last = ordered[-self._from_end :]
        if not errors:
            # Sources that appear from now on are new, and read from their start.
            self._from_end = None
        return NewLines(last, complete, errors, skipped=skipped or len(last) < len(ordered))
