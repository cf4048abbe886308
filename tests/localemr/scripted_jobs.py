"""A runner of EMR Serverless jobs that do what the test says: no processes, no Spark, no waiting.

>>> jobs.script("broken", fails="ValueError: no such day")  # FAILED
>>> jobs.script("flaky", fails="OSError", times=2)  # FAILED twice, then SUCCESS
>>> jobs.script("long", hold=True)  # RUNNING until jobs.finish("long") or a cancel

A script is chosen by a text that occurs in the job's entry point or in one of its arguments; the last one
that fits counts. A job without a script succeeds at once.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.run.contract import ClusterStartError, JobRunRequest, JobRunResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.localemr.config import ServerConfig

# A test that forgets to finish a held job fails instead of hanging.
LIMIT = 60.0


@dataclass
class JobScript:
    """What a job does.

    :param fails: ``details`` of its failure; None for success.
    :param times: How many attempts fail; None for all.
    :param hold: Whether it runs until it is finished or cancelled.
    :param ignores_cancel: Whether it goes on after a cancel without force, to end in its own time.
    :param raises: An error of the runner itself.
    :param pulls: Whether it does not begin until its ``begun`` is set, as while its image is pulled.
    :param never_begins: Whether it ends without having begun.
    """

    text: str
    fails: str | None = None
    times: int | None = None
    hold: bool = False
    ignores_cancel: bool = False
    raises: Exception | None = None
    pulls: bool = False
    never_begins: bool = False


class ScriptedJobRunner:
    """Implements ``JobRunner``.

    :param config: The server's configuration.
    """

    def __init__(self, config: ServerConfig | None = None) -> None:
        self.config = config
        self.requests: list[JobRunRequest] = []
        self.prepared: list[str] = []
        self.cancels: list[tuple[str, bool]] = []
        self.is_stopped = False
        self._condition = threading.Condition()
        self._prepares = threading.Event()
        self.forget()

    def forget(self) -> None:
        """Forget all scripts and what was started."""
        with self._condition:
            self._scripts: list[JobScript] = []
            self._running: dict[str, ScriptedJob] = {}
            self.refused_labels: dict[str, str] = {}
            self.prepare_error: Exception | None = None
            self._prepares.set()  # who still waits is none of the next test's
            self._prepares = threading.Event()
            self._prepares.set()
            for seen in (self.requests, self.prepared, self.cancels):
                seen.clear()

    def script(self, text: str, **script: Any) -> None:
        """Say what jobs with ``text`` in their entry point or arguments do; see :class:`JobScript`."""
        with self._condition:
            self._scripts.append(JobScript(text, **script))

    def hold_prepares(self) -> None:
        """Let applications stay in STARTING until ``release_prepares``."""
        self._prepares.clear()

    def release_prepares(self) -> None:
        """Let applications start."""
        self._prepares.set()

    def finish(self, text: str) -> None:
        """Let a held job go on to its end."""
        self.wait_started(text).opened.set()

    def wait_started(self, text: str) -> ScriptedJob:
        """Wait until a job runs that has ``text`` in its entry point or arguments, and return it."""
        with self._condition:
            assert self._condition.wait_for(lambda: self._find(text) is not None, LIMIT), text
            found = self._find(text)
            assert found is not None
            return found

    def _find(self, text: str) -> ScriptedJob | None:
        return next((job for job in self._running.values() if _fits(job.request, text)), None)

    def check(self, release_label: str, architecture: str = "X86_64") -> None:
        """Refuse the labels in ``refused_labels``."""
        if release_label in self.refused_labels:
            raise ClusterStartError(self.refused_labels[release_label])

    def prepare(self, release_label: str, progress: Callable[[str], None]) -> None:
        """Wait while preparations are held, fail with ``prepare_error`` if there is one."""
        progress("preparing")
        prepares = self._prepares
        while not prepares.wait(0.02):
            progress("preparing")
        if self.prepare_error is not None:
            raise self.prepare_error
        if prepares is self._prepares:  # and not of a test that has ended
            self.prepared.append(release_label)

    def start(self, request: JobRunRequest) -> ScriptedJob:
        """Start a job."""
        with self._condition:
            fitting = [script for script in self._scripts if _fits(request, script.text)]
            script = fitting[-1] if fitting else JobScript("")
            self.requests.append(request)
            if script.raises is not None:
                raise script.raises
            job = ScriptedJob(self, request, script)
            self._running[request.run_id] = job
            self._condition.notify_all()
            return job

    def ended(self, job: ScriptedJob) -> None:
        """Note that a job's end has come."""
        with self._condition:
            self._running.pop(job.request.run_id, None)

    def stop(self) -> None:
        """Note that everything was stopped."""
        self.is_stopped = True


class ScriptedJob:
    """Implements ``RunningJob``."""

    def __init__(self, runner: ScriptedJobRunner, request: JobRunRequest, script: JobScript) -> None:
        self.runner = runner
        self.request = request
        self.script = script
        self.opened = threading.Event()
        self.begun = threading.Event()
        if not script.pulls:
            self.begun.set()
        self.is_cancelled = False
        if not script.hold:
            self.opened.set()

    def wait_begun(self) -> bool:
        """Wait while its image is pulled, if the script says so."""
        return self.begun.wait(LIMIT) and not self.script.never_begins

    def wait(self) -> JobRunResult:
        """Wait until the job may end, and end as the script says."""
        if not self.opened.wait(LIMIT):
            raise TimeoutError(f"job {self.request.entry_point!r} was held and never finished")
        self.runner.ended(self)
        if self.is_cancelled:
            return JobRunResult(False, cancelled=True)
        times = self.script.times
        if self.script.fails is not None and (times is None or self.request.attempt <= times):
            return JobRunResult(False, details=self.script.fails)
        return JobRunResult(True)

    def cancel(self, *, force: bool = False) -> None:
        """End a held job."""
        self.runner.cancels.append((self.request.run_id, force))
        if not (self.begun.is_set() and self.opened.is_set()):
            self.is_cancelled = True
        if force or not self.script.ignores_cancel:
            self.begun.set()
            self.opened.set()


class ScriptedAppUi:
    """Implements ``AppUi``.

    :param config: The server's configuration.
    """

    def __init__(self, config: ServerConfig | None = None) -> None:
        self.config = config

    def url(self, application_id: str | None = None) -> str:
        """Give an address."""
        return f"http://127.0.0.1:18080/history/{application_id or ''}"

    def stop(self) -> None:
        """Nothing is there to be stopped."""


def _fits(request: JobRunRequest, text: str) -> bool:
    return any(text in part for part in (request.entry_point, *request.arguments))
