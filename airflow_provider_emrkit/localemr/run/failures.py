"""The line of a failed step's output that says what went wrong. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TAIL = 262_144
_LONGEST = 1_000

# A log4j line of Spark's own: `25/01/31 10:00:00 INFO Name: text`.
_LOG_LINE = re.compile(r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d (TRACE|DEBUG|INFO|WARN|ERROR|FATAL) ")
_JAVA_ERROR = re.compile(r'(Exception in thread "[^"]*" |Caused by: )')
_SUBMIT_ERROR = "Error: "
_TRACEBACK = "Traceback (most recent call last):"


def telling_line(stderr: Sequence[str], stdout: Sequence[str] = ()) -> str | None:
    """Find the line that tells why a command failed.

    The last line of the last Python traceback, which PySpark writes to stdout; without one, the ``Exception
    in thread`` line of Java; without that, what spark-submit says before it prints its usage, or the last
    line of stderr that is not Spark's own log.

    :param stderr: The end of the command's stderr.
    :param stdout: The end of its stdout.
    """
    found = _python_error(stdout) or _python_error(stderr) or _java_error(stderr)
    found = found or _submit_error(stderr) or _last_own_line(stderr)
    return found.strip()[:_LONGEST] if found else None


def failure_line(stderr: Path, stdout: Path) -> str | None:
    """Find the telling line at the end of a command's log files."""
    return telling_line(tail(stderr), tail(stdout))


def _python_error(lines: Sequence[str]) -> str | None:
    starts = [place for place, line in enumerate(lines) if line.rstrip().endswith(_TRACEBACK)]
    if not starts:
        return None
    return next((line for line in lines[starts[-1] + 1 :] if _ends_traceback(line)), None)


def _java_error(lines: Sequence[str]) -> str | None:
    return next((line for line in reversed(lines) if _JAVA_ERROR.match(line)), None)


def _submit_error(lines: Sequence[str]) -> str | None:
    return next((line for line in reversed(lines) if line.startswith(_SUBMIT_ERROR)), None)


def _last_own_line(lines: Sequence[str]) -> str | None:
    return next((line for line in reversed(lines) if line.strip() and not _LOG_LINE.match(line)), None)


def _ends_traceback(line: str) -> bool:
    return bool(line) and not line[0].isspace() and not _LOG_LINE.match(line)


def tail(path: Path) -> list[str]:
    """Read the last lines of a log file, at most 256 KiB of them."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        return file.read().decode("utf-8", "replace").splitlines()
