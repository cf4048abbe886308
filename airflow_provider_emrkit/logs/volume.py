"""How much of a run's log is shown: what is too much is counted. Pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from airflow_provider_emrkit.logs.sources import LogLine

if TYPE_CHECKING:
    from collections.abc import Sequence

# What emrkit's own lines among those of a job are marked with.
OWN_LABEL = "emrkit"

DEFAULT_MAX_LINES = 1_000
DEFAULT_MAX_RUN_LINES = 100_000
# Lines of the end that are shown all the same.
LAST_LINES = 100


def shortened(lines: Sequence[LogLine], maximum: int) -> tuple[Sequence[LogLine], int]:
    """Keep the first and the last lines of too many, with a line between them that says how many are missing.

    :return: The lines, and how many are missing.
    """
    left_out = len(lines) - maximum
    if left_out <= 0:
        return lines, 0
    head = maximum // 2
    text = f"… {left_out:,} lines left out here, because more than {maximum:,} came at once …"
    return [*lines[:head], _own(text, lines[head]), *lines[head + left_out :]], left_out


class RunVolume:
    """Lets so many lines of a run pass, then counts, and keeps the last ones for the end.

    :param maximum: Lines to let pass.

    >>> volume = RunVolume(1)
    >>> [line.text for line in volume.admit([LogLine(1, "a", "stdout"), LogLine(1, "b", "stdout")])]
    ['a', '… more than 1 lines: from here on they are counted, and the last 100 shown at the end …']
    >>> [line.text for line in volume.rest()]
    ['b']
    """

    def __init__(self, maximum: int = DEFAULT_MAX_RUN_LINES) -> None:
        self._maximum = maximum
        self._shown = 0
        self._cut = 0
        self._last: deque[LogLine] | None = None

    @property
    def is_full(self) -> bool:
        """Whether lines are only counted by now."""
        return self._last is not None

    def admit(self, lines: Sequence[LogLine], cut: int = 0) -> Sequence[LogLine]:
        """Give those of the next lines that are to be shown.

        :param cut: How many lines were left out of these before.
        """
        self._cut += cut
        room = max(0, self._maximum - self._shown)
        shown, rest = lines[:room], lines[room:]
        self._shown += len(shown)
        if not rest:
            return shown
        if self._last is not None:
            self._keep(self._last, rest)
            return ()
        self._last = deque(maxlen=LAST_LINES)
        self._keep(self._last, rest)
        text = (
            f"… more than {self._maximum:,} lines: from here on they are counted, "
            f"and the last {LAST_LINES} shown at the end …"
        )
        return [*shown, _own(text, rest[0])]

    @property
    def left_out(self) -> int:
        """How many lines have not been shown."""
        return self._cut

    def rest(self) -> Sequence[LogLine]:
        """Give the last lines, once, with a line before them that says how many were left out there."""
        if not self._last:
            return ()
        last, self._last = list(self._last), deque(maxlen=LAST_LINES)
        self._cut -= len(last)
        if not self._cut:
            return last
        return [_own(f"… {self._cut:,} lines left out …", last[0]), *last]

    def _keep(self, last: deque[LogLine], lines: Sequence[LogLine]) -> None:
        job_s = [line for line in lines if line.label != OWN_LABEL]
        self._cut += len(job_s)
        last.extend(job_s)


def _own(text: str, beside: LogLine) -> LogLine:
    return LogLine(beside.timestamp, text, OWN_LABEL)
