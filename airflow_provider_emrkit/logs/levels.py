"""Reads the level of a log line from the line itself. Pure."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_emrkit.logs.sources import LogLine

# Levels below INFO are shown as INFO: Airflow drops what is below its own level, and nothing may be lost.
_LEVELS = {
    "TRACE": logging.INFO,
    "DEBUG": logging.INFO,
    "INFO": logging.INFO,
    "NOTICE": logging.INFO,
    "WARN": logging.WARNING,
    "WARNING": logging.WARNING,
    "ERROR": logging.ERROR,
    "SEVERE": logging.ERROR,
    "FATAL": logging.CRITICAL,
    "CRITICAL": logging.CRITICAL,
}
_LEVEL = "|".join(_LEVELS)

# A line's level stands at its start, perhaps after a time and some short words (logger, thread, number).
_TIME = r"\[?\d{2,4}[-/]\d{2}[-/]\d{2}[T ]\d{2}:\d{2}:\d{2}\S*\s+"
_LEVELLED = re.compile(
    rf"(?:{_TIME}(?:-\s+)?(?:\S{{1,120}}\s+(?:-\s+)?){{0,3}}?)?"
    rf"[\[(<]?(?P<level>{_LEVEL})[\])>]?(?=[\s:\-,\]]|$)"
    # `log4j:WARN …` and Python's `%(name)s - %(levelname)s - …`
    rf"|log4j:(?P<log4j>{_LEVEL})\s"
)
# Spark 4's structured logs, and other loggers that write JSON.
_JSON = re.compile(
    rf'\{{.{{0,2000}}?"(?:level|levelname|severity)"\s*:\s*"(?P<level>{_LEVEL})"', re.IGNORECASE
)
# What of the start of a line is looked at: a level stands there or nowhere.
_START = 2_200

_TRACEBACK = "Traceback (most recent call last):"
# java.lang.RuntimeException: …, pyspark.errors.exceptions.captured.AnalysisException: …, ValueError: …
_EXCEPTION = re.compile(
    r"(?:Exception in thread |Caused by: |Suppressed: )"
    r"|(?:[A-Za-z_$][\w$]*\.)*[A-Za-z_$][\w$]*(?:Exception|Error)(?::|$)"
)
# More of the entry before: indented, empty, the frames and causes of a stack trace, and what Python and py4j
# write between two of them.
_CONTINUED = re.compile(
    r"\s|$|at [\w$.]+[($/]|\.\.\. \d+ more|Driver stacktrace:|: [\w$.]+(?:Exception|Error)\b"
    r"|During handling of the above exception|The above exception was the direct cause"
)


class LevelReader:
    r"""Tells the levels of lines as they come; those of a stack trace have the level of their entry.

    Each output of a job is followed by itself, as lines of several come mixed.

    >>> from airflow_provider_emrkit.logs.sources import LogLine
    >>> reader = LevelReader()
    >>> reader.level(LogLine(1, "25/01/01 12:00:00 ERROR Executor: Exception in task 0.0", "stderr"))
    40
    >>> reader.level(LogLine(1, "\tat org.apache.spark.Task.run(Task.scala:141)", "stderr"))
    40
    >>> reader.level(LogLine(1, "rows: 3", "stdout"))
    20
    """

    def __init__(self) -> None:
        self._entries: dict[str, tuple[int, bool]] = {}

    def level(self, line: LogLine) -> int:
        """Give a level of :mod:`logging`, INFO at least."""
        level, is_traceback = self._entries.get(line.label, (0, False))
        entry = _next_entry(line.text, level, is_traceback)
        self._entries[line.label] = entry
        return entry[0] or logging.INFO


def _next_entry(text: str, level: int, is_traceback: bool) -> tuple[int, bool]:
    """Give the level of the entry that a line is part of, 0 for none, and whether it is a traceback.

    :param level: The level of the entry that the line before is part of, 0 for none.
    :param is_traceback: Whether that is a traceback of Python, whose last line names the exception.
    """
    found = level_of(text)
    if found is not None:
        return found, False
    if text.startswith(_TRACEBACK):
        return max(level, logging.ERROR) if level > logging.INFO else logging.ERROR, True
    if _CONTINUED.match(text):
        return level, is_traceback
    if _EXCEPTION.match(text):
        return level or logging.ERROR, False
    # The last line of a traceback may name any class.
    return (level, False) if is_traceback else (0, False)


def level_of(text: str) -> int | None:
    """Read the level that stands in a line itself; None when there is none.

    >>> level_of("WARNING:py4j:closing down"), level_of("an ERROR in a sentence")
    (30, None)
    """
    start = text[:_START]
    match = _LEVELLED.match(start)
    if match:
        return _LEVELS[match.group("level") or match.group("log4j")]
    if start.startswith("{"):
        match = _JSON.match(start)
        if match:
            return _LEVELS[match.group("level").upper()]
    return None
