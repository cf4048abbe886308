"""Programs that a command starts, waits for, and does not leave behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# A program may write without end; nobody reads more of it than this.
MAX_OUTPUT = 1_000_000
# A program that was asked to end gets this long before it is ended: a build or push, which has to stop what
# the engine does for it, and all others.
GRACE = 10.0
SHORT_GRACE = 1.0
# What reads its output has this long after its end, as a child of its own may hold the pipe.
LEFT_OVER = 5.0
# Where progress goes: to the terminal, while standard output is for what scripts read.
_STDERR = 2


@dataclass(frozen=True)
class Ran:
    r"""What a program that has ended left.

    :param code: Exit code; negative for the signal that ended it.
    :param stdout: What it wrote, at most :data:`MAX_OUTPUT` bytes of it.
    :param stderr: The same of its errors.

    >>> run_captured(["echo", "yes"], os.environ, timeout=10)  # doctest: +SKIP
    Ran(code=0, stdout='yes\n', stderr='')
    """

    code: int
    stdout: str
    stderr: str


def run_captured(argv: Sequence[str], environ: Mapping[str, str], *, timeout: float) -> Ran:
    """Run a program without input, and keep what it writes.

    :param timeout: Seconds until it is ended.
    :raises TimeoutError: when it had to be ended.
    :raises OSError: when it can't be started.
    """
    with _child(argv, environ, SHORT_GRACE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        readers = [_Reader(stream) for stream in (process.stdout, process.stderr) if stream]
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{argv[0]} took longer than {timeout:.0f} s") from error
        stdout, stderr = (reader.text() for reader in readers)
    return Ran(code, stdout, stderr)


def run_shown(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a program that shows its progress to the user, on standard error; give its exit code.

    :raises OSError: when it can't be started.
    """
    with _child(argv, environ, GRACE, stdout=_STDERR, stderr=_STDERR) as process:
        return process.wait()


@contextlib.contextmanager
def _child(
    argv: Sequence[str], environ: Mapping[str, str], grace: float, *, stdout: int, stderr: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program; however this is left, it has ended."""
    process = subprocess.Popen(
        list(argv), env=dict(environ), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
    )
    try:
        yield process
    finally:
        try:
            if process.poll() is None:
                process.terminate()
                process.wait(grace)
        except subprocess.TimeoutExpired:
            pass  # it does not listen: below
        finally:
            # Also when the user does not wait for it.
            process.kill()
            process.wait()


class _Reader(threading.Thread):
    """Reads a pipe to its end, and keeps the beginning."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._kept = bytearray()
        self.start()

    def run(self) -> None:
        with self._stream:
            while block := os.read(self._stream.fileno(), 65_536):
                self._kept += block[: MAX_OUTPUT - len(self._kept)]

    def text(self) -> str:
        self.join(LEFT_OVER)
        return bytes(self._kept).decode("utf-8", "replace")
