"""Tells the lines of loggers from what a program prints itself, and reads them. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from airflow_provider_emrkit.logs.levels import level_of

# Spark's own: `25/01/31 10:00:00 ERROR TaskSetManager: Task 0 in stage 0.0 failed 4 times; aborting job`.
_SPARK = re.compile(
    r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d [A-Z]{4,5} {1,5}(?:\[[^\]]{0,100}\] )?(?P<logger>[\w$.-]{1,200}): ?"
)


@dataclass(frozen=True)
class Record:
    """The first line of what a logger wrote.

    :param level: A level of :mod:`logging`.
    :param logger: Its logger; empty where that is not Spark's.
    :param message: What Spark's logger says; the whole line of any other.
    :param spark: Whether it has the form of Spark's own lines.

    >>> record_of("25/01/31 10:00:00 ERROR Utils: Aborting task").logger
    'Utils'
    """

    level: int
    logger: str
    message: str
    spark: bool = False


def record_of(line: str) -> Record | None:
    """Read the line of a logger; None for a line of anything else, also a record's second one.

    >>> record_of("ERROR:etl:no rows")
    Record(level=40, logger='', message='ERROR:etl:no rows', spark=False)
    """
    level = level_of(line)
    if level is None:
        return None
    found = _SPARK.match(line)
    if found:
        return Record(level, found["logger"], line[found.end() :].strip(), spark=True)
    return _json_record(line, level) if line.startswith("{") else Record(level, "", line.strip())


# --- Spark 4 writes JSON where `spark.log.structuredLogging.enabled` is set ------------------------------

_TEXT = r'"((?:[^"\\]|\\.){0,4000})'
_JSON_LOGGER = re.compile(r'"logger":\s?"([\w$.-]{1,200})"')
_JSON_MESSAGE = re.compile(rf'"msg":\s?{_TEXT}')
_JSON_EXCEPTION = re.compile(
    rf'"exception":\s?\{{"class":\s?"([\w$.<>]{{1,200}})"(?:,\s?"msg":\s?(?:null|{_TEXT}))?'
)
_JSON_FRAME = re.compile(r'"file":\s?"([^"\\]{1,300})",\s?"line":\s?"?(\d{1,7})')


@dataclass(frozen=True)
class JsonException:
    """An exception in a line of JSON.

    :param text: Its class and its message, which may have many lines.
    :param frames: Files and lines it went through.

    >>> json_exception('{"level":"ERROR","exception":{"class":"a.B","msg":"no"}}').text
    'a.B: no'
    """

    text: str
    frames: tuple[tuple[str, str], ...] = ()


def json_exception(line: str) -> JsonException | None:
    """Find the exception in a line of structured logging, which may have been cut anywhere."""
    if not line.startswith("{") or '"exception"' not in line:
        return None
    found = _JSON_EXCEPTION.search(line)
    if not found:
        return None
    message = _unescaped(found[2] or "")
    frames = tuple((frame[1], frame[2]) for frame in _JSON_FRAME.finditer(line, found.end()))
    return JsonException(f"{found[1]}: {message}" if message else found[1], frames)


def _json_record(line: str, level: int) -> Record:
    logger, message = _JSON_LOGGER.search(line), _JSON_MESSAGE.search(line)
    said = _unescaped(message[1]) if message else ""
    return Record(level, logger[1] if logger else "", said, spark=True)


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:  # cut within an escape
        return text
