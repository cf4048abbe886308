"""Follows all sources of one run: each line once, by the time it was written, not too many at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.logs.sources import LogLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_emrkit.logs.sources import LogSource, LogSources, Read

DEFAULT_MAX_LINES = 1_000


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
    :param errors: What went wrong with single sources; they are read again from where they were.
    """

    lines: Sequence[LogLine] = ()
    complete: bool = True
    errors: Sequence[Exception] = ()


class LogTail:
    """Reads what is new from all sources of a run.

    :param sources: The run's sources.
    :param max_lines: Lines to give at most for one look; of more, the first and the last are given, with a
        line between them that says how many are missing.
    :param cursor: Where to start.

    >>> LogTail(runs.log_sources(run)).read().lines  # doctest: +SKIP
    """

    def __init__(
        self, sources: LogSources, max_lines: int = DEFAULT_MAX_LINES, cursor: LogCursor | None = None
    ) -> None:
        self.sources = sources
        self.cursor = cursor or LogCursor()
        self._max_lines = max_lines

    def read(self) -> NewLines:
        """Read what is new; blocks.

        :raises Exception: what AWS raised when the sources themselves could not be found out.
        """
        lines: list[LogLine] = []
        errors: list[Exception] = []
        complete = True
        seen: set[str] = set()
        # What is read may name further sources, whose first lines are waited for the most.
        while new := [source for source in self.sources.current() if source.name not in seen]:
            seen.update(source.name for source in new)
            found: list[LogLine] = []
            for source in new:
                try:
                    read = self._read(source)
                except Exception as error:  # one failing source must not lose the lines of the others
                    errors.append(error)
                    continue
                found += read.lines
                complete = complete and read.complete
            self.sources.observe(found)
            lines += found
        # Stable: lines of one source keep their order, also where two have the same time.
        ordered = sorted(lines, key=lambda line: line.timestamp or 0)
        return NewLines(shortened(ordered, self._max_lines), complete, errors)

    def _read(self, source: LogSource) -> Read:
        read = source.read(self.cursor.positions.get(source.name))
        if read.cursor is not None:
            self.cursor.positions[source.name] = read.cursor
        return read


def shortened(lines: Sequence[LogLine], maximum: int) -> Sequence[LogLine]:
    """Keep the first and the last lines of too many, and say how many are missing."""
    left_out = len(lines) - maximum
    if left_out <= 0:
        return lines
    head = maximum // 2
    tail = maximum - head
    text = f"… {left_out:,} lines left out here, because more than {maximum:,} came at once …"
    return [*lines[:head], LogLine(lines[head].timestamp, text, "emrkit"), *lines[len(lines) - tail :]]
