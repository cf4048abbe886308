"""Makes of a log of this machine what the same log would be on EMR, no longer than needed. Pure."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MOST_LINES = 1_000
# Lines that are kept of the beginning of a long log, and around what is no routine.
HEAD, BEFORE, AFTER = 4, 3, 2
# Frames that are kept of a Java stack trace: its first and its last ones, and the job's own.
FIRST_FRAMES, LAST_FRAMES = 4, 1
_LONGEST_LINE = 4_000

_ROUTINE = re.compile(r"^\d\d/\d\d/\d\d \d\d:\d\d:\d\d (?:INFO|DEBUG) ")
# What tells where a run stands is kept, though it is routine.
_TELLING = re.compile(
    r"INFO (?:SparkContext: (?:Running Spark|Submitted)|Client|YarnClientImpl|ShutdownHookManager)"
    r"|Submitted application|Lost task|lost:|Removed TaskSet"
)
# What only a local EMR says: it gives jobs no AWS configuration of the user's.
_LOCAL = re.compile(r"^\S+ \S+ WARN \w+: Unable to load config file /dev/null")
_LOCAL_TRACE = re.compile(r"^(?:java\.lang\.IllegalArgumentException: AWS credential profiles file|\s+at )")
_FRAME = re.compile(r"^\s+at \S")
_LIBRARY = re.compile(
    r"^\s+at (?:\w+\.base/)?(?:java|jdk|sun|scala|py4j|org|com|net|io|software)[./]|^\s+at \.\.\."
)
_LOOPBACK = re.compile(r"\b127\.0\.\d+\.\d+\b|\blocalhost\b")


@dataclass(frozen=True)
class Names:
    """What stands in for the names of this machine.

    :param texts: Text → what it becomes; longer texts go first.
    :param patterns: The same with regular expressions, which go before.

    >>> Names({"/home/me/spark": "/usr/lib/spark"}).told("/home/me/spark/python")
    '/usr/lib/spark/python'
    """

    texts: Mapping[str, str]
    patterns: Mapping[str, str] | None = None

    def told(self, line: str) -> str:
        """Give a line with the names of EMR's machines."""
        for pattern, becomes in (self.patterns or {}).items():
            line = re.sub(pattern, becomes, line)
        for text in sorted(self.texts, key=len, reverse=True):
            line = line.replace(text, self.texts[text])
        return _LOOPBACK.sub("10.0.0.1", line)


def excerpt(log: str, names: Names) -> list[str]:
    """Give what is needed of a log: all that is no routine, and a little of what is around it.

    :param log: The whole log.
    :param names: The names of this machine.
    """
    lines = [names.told(line)[:_LONGEST_LINE] for line in _of_emr(log.splitlines())]
    keep = set(range(HEAD))
    for index, line in enumerate(lines):
        if not _ROUTINE.match(line) or _TELLING.search(line):
            keep.update(range(index - BEFORE, index + AFTER + 1))
    return _shorter([line for index, line in enumerate(lines) if index in keep])[-MOST_LINES:]


def _of_emr(lines: Iterable[str]) -> Iterator[str]:
    """Leave out what only a local EMR says, with the stack traces below it."""
    local = False
    for line in lines:
        local = bool(_LOCAL.match(line)) or (local and bool(_LOCAL_TRACE.match(line)))
        if not local:
            yield line


def _shorter(lines: Sequence[str]) -> list[str]:
    """Leave out the middle of long stack traces."""
    found: list[str] = []
    for is_frame, group in itertools.groupby(lines, lambda line: bool(_FRAME.match(line))):
        block = list(group)
        if is_frame and len(block) > FIRST_FRAMES + LAST_FRAMES:
            own = (line for line in block[FIRST_FRAMES:-LAST_FRAMES] if not _LIBRARY.match(line))
            block = [*block[:FIRST_FRAMES], *own, *block[-LAST_FRAMES:]]
        found += block
    return found
