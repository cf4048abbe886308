"""Waits for what other threads and processes do."""

from __future__ import annotations

import threading
import time


def wait_until(condition, what: str = "it", seconds: float = 60.0) -> None:
    """Wait for a condition; fail with what was waited for when it doesn't come."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not after {seconds} s: {what}"
        pause.wait(0.01)
