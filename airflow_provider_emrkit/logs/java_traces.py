"""Reads the exceptions of the JVM out of a log, down to the one that began it all. Pure."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_emrkit.logs.python_traces import TRACEBACK, error_below, own_place
from airflow_provider_emrkit.logs.signals import tells_little
from airflow_provider_emrkit.logs.traces import CAUSED_BY, JAVA_FRAME, Standing, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emrkit.logs.traces import Page

# `java.lang.IllegalStateException: no driver`, `org.apache.hadoop.ipc.RemoteException(java.io.IOException):`
_ERROR = re.compile(r"(?:[a-z_][\w$]{0,100}\.){1,12}[A-Z][\w$.]{0,200}(?:\([\w$.]{1,200}\))?(?::.*|$)")
_ERROR_IN = re.compile(rf"(?:^|: )(?P<error>{_ERROR.pattern})")
_DIAGNOSTICS = "diagnostics: "
_IN_THREAD = re.compile(r'Exception(?::[^"]{0,200})? in thread "(?P<thread>[^"]{0,200})" ?(?P<error>.*)')
_LIBRARIES = re.compile(
    r"(?:[\w.@-]{0,100}/)?(?:java|javax|jdk|sun|com\.sun|scala|kotlin|py4j|org\.apache|com\.amazon|com\.amazonaws"
    r"|software\.amazon|io\.netty|org\.json4s|com\.fasterxml|com\.google|org\.codehaus|org\.sparkproject|io\.delta)\."
)
_STAGE = re.compile(
    r"Job aborted due to stage failure: .{0,300}?most recent failure: Lost task \S{1,40} in stage \S{1,40} "
    r"\(TID \d{1,12}\) \([^)]{0,300}\): (?P<why>.{0,2000})"
)
_STAGE_WHY = re.compile(r"Job aborted due to stage failure: (?P<why>(?!Task \d).{1,2000})")
# Threads in which nothing fails that matters.
_THREADS_OF_THE_END = re.compile(
    r"(?i)shutdown|(?:dispatcher|rpc|netty|heartbeat|context-cleaner|map-output)"
)
# What an exception says of a program that was ended by it.
_ENDED_BY = ("User class threw exception", "Uncaught exception:", "Error initializing SparkContext")
# Loggers whose exceptions come with an ending, or are told again by whoever fails for them.
_MINOR_LOGGERS = re.compile(
    r"ShutdownHookManager|Transport\w+|LiveListenerBus|AsyncEventQueue|Inbox|NettyRpcEnv|Dispatcher|BlockManager\w*"
    r"|DiskBlockManager|OneForOneBlockFetcher|RetryingBlock\w+|ContextCleaner|Utils|RpcOutboxMessage|EventLoggingListener"
    r"|SparkUncaughtExceptionHandler|CoarseGrainedExecutorBackend|YarnCoarseGrainedExecutorBackend|Heartbeat\w*"
)
_ERROR_CLASS = re.compile(r"\[[A-Z][A-Z0-9_.]{3,80}\] ")
# What begins something else below a stack.
_NEW = "Exception in thread "
# Characters of a logger's line that may name an exception.
_NAMED = 400
# Characters of a message by which it is known again.
_TELLING = 80
# The message of an exception may take many lines.
_LONGEST_MESSAGE = 200


@dataclass(frozen=True)
class _Entry:
    """One exception of a chain: index of its line, and its type and message."""

    index: int
    text: str


def java_traces(page: Page) -> Iterator[Trace]:
    """Find what was printed of exceptions, with how much each has to do with the end."""
    index = 0
    while index < len(page):
        head = _head(page, index)
        if head is None:
            index += 1
            continue
        error, found_standing = head
        last = end_of(page, error)
        if found_standing is Standing.FATAL or last > error:
            yield _trace(page, index, error, last, found_standing)
        index = max(last, error) + 1


def _trace(page: Page, first: int, error: int, last: int, found_standing: Standing) -> Trace:
    deepest = java_cause(page, error, last)
    place = deepest.place or java_place(page, error, last)
    return replace(deepest, first=first, last=last, place=place, standing=found_standing)


def _head(page: Page, index: int) -> tuple[int, Standing] | None:
    """Tell whether an exception begins at a line; gives the line with its type, and its standing."""
    line, record = page.lines[index], page.records[index]
    if record is not None:
        return _logged_head(page, index)
    thread = _IN_THREAD.match(line) if line.startswith("Exception") else None
    if thread:
        return index, _thread_standing(thread["thread"])
    if _DIAGNOSTICS in line[:40] and _is_ending(line) and _error_in(line):
        return index, Standing.FATAL
    return (index, Standing.LOGGED) if _ERROR.match(line.removeprefix(": ")) else None


def _is_ending(line: str) -> bool:
    start = line[:_NAMED]
    return any(words in start for words in _ENDED_BY)


def _thread_standing(thread: str) -> Standing:
    if thread in ("main", "Driver"):
        return Standing.FATAL
    return Standing.MINOR if _THREADS_OF_THE_END.match(thread) else Standing.LOGGED


def _logged_head(page: Page, index: int) -> tuple[int, Standing] | None:
    record = page.records[index]
    if record is None or record.level < logging.WARNING:
        return None
    if _is_ending(record.message):
        found_standing = Standing.FATAL
    elif record.level < logging.ERROR or _MINOR_LOGGERS.fullmatch(record.logger):
        found_standing = Standing.MINOR
    else:
        found_standing = Standing.LOGGED
    below = index + 1
    if below < len(page) and page.records[below] is None and _ERROR.match(page.lines[below]):
        return below, found_standing
    return (index, found_standing) if _error_in(record.message) else None


def end_of(page: Page, start: int) -> int:
    """Give the last line of what was printed of the exception that begins at a line."""
    last = start
    below = page.stack_below[start + 1]
    while below < len(page) and below - last <= _LONGEST_MESSAGE and _goes_on(page, last, below, start):
        last = below
        below = page.stack_below[last + 1]
    return last


def _goes_on(page: Page, last: int, below: int, start: int) -> bool:
    """Tell whether what is between two lines of a stack belongs to it: a message, and no new thing."""
    between = range(last + 1, below)
    if any(page.records[index] is not None or page.lines[index].startswith(_NEW) for index in between):
        return False
    in_message = last == start or page.lines[last].startswith(CAUSED_BY)
    return in_message or all(page.lines[index][:1] in (" ", "\t", "") for index in between)


def java_cause(page: Page, start: int, last: int) -> Trace:
    """Give the deepest exception of a stack that tells something; else the one on top.

    :param start: Index of the line with the exception on top.
    :param last: Index of the last line of the stack.
    """
    entries = [_Entry(start, _top(page, start))]
    for index in range(start + 1, last + 1):
        line = page.lines[index]
        if line.startswith(CAUSED_BY):
            entries.append(_Entry(index, page.continued(index).removeprefix(CAUSED_BY)))
    told = [_told(page, entry, last) for entry in entries]
    telling = [trace for trace in reversed(told) if not trace.emptiness]
    if not telling:
        return min(told, key=lambda trace: trace.emptiness)
    deepest = telling[0]
    above = next((trace for trace in telling[1:] if _says_the_same(trace, deepest)), None)
    return above or deepest


def _says_the_same(trace: Trace, deepest: Trace) -> bool:
    """Tell whether an exception says what the deepest one does, and more: the path, or what it means."""
    what, _, words = deepest.message.partition(": ")
    above, _, more = trace.message.partition(": ")
    # Of Spark's own exceptions the one with an error class is what it means to tell.
    if what.startswith("org.apache.spark.") and _ERROR_CLASS.match(more) and not _ERROR_CLASS.match(words):
        return True
    # SparkClassNotFoundException says in words what ClassNotFoundException only names.
    same = above.rpartition(".")[2].endswith(what.rpartition(".")[2])
    if same or (not words and not what.startswith("java.")):
        return " " not in words and " " in more
    before, quoted, _ = more.partition(deepest.message[:_TELLING])
    return bool(quoted) and len(before) > 3


def _top(page: Page, index: int) -> str:
    line = page.continued(index)
    record = page.records[index]
    if record is not None:
        return _error_in(record.message) or record.message
    thread = _IN_THREAD.match(line)
    if thread:
        return thread["error"]
    return _error_in(line) if _DIAGNOSTICS in line else line.removeprefix(": ")


def _error_in(message: str) -> str:
    """Give the exception within what a logger says; empty for none."""
    found = _ERROR_IN.search(message, 0, _NAMED) and _ERROR_IN.search(message)
    return found["error"] if found else ""


def _told(page: Page, entry: _Entry, last: int) -> Trace:
    """Say what one exception says, where Spark has put another one's words into its message."""
    why = stage_failure(entry.text)
    text = entry.text if why is None else why
    if text.rstrip().endswith(TRACEBACK):
        # Without a stack below it nothing tells where the message ends.
        end = last + 1 if last > entry.index else entry.index + _LONGEST_MESSAGE
        error = error_below(page, entry.index, min(end, len(page)))
        if error is not None:
            place = own_place(page, entry.index + 1, error)
            message = page.continued(error)
            little = tells_little(message)
            return Trace("python", message, error, entry.index, error, place, emptiness=little)
    message = text.strip()
    return Trace("java", message, entry.index, entry.index, entry.index, emptiness=tells_little(message))


def stage_failure(message: str) -> str | None:
    """Give why a task of a stage failed, from what Spark says about the job; None for anything else."""
    if "Job aborted due to stage failure" not in message:
        return None
    found = _STAGE.search(message) or _STAGE_WHY.search(message)
    return found["why"] if found else None


def java_place(page: Page, start: int, last: int) -> str:
    """Give the frame nearest to the deepest exception that is the author's code; empty for none."""
    found = ""
    deepest = False
    for index in range(start, last + 1):
        line = page.lines[index]
        if line.startswith(CAUSED_BY):
            deepest = False
            continue
        frame = None if deepest else JAVA_FRAME.match(line)
        if frame and frame["file"] and not _LIBRARIES.match(frame["method"]):
            found = f"{frame['file']} line {frame['line']}"
            deepest = True
    return found
