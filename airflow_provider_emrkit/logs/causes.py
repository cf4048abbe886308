"""Finds in a failed job's logs why it failed. Pure: text in, cause out."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING

from airflow_provider_emrkit.logs.exceptions import exceptions_in
from airflow_provider_emrkit.logs.image_causes import of_image
from airflow_provider_emrkit.logs.last_words import exit_words, last_words, refusal, submit_error, yarn_words
from airflow_provider_emrkit.logs.python_traces import TRACEBACK
from airflow_provider_emrkit.logs.signal import MEMORY
from airflow_provider_emrkit.logs.signals import signal_in, signals_in, tells_little
from airflow_provider_emrkit.logs.text import one_line
from airflow_provider_emrkit.logs.traces import Page, Standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_emrkit.logs.last_words import Words
    from airflow_provider_emrkit.logs.signal import Signal
    from airflow_provider_emrkit.logs.traces import Trace


@dataclass(frozen=True)
class LogText:
    """The end of one log.

    :param name: What the log is called, for people.
    :param lines: Its lines, oldest first.
    :param before: How many lines of the log are before these; None when nobody knows.
    :param link: The log's page in the AWS console; empty for none.

    >>> LogText("stderr", ["one", "two"]).before
    0
    """

    name: str
    lines: Sequence[str]
    before: int | None = 0
    link: str = ""


@dataclass(frozen=True)
class Cause:
    """Why a job failed.

    :param message: One line, e.g. ``ValueError: no such day``.
    :param kind: What sort of message it is: ``python``, ``java``, ``memory``, ``docker``, ``node``,
        ``submit``, ``api`` (EMR's words), ``cluster`` (EMR's words about the cluster), ``bootstrap`` or
        ``unknown``.
    :param source: The log it was found in; empty when EMR said it.
    :param line: Number of its line in that log, from 1, or in what was read of it; 0 when EMR said it.
    :param place: File and line of the job's own code, where they are known.
    :param hint: What may help; empty when nobody knows.
    :param about: What it is about, where that is known: ``memory``, ``docker``, ``node``, ``denied`` or
        ``not_found``.
    :param first: Number of the first line of all that was printed about it, counted like ``line``.
    :param last: Number of the last one.
    :param of_last: Of how many lines at the log's end these are the numbers; 0 where they are those of the
        whole log.
    :param link: The log's page in the AWS console; empty where there is none.

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
    first: int = 0
    last: int = 0
    of_last: int = 0
    link: str = ""

    def sentence(self) -> str:
        """Put it into one line: what, where, what may help, and where to see it."""
        where = "; ".join(part for part in (self.place, self._lines()) if part)
        parts = (self.message + (f" ({where})" if where else ""), self.hint, self.link)
        return " - ".join(part for part in parts if part)

    def _lines(self) -> str:
        """Name the lines of the log that it was found in."""
        if not self.source or not self.line:
            return self.source
        first, last = self.first or self.line, self.last or self.line
        lines = f"line {first:,}" if first == last else f"lines {first:,}-{last:,}"
        end = f"the last {self.of_last:,} of " if self.of_last else ""
        return f"{lines} of {end}{self.source}"


class _Rank(IntEnum):
    """How much something that was found tells about the failure; the most telling counts."""

    PASSED = 0  # a warning: the program may well have lived on
    LINE = 1  # the last line that the program wrote, whatever it says
    EMPTY = 2  # it only says that something else has failed
    EXECUTOR = 3  # what became of executors, which Spark replaces
    WORDS = 4  # the last error that the program wrote
    SUBMIT = 5  # what a shell, or YARN, says about the end
    LOGGED = 6  # an exception that somebody caught and wrote down
    EXITED = 7  # the program said why and ended itself
    SAID = 8  # EMR quotes an exception
    REFUSED = 9  # it could not begin
    PLATFORM = 10  # the container, the image or the node
    ENDED = 11  # the exception that ended the program
    CERTAIN = 12  # the program said why and ended itself with a status that no exception gives


