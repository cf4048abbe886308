"""The event logs of Spark applications: where they are, whose they are, and which are kept.

A local Spark makes up its application's id (``local-…``). What EMR calls the application, step or job run is
given to its JVM as a property, :data:`OWNER`, which Spark writes into the head of the event log.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from airflow_provider_emrkit.localemr.config import ServerConfig

OWNER = "spark.emrkit.owner"
"""Spark property with the id of whoever an application was started for."""

IN_PROGRESS = ".inprogress"
"""How the name of a running application's event log ends."""

KEPT = 200
"""Event logs that are kept."""

_KEPT_SECONDS = 30 * 86_400.0
_ENVIRONMENT = '"Event":"SparkListenerEnvironmentUpdate"'
# The environment is told within the first events of an application.
_HEAD_LINES = 20
_HEAD = 2_000_000
_PLAIN_ID = re.compile(r"[\w.-]+", re.ASCII)


class Owned(NamedTuple):
    """An application of Spark, and who it was started for."""

    application_id: str
    owner: str | None


class Found(NamedTuple):
    """An application that has an event log.

    :param application_id: Spark's own id.
    :param is_over: Its event log is complete; that of a killed one never is.
    """

    application_id: str
    is_over: bool


def event_log_directory(config: ServerConfig) -> Path:
    """Give the directory of all event logs of an instance."""
    return config.data_dir.resolve() / "event-logs"


def job_application_id(run_id: str, attempt: int) -> str:
    """Give the id by which the application of a job run's attempt is found.

    >>> job_application_id("00f1a2b3c4d5e6f7", 1), job_application_id("00f1a2b3c4d5e6f7", 3)
    ('00f1a2b3c4d5e6f7', '00f1a2b3c4d5e6f7-3')
    """
    return run_id if attempt == 1 else f"{run_id}-{attempt}"


def read_owner(lines: Iterable[str]) -> Owned | None:
    """Read from the head of an event log which application it is, and whose; None when it doesn't say."""
    for _, line in zip(range(_HEAD_LINES), lines, strict=False):
        if _ENVIRONMENT in line:
            # Any job can write here what it likes.
            with contextlib.suppress(ValueError, AttributeError, TypeError, RecursionError):
                properties = dict(json.loads(line).get("Spark Properties") or {})
                if "spark.app.id" in properties:
                    return Owned(str(properties["spark.app.id"]), properties.get(OWNER))
    return None


class EventLogs:
    """The event logs in a directory.

    :param directory: The directory; it may not be there yet.

    >>> logs = EventLogs(Path("/data/event-logs"))  # doctest: +SKIP
    >>> logs.find("s-1ABCDEFGHIJKL")  # doctest: +SKIP
    Found(application_id='local-1700000000000', is_over=True)
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, Owned | None] = {}

    def find(self, wanted: str) -> Found | None:
        """Find an application.

        :param wanted: Spark's own id, or the id of a step, YARN application or job run: then the newest of
            its applications.
        :return: None when no event log is of it (yet).
        """
        for log in self._newest_first():
            name, is_over = log.path.name.removesuffix(IN_PROGRESS), not log.path.name.endswith(IN_PROGRESS)
            if name in {wanted, f"eventlog_v2_{wanted}"} and _PLAIN_ID.fullmatch(wanted):
                return Found(wanted, is_over)
            owned = self._owned(log.path)
            if owned and wanted in owned:
                return Found(owned.application_id, is_over)
        return None

    def prune(self, *, nothing_runs: bool, kept: int = KEPT, now: float | None = None) -> None:
        """Remove what is older than a month, and all but the newest ones.

        :param nothing_runs: No application runs, so that logs in progress are of dead ones and count.
        """
        oldest = (time.time() if now is None else now) - _KEPT_SECONDS
        places = 0
        for log in self._newest_first():
            counts = nothing_runs or not log.path.name.endswith(IN_PROGRESS)
            places += counts
            if log.modified < oldest or (counts and places > kept):
                _remove(log.path)
                self._known.pop(log.path.name, None)

    def clear(self) -> None:
        """Remove all."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def _owned(self, path: Path) -> Owned | None:
        if path.name not in self._known and path.is_file():
            with contextlib.suppress(OSError), path.open(encoding="utf-8", errors="replace") as file:
                owned = read_owner(file.read(_HEAD).splitlines())
                # A log that is complete never says more, one in progress may not say anything yet.
                if owned or not path.name.endswith(IN_PROGRESS):
                    self._known[path.name] = owned
        return self._known.get(path.name)

    def _newest_first(self) -> list[_Log]:
        return sorted(_logs(self._directory), key=lambda log: log.modified, reverse=True)


@dataclass(frozen=True)
class _Log:
    path: Path
    modified: float


def _logs(directory: Path) -> Iterator[_Log]:
    if not directory.is_dir():
        return
    for path in directory.iterdir():
        # An application may end, and rename its log, between the two looks.
        with contextlib.suppress(OSError):
            yield _Log(path, path.stat().st_mtime)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
