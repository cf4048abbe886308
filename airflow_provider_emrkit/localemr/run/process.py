"""A step's processes: started in a session of their own, and all gone at the end.

A session (not only a process group) is what holds a Spark job together: PySpark's workers leave the process
group, and background children of a shell script outlive it. Where there is no ``/proc`` the process group has
to do.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_provider_emrkit.localemr.spark.image import LaunchFailure

PROC = Path("/proc")

_POLL = 0.05
# Places in /proc/PID/stat, counted after the command's name, and the states of processes that run no more.
_SESSION_FIELD, _START_FIELD = 3, 19
_DEAD = frozenset("ZX")
_SWEEP_LIMIT = 5.0

SESSION_FILE = "process.json"
"""Name of the file in a command's directory that says how to find its processes."""

MARK = "EMRKIT_LOCALEMR_STEP"
"""Environment variable that all processes of a step carry; it finds those that left the session."""


@dataclass(frozen=True)
class Session:
    """What is needed to find a step's processes again, also from another process after a restart.

    :param sid: Session id, which is also the id of the first process and of its process group; 0 while there
        is none yet.
    :param started: Start time of the first process (clock ticks since boot), 0 when unknown.
    :param mark: Value of :data:`MARK` in the environment of the step's processes.
    """

    sid: int
    started: int
    mark: str

    def save(self, path: Path) -> None:
        """Write it to a file."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Session | None:
        """Read it from a file; None when the file is not there or was cut off."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return cls(int(data["sid"]), int(data["started"]), str(data["mark"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def pids(self, *, reaped: bool = False) -> list[int]:
        """Give the ids of the session's processes that are alive, zombies left out.

        :param reaped: The first process was waited for just now, so that its id can't mean another process
            yet.
        """
        if not PROC.is_dir():
            return [self.sid] if self.sid and _group_alive(self.sid) else []
        same_session = reaped or (self.started > 0 and _start_time(self.sid) == self.started)
        return [pid for pid in _all_pids() if self._owns(pid, same_session)]

    def signal(self, number: int, *, reaped: bool = False) -> None:
        """Send a signal to every process of the session."""
        if not PROC.is_dir():
            if self.sid:
                _send_group(self.sid, number)
            return
        for pid in self.pids(reaped=reaped):
            _send(pid, number)

    def sweep(self, *, reaped: bool = False) -> None:
        """Kill what is left of the session; returns when it is gone, or after seconds if it can't die."""
        deadline = time.monotonic() + _SWEEP_LIMIT
        pause = threading.Event()
        while self.pids(reaped=reaped) and time.monotonic() < deadline:
            self.signal(signal.SIGKILL, reaped=reaped)
            pause.wait(_POLL)

    def _owns(self, pid: int, same_session: bool) -> bool:
        """Tell by the mark, which survives a new session, or by the id, which survives a new environment."""
        fields = _stat(pid)
        if fields is None or fields[0] in _DEAD:
            return False
        if same_session and int(fields[_SESSION_FIELD]) == self.sid:
            return True
        try:
            return f"{MARK}={self.mark}".encode() in (PROC / str(pid) / "environ").read_bytes().split(b"\0")
        except OSError:
            return False


class StepProcess:
    """One running command with its session.

    :param argv: The command.
    :param env: Its whole environment.
    :param cwd: Its working directory.
    :param mark: A random text that is no other step's.
    """

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, mark: str) -> None:
        self._popen = subprocess.Popen(
            list(argv),
            env={**env, MARK: mark},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.session = Session(self._popen.pid, _start_time(self._popen.pid), mark)
        self._ended = threading.Event()
        self._asked = threading.Event()
        self.launch_failure: LaunchFailure | None = None
        """Always None: what can't be launched on this machine raises an OSError."""

    @classmethod
    def start(cls, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, directory: Path) -> StepProcess:
        """Start a command that a later process can find and end, whenever this one is killed.

        :param directory: Where :data:`SESSION_FILE` is written, and left.
        :raises OSError: when the command can't be started or the file can't be written.
        """
        mark, file = secrets.token_hex(16), directory / SESSION_FILE
        Session(0, 0, mark).save(file)
        process = cls(argv, env=env, cwd=cwd, mark=mark)
        try:
            process.session.save(file)
        except OSError:
            process.cancel(force=True)
            process.wait()
            for pipe in process.pipes:
                pipe.close()
            raise
        return process

    @property
    def pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        """The reading ends of the command's stdout and stderr; whoever reads them closes them."""
        if (
            self._popen.stdout is None or self._popen.stderr is None
        ):  # pragma: no cover - Popen was asked for both
            raise RuntimeError("StepProcess: the pipes are gone")
        return self._popen.stdout, self._popen.stderr

    def wait_begun(self) -> bool:
        """Tell whether the command has begun: it has, as nothing has to be brought here for it."""
        return True

    def wait(self) -> int:
        """Wait for the command, then end what it left behind."""
        code = self._popen.wait()
        self._ended.set()
        self.session.sweep(reaped=True)
        return code

    def wait_for(self, seconds: float) -> int | None:
        """Wait as :meth:`wait` does, but not longer than some seconds: then None."""
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        return self.wait()

    @property
    def has_ended(self) -> bool:
        """Whether the command itself has ended; what it left behind may be there."""
        return self._popen.poll() is not None

    def cancel(self, *, force: bool = False, grace: float | None = None) -> None:
        """End the command: SIGTERM, or SIGKILL with ``force``; does not wait.

        :param grace: Seconds after which SIGKILL follows a SIGTERM; None for never.
        """
        if self._ended.is_set():
            return
        if force:
            self.session.signal(signal.SIGKILL)
        elif not self._asked.is_set():
            # Once: a second SIGTERM would hit a process that is cleaning up.
            self._asked.set()
            self.session.signal(signal.SIGTERM)
            if grace is not None:
                threading.Thread(
                    target=self._kill_later, args=(grace,), name="localemr-kill", daemon=True
                ).start()

    def _kill_later(self, grace: float) -> None:
        if not self._ended.wait(grace):
            self.session.signal(signal.SIGKILL)


def _all_pids() -> Iterator[int]:
    for name in os.listdir(PROC):  # noqa: PTH208 - /proc has thousands of entries, names are enough
        if name.isdigit():
            yield int(name)


def _stat(pid: int) -> list[str] | None:
    """Give the fields of /proc/PID/stat after the command's name; None for a process that is gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def _start_time(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[_START_FIELD]) if fields else 0


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _send_group(pgid: int, number: int) -> None:
    try:
        os.killpg(pgid, number)
    except (ProcessLookupError, PermissionError):
        return


def _group_alive(pgid: int) -> bool:
    try:
        os.killpg(pgid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
