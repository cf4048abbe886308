"""Writes what a watch saw into a task's log."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit._compat import log_at
from airflow_provider_emrkit.logs.levels import LevelReader
from airflow_provider_emrkit.logs.moments import Moments
from airflow_provider_emrkit.logs.text import clean_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_emrkit.logs.sources import LogLine
    from airflow_provider_emrkit.runs.watch import Tick

# A triggerer writes a few lines in a millisecond, and serves all its triggers with one loop: many may write.
LINES_AT_ONCE = 10


class LogWriter:
    """Writes lines of a job with their level and time, and marked with the output they came from.

    See :class:`~airflow_provider_emrkit.logs.moments.Moments` for the times.

    :param log: ``self.log`` of an operator or a trigger.

    >>> LogWriter(self.log).write_all(tick)  # doctest: +SKIP
    """

    def __init__(self, log: Any) -> None:
        self._log = log
        self._moments = Moments()
        self._levels = LevelReader()

    def write_all(self, tick: Tick) -> None:
        """Write everything a look gave."""
        for _ in self.write_in_parts(tick):
            pass

    def write_in_parts(self, tick: Tick) -> Iterator[None]:
        """Write everything a look gave, and pause after each :data:`LINES_AT_ONCE` lines.

        A status that ends the run is told after the lines that came before it.
        """
        notes = list(tick.notes)
        if not (tick.status and tick.status.state.is_final):
            self._write_notes(notes)
            notes = []
        lines = iter(tick.lines)
        while part := list(islice(lines, LINES_AT_ONCE)):
            self.write(part)
            yield
        self._write_notes(notes)

    def write(self, lines: Sequence[LogLine]) -> None:
        """Write some lines."""
        for line in lines:
            log_at(self._log, self._levels.level(line), _marked(line), self._moments.of(line))

    def skip(self, lines: Sequence[LogLine]) -> None:
        """Pass over lines, so that those after them get the times and levels that they would have."""
        for line in lines:
            self._levels.level(line)
            self._moments.of(line)

    def _write_notes(self, notes: Sequence[Any]) -> None:
        for note in notes:
            self._log.log(note.level, "%s", note.text)


def _marked(line: LogLine) -> str:
    """Put a line's label before it; that may be the name of somebody's stream, and must not end early."""
    return f"[{clean_line(line.label).replace(']', ')')}] {line.text}"
