"""Writes what a watch saw into a task's log."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit._compat import log_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_emrkit.logs.sources import LogLine
    from airflow_provider_emrkit.runs.watch import Tick

# A triggerer writes about two lines in a millisecond, and serves all its triggers with one loop.
LINES_AT_ONCE = 50


class LogWriter:
    """Writes lines of a job with the time they were written at, and marked with the output they came from.

    Airflow merges logs by time and drops repeated lines of the same moment. Lines of one millisecond are
    therefore told apart by microseconds.

    :param log: ``self.log`` of an operator or a trigger.

    >>> LogWriter(self.log).write_all(tick)  # doctest: +SKIP
    """

    def __init__(self, log: Any) -> None:
        self._log = log
        self._millisecond = 0
        self._in_millisecond = 0

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
            for line in part:
                log_at(self._log, logging.INFO, f"[{line.label}] {line.text}", self._moment(line))
            yield
        self._write_notes(notes)

    def _write_notes(self, notes: Sequence[Any]) -> None:
        for note in notes:
            self._log.log(note.level, "%s", note.text)

    def _moment(self, line: LogLine) -> datetime:
        if line.timestamp is None:
            return datetime.now(timezone.utc)
        same = line.timestamp == self._millisecond
        self._in_millisecond = min(self._in_millisecond + 1, 999) if same else 0
        self._millisecond = line.timestamp
        second, millisecond = divmod(line.timestamp, 1000)
        microsecond = millisecond * 1000 + self._in_millisecond
        return datetime.fromtimestamp(second, timezone.utc).replace(microsecond=microsecond)