@dataclass(frozen=True)
class _Finding:
    rank: _Rank
    cause: Cause
    emptiness: int = 0


class _Log:
    """A log, and what is in it."""

    def __init__(self, text: LogText) -> None:
        self.text = text
        self.page = Page(text.lines)
        self.traces = exceptions_in(self.page)

    @property
    def has_uncaught_python(self) -> bool:
        """Whether an exception ended a Python program, so that its status says nothing more."""
        uncaught = (trace for trace in self.traces if trace.standing is Standing.FATAL)
        return any(self.page.lines[trace.first].startswith(TRACEBACK) for trace in uncaught)

    @property
    def has_logged(self) -> bool:
        """Whether an exception was logged that may be why the program ended itself."""
        return any(trace.standing is Standing.LOGGED and not trace.emptiness for trace in self.traces)

    @property
    def has_own_exception(self) -> bool:
        """Whether it says what was wrong: an exception of the program's own, not one that Spark got over."""
        return any(map(_is_own, self.traces))

    @property
    def is_drivers(self) -> bool:
        """Whether the driver itself wrote it, and not what submitted it, or an executor."""
        return self.text.name.startswith(("stdout", "stderr"))


def cause_at(
    text: LogText, message: str, kind: str, line: int, span: tuple[int, int], place: str = ""
) -> Cause:
    """Give the cause that a line of a log is.

    :param line: Its index in what was read.
    :param span: Indices of the first and the last line that have to do with it.
    """
    number = (text.before or 0) + 1
    return replace(
        _judged(message, kind),
        source=one_line(text.name),
        line=line + number,
        place=one_line(place, 100),
        first=min(line, span[0]) + number,
        last=max(line, span[1]) + number,
        of_last=len(text.lines) if text.before is None else 0,
        link=text.link,
    )


def find_cause(texts: Sequence[LogText], said_by_emr: str = "", image: str = "") -> Cause:
    """Find why a job failed.

    :param texts: The ends of its logs, the most telling first: driver, then spark-submit, executors, nodes.
    :param said_by_emr: EMR's own words.
    :param image: The image that its driver ran in; empty where it is not known to have one.
    """
    return of_image(_most_telling(texts, said_by_emr), image)


def _most_telling(texts: Sequence[LogText], said_by_emr: str) -> Cause:
    logs = [_Log(text) for text in texts]
    findings = [finding for log in logs for finding in _findings(log)]
    findings += _exits(logs, said_by_emr)
    findings += _said(said_by_emr)
    findings = [finding for finding in findings if finding.cause.message]  # a line may be cut anywhere
    # The first of the most telling ones: the logs are in order.
    best = max(findings, key=lambda finding: finding.rank, default=None)
    if best and best.rank > _Rank.EMPTY:
        return best.cause
    vague = [finding for finding in findings if finding.rank is _Rank.EMPTY]
    if vague:
        least = min(vague, key=lambda finding: finding.emptiness)
        return least.cause if least.emptiness == 1 else replace(least.cause, kind="unknown")
    if said_by_emr.strip():
        said = _judged(said_by_emr, "api")
        return _with_last_line(said, best.cause) if best and best.rank is _Rank.LINE else said
    return replace(best.cause, kind="unknown") if best else Cause("the logs do not say why")


def _with_last_line(said: Cause, line: Cause) -> Cause:
    """Add to EMR's words the last line that the program wrote, which need not be why it ended."""
    if line.message in said.message:
        return said
    message = one_line(f"{said.message.rstrip('.')}; its last line: {line.message}", _LONGEST)
    return replace(line, message=message, kind=said.kind, about=said.about, hint=said.hint)


def says_little(cause: Cause) -> bool:
    """Tell whether a cause only says that something else has failed."""
    return not cause.about and bool(tells_little(cause.message))


