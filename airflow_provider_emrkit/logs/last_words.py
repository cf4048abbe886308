"""What a program wrote last, and what spark-submit and YARN say about its end. Pure."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.logs.traces import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_emrkit.logs.traces import Page, Trace

# YARN's word for it, and that of EMR, which ran spark-submit.
_EXITED = re.compile(
    r"(?:User application exited with status |Command exiting with ret '|ended with exit code )"
    r"(?!0\b|137\b|143\b)\d{1,3}\b'?"
)
# What spark-submit says before it prints its usage, and nothing runs.
_REFUSALS = re.compile(
    r"(?:Error: |Unrecognized VM option |Invalid maximum heap size|Error occurred during initialization of VM"
    r"|.{0,300}can't open file |emrkit: could not )"
)
_SUBMIT_ERRORS = re.compile(
    r"(?:#  SIG\w{3,6} .*|Exception: (?:Python in worker|Java gateway) .*|[\w./-]{1,200}: error: .*"
    r"|.{0,20}diagnostics: User class threw exception.*"
    r"|Error in query: .*|\[[A-Z][A-Z0-9_.]{3,80}\] [A-Z].*"  # spark-sql
    r"|(?!\S{1,250}/load-spark-env\.sh: ).{1,250}: (?:command not found|No such file or directory)$)"
)
# What YARN says around a container's own words.
_DIAGNOSTICS = re.compile(r"\s*diagnostics: |.{0,40}Application diagnostics message: ")
_END_OF_DIAGNOSTICS = re.compile(r"\s*ApplicationMaster host:|.{0,20}For more detailed output")
_BOILERPLATE = re.compile(
    r"\s*$|\s*at [\w$.]+\(|.{0,40}Container exited with a non-zero exit code|Last \d+ bytes of|Failing this"
    r"|.{0,40}Exception from container-launch|Container id: |Exit code: "
    r"|\s*diagnostics: Application application_"
    r"|.{0,30}Shell (?:output|error output): *$|Exception message: Launch container failed|main : |Killed by"
    r"|.{0,20}\[[\d :.-]+\]\s*$"
)
# Loggers of Spark's whose errors only repeat what others say, or come with every end.
_LOGGERS_OF_THE_END = re.compile(
    r"ApplicationMaster|Client|TaskSetManager|Yarn\w*|TaskSchedulerImpl|Executor|Utils|ShutdownHookManager|Transport\w+"
    r"|LiveListenerBus|AsyncEventQueue|Inbox|NettyRpcEnv|SparkContext|\w*BlockFetcher|BlockManager\w*|DiskBlock\w+"
    r"|FileFormatWriter|InsertIntoHadoopFsRelationCommand|DAGScheduler|TaskResultGetter|Python\w*Runner|ContextCleaner"
    r"|SparkUncaughtExceptionHandler|CoarseGrained\w+|FileOutputCommitter|AppendDataExec|WriteToDataSourceV2Exec"
    r"|MicroBatchExecution|OneForOne\w+|Dispatcher|Heartbeat\w*|\w+\$"
)
# What is no words of the program's: what is more of something above, and what the JVM, the shell and loggers
# print when they begin or end.
_NO_WORDS = re.compile(
    r"\s|$|SLF4J:|log4j:|Picked up |OpenJDK |WARNING:|Using |Setting |:: |Ivy |Exception ignored in"
    r"|localemr: |emrkit: the login to ECR is not renewed |\S{1,250}/load-spark-env\.sh: line "
    r"|During handling of|The above exception|JVM stacktrace:|Driver stacktrace:|Caused by: |== SQL"
)


@dataclass(frozen=True)
class Words:
    """A line that says something about the end.

    :param text: What it says.
    :param line: Its index.
    :param first: Index of the first line that has to do with it.
    :param is_error: Whether the program itself calls it an error.

    >>> Words("no sales on 2024-01-01", 3, 3).is_error
    False
    """

    text: str
    line: int
    first: int
    is_error: bool = False


def exit_words(page: Page) -> Words | None:
    """Find YARN's word for it that the program ended itself; 137 and 143 say that it was killed."""
    for index in _from_end(page):
        found = _EXITED.search(page.lines[index]) if " exit" in page.lines[index] else None
        if found:
            return Words(found.group(), index, index)
    return None


def last_words(page: Page, traces: Sequence[Trace]) -> Words | None:
    """Find the last line that the program itself wrote; None where an exception says more.

    An exception that it caught and logged is not what ended it when it said something after that.
    """
    inside = {index for trace in traces for index in range(trace.first, trace.last + 1)}
    since = max((trace.last for trace in traces if trace.standing > Standing.MINOR), default=-1)
    plain: Words | None = None
    for index in _from_end(page):
        if index <= since:
            break
        if index in inside:
            continue
        words = _words(page, index)
        if words and words.is_error:
            return words
        plain = plain or words
    return plain


def _words(page: Page, index: int) -> Words | None:
    line, record = page.lines[index], page.records[index]
    if record is None:
        return None if _NO_WORDS.match(line) else Words(line.strip(), index, index)
    if record.level < logging.ERROR or (record.spark and _LOGGERS_OF_THE_END.fullmatch(record.logger)):
        return None
    return Words(record.message, index, index, is_error=True)


def refusal(page: Page) -> Words | None:
    """Find what spark-submit, Python or the JVM says when it does not begin at all."""
    found: Words | None = None
    for index in _from_end(page):
        record, line = page.records[index], page.lines[index]
        if record is None and found is None and _REFUSALS.match(line):
            found = Words(line.strip(), index, index)
        if record is not None and record.logger == "SparkContext" and "Running Spark" in record.message:
            return None  # it did begin
    return found


def submit_error(page: Page) -> Words | None:
    """Find what a program, a shell or spark-submit says about its end in words of its own."""
    for index in _from_end(page):
        line = page.lines[index].strip()
        if page.records[index] is None and _SUBMIT_ERRORS.match(line):
            return Words(line.removeprefix("diagnostics: "), index, index)
    return None


def yarn_words(page: Page) -> Words | None:
    """Find what a container said that YARN could not start: the last line of its diagnostics that tells."""
    begins = [index for index in _from_end(page) if _DIAGNOSTICS.match(page.lines[index])]
    if not begins:
        return None
    first = begins[0]
    end = first + 1
    while end < len(page) and page.records[end] is None and not _END_OF_DIAGNOSTICS.match(page.lines[end]):
        end += 1
    telling = [index for index in range(first, end) if not _BOILERPLATE.match(page.lines[index])]
    if not telling:
        return None
    line = telling[-1]
    return Words(_DIAGNOSTICS.sub("", page.lines[line]).strip(), line, first)


def _from_end(page: Page) -> Iterable[int]:
    return range(len(page) - 1, -1, -1)
