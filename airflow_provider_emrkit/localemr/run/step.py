"""One step: its directory, its process, its log streams and how it ended."""

from __future__ import annotations

import datetime as dt
import secrets
import shlex
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.run.cloudwatch import CloudWatchPublisher, LogTarget
from airflow_provider_emrkit.localemr.run.commands import (
    Command,
    CommandError,
    CommandPlanner,
    Fetch,
    localise,
)
from airflow_provider_emrkit.localemr.run.contract import StepRequest, StepResult
from airflow_provider_emrkit.localemr.run.environment import Place, command_environment
from airflow_provider_emrkit.localemr.run.failures import tail, telling_line
from airflow_provider_emrkit.localemr.run.logs import LogStream, PipeReader, Publish
from airflow_provider_emrkit.localemr.run.process import StepProcess
from airflow_provider_emrkit.localemr.run.s3_logs import LogLocation, S3Logs
from airflow_provider_emrkit.localemr.run.yarn import REPORT_EVERY, Application

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SESSION_FILE = "process.json"
"""Name of the file in a step's directory that says how to find its processes."""

_UNKNOWN = "Unknown Error."


@dataclass(frozen=True)
class StepContext:
    """What all steps of a cluster share.

    :param cluster_id: ``j-…``
    :param place: The cluster's directories and programs.
    :param planner: Turns a step into a command.
    :param fetch: Brings files to this machine.
    :param logs_client: boto3 client of CloudWatch Logs; used only with ``log_target``.
    :param s3_client: boto3 client of S3; used only with ``log_location`` and by ``fetch``.
    :param log_target: Where live lines go, None for nowhere.
    :param log_location: Where gzipped logs go, None for nowhere.
    :param new_application: Gives the next YARN application of the cluster.
    """

    cluster_id: str
    place: Place
    planner: CommandPlanner
    fetch: Fetch
    logs_client: Any
    s3_client: Any
    log_target: LogTarget | None
    log_location: LogLocation | None
    new_application: Callable[[], Application]


