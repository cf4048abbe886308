"""The times that lines of a job carry in a task's log. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_emrkit.logs.sources import LogLine

# Milliseconds by which a line may be shown later than it was written, to have one of its own.
MAX_SHIFT = 500


class Moments:
    """Gives each line a time of its own: the time it was written at, or a few milliseconds later.

    Airflow merges the files of a task's log by milliseconds, lines of the same one by their numbers in the
    files, and drops a line that equals the one before. So only where a line has a millisecond of its own is
    it dropped when another process writes it again, as after a restart of the triggerer; and so Airflow 2
    keeps equal lines of one millisecond only where they are told apart. Where too many come at once, they
    share one, and microseconds tell them apart.

    The time depends on the lines just before alone, up to the last moment at which the job was silent. So it
    is the same again, whichever line was the first to be read, but for a few after that.

    >>> from airflow_provider_emrkit.logs.sources import LogLine
    >>> moments = Moments()
    >>> [moments.of(LogLine(7, text, "stdout")).microsecond for text in ("one", "two")]
    [7000, 8000]
    """

    def __init__(self) -> None:
        self._line = _Chain()
        self._late = _Chain()

    def of(self, line: LogLine) -> datetime:
        """Give the time of the next line; the present, where nobody knows when it was written."""
        if line.timestamp is None:
            return datetime.now(timezone.utc)
        # What came late, as an output that was found late does, is shown where it belongs.
        moment = self._line.next(line.timestamp) or self._late.next(line.timestamp)
        if moment is None:
            self._late = _Chain()
            moment = self._late.next(line.timestamp)
        millisecond, microsecond = moment or (line.timestamp, 0)
        second, rest = divmod(millisecond, 1000)
        return datetime.fromtimestamp(second, timezone.utc).replace(microsecond=rest * 1000 + microsecond)


@dataclass
class _Chain:
    """Milliseconds that only go up."""

    last: int = 0
    sharing: int = 0

    def next(self, written: int) -> tuple[int, int] | None:
        """Give the next line's millisecond and microsecond; None when it is too old to come next."""
        shift = self.last - written
        if shift > MAX_SHIFT:
            return None
        if shift == MAX_SHIFT:
            self.sharing = min(self.sharing + 1, 999)
        else:
            self.last, self.sharing = (written if shift < 0 else self.last + 1), 0
        return self.last, self.sharing
