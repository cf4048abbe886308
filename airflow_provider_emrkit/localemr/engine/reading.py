"""Reads what a process writes, although others may hold its pipe for longer than it lives."""

from __future__ import annotations

import os
import selectors
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

_CHUNK = 64 * 1024


def read_until_end(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Give what a process writes to stderr until it ends, whoever else still holds the pipe."""
    over, end = os.pipe()

    def tell() -> None:
        process.wait()
        os.close(end)

    threading.Thread(target=tell, name="localemr-watch", daemon=True).start()
    with open(over, "rb"), process.stderr as pipe, selectors.DefaultSelector() as both:  # type: ignore[union-attr] # noqa: PTH123
        for file in (over, pipe):
            both.register(file, selectors.EVENT_READ)
        while any(key.fileobj is pipe for key, _ in both.select()):
            chunk = os.read(pipe.fileno(), _CHUNK)
            if not chunk:
                return
            yield chunk
