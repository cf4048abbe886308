"""The processes that read logs, as a measurement sees them: a triggerer, or a worker's threads."""

from __future__ import annotations

import json
import math
import os
import select
import subprocess
import sys
import threading
import time
from operator import itemgetter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

from airflow.jobs.triggerer_job_runner import TriggerLoggingFactory, TriggerRunnerSupervisor

from benchmarks.contestants import connections
from benchmarks.logs.contestants import ENVIRON, triggers
from benchmarks.logs.plan import GROUP, stream_names
from benchmarks.processes import PATIENCE, ROOT, Triggerer, end, pipe
from benchmarks.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from airflow.triggers.base import BaseTrigger

    from benchmarks.logs.scenarios import LogScenario
    from benchmarks.schedule import Job

Lines = list[tuple[float, str]]

# The triggerer syncs once a second; by the third time it has done all it does before there is a trigger.
IDLE_SYNCS = 3


class Reading(Protocol):
    """A process that reads a job's log."""

    @property
    def pid(self) -> int:
        """Its id."""

    def read(self, job: Job, started: float) -> None:
        """Have it read until the job has ended; returns then.

        :param started: The schedule's second 0, in seconds since 1970.
        """

    def finish(self) -> tuple[Lines, list[tuple[float, float]], list[str]]:
        """End it; gives its lines, when the event loop was how late, and complaints."""

    def close(self) -> None:
        """End it, whatever it does."""


class TaskLog:
    """Takes what comes out of a log pipe as Airflow's supervisor does, and notes when.

    The lines go through Airflow's own code into the file of the task's log: a supervisor that is slower than
    its triggerer holds it up.

    :param folder: For the files.
    :param loggers: How many triggers there are; they are numbered from 1.
    """

    def __init__(self, folder: Path, loggers: int) -> None:
        self.lines: list[tuple[float, bytes]] = []
        factory: Any = TriggerLoggingFactory
        cache = {
            number: factory(log_path=str(folder / f"task_{number}.log"), ti=None)
            for number in range(1, loggers + 1)
        }
        supervisor: Any = SimpleNamespace(logger_cache=cache)
        process = TriggerRunnerSupervisor._process_log_messages_from_subprocess  # noqa: SLF001
        self._write = process(supervisor)
        next(self._write)

    def take(self, line: bytes) -> None:
        """Take a line."""
        self._write.send(line)
        self.lines.append((time.time(), line))

    def all_lines(self) -> Lines:
        """Give all of them."""
        return [(at, line.decode(errors="replace")) for at, line in self.lines]


class InTriggerer:
    """A triggerer with the triggers of one contestant.

    :param folder: An empty one for it.
    :param environ: Settings beside this process's own.
    """

    def __init__(
        self,
        scenario: LogScenario,
        contestant: str,
        endpoint_url: str,
        folder: Path,
        environ: Mapping[str, str],
    ) -> None:
        self._scenario = scenario
        self._contestant = contestant
        self._task_log = (
            TaskLog(folder, scenario.log.streams if scenario.log else 0) if scenario.sink else None
        )
        take = self._task_log.take if self._task_log else None
        self._triggerer = Triggerer(folder, {**environ, **ENVIRON}, take)
        self._waiting: list[tuple[int, BaseTrigger]] = []
        self._supervisor = Supervisor(
            self._triggerer.sock, connections(scenario, endpoint_url), self._hand_over
        )
        self._supervisor.serve(lambda: self._supervisor.syncs >= IDLE_SYNCS)
        self.pid = self._triggerer.process.pid

    def _hand_over(self) -> Sequence[tuple[int, BaseTrigger]]:
        waiting, self._waiting = self._waiting, []
        return waiting

    def read(self, job: Job, started: float) -> None:
        """Serve the triggers until all have ended, or the load is cut off."""
        self._waiting = list(enumerate(triggers(self._contestant, self._scenario, job), start=1))
        count, supervisor = len(self._waiting), self._supervisor
        until = started + self._scenario.cut_off
        supervisor.serve(
            lambda: len(supervisor.payloads) + len(supervisor.failures) >= count or time.time() >= until
        )

    def finish(self) -> tuple[Lines, list[tuple[float, float]], list[str]]:
        """End it; gives its lines, when the event loop was how late, and complaints."""
        self._triggerer.stop()
        self._supervisor.serve_to_the_end()
        report = self._triggerer.report()
        lines = self._task_log.all_lines() if self._task_log else report["lines"]
        complaints = [*list(self._supervisor.failures.values())[:3], *self._triggerer.complaints]
        return lines, report["lags"], complaints

    def close(self) -> None:
        """End it, whatever it does."""
        self._triggerer.close()


