"""One step: its directory, its process, its log streams and how it ended."""

from __future__ import annotations

import shlex
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.run.application import KILLED_CLIENT, Driver, RunningApplication
from airflow_provider_emrkit.localemr.run.commands import (
    Command,
    CommandError,
    CommandPlanner,
    Fetch,
    localise,
)
from airflow_provider_emrkit.localemr.run.containers import ClientContainers
from airflow_provider_emrkit.localemr.run.contract import StepRequest, StepResult
from airflow_provider_emrkit.localemr.run.failures import failure_line
from airflow_provider_emrkit.localemr.run.leftover_uploads import abort_leftover_uploads
from airflow_provider_emrkit.localemr.run.logged_process import Folders, start_logged
from airflow_provider_emrkit.localemr.run.process import SESSION_FILE

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.run.environment import Place
    from airflow_provider_emrkit.localemr.run.logged_process import Process
    from airflow_provider_emrkit.localemr.run.logs import LogStream
    from airflow_provider_emrkit.localemr.run.outputs import Outputs
    from airflow_provider_emrkit.localemr.run.resource_manager import ResourceManager
    from airflow_provider_emrkit.localemr.spark.image import LaunchFailure

_UNKNOWN = "Unknown Error."


@dataclass(frozen=True)
class StepContext:
    """What all steps of a cluster share.

    :param cluster_id: ``j-…``
    :param place: The cluster's directories and programs.
    :param planner: Turns a step into a command.
    :param fetch: Brings files to this machine.
    :param outputs: What becomes of logs.
    :param manager: Runs the drivers of deploy mode cluster.
    """

    cluster_id: str
    place: Place
    planner: CommandPlanner
    fetch: Fetch
    outputs: Outputs
    manager: ResourceManager


class _OwnProcess:
    """A step whose command is a process of its own."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def launch_failure(self) -> LaunchFailure | None:
        return self._process.launch_failure

    def wait(self) -> int:
        return self._process.wait()

    def cancel(self, *, force: bool) -> None:
        self._process.cancel(force=force)


class _Client:
    """A step that is the client of an application, which goes on when the client is told to end."""

    def __init__(self, application: RunningApplication, stderr: LogStream) -> None:
        self.application = application
        self._stderr = stderr
        self._is_left = threading.Event()
        stderr.write_lines(application.ids.submitted(time.time()))

    def wait(self) -> int:
        for line in self.application.report(self._is_left.is_set):
            self._stderr.write_lines([line])
        if self._is_left.is_set() and not self.application.is_over:
            return KILLED_CLIENT
        return self.application.client_exit_code

    def cancel(self, *, force: bool) -> None:  # noqa: ARG002 - a client that only waits needs no force
        self._is_left.set()
        self.application.wake()


class SparkStep:
    """A step that runs, or could not be started; implements the contract's ``RunningStep``.

    :param request: The step.
    :param context: What it shares with the cluster's other steps.

    >>> request = StepRequest("s-1", "hello", "command-runner.jar", ["true"])
    >>> step = SparkStep(request, context)  # doctest: +SKIP
    >>> step.wait().succeeded  # doctest: +SKIP
    True
    """

    def __init__(self, request: StepRequest, context: StepContext) -> None:
        self._request = request
        self._context = context
        self._directory = context.place.steps / request.step_id
        self._work = self._directory / "work"
        (self._work / "tmp").mkdir(parents=True)
        self._logs = context.outputs.open(self._directory, context.outputs.step_places(request.step_id))
        self._run: _OwnProcess | _Client | None = None
        self._cancelled = threading.Event()
        self._result: StepResult | None = None
        self._finishing = threading.Lock()
        self._problem: str | None = None
        try:
            self._run = self._start()
        except (CommandError, OSError) as error:
            self._problem = str(error)
            self._logs["stderr"].write_lines([self._problem])

    @property
    def is_over(self) -> bool:
        """Whether it has ended and its logs are written."""
        return self._result is not None

    def wait(self) -> StepResult:
        """Block until the step's processes are gone and its logs are written."""
        with self._finishing:
            if self._result is None:
                code = self._run.wait() if self._run else None
                self._result = self._finish(code)
            return self._result

    def cancel(self, *, force: bool = False) -> None:
        """End the step: SIGTERM, or SIGKILL with ``force``. Idempotent.

        In deploy mode cluster that ends the client; the driver goes on.
        """
        if self._run and self._result is None:
            self._cancelled.set()
            self._run.cancel(force=force)

    def _start(self) -> _OwnProcess | _Client:
        command = self._context.planner.plan(self._request, self._work)
        if command.submission and command.cluster_mode:
            localise(command.submission, self._work, self._context.fetch)
        self._logs.control(f"INFO startExec {shlex.join([self._request.jar, *self._request.args])!r}")
        if self._context.place.notice:
            self._logs.control(f"WARN {self._context.place.notice}")
        if command.note:
            self._logs["stderr"].write_lines([command.note])
        try:
            return self._client(command) if command.cluster_mode else self._own_process(command)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CommandError(f"Cannot run program {command.argv[0]!r}: {reason}") from error

    def _own_process(self, command: Command) -> _OwnProcess:
        context, folders = self._context, Folders(self._directory, self._work)
        env = self._variables(command)
        containers = ClientContainers(context.manager.new_ids, context.outputs, self._logs["stderr"])
        return _OwnProcess(
            start_logged(
                command,
                context.place,
                folders,
                self._logs,
                owner=self._request.step_id,
                env=env,
                containers=containers,
            )
        )

    def _client(self, command: Command) -> _Client:
        driver = Driver(command, self._work, self._variables(command))
        return _Client(self._context.manager.submit(driver), self._logs["stderr"])

    def _variables(self, command: Command) -> dict[str, str]:
        return {"EMR_STEP_ID": self._request.step_id, **command.env}

    def _finish(self, code: int | None) -> StepResult:
        self._logs.finish_reading()
        if isinstance(self._run, _OwnProcess):
            self._say_not_launched(self._run.launch_failure)
            abort_leftover_uploads(self._context.outputs.s3_client, self._work / "tmp")
        if code is not None:
            self._logs.control(
                f"INFO waitProcessCompletion ended with exit code {code} : {self._request.jar}"
            )
        self._logs.control(f"INFO Step {'succeeded' if code == 0 else 'failed'}")
        self._logs.close()
        (self._directory / SESSION_FILE).unlink(missing_ok=True)
        return self._judge(code)

    def _say_not_launched(self, failure: LaunchFailure | None) -> None:
        if failure:
            ids = self._context.manager.new_ids()
            now = time.time()
            self._logs["stderr"].write_lines([*ids.submitted(now), *ids.executors_not_launched(now, failure)])
            self._problem = failure.summary

    def _judge(self, code: int | None) -> StepResult:
        if code == 0:
            return StepResult(succeeded=True)
        if self._cancelled.is_set():
            return StepResult(succeeded=False, cancelled=True)
        location = self._context.outputs.location
        return StepResult(
            succeeded=False,
            reason=_UNKNOWN,
            message=self._failure_message(code),
            log_file=location.uri(f"steps/{self._request.step_id}/stderr.gz") if location else None,
        )

    def _failure_message(self, code: int | None) -> str:
        if self._problem:
            return self._problem
        if isinstance(self._run, _Client):
            return self._run.application.failure
        return (
            failure_line(self._logs["stderr"].path, self._logs["stdout"].path)
            or f"the command ended with exit code {code}"
        )