def is_definite(cause: Cause) -> bool:
    """Tell whether no other log needs to be read: this is what ended the job."""
    return cause.kind not in ("unknown", "api", "cluster") and not says_little(cause)


def _judged(message: str, kind: str) -> Cause:
    signal = signal_in(message, by_emr=kind == "api")
    if signal is None:
        return Cause(one_line(message, _LONGEST), kind)
    return Cause(one_line(message, _LONGEST), _kind(signal, kind), about=signal.about, hint=signal.hint)


def _kind(signal: Signal, otherwise: str) -> str:
    return MEMORY if signal.about == MEMORY else otherwise


_BY_STANDING = {
    Standing.FATAL: _Rank.ENDED,
    Standing.LOGGED: _Rank.LOGGED,
    Standing.MINOR: _Rank.PASSED,
}


def _findings(log: _Log) -> Iterator[_Finding]:
    """Give what each reader of a log makes of it."""
    for standing, rank in _BY_STANDING.items():
        of_it = [trace for trace in log.traces if trace.standing is standing]
        telling = next((trace for trace in reversed(of_it) if not trace.emptiness), None)
        vague = min(reversed(of_it), key=lambda trace: trace.emptiness, default=None)
        if telling:
            yield _Finding(rank, _of_trace(log, telling))
        elif vague:
            yield _Finding(_Rank.EMPTY, _of_trace(log, vague), vague.emptiness)
    for signal, index, words, of_executor in signals_in(log.page):
        rank = _Rank.EXECUTOR if of_executor else _Rank.PLATFORM
        cause = cause_at(log.text, words, signal.about, index, (index, index))
        yield _Finding(rank, replace(cause, kind=signal.about, about=signal.about, hint=signal.hint))
    refused = refusal(log.page)
    if refused:
        yield _of_words(log, refused, _Rank.REFUSED, "submit")
    for said in (submit_error(log.page), yarn_words(log.page)):
        if said:
            yield _of_words(log, said, _Rank.SUBMIT, "submit")


def _of_trace(log: _Log, trace: Trace) -> Cause:
    return cause_at(log.text, trace.message, trace.kind, trace.line, (trace.first, trace.last), trace.place)


def _of_words(log: _Log, words: Words, rank: _Rank, kind: str) -> _Finding:
    little = tells_little(words.text)
    cause = cause_at(log.text, words.text, kind, words.line, (words.first, words.line))
    return _Finding(_Rank.EMPTY if little else rank, cause, little)


def _exits(logs: Sequence[_Log], said_by_emr: str) -> Iterator[_Finding]:
    """Give what a program wrote last that ended itself, and YARN's or EMR's word for that it did."""
    found = next(((log, words) for log in logs if (words := exit_words(log.page))), None)
    status = found[1].text if found else _exit_status(said_by_emr)
    lasts = [(log, words) for log in logs if (words := last_words(log.page, log.traces))]
    if lasts and status:
        yield _ended_itself(lasts, status, logs)
    elif found:
        log, words = found
        rank = _Rank.WORDS if any(log.has_logged for log in logs) else _exit_rank("", logs)
        yield _of_words(log, words, rank, "submit")
    elif status:
        quoted = said_by_emr.partition(_QUOTES)[2].strip(" :.")
        quoted = f"; EMR quotes: {quoted}" if quoted and quoted != _NO_QUOTE else ""
        yield _Finding(_Rank.WORDS, _judged(f"{status}{quoted}", "submit"))
    elif lasts:
        log, words = lasts[0]
        yield _of_words(log, words, _Rank.WORDS if words.is_error else _Rank.LINE, "submit")


