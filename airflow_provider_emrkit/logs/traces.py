"""What exceptions in a log have in common, whoever printed them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_emrkit.logs.records import record_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_emrkit.logs.records import Record

# Characters of a line that are looked at; what tells comes before.
LONGEST = 2_000

CAUSED_BY = "Caused by: "
# PySpark writes it between its own message and the JVM's stack.
JVM_STACK = "JVM stacktrace:"
# One line of the JVM's stack, also where it says how many more there are.
JAVA_FRAME = re.compile(
    r"\s{1,20}(?:at (?P<method>[\w$.<>/@-]{1,400})\((?P<file>[^:()]{1,200}):(?P<line>\d{1,7})\)"
    r"|at |\.\.\. \d+ )"
)


class Standing(IntEnum):
    """How much an exception has to do with the end of its program.

    >>> Standing.FATAL > Standing.LOGGED
    True
    """

    MINOR = 1  # a warning, or something of the shutdown
    LOGGED = 2  # somebody caught it and wrote it down
    FATAL = 3  # it ended the program


@dataclass(frozen=True)
class Trace:
    """One exception in a log.

    :param kind: ``python`` or ``java``.
    :param message: Its type and what it says, of the one that began it all.
    :param line: Index of the line that says so.
    :param first: Index of the first line of all that was printed of it.
    :param last: Index of the last one.
    :param place: File and line of the job's own code.
    :param standing: How much it has to do with the end.
    :param emptiness: How little it tells, see :func:`~airflow_provider_emrkit.logs.signals.tells_little`.
    :param caught: Whether a logger of the program's own wrote it, which so has lived on.

    >>> Trace("python", "ValueError: no day", 3, 0, 3).standing.name
    'FATAL'
    """

    kind: str
    message: str
    line: int
    first: int
    last: int
    place: str = ""
    standing: Standing = Standing.FATAL
    emptiness: int = 0
    caught: bool = False


class Page:
    """The lines of a log, each looked at once.

    :param lines: The log, oldest first.

    >>> Page(["ERROR:etl:no rows"]).records[0].level
    40
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = [line if len(line) <= LONGEST else line[:LONGEST] for line in lines]
        self.records: list[Record | None] = [record_of(line) for line in self.lines]

    def __len__(self) -> int:
        return len(self.lines)

    def is_stack(self, index: int) -> bool:
        """Tell whether a line is one of the JVM's stack."""
        line = self.lines[index]
        if line[:1] in ("\t", " "):
            return bool(JAVA_FRAME.match(line))
        return line.startswith((CAUSED_BY, "Driver stacktrace:"))

    @cached_property
    def stack_below(self) -> Sequence[int]:
        """For each line the next one, itself included, that is one of the JVM's stack; the end for none."""
        following = len(self)
        found = [following] * (len(self) + 1)
        for index in range(len(self) - 1, -1, -1):
            if self.is_stack(index):
                following = index
            found[index] = following
        return found

    def record_above(self, index: int) -> Record | None:
        """Give the record that ends right above a line, if any."""
        return self.records[index - 1] if index > 0 else None

    def continued(self, index: int) -> str:
        """Give a line, with the next one where it has only announced something."""
        line = self.lines[index].strip()
        if not line.endswith(":") or line.endswith("(most recent call last):"):
            return line
        for following in range(index + 1, min(index + 3, len(self))):
            text = self.lines[following].strip()
            if text:
                announces = self.records[following] is None and not text.startswith(
                    ("at ", "Traceback (", JVM_STACK)
                )
                return f"{line} {text}" if announces else line
        return line