@dataclass
class _Streams:
    """The files and publishers of one step."""

    controller: LogStream
    stdout: LogStream
    stderr: LogStream
    driver_stdout: LogStream
    driver_stderr: LogStream
    publisher: CloudWatchPublisher | None = None
    upload: S3Logs | None = None
    readers: list[PipeReader] = field(default_factory=list)

    def close(self) -> None:
        """Wait for everything that was read to be where it belongs."""
        for reader in self.readers:
            reader.finish()
        if self.publisher:
            self.publisher.close()
        if self.upload:
            self.upload.close()


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
        self._application: Application | None = None
        self._process: StepProcess | None = None
        self._cancelled = threading.Event()
        self._result: StepResult | None = None
        self._finishing = threading.Lock()
        self._problem: str | None = None
        try:
            command = self._plan()
        except (CommandError, OSError) as error:
            self._streams = self._open_streams()
            self._refuse(str(error))
            return
        if command.cluster_mode:
            self._application = context.new_application()
        self._streams = self._open_streams()
        self._launch(command)

    @property
    def is_over(self) -> bool:
        """Whether it has ended and its logs are written."""
        return self._result is not None

    def wait(self) -> StepResult:
        """Block until the step's processes are gone and its logs are written."""
        with self._finishing:
            if self._result is None:
                code = self._wait_for_exit() if self._process else None
                self._result = self._finish(code)
            return self._result

    def cancel(self, *, force: bool = False) -> None:
        """End the step: SIGTERM and after a grace SIGKILL, or SIGKILL at once with ``force``. Idempotent."""
        if self._process and self._result is None:
            self._cancelled.set()
            self._process.cancel(force=force)

    def _plan(self) -> Command:
        command = self._context.planner.plan(self._request, self._work)
        if command.submission and command.cluster_mode:
            localise(command.submission, self._work, self._context.fetch)
        return command

    def _launch(self, command: Command) -> None:
        env = command_environment(self._context.place, self._work, own_collector=command.own_collector)
        self._control(f"INFO startExec {shlex.join([self._request.jar, *self._request.args])!r}")
        try:
            self._process = StepProcess(
                command.argv,
                env={**env, **_step_env(self._request, command.env)},
                cwd=self._work,
                mark=secrets.token_hex(16),
            )
        except (OSError, ValueError) as error:
            self._refuse(
                f"Cannot run program {command.argv[0]!r}: {getattr(error, 'strerror', None) or error}"
            )
            return
        out, err = self._process.pipes
        self._streams.readers = [
            PipeReader(out, self._streams.driver_stdout),
            PipeReader(err, self._streams.driver_stderr),
        ]
        try:
            self._process.session.save(self._directory / SESSION_FILE)
        except OSError as error:
            self._process.cancel(force=True)
            self._refuse(f"the step's files can't be written: {error}")
            return
        if self._application:
            self._streams.stderr.write_lines(self._application.submitted(time.time()))

    def _wait_for_exit(self) -> int | None:
        process = self._process
        while process:
            code = process.wait(REPORT_EVERY)
            if code is not None:
                return code
            if self._application:
                self._streams.stderr.write_lines(self._application.running(time.time()))
        return None

    def _finish(self, code: int | None) -> StepResult:
        for reader in self._streams.readers:
            reader.finish()
        if code is not None:
            if self._application:
                self._streams.stderr.write_lines(self._application.finished(time.time(), code))
            self._control(f"INFO waitProcessCompletion ended with exit code {code} : {self._request.jar}")
        self._control(f"INFO Step {'succeeded' if code == 0 else 'failed'}")
        self._streams.close()
        (self._directory / SESSION_FILE).unlink(missing_ok=True)
        return self._judge(code)

    def _judge(self, code: int | None) -> StepResult:
        if code == 0:
            return StepResult(succeeded=True)
        cancelled = self._cancelled.is_set()
        location = self._context.log_location
        return StepResult(
            succeeded=False,
            cancelled=cancelled,
            reason=None if cancelled else _UNKNOWN,
            message=None if cancelled else self._failure_message(code),
            log_file=location.uri(f"steps/{self._request.step_id}/stderr.gz")
            if location and not cancelled
            else None,
        )

    def _failure_message(self, code: int | None) -> str:
        if self._problem:
            return self._problem
        if self._application:
            return self._application.failure
        line = telling_line(tail(self._streams.stderr.path), tail(self._streams.stdout.path))
        return line or f"the command ended with exit code {code}"

    def _refuse(self, problem: str) -> None:
        self._problem = problem
        self._streams.stderr.write_lines([problem])

    def _control(self, text: str) -> None:
        now = dt.datetime.now(dt.timezone.utc)
        self._streams.controller.write_lines(
            [f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z {text}"]
        )

    def _open_streams(self) -> _Streams:
        context, application = self._context, self._application
        target = context.log_target
        publisher = CloudWatchPublisher(context.logs_client, target.group) if target else None

        def stream(file: str, name: str | None) -> LogStream:
            return LogStream(self._directory / file, _publish(publisher, name))

        step_names = [
            target.step_stream(self._request.step_id, name) if target else None
            for name in ("stdout", "stderr")
        ]
        stdout, stderr = (
            stream(file, name) for file, name in zip(("stdout", "stderr"), step_names, strict=True)
        )
        driver = (stdout, stderr)
        if application:
            ids = application.application_id, application.driver_container
            names = [target.driver_stream(*ids, name) if target else None for name in ("stdout", "stderr")]
            driver = (stream("driver-stdout", names[0]), stream("driver-stderr", names[1]))
        streams = _Streams(stream("controller", None), stdout, stderr, *driver, publisher=publisher)
        stream("syslog", None)
        if context.log_location:
            streams.upload = S3Logs(context.s3_client, context.log_location, self._log_files())
        return streams

    def _log_files(self) -> dict[str, Path]:
        step = f"steps/{self._request.step_id}"
        files = {
            f"{step}/{name}": self._directory / name for name in ("controller", "syslog", "stdout", "stderr")
        }
        if self._application:
            container = f"containers/{self._application.application_id}/{self._application.driver_container}"
            files |= {
                f"{container}/{name}": self._directory / f"driver-{name}" for name in ("stdout", "stderr")
            }
        return files


def _publish(publisher: CloudWatchPublisher | None, stream: str | None) -> Publish | None:
    if publisher is None or stream is None:
        return None
    return lambda timestamp, line: publisher.add(stream, timestamp, line)


def _step_env(request: StepRequest, env: Mapping[str, str]) -> dict[str, str]:
    """Give the step's own variables; a NUL can't be in one, and what cannot be a name is left out."""
    names = {key: value for key, value in env.items() if key and "=" not in key and "\0" not in key + value}
    return {"EMR_STEP_ID": request.step_id, **names}
