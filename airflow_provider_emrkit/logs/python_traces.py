"""Reads Python's tracebacks out of a log: chains, groups, files that can't be compiled. Pure."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.logs.traces import Standing, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emrkit.logs.traces import Page

TRACEBACK = "Traceback (most recent call last):"
_GROUP = "  + Exception Group Traceback (most recent call last):"
_DURING = "During handling of the above exception, another exception occurred:"
FROM = "The above exception was the direct cause of the following exception:"

FRAME = re.compile(r'\s{0,20}\|?\s{0,20}File "(?P<file>[^"]{1,500})", line (?P<line>\d{1,9})')
_ERROR = re.compile(r"[A-Za-z_][\w.<>]{0,300}(?::|$)")
_SYNTAX_ERROR = re.compile(r"(?:SyntaxError|IndentationError|TabError): ")
_GROUP_ERROR = re.compile(r"[ |+]{2,60}(?P<error>[A-Za-z_][\w.<>]{0,300}: .{1,1000}|[A-Z]\w{1,100}Error)$")

_CRASH = "Fatal Python error: "

# What is not the author's own code.
_LIBRARIES = (
    "/pyspark/",
    "/pyspark.zip/",
    "/py4j/",
    "-src.zip/",
    "/site-packages/",
    "/dist-packages/",
    "/lib/python",
    "/lib64/python",
    "<frozen ",
)

# What Python writes above tracebacks that ended nothing.
_ABOVE_MINOR = ("Exception ignored in", "Error in atexit.", "Exception occurred during processing of request")
# The head of a traceback may be written in parts, with lines of the JVM between them.
_FURTHEST = 60


@dataclass(frozen=True)
class Chain:
    """Tracebacks that belong together, the first exception first.

    :param parts: Index of the head, and of the line that names the exception, of each.
    :param links: What Python says between two of them.

    >>> Chain(((0, 3),)).last
    3
    """

    parts: tuple[tuple[int, int], ...]
    links: tuple[str, ...] = ()

    @property
    def first(self) -> int:
        """The line that it begins at."""
        return self.parts[0][0]

    @property
    def last(self) -> int:
        """The line that names the last exception."""
        return self.parts[-1][1]


def chains(page: Page) -> Iterator[Chain]:
    """Find the tracebacks that begin at the start of a line."""
    heads = [index for index in range(len(page)) if _is_head(page, index)]
    parts: list[tuple[int, int]] = []
    links: list[str] = []
    for number, head in enumerate(heads):
        end = heads[number + 1] if number + 1 < len(heads) else len(page)
        error = error_below(page, head, end)
        if error is None:
            continue
        link = _link(page, parts[-1][1], head) if parts else ""
        if parts and not link:
            yield Chain(tuple(parts), tuple(links))
            parts, links = [], []
        if link:
            links.append(link)
        parts.append((head, error))
    if parts:
        yield Chain(tuple(parts), tuple(links))


def _is_head(page: Page, index: int) -> bool:
    """Tell whether a traceback begins at a line, which a logger of the program's may have written."""
    line, record = page.lines[index], page.records[index]
    if line.startswith(TRACEBACK):
        return True
    return record is not None and not record.spark and line.rstrip().endswith(TRACEBACK)


def error_below(page: Page, head: int, end: int) -> int | None:
    """Give the index of the line that names the exception below a traceback's head."""
    frames = head
    for index in range(head + 1, end):
        line = page.lines[index]
        if line[:1] in (" ", "\t", ""):
            frames = index
        elif page.records[index] is None and _ERROR.match(line):
            return index
        elif index - frames > _FURTHEST:
            return None
    return None


def _link(page: Page, error: int, head: int) -> str:
    """Give what Python says between two exceptions that belong together; empty for two that do not."""
    for index in range(head - 1, max(error, head - 10), -1):
        line = page.lines[index].strip()
        if line in (_DURING, FROM):
            return line
    return ""


