"""One instance of a local EMR, as its data directory shows it: a lock, a status file, logs."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.config import HEALTH_PATH
from airflow_provider_emrkit.localemr.processes import Process

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LOG_FILE = "localemr.log"
ACCESS_LOG_FILE = "access.log"
_STATUS_FILE = "instance.json"
_LOCK_FILE = "instance.lock"

_LOCK_POLL = 0.05
_HEALTH_TIMEOUT = 2.0
_HEALTH_LIMIT = 1024 * 1024


class InstanceError(Exception):
    """An instance can't be started, found or stopped; the message says why and how to mend it."""


class InstanceTakenError(InstanceError):
    """Another instance has the data directory."""


@dataclass(frozen=True)
class Status:
    """What a running instance says of itself in its status file.

    :param pid: The server's process.
    :param process_started: Its start time, to tell it from a later process of the same id.
    :param started: When the server came up, ISO 8601.
    :param s3_endpoint: The external S3 it uses, if it does.
    :param s3_credentials: File with the keys of that S3.
    """

    pid: int
    process_started: str
    host: str
    port: int
    url: str
    data_dir: str
    version: str
    started: str
    s3_endpoint: str | None = None
    s3_credentials: str | None = None

    @property
    def process(self) -> Process:
        """The server's process."""
        return Process(self.pid, self.process_started)


def running_instance(data_dir: Path) -> Status | None:
    """Find the instance that runs on a data directory; None when there is none."""
    try:
        status = Status(**json.loads((data_dir / _STATUS_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return status if status.process.is_alive else None


def write_status(data_dir: Path, status: Status) -> None:
    """Write the status file; a reader sees all of it or none."""
    partial = data_dir / f".{_STATUS_FILE}.{os.getpid()}"
    partial.write_text(json.dumps(asdict(status), indent=1), encoding="utf-8")
    partial.replace(data_dir / _STATUS_FILE)


def remove_status(data_dir: Path) -> None:
    """Remove the status file."""
    (data_dir / _STATUS_FILE).unlink(missing_ok=True)


def is_found_by(data_dir: Path, pid: int) -> bool:
    """Tell whether a process is still the one that the status file names; not when somebody removed that."""
    try:
        status = json.loads((data_dir / _STATUS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except (OSError, ValueError):  # which says nothing, e.g. too many open files
        return True
    return not isinstance(status, dict) or status.get("pid") == pid


@contextlib.contextmanager
def locked(data_dir: Path, *, patience: float = 0.0) -> Iterator[None]:
    """Hold a data directory's lock, which goes away with the process that holds it, its file in good order.

    :param patience: Seconds to wait for one who holds it: a command does for a moment, to see if it is free.
    :raises InstanceTakenError: when another instance holds it.
    :raises InstanceError: when the directory can't be used.
    """
    deadline, pause = time.monotonic() + patience, threading.Event()
    try:
        while (lock := _open_lock(data_dir)) is None and time.monotonic() < deadline:
            pause.wait(_LOCK_POLL)
    except OSError as error:
        raise InstanceError(data_dir_unusable(data_dir, error)) from error
    if lock is None:
        raise InstanceTakenError(data_dir_taken(data_dir))
    with lock:
        try:
            yield
        finally:
            # Not that of another instance, in a directory that was removed and made anew.
            if _is_still(data_dir / _LOCK_FILE, lock):
                (data_dir / _LOCK_FILE).unlink(missing_ok=True)


def _open_lock(data_dir: Path) -> IO[str] | None:
    """Open the lock file and lock it; None when another process has it locked."""
    path = data_dir / _LOCK_FILE
    with contextlib.ExitStack() as closing:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = closing.enter_context(path.open("a"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        if _is_still(path, file):
            closing.pop_all()
            return file
    # Whoever held it until now has removed the file: a lock on that one would keep nobody out.
    return _open_lock(data_dir)


def _is_still(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def is_locked(data_dir: Path) -> bool:
    """Tell whether an instance holds a data directory's lock, also one that is not up yet."""
    try:
        with locked(data_dir):
            return False
    except InstanceTakenError:
        return True
    except InstanceError:
        return False


def data_dir_taken(data_dir: Path) -> str:
    """Say who uses a data directory."""
    holder = running_instance(data_dir)
    who = f"the local EMR at {holder.url} (pid {holder.pid})" if holder else "another local EMR"
    return f"the data directory {data_dir} is used by {who}; choose another one with --data-dir"


def data_dir_unusable(data_dir: Path, error: OSError) -> str:
    """Say why a data directory can't be used."""
    return (
        f"the data directory {data_dir} can't be used ({error.strerror}); choose another one with --data-dir"
    )


def port_taken(url: str, port: int) -> str:
    """Say who listens on a port."""
    health = fetch_health(url)
    if health is None:
        return f"port {port} is taken by another program; choose another one with --port"
    return (
        f"port {port} is taken by the local EMR with pid {health.get('pid')} and the data directory "
        f"{health.get('data_dir')}; choose another port with --port"
    )


def fetch_health(url: str) -> Mapping[str, Any] | None:
    """Ask a local EMR how it is; None when nobody answers there, or somebody else does."""
    # Not through a proxy, whatever the environment says: the address is this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url + HEALTH_PATH, timeout=_HEALTH_TIMEOUT) as response:
            health = json.loads(response.read(_HEALTH_LIMIT))
    except (OSError, ValueError):
        return None
    return health if isinstance(health, dict) and health.get("status") == "ok" and "pid" in health else None


def log_tail(data_dir: Path, lines: int = 20) -> list[str]:
    """Give the last lines of an instance's log."""
    try:
        text = (data_dir / LOG_FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.splitlines()[-lines:]
