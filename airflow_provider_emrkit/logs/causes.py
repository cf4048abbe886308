"""Finds in a failed job's logs why it failed. Pure: text in, cause out."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_emrkit.logs.signals import MEMORY, SIGNALS, Signal, signal_in
from airflow_provider_emrkit.logs.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


@dataclass(frozen=True)
class LogText:
    """The end of one log.

    :param name: What the log is called, for people.
    :param lines: Its lines, oldest first.
    """

    name: str
    lines: Sequence[str]


@dataclass(frozen=True)
class Cause:
    """Why a job failed.

    :param message: One line, e.g. ``ValueError: no such day``.
    :param kind: What sort of message it is: ``python``, ``java``, ``memory``, ``docker``, ``node``,
        ``submit``, ``api`` (EMR's words), ``cluster`` (EMR's words about the cluster) or ``unknown``.
    :param source: The log it was found in; empty when EMR said it.
    :param line: Number of its line in what was read of that log, from 1; 0 when EMR said it.
    :param place: File and line of the job's own code, where they are known.
    :param hint: What may help; empty when nobody knows.
    :param about: What it is about, where that is known: ``memory``, ``docker``, ``node``, ``denied`` or
        ``not_found``.

    >>> find_cause([LogText("stderr", ["Traceback (most recent call last):", "ValueError: no day"])]).message
    'ValueError: no day'
    """

    message: str
    kind: str = "unknown"
    source: str = ""
    line: int = 0
    place: str = ""
    hint: str = ""
    about: str = ""

    def sentence(self) -> str:
        """Put it into one line: what, where, and what may help."""
        where = ", ".join(part for part in (self.place, self.source) if part)
        return self.message + (f" ({where})" if where else "") + (f" - {self.hint}" if self.hint else "")


_TRACEBACK = "Traceback (most recent call last):"
_PYTHON_FRAME = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+)')
_PYTHON_ERROR = re.compile(r"^(?P<type>[A-Za-z_][\w.]*)(?::|$)")
_SYNTAX_ERROR = re.compile(r"^(SyntaxError|IndentationError|TabError): ")
_JAVA_ERROR = re.compile(r'^(?:Caused by: |Exception in thread "[^"]*" )(?P<error>[\w$.]+\.[\w$]+(?::.*)?)$')
_JAVA_CLASS = re.compile(r"^[\w$.]+\.([A-Z][\w$]*)(: |$)")
_SUBMIT_ERRORS = re.compile(
    r"^(Error: .*|.*can't open file .*|Exception: (?:Python in worker|Java gateway) .*"
    r"|.*diagnostics: (?:User class threw exception|User application exited).*)$"
)
_EXITED = re.compile(r"User application exited with status (?!137\b|143\b)\d+")
# Wrappers that only repeat that something else failed.
_WRAPPERS = ("py4j.protocol.Py4JJavaError", "pyspark.errors.exceptions.captured.PythonException")
_JAVA_SITE_PACKAGES = ("/pyspark/", "/py4j/", "<frozen ", "/site-packages/", "/dist-packages/", "/lib/python")

# These only say that something else has failed.
_SAYS_LITTLE = re.compile(
    r"Application application_\d+_\d+ (?:finished with failed status|failed \d+ times)|Py4JNetworkError"
    r"|Answer from Java side is empty|trying to connect to the Java server|SparkContext was shut down"
)


def find_cause(texts: Sequence[LogText], said_by_emr: str = "") -> Cause:
    """Find why a job failed.

    :param texts: The ends of its logs, the most telling first: driver, then spark-submit.
    :param said_by_emr: EMR's own words, for when the logs say nothing.
    """
    vague: Cause | None = None
    for finder in (_python_cause, _java_cause, _exit_cause, _signal_cause, _submit_cause):
        for text in texts:
            found = finder(text)
            if found and not says_little(found):
                return found
            vague = vague or found
    if vague:
        return replace(vague, kind="unknown")
    message = one_line(said_by_emr)
    return _judged(said_by_emr, "api") if message else Cause("the logs do not say why")


def says_little(cause: Cause) -> bool:
    """Tell whether a cause only says that something else has failed."""
    return not cause.about and bool(_SAYS_LITTLE.search(cause.message))


def _judged(message: str, kind: str) -> Cause:
    signal = signal_in(message)
    if signal is None:
        return Cause(one_line(message), kind)
    return Cause(one_line(message), _kind(signal, kind), about=signal.about, hint=signal.hint)


def _kind(signal: Signal, otherwise: str) -> str:
    return MEMORY if signal.about == MEMORY else otherwise


def _cause(message: str, kind: str, text: LogText, index: int, place: str = "") -> Cause:
    return replace(_judged(message, kind), source=text.name, line=index + 1, place=place)


def _python_cause(text: LogText) -> Cause | None:
    """Take the last line of the last traceback; a chained exception ends with what came out in the end."""
    end = _end_of_last_traceback(text.lines)
    if end is None:
        return _syntax_cause(text)
    message = text.lines[end].strip()
    if message.startswith(_WRAPPERS):
        # The JVM's error is printed below it, down to the one that began it all.
        inner = _deepest(LogText(text.name, text.lines), start=end)
        if inner:
            return inner
    return _cause(message, "python", text, end, _own_place(text.lines, end))


def _end_of_last_traceback(lines: Sequence[str]) -> int | None:
    """Give the index of the line that ends the last traceback at the start of a line."""
    start = _last_index(lines, lambda line: line.startswith(_TRACEBACK))
    if start is None:
        return None
    for index in range(start + 1, len(lines)):
        line = lines[index]
        if line[:1] not in (" ", "\t", "") and _PYTHON_ERROR.match(line):
            return index
    return None


def _own_place(lines: Sequence[str], end: int) -> str:
    """Give the innermost frame above that is the author's code and not a library's."""
    innermost = ""
    for index in range(end - 1, -1, -1):
        if lines[index].startswith(_TRACEBACK):
            break
        frame = _PYTHON_FRAME.match(lines[index])
        if not frame:
            continue
        place = f"{frame['file'].rsplit('/', 1)[-1]} line {frame['line']}"
        if not any(part in frame["file"] for part in _JAVA_SITE_PACKAGES):
            return place
        innermost = innermost or place
    return innermost


def _syntax_cause(text: LogText) -> Cause | None:
    """A file that can't be compiled gives no traceback's head."""
    index = _last_index(text.lines, lambda line: bool(_SYNTAX_ERROR.match(line)))
    return (
        None
        if index is None
        else _cause(text.lines[index], "python", text, index, _own_place(text.lines, index))
    )


def _java_cause(text: LogText) -> Cause | None:
    """Take the deepest ``Caused by:`` below the last exception that ended a thread."""
    start = _last_index(text.lines, lambda line: line.startswith("Exception in thread "))
    if start is None:
        start = _last_index(text.lines, lambda line: "User class threw exception" in line)
    return None if start is None else _deepest(text, start)


def _deepest(text: LogText, start: int) -> Cause | None:
    """Give the last ``Caused by:`` of the exception printed from a line on, or the exception itself."""
    best: int | None = None
    for index in range(start, len(text.lines)):
        line = text.lines[index].strip()
        if index > start and line.startswith("Exception in thread "):
            break
        if _JAVA_ERROR.match(line) or (index > start and best is None and _JAVA_CLASS.match(_bare(line))):
            best = index
    if best is None:
        return None
    return _python_worker_cause(text, best) or _java_line_cause(text, best)


def _java_line_cause(text: LogText, index: int) -> Cause:
    line = text.lines[index].strip()
    match = _JAVA_ERROR.match(line)
    message = match["error"] if match else _bare(line)
    return _cause(message, "java", text, index)


def _bare(line: str) -> str:
    return line.removeprefix(": ")


def _python_worker_cause(text: LogText, start: int) -> Cause | None:
    """Python code on an executor: its traceback is the message of a Java exception."""
    if "PythonException" not in text.lines[start] or _TRACEBACK not in text.lines[start]:
        return None
    for index in range(start + 1, len(text.lines)):
        line = text.lines[index]
        if line[:1] not in (" ", "\t", "") and _PYTHON_ERROR.match(line):
            return _cause(line, "python", text, index, _own_place(text.lines[start + 1 :], index - start - 1))
    return None


def _exit_cause(text: LogText) -> Cause | None:
    """Take YARN's word for it that the program ended itself; 137 and 143 say that it was killed."""
    found = _last_match(text.lines, _EXITED)
    return found and _cause(found[1], "submit", text, found[0])


def _signal_cause(text: LogText) -> Cause | None:
    """Take what the platform says, where no exception was printed: YARN, Docker, a lost node."""
    for signal in SIGNALS:
        found = _last_match(text.lines, signal.pattern) if signal.anywhere else None
        if found:
            index, words = found
            return Cause(
                one_line(words), signal.about, text.name, index + 1, hint=signal.hint, about=signal.about
            )
    return None


def _last_match(lines: Sequence[str], pattern: re.Pattern[str]) -> tuple[int, str] | None:
    for index in range(len(lines) - 1, -1, -1):
        found = pattern.search(lines[index])
        if found:
            return index, found.group()
    return None


def _submit_cause(text: LogText) -> Cause | None:
    index = _last_index(text.lines, lambda line: bool(_SUBMIT_ERRORS.match(line.strip())))
    if index is None:
        return None
    return _cause(text.lines[index].strip().removeprefix("diagnostics: "), "submit", text, index)


def _last_index(lines: Sequence[str], wanted: Callable[[str], bool]) -> int | None:
    indexes: Iterable[int] = range(len(lines) - 1, -1, -1)
    return next((index for index in indexes if wanted(lines[index])), None)