def own_place(page: Page, head: int, error: int) -> str:
    """Give the innermost frame that is the author's code and not a library's; empty for none."""
    for index in range(error - 1, head - 1, -1):
        frame = FRAME.match(page.lines[index])
        if frame and is_own(frame["file"]):
            return place_of(frame["file"], frame["line"])
    return ""


def is_own(file: str) -> bool:
    """Tell whether a file is the author's and not a library's."""
    return not any(part in file for part in _LIBRARIES)


def place_of(file: str, line: str) -> str:
    """Name a line of a file."""
    return f"{file.rsplit('/', 1)[-1]} line {line}"


def standing(page: Page, first: int, last: int) -> tuple[Standing, bool]:
    """Tell from what is around a traceback whether it ended the program, and whether that logged it."""
    above = next((page.lines[index] for index in range(first - 1, max(-1, first - 3), -1)), "")
    if above.startswith(_ABOVE_MINOR):
        return Standing.MINOR, False
    if above.startswith("Exception in thread "):
        return Standing.LOGGED, False
    record = page.records[first] or page.record_above(first)
    if record is None or record.spark:
        # Lines of the JVM come between those of Python, and have nothing to do with them.
        return Standing.FATAL, False
    passed = record.level < logging.ERROR and _goes_on(page, last)
    return (Standing.MINOR if passed else Standing.LOGGED), True


def _goes_on(page: Page, last: int) -> bool:
    """Tell whether a program wrote anything after a line."""
    below = zip(page.lines[last + 1 :], page.records[last + 1 :], strict=True)
    return any(
        line.strip() and not (record and record.spark) and "py4j" not in line for line, record in below
    )


def headless(page: Page) -> Iterator[Trace]:
    """Find tracebacks without a head: of files that can't be compiled, and what began before these lines."""
    heads = (index for index in range(len(page)) if _is_head(page, index))
    cut_off = next(heads, len(page))
    for index, line in enumerate(page.lines):
        if page.records[index] is not None or not _ends_headless(line, cut=index < cut_off):
            continue
        frames = [above for above in range(max(0, index - 5), index) if FRAME.match(page.lines[above])]
        if frames and page.lines[index - 1][:1] == " ":
            place = own_place(page, frames[0], index)
            yield Trace("python", line.strip(), index, frames[0], index, place)
            cut_off = index


def _ends_headless(line: str, *, cut: bool) -> bool:
    return bool(_SYNTAX_ERROR.match(line) or (cut and line[:1] not in " \t" and _ERROR.match(line)))


def crashes(page: Page) -> Iterator[Trace]:
    """Find where the interpreter itself has crashed; it prints the stack below, the innermost frame first."""
    for index, line in enumerate(page.lines):
        if not line.startswith(_CRASH):
            continue
        below = range(index + 1, min(index + _FURTHEST, len(page)))
        frames = [(at, frame) for at in below if (frame := FRAME.match(page.lines[at]))]
        own = (place_of(frame["file"], frame["line"]) for _, frame in frames if is_own(frame["file"]))
        # What it says about its modules is the last of it.
        last = next((at for at in reversed(below) if page.lines[at].startswith("Extension modules")), index)
        last = max([last, *(at for at, _ in frames)])
        yield Trace("python", line.strip(), index, index, last, next(own, ""))


def groups(page: Page) -> Iterator[Trace]:
    """Find groups of exceptions (Python 3.11), and name the first three of each."""
    heads = [index for index, line in enumerate(page.lines) if line.startswith(_GROUP)]
    end = 0
    for head in heads:
        if head < end:
            continue  # a group within another one
        end = head + 1
        while end < len(page) and page.lines[end].startswith(("  |", "  +", "   ")):
            end += 1
        errors = [
            (index, found["error"])
            for index in range(head + 1, end)
            if (found := _GROUP_ERROR.match(page.lines[index]))
        ]
        if errors:
            message = "; ".join(error for _, error in errors[:3])
            line = errors[0][0]
            yield Trace(
                "python",
                message,
                line,
                head,
                end - 1,
                own_place(page, head, end),
                standing(page, head, end - 1)[0],
            )