def _ended_itself(lasts: Sequence[tuple[_Log, Words]], status: str, logs: Sequence[_Log]) -> _Finding:
    """Give why a program ended itself: the error that it wrote last, or its status, and lines beside it."""
    error = next((last for last in lasts if last[1].is_error or _says_why(*last, status)), None)
    if error:
        log, words = error
        told = replace(words, text=f"{one_line(words.text, 250)} ({status})")
        return _of_words(log, told, _exit_rank(status, logs), "submit")
    # What it printed last may have nothing to do with its end.
    shown = [last for last in lasts if last[0].is_drivers][:2] or lasts[:1]
    lines = list(dict.fromkeys(one_line(words.text, 120) for _, words in shown))
    context = f"its last line: {lines[0]}" if len(lines) == 1 else f"its last lines: {' | '.join(lines)}"
    log, words = shown[0]
    told = replace(words, text=f"{status}; {context}{_printed_before(logs)}")
    # An exception in another of its logs tells more than a line without one.
    apart = [other for other in logs if all(other is not one for one, _ in shown)]
    rank = _Rank.LINE if any(other.has_own_exception for other in apart) else _exit_rank(status, logs)
    return _of_words(log, told, rank, "submit")


def _printed_before(logs: Sequence[_Log]) -> str:
    """Name the last exception that the program has printed, and gone on after: it may be why it ended."""
    printed = [trace.message for log in logs for trace in log.traces if _is_own(trace)]
    return f"; before it: {one_line(printed[-1], 120)}" if printed else ""


def _is_own(trace: Trace) -> bool:
    """Tell whether an exception is one of the program's own, and not one that Spark got over."""
    return (trace.standing is Standing.FATAL or trace.caught) and not trace.emptiness


def _says_why(log: _Log, words: Words, status: str) -> bool:
    """Tell whether a line is one that programs end with: ``sys.exit("no sales")``, ``job.py: error: …``."""
    said = submit_error(log.page) or refusal(log.page)
    if said is not None and said.line == words.line:
        return True
    # Python writes such words and ends with 1; Spark passes all that Python writes on to stdout.
    return _status_number(status) == 1 and not _PASSING.search(words.text)


def _exit_rank(status: str, logs: Sequence[_Log]) -> _Rank:
    """Tell how sure it is that a program ended itself, and for what it said last."""
    if _status_number(status) != 1:
        return _Rank.CERTAIN
    # An exception ended it, though it may only say that something else failed.
    return _Rank.LINE if any(log.has_uncaught_python for log in logs) else _Rank.EXITED


def _status_number(status: str) -> int:
    return int(re.sub(r"\D", "", status) or 1)


# What a line holds that a program writes and lives on.
_PASSING = re.compile(r"\b(?:TRACE|DEBUG|INFO|WARN|WARNING|\w{1,60}Warning)\b")
_EXIT_STATUS = re.compile(
    r"(?:exit(?:ed)? (?:with )?(?:exit )?(?:code|status)|ret) '?(?!0\b|137\b|143\b)\d{1,3}\b'?"
)
# What EMR Serverless says of every driver that failed, also of one that Spark has ended for an exception (50
# to 52), or a signal: their logs say more.
_DRIVER_CODE = re.compile(r"\bExitCode: (?!0\b|1\b|5[0-2]\b|13[4-9]\b|143\b)(\d{1,3})\b")
_QUOTES, _NO_QUOTE = "Last few exceptions:", "none in the logs"
# Characters of a cause's message.
_LONGEST = 360
# EMR quotes the line of the log that it takes for the cause.
_QUOTED_EXCEPTION = re.compile(r"(?:^|[\s;])[\w.$]{0,200}(?:Error|Exception)(?::|;|$)")


def _exit_status(said_by_emr: str) -> str:
    found = _EXIT_STATUS.search(said_by_emr)
    if found:
        return found.group()
    code = _DRIVER_CODE.search(said_by_emr)
    return f"the driver exited with code {code[1]}" if code else ""


def _said(said_by_emr: str) -> Iterator[_Finding]:
    message = one_line(said_by_emr)
    if not message:
        return
    cause = _judged(said_by_emr, "api")
    if cause.about or (_QUOTED_EXCEPTION.search(message) and not tells_little(message)):
        yield _Finding(_Rank.SAID, cause)
