"""Run a command: its output is kept for diagnosis and, on a terminal, shown as it comes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import shlex
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

from environments.problems import from_output

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def run(command: Sequence[str | Path], *, step: str, environ: Mapping[str, str], shown: bool = True) -> str:
    """Run a command to its end and return what it wrote.

    :param step: What it does, for the error text.
    :param shown: Whether the user sees its output as it comes, if there is a terminal.
    :raises BootstrapError: when it cannot be started or ends with another code than 0.
    """
    argv = [str(part) for part in command]
    try:
        code, output = (
            _on_terminal(argv, environ) if shown and sys.stderr.isatty() else _quietly(argv, environ)
        )
    except OSError as error:
        raise from_output(step, shlex.join(argv), str(error)) from error
    if code != 0:
        raise from_output(step, shlex.join(argv), output)
    return output


def _quietly(argv: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        argv,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace")


def _on_terminal(argv: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str]:
    """Give the command a terminal, so that it draws its progress, and copy what it draws to ours."""
    ours, theirs = pty.openpty()
    with contextlib.suppress(OSError):
        size = fcntl.ioctl(sys.stderr.fileno(), termios.TIOCGWINSZ, b"\0" * 8)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
    settings = termios.tcgetattr(theirs)
    settings[1] &= ~termios.OPOST  # our own terminal ends the lines
    termios.tcsetattr(theirs, termios.TCSANOW, settings)
    try:
        process = subprocess.Popen(
            argv, env=dict(environ), stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
        )
    except OSError:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    with process:
        output = _copy(ours)
    return process.returncode, output


def _copy(terminal: int) -> str:
    seen, shown = bytearray(), 0
    # Reading from a terminal whose other side is closed is an error (EIO) on Linux.
    with open(terminal, "rb", buffering=0) as stream, contextlib.suppress(OSError):
        while chunk := stream.read(4096):
            seen += chunk
            end = _shown_end(seen)
            sys.stderr.buffer.write(seen[shown:end])
            sys.stderr.buffer.flush()
            shown = max(shown, end)
    return seen.decode(errors="replace")


def _shown_end(output: bytearray) -> int:
    """Return where to stop showing: uv ends with a line for each of hundreds of packages."""
    listing = re.search(rb"Installed [^\n]*package[^\n]*\n", output)
    return listing.end() if listing else len(output)
