"""The pages of finished and running Spark applications: one Spark history server for the instance."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_emrkit.localemr.config import REGION
from airflow_provider_emrkit.localemr.run.commands import Command
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError
from airflow_provider_emrkit.localemr.run.directories import HISTORY
from airflow_provider_emrkit.localemr.run.environment import FAST_COLLECTOR, Place
from airflow_provider_emrkit.localemr.run.event_logs import EventLogs, Found, event_log_directory
from airflow_provider_emrkit.localemr.run.failures import failure_line
from airflow_provider_emrkit.localemr.run.logged_process import Folders, start_logged
from airflow_provider_emrkit.localemr.run.logs import LogStream
from airflow_provider_emrkit.localemr.run.outputs import OpenLogs
from airflow_provider_emrkit.localemr.run.process import SESSION_FILE, Session
from airflow_provider_emrkit.localemr.spark.archive import archive_path
from airflow_provider_emrkit.localemr.spark.install import InstallError
from airflow_provider_emrkit.localemr.spark.installed import newest_installed
from airflow_provider_emrkit.localemr.spark.launcher import make_java_home
from airflow_provider_emrkit.localemr.spark.prefetch import s3_jar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_emrkit.localemr.config import ServerConfig

START_LIMIT = 60.0
"""Longest wait (seconds) for the server's first page."""

LISTED_LIMIT = 15.0
"""Longest wait (seconds) until an application that has an event log is listed."""

IDLE_LIMIT = 30 * 60.0
"""Seconds after the last request for a page until the server is ended; its start does not count."""

PRUNE_EVERY = 600.0
"""Seconds between two looks for event logs that are too old or too many."""

_MAIN_CLASS = "org.apache.spark.deploy.history.HistoryServer"
_SCAN_EVERY = "1s"
_MEMORY = "512m"
_ADDRESS = re.compile(r"started at https?://\S+?:(\d+)\b")
_LOOK_EVERY = 0.1
_REQUEST_LIMIT = 10.0


class HistoryServer:
    """Spark's history server, started when it is first asked for; implements the contract's ``AppUi``.

    Making one ends what an earlier process left running in the same data directory, and removes old event
    logs: no application may be running.

    :param config: The server's configuration.
    :param idle_limit: Seconds after the last request for a page until the server is ended.

    >>> history = HistoryServer(ServerConfig(data_dir=Path("data")))  # doctest: +SKIP
    >>> history.url("application_1700000000000_0001")  # doctest: +SKIP
    'http://127.0.0.1:40123/history/local-1700000000000/jobs/'
    """

    def __init__(self, config: ServerConfig, idle_limit: float = IDLE_LIMIT) -> None:
        self._config = config
        self._idle_limit = idle_limit
        self._directory = config.data_dir.resolve() / HISTORY
        self._logs = EventLogs(event_log_directory(config))
        self._lock = threading.Lock()
        self._running: _Running | None = None
        self._stopped = threading.Event()
        session = Session.load(self._directory / SESSION_FILE)
        if session:
            session.sweep()
        shutil.rmtree(self._directory, ignore_errors=True)
        if config.ephemeral:
            self._logs.clear()
        self._logs.prune(nothing_runs=True)
        threading.Thread(target=self._keep_few, name="localemr-event-logs", daemon=True).start()

    def url(self, application_id: str | None = None) -> str:
        """Give the address of an application's page, or of the list of all; starts the server when needed.

        A running application has a page too, as old as its last job or stage. One without an event log, or
        one that Spark does not list in time, gets the list.

        :param application_id: Spark's own id, or the id of a YARN application, a step or a job run (see
            ``event_logs.job_application_id``); None for the list.
        :raises ClusterStartError: when the server can't be started, with the mend.
        """
        with self._lock:
            running = self._ready()
        found = self._logs.find(application_id) if application_id else None
        if found and running.lists(found):
            return f"{running.url}/history/{quote(found.application_id)}/jobs/"
        return f"{running.url}/"

    def stop(self) -> None:
        """End the server. Idempotent."""
        self._stopped.set()
        # One that is starting is not waited for: its end ends the waiting of whoever holds the lock.
        starting = self._running
        if starting:
            starting.stop()
        with self._lock:
            running, self._running = self._running, None
            if running:
                running.stop()
            shutil.rmtree(self._directory, ignore_errors=True)
            if self._config.ephemeral:
                self._logs.clear()

    def _keep_few(self) -> None:
        while not self._stopped.wait(PRUNE_EVERY):
            self._logs.prune(nothing_runs=False)

    def _ready(self) -> _Running:
        if self._stopped.is_set():
            raise ClusterStartError("the local EMR is being stopped", "INTERNAL_ERROR")
        running = self._running
        if running and running.stay() and running.wait_ready(START_LIMIT):
            return running
        return self._start()

    def _start(self) -> _Running:
        if self._running:
            self._running.stop()
        shutil.rmtree(self._directory, ignore_errors=True)
        port = self._running.port if self._running else 0
        try:
            running = _Running(self._place(), event_log_directory(self._config), port, self._idle_limit)
        except (InstallError, OSError) as error:
            raise ClusterStartError(f"Spark's history server can't be started: {error}") from error
        self._running = running
        if self._stopped.is_set() or not running.wait_ready(START_LIMIT):
            running.stop()
            raise ClusterStartError(f"Spark's history server did not start: {running.failure()}")
        return running

    def _place(self) -> Place:
        cache_dir = self._config.cache_dir.resolve()
        software, jar = newest_installed(cache_dir), s3_jar(cache_dir)
        java = make_java_home(software.java, self._directory / "java", archive_path(software, jar, cache_dir))
        place = Place(self._directory, software.spark_home, java, self._config.url, REGION, (os.fspath(jar),))
        place.home.mkdir()
        return place


