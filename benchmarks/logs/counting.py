"""A log that is nobody's: it takes lines and remembers them, so that reading is measured without writing."""

from __future__ import annotations

import time
from typing import Any


class CountingLog:
    """Stands in for a task's logger.

    >>> log = CountingLog()
    >>> log.log(20, "%s", "a line", timestamp="2025-01-01T00:00:00+00:00")
    >>> [line for _, line in log.lines]
    ['a line']
    """

    def __init__(self) -> None:
        self.lines: list[tuple[float, str]] = []

    def log(self, _level: int, message: str, *args: Any, **_fields: Any) -> None:
        """Take a line."""
        self.lines.append((time.time(), message % args if args else message))

    def debug(self, message: str, *args: Any, **fields: Any) -> None:
        """Take a line."""
        self.log(10, message, *args, **fields)

    info = warning = error = exception = debug


# What all readers of this process write to, where it is the reading that is measured.
COUNTED = CountingLog()
