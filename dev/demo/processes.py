"""The processes of the demo: started in sessions of their own, found again, and stopped on every way out.

A process is told from a later one with the same id by its start time, and a process of this demo from any
other by the marker in its environment. Both come from ``/proc``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_PROC = Path("/proc")
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Process:
    """One line of the process table.

    :param started: Clock ticks between the machine's boot and the start of the process.
    """

    pid: int
    parent: int
    session: int
    started: int


def process(pid: int) -> Process | None:
    """Return the process that has this id now, or None; one that only waits for its parent is gone."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything, also spaces and brackets
    if fields[0] in ("Z", "X"):
        return None
    return Process(pid=pid, parent=int(fields[1]), session=int(fields[3]), started=int(fields[19]))


def all_processes() -> list[Process]:
    """Read the process table."""
    found = (process(int(entry.name)) for entry in _PROC.iterdir() if entry.name.isdigit())
    return [one for one in found if one is not None]


def environment_of(pid: int) -> dict[str, str]:
    """Return the environment a process was started with; empty when it is gone or somebody else's."""
    try:
        raw = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (item.partition("=") for item in raw.decode(errors="replace").split("\0") if item)
    return {name: value for name, _, value in pairs}


def command_of(pid: int) -> str:
    """Return a process's command line, for a message; empty when it is gone."""
    try:
        raw = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ""
    return raw.decode(errors="replace").replace("\0", " ").strip()


def members(marker: tuple[str, str], roots: Iterable[Process] = ()) -> list[Process]:
    """Find all processes of a demo: those with its marker, in a session of theirs, or their descendants.

    :param marker: Name and value of the variable that marks the demo's processes.
    :param roots: Processes known to belong to it, e.g. from its record.
    """
    table = all_processes()
    name, value = marker
    known = {(root.pid, root.started) for root in roots}
    mine = {one.pid for one in table if (one.pid, one.started) in known}
    mine |= {one.pid for one in table if environment_of(one.pid).get(name) == value}
    sessions = {one.session for one in table if one.pid in mine and one.session in mine}
    grown = True
    while grown:
        more = {one.pid for one in table if one.parent in mine or one.session in sessions} - mine
        mine |= more
        grown = bool(more)
    mine.discard(os.getpid())
    return [one for one in table if one.pid in mine]


def _signal(targets: Iterable[Process], number: int) -> None:
    for target in targets:
        if _same(target):
            try:
                os.kill(target.pid, number)
            except (ProcessLookupError, PermissionError):  # gone, or another user's
                continue


def _same(target: Process) -> bool:
    """Whether the id still belongs to that process; its parent may have changed when that ended."""
    now = process(target.pid)
    return now is not None and now.started == target.started


def _wait_gone(targets: Sequence[Process], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(_same(target) for target in targets):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def stop(marker: tuple[str, str], roots: Sequence[Process] = (), *, grace: float = 8.0) -> list[Process]:
    """End all processes of a demo: SIGTERM, a grace, then SIGKILL, until the process table shows none.

    :param grace: Seconds between the two.
    :returns: Those that could not be ended; empty when all are gone.
    """
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 3.0), (signal.SIGKILL, 3.0)):
        targets = members(marker, roots)
        _signal(targets, number)
        if _wait_gone(targets, seconds) and not members(marker, roots):
            break
    return members(marker, roots)


class Child:
    """A program of the demo, with its output in a file.

    :param name: What messages call it.
    :param log: File its output goes to; an older one is replaced.

    Example::

        child = Child.start("localemr", ["emrkit", "local", "up"], environment, Path("localemr.log"))
        if not child.running:
            print(child.tail())
    """

    def __init__(self, name: str, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._popen = popen
        found = process(popen.pid)
        self.process = found or Process(pid=popen.pid, parent=os.getpid(), session=popen.pid, started=0)

    @classmethod
    def start(cls, name: str, argv: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
        """Start a program in a session of its own, so that Ctrl-C in the terminal reaches only the demo.

        :raises OSError: when the program isn't there.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            popen = subprocess.Popen(
                argv,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(name, popen, log)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit code of the ended program, None while it runs."""
        return self._popen.poll()

    def terminate(self, seconds: float) -> None:
        """Ask the program itself to end, and wait until it has, at most ``seconds``."""
        if self.running:
            self._popen.terminate()
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return

    def tail(self, lines: int = 15) -> list[str]:
        """Return the last lines of its output."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return text.splitlines()[-lines:]
