"""The log streams of one step: each line into a file, and to CloudWatch Logs where the cluster wants it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.run.cloudwatch import MAX_EVENT_BYTES

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 65_536

Publish = Callable[[int, str], None]
"""Takes the time a line arrived (ms since the epoch) and the line."""


class LogStream:
    """One stream: a file that keeps its bytes as they are, and optionally a publisher of its lines.

    :param path: The file.
    :param publish: Called once per line, in order.

    >>> stream = LogStream(Path("/tmp/stdout"))  # doctest: +SKIP
    >>> stream.write_lines(["hello"])  # doctest: +SKIP
    """

    def __init__(self, path: Path, publish: Publish | None = None) -> None:
        self.path = path
        self._publish = publish
        self._lock = threading.Lock()
        self._last = 0
        path.touch()

    def write(self, data: bytes) -> None:
        """Keep bytes in the file."""
        with self._lock, self.path.open("ab") as file:
            file.write(data)

    def publish(self, line: bytes) -> None:
        """Send a line on, with a time that never goes back."""
        if self._publish is None:
            return
        self._last = max(self._last, time.time_ns() // 1_000_000)
        self._publish(self._last, line.decode("utf-8", "replace").rstrip("\r"))

    def write_lines(self, lines: Iterable[str]) -> None:
        """Add lines of our own."""
        for line in lines:
            data = line.encode("utf-8", "replace")
            self.write(data + b"\n")
            self.publish(data)


class PipeReader:
    """A thread that moves a pipe's bytes into a stream until the pipe ends.

    :param descriptor: File descriptor of the pipe's reading end; not closed here.
    """

    def __init__(self, descriptor: int, stream: LogStream) -> None:
        self._descriptor = descriptor
        self._stream = stream
        self._thread = threading.Thread(target=self._run, name="localemr-pipe", daemon=True)
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait until the pipe has ended.

        :param timeout: Seconds; a process that can't be killed may hold the pipe open for ever.
        """
        self._thread.join(timeout)

    def _run(self) -> None:
        lines = LineCutter()
        while data := os.read(self._descriptor, _CHUNK):
            self._stream.write(data)
            for line in lines.feed(data):
                self._stream.publish(line)
        for line in lines.end():
            self._stream.publish(line)


class LineCutter:
    r"""Cuts a stream of bytes into lines; a line that never ends is cut where one log event is full.

    >>> cutter = LineCutter()
    >>> list(cutter.feed(b"a\nb")), list(cutter.end())
    ([b'a'], [b'b'])
    """

    def __init__(self, limit: int = MAX_EVENT_BYTES) -> None:
        self._limit = limit
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes, give the lines that are complete now."""
        *complete, self._rest = (self._rest + data).split(b"\n")
        yield from complete
        if len(self._rest) > self._limit:
            cut, self._rest = self._rest, b""
            yield cut

    def end(self) -> Iterator[bytes]:
        """Give what is left when the stream has ended."""
        if self._rest:
            yield self._rest
        self._rest = b""