class _Running:
    """A history server's process, from its start to its end."""

    def __init__(self, place: Place, event_logs: Path, port: int, idle_limit: float) -> None:
        own = place.directory
        work = own / "work"
        (work / "tmp").mkdir(parents=True)
        event_logs.mkdir(parents=True, exist_ok=True)
        self.port = 0
        self._idle_limit = idle_limit
        self._changed = threading.Condition()
        self._used: float | None = None
        """When a page was last asked for; None while it starts."""
        self._ended = False
        streams = {"stdout": LogStream(own / "stdout"), "stderr": LogStream(own / "stderr", self._read)}
        self._logs = OpenLogs(streams)
        command = Command((os.fspath(place.spark_home / "bin" / "spark-class"), _MAIN_CLASS))
        options = {
            # Hadoop reads it as a path, not as an encoded URI.
            "spark.history.fs.logDirectory": f"file://{event_logs}",
            "spark.history.fs.update.interval": _SCAN_EVERY,
            "spark.history.fs.cleaner.enabled": "false",
            # The port of an earlier one keeps a page that is open in a browser alive.
            "spark.history.ui.port": str(port),
        }
        env = {
            "SPARK_HISTORY_OPTS": " ".join(_quoted(f"-D{key}={value}") for key, value in options.items()),
            "SPARK_DAEMON_JAVA_OPTS": " ".join([*place.jvm, FAST_COLLECTOR]),
            # First, as in a step, so that the archive of Spark's classes fits.
            "SPARK_DAEMON_CLASSPATH": ":".join(place.class_path),
            "SPARK_DAEMON_MEMORY": _MEMORY,
        }
        self._process = start_logged(command, place, Folders(own, work), self._logs, owner="history", env=env)
        threading.Thread(target=self._watch, name="localemr-history", daemon=True).start()
        threading.Thread(target=self._end_when_idle, name="localemr-history-idle", daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stay(self) -> bool:
        """Keep it from ending for a while longer; False when it has ended."""
        with self._changed:
            if self._used is not None:
                self._used = time.monotonic()
            return not self._ended

    def wait_ready(self, seconds: float) -> bool:
        """Wait until its pages answer; False when it ends before, or takes too long."""
        deadline = time.monotonic() + seconds
        with self._changed:
            self._changed.wait_for(lambda: self.port or self._ended, seconds)
        if not self._answers("applications?limit=1", deadline, lambda _: True):
            return False
        with self._changed:
            self._used = time.monotonic()
            self._changed.notify_all()
        return True

    def lists(self, found: Found) -> bool:
        """Wait until an application has a page that is up to date; False when that takes too long."""
        deadline = time.monotonic() + LISTED_LIMIT
        path = f"applications/{quote(found.application_id)}"
        return self._answers(path, deadline, lambda answer: not found.is_over or _is_complete(answer))

    def failure(self) -> str:
        """Give the line of its log that tells what went wrong."""
        return failure_line(self._logs["stderr"].path, self._logs["stdout"].path) or "its log says nothing"

    def stop(self) -> None:
        """End it and wait for that. Idempotent."""
        self._process.cancel(force=True)
        with self._changed:
            self._changed.wait_for(lambda: self._ended)

    def _answers(self, path: str, deadline: float, is_right: Callable[[Any], bool]) -> bool:
        while time.monotonic() < deadline:
            with self._changed:
                if self._ended or not self.port:
                    return False
            answer = _get(f"{self.url}/api/v1/{path}")
            if answer is not None and is_right(answer):
                return True
            with self._changed:
                self._changed.wait_for(lambda: self._ended, _LOOK_EVERY)
        return False

    def _read(self, _: int, line: str) -> None:
        found = _ADDRESS.search(line)
        if found:
            with self._changed:
                self.port = int(found[1])
                self._changed.notify_all()

    def _watch(self) -> None:
        self._process.wait()
        self._logs.close()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _end_when_idle(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._used is not None or self._ended)
            while self._used is not None and not self._ended:
                left = self._used + self._idle_limit - time.monotonic()
                if left <= 0:
                    self._process.cancel()
                    return
                self._changed.wait_for(lambda: self._ended, left)


def _quoted(option: str) -> str:
    """Write an option as Spark's launcher reads it."""
    escaped = option.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _get(url: str) -> Any:
    """Give the JSON at an address; None when there is none."""
    # No proxy of the environment is for this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_REQUEST_LIMIT) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return None


def _is_complete(application: Any) -> bool:
    attempts = application.get("attempts") if isinstance(application, dict) else None
    return all(attempt.get("completed") for attempt in attempts) if attempts else False