class InThreads:
    """A process with threads that read, one for each stream.

    :param folder: An empty one for it.
    :param environ: Settings beside this process's own.
    """

    def __init__(
        self,
        scenario: LogScenario,
        contestant: str,
        endpoint_url: str,
        folder: Path,
        environ: Mapping[str, str],
    ) -> None:
        self._scenario = scenario
        self._url = endpoint_url
        self._report = folder / "report.json"
        aws = connections(scenario, endpoint_url)["aws_default"]
        options: list[str] = []
        write: int | None = None
        self._task_log: TaskLog | None = None
        self._thread: threading.Thread | None = None
        if scenario.sink:
            read, write = os.pipe()
            options = ["--log-fd", str(write)]
            self._task_log = TaskLog(folder, 1)
            self._thread = threading.Thread(target=self._take, args=(read, self._task_log), daemon=True)
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.logs.reader", contestant),
                *("--report", str(self._report), *options),
            ],
            cwd=ROOT,
            env={
                **os.environ,
                **environ,
                "AIRFLOW_CONN_AWS_DEFAULT": json.dumps({**aws, "extra": json.loads(aws["extra"])}),
                "AWS_ACCESS_KEY_ID": aws["login"],
                "AWS_SECRET_ACCESS_KEY": aws["password"],
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # whether it has said something can be asked, then
            pass_fds=() if write is None else (write,),
        )
        if write is not None:
            os.close(write)
        if self._thread:
            self._thread.start()
        self.pid = self._process.pid
        while pipe(self._process.stdout).readline().strip() != b"ready":
            if self._process.poll() is not None:
                raise RuntimeError("the reader did not start; what it said is above")

    def read(self, job: Job, started: float) -> None:
        """Let it read until the job has ended."""
        order = {
            "group": GROUP,
            "streams": stream_names(self._scenario.log, job.step_id) if self._scenario.log else [],
            "until": started + job.ends,
            "endpoint_url": self._url,
        }
        stdin = pipe(self._process.stdin)
        stdin.write(json.dumps(order).encode() + b"\n")
        stdin.flush()
        until = started + self._scenario.cut_off
        stdout = pipe(self._process.stdout)
        while select.select([stdout], [], [], max(0.0, until - time.time()))[0]:
            said = stdout.readline().strip()
            if said in (b"done", b""):
                return

    def finish(self) -> tuple[Lines, list[tuple[float, float]], list[str]]:
        """End it; gives its lines."""
        end(self._process)
        if self._thread and self._task_log:
            self._thread.join(PATIENCE)
            return self._task_log.all_lines(), [], []
        if not self._report.exists():
            return [], [], ["it had not ended when the load was cut off"]
        return json.loads(self._report.read_text())["lines"], [], []

    def close(self) -> None:
        """End it, whatever it does."""
        end(self._process)

    def _take(self, descriptor: int, log: TaskLog) -> None:
        with os.fdopen(descriptor, "rb") as stream:
            for line in stream:
                log.take(line)


def longest(lags: Sequence[tuple[float, float]], began: float, ended: float) -> tuple[float, float]:
    """Give when the event loop was held up the longest, and for how long; NaN where there is no loop."""
    here = [(at, lag) for at, lag in lags if began <= at <= ended]
    return max(here, key=itemgetter(1), default=(began, math.nan))
