"""All exceptions of a log, in the order in which they were printed. Pure."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_emrkit.logs import python_traces
from airflow_provider_emrkit.logs.java_traces import end_of, java_cause, java_traces, stage_failure
from airflow_provider_emrkit.logs.python_traces import FROM, TRACEBACK, own_place
from airflow_provider_emrkit.logs.records import json_exception
from airflow_provider_emrkit.logs.signals import EMPTIEST, tells_little
from airflow_provider_emrkit.logs.traces import JVM_STACK, Standing, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_emrkit.logs.python_traces import Chain
    from airflow_provider_emrkit.logs.traces import Page

# Characters of an exception's message that are kept where another one is named with it.
_BESIDE_ANOTHER = 180
_BROKEN_CONNECTION = ("ConnectionRefusedError", "ConnectionResetError", "BrokenPipeError", "OSError")
# Lines below the message that show the piece of SQL that is meant.
_SQL_LINES = 12


def exceptions_in(page: Page) -> Sequence[Trace]:
    """Find all exceptions of a log, the oldest first."""
    python = [_python_trace(page, chain) for chain in python_traces.chains(page)]
    python += python_traces.headless(page)
    python += python_traces.groups(page)
    python += python_traces.crashes(page)
    inside = {index for trace in python for index in range(trace.first, trace.last + 1)}
    java = [trace for trace in java_traces(page) if trace.first not in inside]
    return sorted([*python, *java, *_json_traces(page)], key=lambda trace: (trace.first, trace.last))


def _python_trace(page: Page, chain: Chain) -> Trace:
    told = [_told(page, head, error) for head, error in chain.parts]
    last = max(trace.last for trace in told)
    found_standing, caught = python_traces.standing(page, chain.first, last)
    at = next((at for at in range(len(told) - 1, -1, -1) if not told[at].emptiness), len(told) - 1)
    chosen = told[at]
    words = told[0].message.partition(": ")[2]
    if at > 0 and not told[0].emptiness and not (words and words in chosen.message):
        how = "caused by" if chain.links[at - 1] == FROM else "while handling"
        chosen = replace(chosen, message=f"{_short(chosen.message)}, {how} {_short(told[0].message)}")
    return replace(chosen, first=chain.first, last=last, standing=found_standing, caught=caught)


def _short(message: str) -> str:
    return message if len(message) <= _BESIDE_ANOTHER else f"{message[:_BESIDE_ANOTHER]} …"


def _told(page: Page, head: int, error: int) -> Trace:
    """Say what one traceback says; the JVM prints its own exceptions below PySpark's."""
    message = page.continued(error)
    place = own_place(page, head, error)
    little = tells_little(message) or _broken_gateway(page, head, error)
    trace = Trace("python", message, error, head, _with_sql(page, error), place, emptiness=little)
    start = _below(page, error)
    if start is None:
        return trace
    last = end_of(page, start)
    inner = java_cause(page, start, last)
    if start == error and inner.emptiness:
        return replace(trace, last=max(last, trace.last))
    return replace(inner, first=head, last=max(last, inner.last, error), place=inner.place or place)


def _broken_gateway(page: Page, head: int, error: int) -> int:
    """Tell whether PySpark could not reach its JVM, which so has ended before."""
    if not page.lines[error].startswith(_BROKEN_CONNECTION):
        return 0
    return EMPTIEST if any("/py4j/" in line or "py4j-" in line for line in page.lines[head:error]) else 0


def _below(page: Page, error: int) -> int | None:
    """Give the line at which the JVM's own exception begins; None where there is none."""
    following = page.lines[error + 1] if error + 1 < len(page) else ""
    if following.startswith(": "):
        return error + 1
    line = page.lines[error]
    if tells_little(line):
        for index in range(error + 1, min(error + 4, len(page) - 1)):
            if page.lines[index].startswith(JVM_STACK):
                return index + 1
    return error if stage_failure(line) or line.rstrip().endswith(TRACEBACK) else None


def _with_sql(page: Page, error: int) -> int:
    """Give the last line of a message that quotes SQL."""
    below = range(error + 1, min(error + _SQL_LINES, len(page)))
    marks = [index for index in below if page.lines[index].rstrip().endswith("^^^")]
    quotes = any(page.lines[index].startswith("== SQL") for index in below)
    return marks[0] if marks and quotes else error


def _json_traces(page: Page) -> Iterator[Trace]:
    for index, line in enumerate(page.lines):
        record = page.records[index]
        found = json_exception(line) if record is not None and record.level >= logging.WARNING else None
        if record is None or found is None:
            continue
        whole = " ".join(found.text.split())
        own = [
            (file, number)
            for file, number in found.frames
            if file.endswith(".py") and python_traces.is_own(file)
        ]
        place = python_traces.place_of(*own[-1]) if own else ""
        kind = "python" if own else "java"
        found_standing = Standing.LOGGED if record.level >= logging.ERROR else Standing.MINOR
        message = stage_failure(whole) or whole
        little = tells_little(message)
        yield Trace(kind, message, index, index, index, place, found_standing, little, bool(own))
