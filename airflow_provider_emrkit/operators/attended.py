"""A run in the hands of a worker: started, watched, killed and ended from here."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.exceptions import RunCancelledError, SubmitRefusedError
from airflow_provider_emrkit.hooks.errors import explain, is_aws_error
from airflow_provider_emrkit.hooks.staging import stage
from airflow_provider_emrkit.logs.writing import LogWriter
from airflow_provider_emrkit.runs.opening import open_runs
from airflow_provider_emrkit.runs.outcome import failure, result
from airflow_provider_emrkit.runs.protocol import FailureFacts, Released
from airflow_provider_emrkit.runs.releasing import release
from airflow_provider_emrkit.runs.states import RunState
from airflow_provider_emrkit.runs.watch import RunWatch

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_emrkit.hooks.emrkit import EmrKitHook
    from airflow_provider_emrkit.jobs.spark_job import SparkJob
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.protocol import Compute
    from airflow_provider_emrkit.runs.states import RunStatus
    from airflow_provider_emrkit.runs.token import RunToken
    from airflow_provider_emrkit.runs.watch import Pace

# Airflow 3 kills a worker five seconds after it asked it to stop: seconds a kill is waited for, and seconds
# until the log says that AWS has not answered.
KILL_PATIENCE = 4.0
ANSWER_PATIENCE = 3.0
# Lines of an archived log that are shown for a failure that could not be followed.
SHOWN_LINES = 50


class AttendedRun:
    """One job of a task, while a worker takes care of it.

    :param hook: The ``emrkit`` connection.
    :param log: The task's log.
    :param run: The run, where it was submitted before.

    >>> attended = AttendedRun(EmrKitHook(), self.log)  # doctest: +SKIP
    """

    def __init__(self, hook: EmrKitHook, log: Any, run: JobRun | None = None) -> None:
        self._hook = hook
        self._log = log
        self._stop = threading.Event()
        self._over = False
        self._cancelling = threading.Lock()
        self._cancelled = False
        self.run = run
        self.runs = open_runs(hook, self._stop.wait)

    def start(self, job: SparkJob, compute: Compute, token: RunToken, base_dir: Path) -> JobRun:
        """Stage the job's local files and submit it.

        :param base_dir: Folder of the DAG file.
        :raises SubmitRefusedError: when AWS does not take it.
        """
        job = stage(
            job, base_dir, self._hook.settings.staging_uri, lambda: self._hook.client("s3"), self._log.info
        )
        if self._stop.is_set():
            raise RunCancelledError("Airflow stopped the task before its job was submitted")
        try:
            self.run = self.runs.submit(job, compute, token)
        except SubmitRefusedError:
            raise
        except BaseException:
            self._end_lost(compute, token)
            raise
        return self.run

    def watch(self, run: JobRun, pace: Pace) -> RunStatus:
        """Watch the run to its end, and write its lines into the log.

        :raises RunCancelledError: when Airflow stops the task.
        """
        watch, writer = RunWatch(run, self.runs, pace), LogWriter(self._log)
        while True:
            tick = watch.tick()
            writer.write_all(tick)
            if tick.done and tick.status:
                return tick.status
            if self._stop.wait(tick.delay):
                self.refuse_if_stopped(run)

    def refuse_if_stopped(self, run: JobRun) -> None:
        """Go no further with a run whose task Airflow stopped; its signal alone does not end the task on 3.x.

        :raises RunCancelledError: when it did.
        """
        if self._stop.is_set():
            raise RunCancelledError(f"Airflow stopped the task, so {run} was cancelled")

    def finish(self, run: JobRun, status: RunStatus) -> dict[str, Any]:
        """Clean up after a run that has ended, and give its result.

        :raises RunError: when it did not succeed; the type says how.
        """
        self._over = True
        release(self.runs, run, self._log)
        if status.state is RunState.SUCCEEDED:
            value = result(run, status)
            took, total = value["seconds"], value["total_seconds"]
            self._log.info("Done: %s %s, job %s s, %s s in all", run, status.detail, took, total)
            return value
        facts = self._failure_facts(run)
        if not facts.followed:
            self._show_ends(facts)
        raise failure(run, status, facts)

    def abandon(self, run: JobRun) -> None:
        """End a run that its task can't wait for any longer."""
        if not self._over:
            self._over = True
            self._cancel(run)
            release(self.runs, run, self._log)

    def kill(self) -> None:
        """End the run now. May be called from a signal handler, at any moment of the task's life.

        What the interrupted code holds locked would never come free in the handler itself, so that the work
        is done by another thread, which is waited for but not for ever.
        """
        thread = threading.Thread(target=self._kill, name="emrkit-kill", daemon=True)
        thread.start()
        thread.join(KILL_PATIENCE)

    def _kill(self) -> None:
        self._stop.set()
        if self.run is None or self._over:
            return
        late = threading.Timer(ANSWER_PATIENCE, self._tell_late, [self.run])
        late.daemon = True
        late.start()
        try:
            self._cancel(self.run)
        finally:
            late.cancel()

    def _tell_late(self, run: JobRun) -> None:
        text = "%s in %s may go on: AWS has not answered the call that ends it. See whether it ends."
        self._log.error(text, run, run.region)

    def _cancel(self, run: JobRun) -> None:
        """End the run; a kill and the code that it interrupted do so only once."""
        with self._cancelling:
            if not self._cancelled:
                self._cancelled = self._try_to_cancel(run)

    def _try_to_cancel(self, run: JobRun) -> bool:
        try:
            cancelled = self.runs.cancel(run)
        except Exception as error:
            if not is_aws_error(error):
                raise
            cancelled = Released(False, f"{run} could not be cancelled: {explain(error, run.region)}")
        level = logging.INFO if cancelled.done else logging.ERROR
        self._log.log(level, "Ending the job: %s", cancelled.message)
        return cancelled.done

    def _end_lost(self, compute: Compute, token: RunToken) -> None:
        """The task was interrupted while it submitted, so that nobody knows whether there is a run."""
        try:
            lost = self.runs.find(compute, token)
        except Exception as error:
            if not is_aws_error(error):
                raise
            self._log.warning("It is not known whether the job was submitted: %s", explain(error, None))
            return
        if lost:
            self._cancel(lost)

    def _failure_facts(self, run: JobRun) -> FailureFacts:
        try:
            return self.runs.failure_facts(run)
        except Exception as error:
            if not is_aws_error(error):
                raise
            self._log.warning("The logs could not be searched: %s", explain(error, run.region))
            return FailureFacts()

    def _show_ends(self, facts: FailureFacts) -> None:
        for text in facts.texts:
            self._log.info("The end of %s:", text.name)
            for line in text.lines[-SHOWN_LINES:]:
                self._log.info("%s", line)
