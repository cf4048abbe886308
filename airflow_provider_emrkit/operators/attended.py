"""A run in the hands of a worker: started, watched, killed and ended from here."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_emrkit.applications.awaited import ApplicationNotYet
from airflow_provider_emrkit.compute.serverless import ServerlessApplication
from airflow_provider_emrkit.compute.targets import ExistingCluster
from airflow_provider_emrkit.exceptions import (
    PoolBusyError,
    RunCancelledError,
    RunLeftError,
    RunTimedOutError,
    SubmitRefusedError,
)
from airflow_provider_emrkit.hooks.errors import explain, is_aws_error
from airflow_provider_emrkit.hooks.patience import patiently
from airflow_provider_emrkit.hooks.staging import stage
from airflow_provider_emrkit.logs.wishes import NO_WISHES
from airflow_provider_emrkit.logs.writing import LogWriter
from airflow_provider_emrkit.operators.log_ending import LogEnding
from airflow_provider_emrkit.operators.pooled import PlacingHere, StagedOrder
from airflow_provider_emrkit.operators.run_ending import RunEnding
from airflow_provider_emrkit.operators.stopping import Stopping
from airflow_provider_emrkit.runs.job_run import JOB_RUN
from airflow_provider_emrkit.runs.limits import Limits, breach, next_deadline
from airflow_provider_emrkit.runs.opening import open_runs
from airflow_provider_emrkit.runs.outcome import failure, result
from airflow_provider_emrkit.runs.releasing import release
from airflow_provider_emrkit.runs.serverless_cost import billed
from airflow_provider_emrkit.runs.states import RunState
from airflow_provider_emrkit.runs.step_search import LATE_LIST
from airflow_provider_emrkit.runs.takeover import Takeover
from airflow_provider_emrkit.runs.watch import RunWatch
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from airflow_provider_emrkit.applications.awaited import Awaited, LeftWaits
    from airflow_provider_emrkit.compute.pool import ClusterPool
    from airflow_provider_emrkit.hooks.emrkit import EmrKitHook
    from airflow_provider_emrkit.jobs.spark_job import SparkJob
    from airflow_provider_emrkit.logs.wishes import LogWishes
    from airflow_provider_emrkit.operators.stopping import OnKill
    from airflow_provider_emrkit.runs.earlier import Found
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.limits import Breach
    from airflow_provider_emrkit.runs.protocol import Compute
    from airflow_provider_emrkit.runs.states import RunStatus
    from airflow_provider_emrkit.runs.token import RunToken
    from airflow_provider_emrkit.runs.watch import Pace

T = TypeVar("T")

# Airflow 3 kills a worker five seconds after it asked it to stop. Seconds a kill is waited for, seconds
# until it is given up to see the run end, and until the log says that AWS has not answered.
KILL_PATIENCE = 4.0
KILL_END_PATIENCE = 3.4
ANSWER_PATIENCE = 3.8
# Seconds a kill is waited for until Airflow has said what it is for. The code that the kill's signal has
# interrupted may be talking to Airflow itself, and has to go on before anybody else can.
JUDGE_PATIENCE = 2.0
# Seconds in which a run that its task can't wait for any longer has to end.
END_PATIENCE = 30.0


class AttendedRun:
    """One job of a task, while a worker takes care of it.

    :param hook: The ``emrkit`` connection.
    :param log: The task's log.
    :param run: The run, where it was submitted before.
    :param task_instance: Whose state tells what a kill is for; see
        :class:`~airflow_provider_emrkit.operators.stopping.Stopping`.
    :param on_kill: ``cancel`` or ``leave`` the job when a user ends the task.
    :param limits: How long the run may take while it is watched here.
    :param wishes: What is wanted of the job's logs.
    :param last_lines: Lines of the end of the job's log to write here when it was followed elsewhere.
    :param archive_patience: Seconds for which the logs of a failed run are waited for until they are on S3.
    :param left: The waits for applications of a deferrable task; None for one that waits on its worker.

    >>> attended = AttendedRun(EmrKitHook(), self.log, task_instance=context["ti"])  # doctest: +SKIP
    """

    def __init__(
        self,
        hook: EmrKitHook,
        log: Any,
        run: JobRun | None = None,
        *,
        task_instance: Any = None,
        on_kill: OnKill = "cancel",
        limits: Limits | None = None,
        wishes: LogWishes | None = None,
        last_lines: int = 0,
        archive_patience: float = 0.0,
        left: LeftWaits | None = None,
    ) -> None:
        self._hook = hook
        self._log = log
        self._limits = limits or Limits()
        self._wishes = wishes or NO_WISHES
        self._last_lines = last_lines
        self._archive_patience = archive_patience
        self._watched: tuple[RunWatch, LogWriter] | None = None
        self._again = run is not None  # whether the run may have been followed before
        self._stopping = Stopping(task_instance, on_kill)
        self._over = False  # abandoned
        self._finishing = False  # ended by itself
        self.run = run
        self.runs = open_runs(hook, self._stopping.wait, left)
        self._ending = RunEnding(self.runs, log)

    def take_over(
        self, job: SparkJob, compute: Compute, token: RunToken, since: float | None, on_existing: str
    ) -> Found | None:
        """Give the work of an earlier try that this try goes on with; None when it has to start the job.

        :param since: When the DAG run started, in seconds since 1970.
        :param on_existing: ``attach``, ``fresh`` or ``fail``.
        :raises SubmitRefusedError: when it can't be found out, or work that must not go on does not end.
        """
        with self._stopped_by_airflow():
            takeover = Takeover(self.runs, self._log, self._wishes)
            found = takeover.run(job, compute, token, since, on_existing)
        if found:
            self._begin(found.run)
            self._again = True
        return found

    def start(self, job: SparkJob, compute: Compute, token: RunToken, base_dir: Path) -> JobRun | Awaited:
        """Stage the job's local files and submit it, or give what a deferrable task has to wait for before.

        :param base_dir: Folder of the DAG file.
        :raises SubmitRefusedError: when AWS does not take it.
        :raises RunCancelledError: when Airflow stops the task for a user.
        :raises RunLeftError: when Airflow stops the task for another reason.
        """
        with self._stopped_by_airflow():
            job = self._staged(job, base_dir)
            send = partial(self.runs.submit, job, compute, token, self._wishes)
            try:
                return self._begin(self._sent(send, compute, token))
            except ApplicationNotYet as signal:
                return signal.awaited

    def place(
        self, job: SparkJob, pool: ClusterPool, token: RunToken, base_dir: Path, *, waits: bool
    ) -> JobRun | StagedOrder:
        """Stage the job's local files and have it placed in a pool, as :meth:`start` submits one.

        :param waits: Whether room is waited for here; else the order is put to S3 for who waits for it.
        :raises PoolBusyError: when there is no room in the time that the pool gives.
        """
        with self._stopped_by_airflow():
            job = self._staged(job, base_dir)
            placing = PlacingHere(self._hook, self._log, self._stopping.wait, self._wishes)
            send = partial(placing.place, job, pool, token, waits=waits)
            placed = self._sent(send, pool, token)
        return placed if isinstance(placed, StagedOrder) else self._begin(placed)

    def _staged(self, job: SparkJob, base_dir: Path) -> SparkJob:
        uri, say, wait = self._hook.settings.staging_uri, self._log.info, self._stopping.wait
        job = stage(job, base_dir, uri, lambda: self._hook.client("s3"), say, wait)
        self.refuse_if_stopped()
        return job

    def _sent(self, send: Callable[[], T], compute: Compute, token: RunToken) -> T:
        try:
            return send()
        except (ApplicationNotYet, InvalidValueError):  # nothing is lost, as nothing was submitted
            raise
        except SubmitRefusedError as error:
            # A cluster may have been started for it, or the last round has placed it without an answer.
            is_stopped = self._stopping.is_set()
            if is_stopped or isinstance(error, PoolBusyError):
                self.end_lost(compute, token, just_now=is_stopped)
            raise
        except BaseException:
            self.end_lost(compute, token, just_now=True)
            raise

    @contextmanager
    def _stopped_by_airflow(self) -> Iterator[None]:
        """Tell a submission that Airflow stopped from one that AWS refused."""
        try:
            yield
        except SubmitRefusedError as error:
            if not self._stopping.is_set():
                raise
            kind = RunLeftError if self._stopping.leaves else RunCancelledError
            raise kind(f"Airflow stopped the task: {error}") from error

    def watch(self, run: JobRun, pace: Pace) -> RunStatus:
        """Watch the run to its end, and write its lines into the log.

        :raises RunCancelledError: when Airflow stops the task for a user.
        :raises RunLeftError: when Airflow stops the task and the run goes on.
        :raises RunTimedOutError: when the run passes one of its limits.
        """
        watch = RunWatch(run, self.runs, pace, on_aws=self._is_on_aws(), again=self._again)
        writer = LogWriter(self._log)
        self._watched = watch, writer
        passed: Breach | None = None
        while True:
            self.refuse_if_stopped(run)
            # The state may have changed since the last look: a limit counts when a fresh one says so too.
            doubtful, tick = passed is not None, watch.tick(look=passed is not None)
            writer.write_all(tick)
            if tick.done and tick.status:
                return tick.status
            passed = breach(self._limits, run, tick.status, time.time())
            if passed and doubtful:
                raise RunTimedOutError(passed.sentence)
            if passed:
                continue
            deadline = next_deadline(self._limits, run, tick.status)
            left = tick.delay if deadline is None else max(0.0, deadline - time.time())
            self._stopping.wait(min(tick.delay, left))

    def confirm(self, run: JobRun, told: RunStatus, pace: Pace) -> RunStatus:
        """Ask EMR once about a run that has ended as an event tells; its log has been written already.

        Where EMR knows of no end, or does not answer for long, the run is watched on as by :meth:`watch`.

        :param told: What the event says; anybody who may write to the queue could have said so.
        """
        try:
            status = patiently(lambda: self.runs.states([run])[run], self._stopping.wait)
        except Exception as error:
            if not is_aws_error(error):
                raise
            self._log.warning("EMR could not be asked about %s: %s", run, explain(error, run.region))
        else:
            if status.detail != told.detail:
                text = "An event told that %s is %s, but EMR says that it is %s."
                self._log.warning(text, run, told.detail, status.detail)
            if status.state.is_final:
                return status
        return self.watch(run, pace)

    def refuse_to_hand_on(self, run: JobRun) -> None:
        """Go no further with a task that a user has ended, also where Airflow has not told that yet.

        :raises RunCancelledError: as :meth:`refuse_if_stopped` does.
        :raises RunLeftError: as :meth:`refuse_if_stopped` does.
        """
        self._stopping.look(self._log)
        self.refuse_if_stopped(run)

    def refuse_if_stopped(self, run: JobRun | None = None) -> None:
        """Go no further with a task that Airflow stopped; its signal alone does not end the task on 3.x.

        :param run: Its run, where it was submitted.

        :raises RunCancelledError: when it did, so that the run ends.
        :raises RunLeftError: when it did, and the run goes on.
        """
        if not self._stopping.is_set():
            return
        done = (
            f"{run} {'goes on' if self._stopping.leaves else 'was cancelled'}"
            if run
            else "nothing was submitted"
        )
        message = f"Airflow stopped the task, {done}"
        if self._stopping.leaves:
            raise RunLeftError(f"{message}: {self._stopping.why}")
        raise RunCancelledError(message)

    def finish(self, run: JobRun, status: RunStatus) -> dict[str, Any]:
        """Clean up after a run that has ended, and give its result.

        :raises RunError: when it did not succeed; the type says how.
        """
        self._finishing = True
        release(self.runs, run, self._log)
        if status.state is RunState.SUCCEEDED:
            self.repeat_log(run)
            value = result(run, status, self.runs.cost(run, status))
            took, total = value["seconds"], value["total_seconds"]
            self._log.info("Done: %s %s, job %s s, %s s in all", run, status.detail, took, total)
            self._tell_bill(run, value["cost"])
            return value
        patience = 0.0 if status.state is RunState.CANCELLED else self._archive_patience
        facts = self._ending_of(run).of_failure(patience, self._last_lines, self._watched)
        if run.kind == JOB_RUN:  # it is billed for what did not succeed, too
            self._tell_bill(run, self.runs.cost(run, status))
        raise failure(run, status, facts)

    def _tell_bill(self, run: JobRun, cost: Mapping[str, Any] | None) -> None:
        """Say what EMR Serverless bills for the run; a cluster's hours are no bill."""
        if run.kind == JOB_RUN and cost:
            self._log.info("Billed: %s", billed(cost))

    def repeat_log(self, run: JobRun) -> None:
        """Write the last lines of the job's log here too, where it was not followed here."""
        if self._watched is None:
            self._ending_of(run).repeat(self._last_lines)

    def _ending_of(self, run: JobRun) -> LogEnding:
        return LogEnding(run, self.runs, self._log, self._is_on_aws())

    def _is_on_aws(self) -> bool:
        return not self._hook.clients.has_own_endpoint

    def abandon(self, run: JobRun) -> str:
        """End a run that its task can't wait for any longer, unless only the worker goes.

        :return: What has become of it.
        """
        if self._over:
            return f"{run} is over"
        self._stopping.settle(JUDGE_PATIENCE)
        self._over = True
        if self._stopping.leaves:
            return f"{run} goes on: {self._stopping.why}"
        ended = self._ending.end(run, END_PATIENCE)
        release(self.runs, run, self._log)
        return ended.message

    def kill(self) -> None:
        """Stop now. May be called from a signal handler, at any moment of the task's life.

        What the interrupted code holds locked would never come free in the handler itself, so that the work
        is done by another thread, which is waited for but not for ever.
        """
        if self._over:
            return
        thread = threading.Thread(target=self._kill, name="emrkit-kill", daemon=True)
        until = time.monotonic() + KILL_PATIENCE
        thread.start()
        if self._stopping.expect(JUDGE_PATIENCE):
            thread.join(max(0.0, until - time.monotonic()))

    def _kill(self) -> None:
        began = time.monotonic()
        self._stopping.judge(self._log)
        if self.run is None or self._over or self._finishing:
            return
        if self._stopping.leaves:
            self._log.warning(
                "Airflow stops the task, and %s goes on: %s. A next try of the task goes on with it.",
                self.run,
                self._stopping.why,
            )
            return
        spent = time.monotonic() - began
        with self._ending.told_late(self.run, max(0.0, ANSWER_PATIENCE - spent)):
            self._ending.end(self.run, max(0.0, KILL_END_PATIENCE - spent))

    def _begin(self, run: JobRun) -> JobRun:
        self.run, self._ending = run, RunEnding(self.runs, self._log)
        self._over = self._finishing = False
        return run

    def end_lost(self, compute: Compute, token: RunToken, *, just_now: bool = False) -> None:
        """End the run where there is one: the task was interrupted while it submitted, so nobody knows.

        :param just_now: Whether that was a moment ago, so that EMR may not list the run yet.
        """
        self._stopping.settle(JUDGE_PATIENCE)
        if self._stopping.leaves:
            self._log.warning("The job may have been submitted; the task's next try finds out.")
            return
        name, place = token.marked(), _where_it_would_be(compute)
        try:
            lost = self._carrying(compute, token)
            if just_now and not lost:
                # Also while the task is being stopped: what nobody knows of runs, and is billed, to its end.
                self._log.info("%r is not among %s yet; looking once more.", name, place)
                threading.Event().wait(LATE_LIST)
                lost = self._carrying(compute, token)
        except SubmitRefusedError as error:
            text = "It is not known whether the job was submitted (%s). Look for %r among %s, and end it."
            self._log.warning(text, error, name, place)
            return
        for run in lost:
            self._ending.end(run, END_PATIENCE)
        if just_now and not lost:
            text = "No job of the task was found. Should one come up late, it is %r among %s: end it there."
            self._log.warning(text, name, place)

    def _carrying(self, compute: Compute, token: RunToken) -> list[JobRun]:
        found = self.runs.earlier(compute, token, None)
        return [one.run for one in found if one.mark == token.mark]


def _where_it_would_be(compute: Compute) -> str:
    if isinstance(compute, ServerlessApplication):
        return f"the job runs of application {compute.spec.name if compute.spec else compute.application_id}"
    if isinstance(compute, ExistingCluster):
        return f"the steps of cluster {compute.cluster_id}"
    return "EMR's clusters and their steps"
