"""The logs of executors that are processes: followed while they are written, as a container's."""

from __future__ import annotations

import contextlib
import logging
import re
import threading
from typing import TYPE_CHECKING, Protocol

from airflow_provider_emrkit.localemr.run.logs import LineCutter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_emrkit.localemr.run.logs import LogStream
    from airflow_provider_emrkit.localemr.run.outputs import OpenLogs

log = logging.getLogger(__name__)

LOOK_EVERY = 0.2
"""Seconds between two looks at what executors have written."""

FILES = ("stdout", "stderr")

_CHUNK = 1024 * 1024
# Spark's worker begins a file with the executor's command, which a YARN container's log does not have.
_COMMAND = b"Spark Executor Command: "
_RULE = b"=" * 40
_NUMBER = re.compile(r"0|[1-9][0-9]{0,5}")


class Containers(Protocol):
    """Knows where the logs of a command's executors go."""

    def open(self, directory: Path, application: int, executor: int) -> OpenLogs:
        """Open an executor's ``stdout`` and ``stderr`` as files of a directory.

        :param application: Number of the Spark application among the command's, from 0.
        :param executor: Spark's number of the executor, from 0.
        :raises OSError: when the files can't be made.
        """


class ExecutorLogs:
    """Follows the logs of all executors of one command, from another thread.

    :param work: Where Spark makes a directory for each application and executor.
    :param directory: Where the logs are kept.
    :param containers: Where they go.

    >>> logs = ExecutorLogs(home / "work", directory, containers)  # doctest: +SKIP
    >>> logs.close()  # doctest: +SKIP
    """

    def __init__(self, work: Path, directory: Path, containers: Containers) -> None:
        self._work = work
        self._directory = directory
        self._containers = containers
        self._applications: dict[str, int] = {}
        self._executors: dict[Path, _Executor] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="localemr-executor-logs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take what is there and end; call it when the executors are gone. Idempotent."""
        if self._ended.is_set():
            return
        self._ended.set()
        self._thread.join()
        self._look()
        for executor in self._executors.values():
            executor.close()

    def _run(self) -> None:
        while not self._ended.wait(LOOK_EVERY):
            self._look()

    def _look(self) -> None:
        for application, number, folder in _executors(self._work):
            # One that could not be started any more, when its job ended, has no log.
            if folder not in self._executors and (folder / FILES[-1]).is_file():
                self._open(application, number, folder)
        for executor in self._executors.values():
            executor.look()

    def _open(self, application: str, number: int, folder: Path) -> None:
        place = self._applications.setdefault(application, len(self._applications))
        directory = self._directory / f"{place}-{number}"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            logs = self._containers.open(directory, place, number)
        except OSError as error:
            # At the next look there may be room.
            log.warning("the logs of executor %d in %s can't be kept: %s", number, self._work, error.strerror)
            return
        self._executors[folder] = _Executor(logs, [_Followed(folder / name, logs[name]) for name in FILES])


class _Executor:
    """The logs of one executor."""

    def __init__(self, logs: OpenLogs, files: list[_Followed]) -> None:
        self._logs = logs
        self._files = files

    def look(self) -> None:
        for file in self._files:
            file.look()

    def close(self) -> None:
        for file in self._files:
            file.close()
        self._logs.close()


class _Followed:
    """A file that grows, and the log it is moved to."""

    def __init__(self, path: Path, stream: LogStream) -> None:
        self._path = path
        self._stream = stream
        self._place = 0
        self._head: bytes | None = b""
        self._lines = LineCutter()

    def look(self) -> None:
        # It is made a moment after its directory. The executor may put something else into its place.
        if not self._path.is_file():
            return
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            file.seek(self._place)
            while data := file.read(_CHUNK):
                self._place += len(data)
                self._take(self._without_head(data))

    def close(self) -> None:
        rest, self._head = self._head, None
        self._take(rest or b"")
        for line in self._lines.end():
            self._stream.publish(line)

    def _take(self, data: bytes) -> None:
        if data:
            self._stream.write(data)
            for line in self._lines.feed(data):
                self._stream.publish(line)

    def _without_head(self, data: bytes) -> bytes:
        """Leave out the executor's command and the rule below it, at the beginning of the file."""
        if self._head is None:
            return data
        data, self._head = self._head + data, None
        if not data.startswith(_COMMAND[: len(data)]):
            return data
        command, _, rest = data.partition(b"\n")
        rule, found, text = rest.partition(b"\n\n")
        if found and command.startswith(_COMMAND) and rule == _RULE:
            return text
        if len(rest) <= len(_RULE) + 2:
            self._head = data
            return b""
        return data


def _executors(work: Path) -> Iterator[tuple[str, int, Path]]:
    """List the executors' directories: application, number, directory; older ones first."""
    for application in sorted(_entries(work)):
        for number in sorted(int(one.name) for one in _entries(application) if _NUMBER.fullmatch(one.name)):
            yield application.name, number, application / str(number)


def _entries(directory: Path) -> list[Path]:
    # A job may put there what it likes.
    with contextlib.suppress(OSError):
        return list(directory.iterdir())
    return []
