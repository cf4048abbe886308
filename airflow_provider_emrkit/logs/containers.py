"""The containers of a YARN application, known by the names of their logs. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_emrkit.logs.sources import LogLine

# Executors whose logs are followed at most. Each has two files, and an account has ten calls of GetLogEvents
# a second.
MAX_EXECUTORS = 25

_APPLICATION_ID = re.compile(r"\bapplication_\d{10,}_\d{4,}\b")
_LOG = re.compile(
    r"/(?P<id>container_(?:e\d+_)?\d+_\d+_(?P<attempt>\d+)_(?P<number>\d+))"
    r"/(?P<file>stdout|stderr)(?:\.(?P<hour>[\d-]+))?(?:\.gz)?$"
)
# The application master tells which executor a container is for, and does so before there is its log.
_LAUNCHED = re.compile(
    r"Launching container (container_[e\d_]{1,60}) on host \S{1,300} for executor with ID (\d{1,9})\b"
)
# Of so many containers that is kept in mind.
_MAX_LAUNCHED = 10_000


@dataclass(frozen=True)
class ContainerLog:
    """A log of a container.

    :param container: ``container_…``
    :param attempt: Which attempt of its application it belongs to.
    :param number: Its number in the attempt; the first one is the application master, which a driver in
        deploy mode ``cluster`` lives in.
    :param file: ``stdout`` or ``stderr``.
    :param rotated: When its file was put aside, e.g. ``2026-11-28-10``; empty for one that is written to.

    >>> ContainerLog.of("a/container_1700000000000_0001_01_000002/stderr.gz").number
    2
    """

    container: str
    attempt: int
    number: int
    file: str
    rotated: str = ""

    @classmethod
    def of(cls, name: str) -> ContainerLog | None:
        """Read the name of a stream or the key of an object; None when it is no log of a container."""
        match = _LOG.search(name)
        if match is None:
            return None
        attempt, number = int(match["attempt"]), int(match["number"])
        return cls(match["id"], attempt, number, match["file"], match["hour"] or "")

    @property
    def is_master(self) -> bool:
        """Whether it is the application master's."""
        return self.number == 1


@dataclass
class Executors:
    """Chooses the executors whose logs are followed: those that are met first.

    :param wanted: Whether any is.

    >>> Executors(wanted=False).follow("7")
    False
    """

    wanted: bool
    is_crowded: bool = False
    _followed: set[str] = field(default_factory=set)

    def follow(self, name: str) -> bool:
        """Tell whether an executor's logs are to be followed."""
        if not self.wanted or name in self._followed:
            return self.wanted
        if len(self._followed) >= MAX_EXECUTORS:
            self.is_crowded = True
            return False
        self._followed.add(name)
        return True


@dataclass
class Application:
    """The YARN application of a run: what is known of it, and which of its containers are followed.

    :param driver_apart: Whether its master is the driver (deploy mode ``cluster``).
    :param executors: Whether its executors' logs are wanted.
    :param submit_label: What the lines are marked with that spark-submit writes.

    >>> from airflow_provider_emrkit.logs.sources import LogLine
    >>> application = Application(driver_apart=True, submit_label="submit")
    >>> application.observe([LogLine(0, "Submitted application application_1700000000000_0001", "submit")])
    >>> application.id
    'application_1700000000000_0001'
    """

    driver_apart: bool
    submit_label: str
    executors: bool = False
    id: str | None = None
    _chosen: Executors = field(init=False)
    _executor_ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._chosen = Executors(self.executors)

    @property
    def is_crowded(self) -> bool:
        """Whether it has more executors than are followed."""
        return self._chosen.is_crowded

    @property
    def is_wanted(self) -> bool:
        """Whether there is anything to follow apart from what spark-submit writes."""
        return self.driver_apart or self.executors

    def observe(self, lines: Iterable[LogLine]) -> None:
        """Find the application's id in what spark-submit wrote, and executors' in what the driver did."""
        if not self.is_wanted:
            return
        for line in lines:
            if self.id is None and line.label == self.submit_label:
                self.id = application_id([line.text])
            if self.executors and len(self._executor_ids) < _MAX_LAUNCHED:
                launched = launched_executor(line.text)
                if launched:
                    container, executor = launched
                    self._executor_ids[container] = executor

    def follows(self, log: ContainerLog) -> bool:
        """Tell whether a log is to be followed: a driver's always, of executors' those that are met first."""
        return self.driver_apart if log.is_master else self._chosen.follow(log.container)

    def label(self, log: ContainerLog) -> str:
        """Name what wrote a log: its executor by Spark's id where that is known, else by its container."""
        which = self._executor_ids.get(log.container) or str(log.number)
        who = log.file if log.is_master else f"executor {which} {log.file}"
        return of_attempt(who, log.attempt)


def application_id(lines: Iterable[str]) -> str | None:
    """Find the first YARN application that lines name.

    >>> application_id(["Submitted application application_1700000000000_0001"])
    'application_1700000000000_0001'
    """
    found = next(filter(None, map(_APPLICATION_ID.search, lines)), None)
    return found and found.group()


def launched_executor(line: str) -> tuple[str, str] | None:
    """Read which container the application master launches, and for which of Spark's executors.

    >>> launched_executor("Launching container container_1_0001_01_000002 on host a for executor with ID 7")
    ('container_1_0001_01_000002', '7')
    """
    found = _LAUNCHED.search(line)
    return (found[1], found[2]) if found else None


def of_attempt(label: str, attempt: int) -> str:
    """Name the attempt of what is not of the first one.

    >>> of_attempt("stderr", 2)
    'stderr of attempt 2'
    """
    return label if attempt == 1 else f"{label} of attempt {attempt}"


def crowded(where: str) -> str:
    """Say that not all executors' logs are followed.

    :param where: Where the others' are.

    >>> crowded("s3://logs/")
    'The logs of 25 executors are followed; those of others are in s3://logs/.'
    """
    return f"The logs of {MAX_EXECUTORS} executors are followed; those of others are in {where}."
