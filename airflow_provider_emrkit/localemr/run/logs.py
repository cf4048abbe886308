"""The log streams of one step: each line into a file, and to CloudWatch Logs where the cluster wants it."""

from __future__ import annotations

import fcntl
import logging
import os
import select
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import IO, TYPE_CHECKING

from airflow_provider_emrkit.localemr.run.cloudwatch import MAX_EVENT_BYTES

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

_CHUNK = 65_536
_WAKE = 500
"""Longest time (ms) until a reader that waits for a pipe sees that it is to end."""

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
        self._is_lost = False
        path.touch()

    def write(self, data: bytes) -> None:
        """Keep bytes in the file; what a full disk does not take is lost.

        Giving up instead would leave the pipe unread, and the job would wait for that for ever.
        """
        try:
            with self._lock, self.path.open("ab") as file:
                file.write(data)
        except OSError as error:
            if not self._is_lost:
                log.warning("%s can't be written, lines are lost: %s", self.path, error.strerror)
            self._is_lost = True

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
    """A thread that moves a pipe's bytes into a stream until the pipe ends, and closes it then.

    :param pipe: The pipe's reading end.

    >>> PipeReader(process.stdout, LogStream(Path("/tmp/stdout"))).finish()  # doctest: +SKIP
    """

    def __init__(self, pipe: IO[bytes], stream: LogStream) -> None:
        self._pipe = pipe
        self._stream = stream
        self._lock = threading.Lock()
        self._taken = 0
        self._wanted: int | None = None
        self._thread = threading.Thread(target=self._run, name="localemr-pipe", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Wait until what is in the pipe now is where it belongs; what comes later is not read.

        The pipe's end can't be waited for: a process that left the step may hold it open for ever.
        """
        with self._lock:
            if not self._pipe.closed:
                self._wanted = self._taken + _waiting_bytes(self._pipe)
        self._thread.join()

    def _run(self) -> None:
        lines = LineCutter()
        while data := self._take():
            self._stream.write(data)
            for line in lines.feed(data):
                self._stream.publish(line)
        with self._lock:
            self._pipe.close()
        for line in lines.end():
            self._stream.publish(line)

    def _take(self) -> bytes:
        """Wait for bytes; none at the pipe's end, or when all that was wanted is here."""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        while True:
            is_ready = poll.poll(_WAKE)
            with self._lock:
                if self._wanted is not None and self._taken >= self._wanted:
                    return b""
                if is_ready:
                    data = os.read(self._pipe.fileno(), _CHUNK)
                    self._taken += len(data)
                    return data


def _waiting_bytes(pipe: IO[bytes]) -> int:
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    return int(count)


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
