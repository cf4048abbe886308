"""Processes told apart for certain: by id and start time, because ids are used again."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal

_PROC = Path("/proc")
_POLL = 0.05


@dataclass(frozen=True)
class Process:
    """One process, now or in the past.

    :param pid: Its id.
    :param started: Its start time as the system writes it; only good for comparing.

    >>> Process.of(os.getpid()).is_alive
    True
    """

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """Find a process that runs; None when there is none, or only its zombie."""
        started = _linux_start(pid) if _PROC.is_dir() else _ps_start(pid)
        return None if started is None else cls(pid, started)

    @property
    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return Process.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if this very process still runs."""
        if self.is_alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def wait_gone(self, seconds: float) -> bool:
        """Wait for its end; False when it still runs after ``seconds``."""
        deadline = time.monotonic() + seconds
        pause = threading.Event()
        while self.is_alive:
            if time.monotonic() >= deadline:
                return False
            pause.wait(_POLL)
        return True

    def descendants(self) -> list[Process]:
        """List the processes it started, and those they started; empty where there is no ``/proc``."""
        children = _children_by_parent()
        found, parents = [], [self.pid]
        while parents:
            born = children.get(parents.pop(), [])
            parents += born
            found += [process for process in map(Process.of, born) if process is not None]
        return found


def _children_by_parent() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    if not _PROC.is_dir():
        return children
    for entry in _PROC.iterdir():
        fields = _stat(int(entry.name)) if entry.name.isdigit() else None
        if fields:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    return children


def _stat(pid: int) -> list[str] | None:
    """Give the fields of ``/proc/PID/stat`` from the third (the state) on."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def _linux_start(pid: int) -> str | None:
    fields = _stat(pid)
    if fields is None:
        return None
    # The first thread is a zombie before the others are gone, which hold ports, locks and files till then.
    has_ended = fields[0] in "ZX" and int(fields[17]) <= 1
    return None if has_ended else fields[19]


def _ps_start(pid: int) -> str | None:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    state, _, started = done.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()
