"""One attempt of an EMR Serverless job run: its process, its logs and how it ended."""

from __future__ import annotations

import os
import shutil
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.run.commands import CommandError, CommandPlanner, localise
from airflow_provider_emrkit.localemr.run.containers import JobContainers
from airflow_provider_emrkit.localemr.run.contract import JobRunRequest, JobRunResult
from airflow_provider_emrkit.localemr.run.event_logs import job_application_id
from airflow_provider_emrkit.localemr.run.failures import failure_line
from airflow_provider_emrkit.localemr.run.job_logs import driver_logs, job_folder
from airflow_provider_emrkit.localemr.run.leftover_uploads import abort_leftover_uploads
from airflow_provider_emrkit.localemr.run.logged_process import Folders, start_logged
from airflow_provider_emrkit.localemr.spark.examples import NoSuchExampleError, without_examples_jar
from airflow_provider_emrkit.localemr.spark.serverless import (
    brought,
    job_environment,
    job_image,
    submit_arguments,
)

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.run.commands import Command
    from airflow_provider_emrkit.localemr.run.logged_process import Process
    from airflow_provider_emrkit.localemr.run.outputs import Outputs
    from airflow_provider_emrkit.localemr.spark.image import LaunchFailure

_SIGNALLED = 128


@dataclass(frozen=True)
class JobContext:
    """What an attempt runs with.

    :param planner: Turns a spark-submit into a command; knows the attempt's own directory.
    :param outputs: What becomes of logs.
    """

    planner: CommandPlanner
    outputs: Outputs


class SparkJob:
    """An attempt that runs, or could not be started; implements the contract's ``RunningJob``.

    :param request: The attempt.
    :param context: What it runs with; its directory is removed at the end.

    >>> job = SparkJob(request, context)  # doctest: +SKIP
    >>> job.wait().succeeded  # doctest: +SKIP
    True
    """

    def __init__(self, request: JobRunRequest, context: JobContext) -> None:
        self._request = request
        self._context = context
        self._place = context.planner.place
        # Where a restart looks for processes that were left: as the directory of a step.
        own = self._place.steps / "driver"
        self._folders = Folders(own, own / "work")
        (self._folders.work / "tmp").mkdir(parents=True)
        outputs = context.outputs
        self._logs = outputs.open(own, driver_logs(outputs.target, job_folder(request)))
        self._process: Process | None = None
        self._cancelled = threading.Event()
        self._finishing = threading.Lock()
        self._result: JobRunResult | None = None
        self._problem: str | None = None
        self._details: str | None = None
        try:
            self._process = self._start()
        except (CommandError, NoSuchExampleError, OSError, ValueError) as error:
            self._problem = str(error)
            self._logs["stderr"].write_lines([self._problem])

    @property
    def is_over(self) -> bool:
        """Whether it has ended and its logs are written."""
        return self._result is not None

    def wait_begun(self) -> bool:
        """Block until the driver runs; False when it never will.

        One that could not be started at all has begun and failed: its arguments or files are the reason.
        """
        return self._process is None or self._process.wait_begun()

    def wait(self) -> JobRunResult:
        """Block until the driver and all its processes are gone and its logs are written."""
        with self._finishing:
            if self._result is None:
                code = self._process.wait() if self._process else 1
                abort_leftover_uploads(self._context.outputs.s3_client, self._folders.work / "tmp")
                self._say_not_launched()
                self._logs.close()
                self._result = self._judge(code)
                shutil.rmtree(self._place.directory, ignore_errors=True)
            return self._result

    def cancel(self, *, force: bool = False) -> None:
        """Ask the driver to end (SIGTERM), or kill it with ``force``. Idempotent."""
        if self._process and self._result is None:
            # While its logs are written, it is too late to change how it ended.
            if not self._process.has_ended:
                self._cancelled.set()
            self._process.cancel(force=force)

    def _start(self) -> Process:
        request, work = self._request, self._folders.work
        command = self._command()
        # In an image, a job's home is where it begins.
        env = {"HOME": os.fspath(work)} if command.image else {}
        if command.submission:
            env |= job_environment(command.submission.conf)
            submission = brought(command.submission) if command.image else command.submission
            localise(submission, work, self._context.planner.fetch)
        return start_logged(
            command,
            self._place,
            self._folders,
            self._logs,
            owner=job_application_id(request.run_id, request.attempt),
            env=env,
            containers=JobContainers(job_folder(request), self._context.outputs),
        )

    def _command(self) -> Command:
        request, planner = self._request, self._context.planner
        args = submit_arguments(request.entry_point, request.arguments, request.spark_submit_parameters)
        command = planner.spark_submit(without_examples_jar(args, planner.machine.spark_home), {})
        image = job_image(request.image_uri, request.executor_image_uri, request.release_label)
        return replace(command, image=image)

    def _say_not_launched(self) -> None:
        failure = self._process.launch_failure if self._process else None
        if failure is None:
            return
        image = self._request.image_uri or self._request.executor_image_uri
        self._details = failure.summary if failure.is_local else not_launched_details(image, failure)
        self._logs["stderr"].write_lines(failure.shell_error or (failure.message,))

    def _judge(self, code: int) -> JobRunResult:
        if self._cancelled.is_set():
            return JobRunResult(succeeded=False, cancelled=True)
        if code == 0:
            return JobRunResult(succeeded=True)
        if self._details:
            return JobRunResult(succeeded=False, details=self._details)
        line = self._problem or failure_line(self._logs["stderr"].path, self._logs["stdout"].path)
        return JobRunResult(succeeded=False, details=failure_details(code, line))


def failure_details(code: int, line: str | None) -> str:
    """Say how a driver failed, in the words of EMR Serverless.

    :param code: Exit code, negative for a signal as Python has it.
    :param line: The line of its log that tells why.
    """
    code = _SIGNALLED - code if code < 0 else code
    return (
        "Job failed, please check complete logs in configured logging destination. "
        f"ExitCode: {code}. Last few exceptions: {line or 'none in the logs'}"
    )


def not_launched_details(image: str | None, failure: LaunchFailure) -> str:
    """Say why a job's image was not started, in the engine's own words."""
    return f"Job run failed: the image {image} could not be pulled or started: {failure.summary}"
