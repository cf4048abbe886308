"""Run a Spark job on EMR."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit._compat import BaseOperator, conf, is_tried_out
from airflow_provider_emrkit.compute.pool import ClusterPool
from airflow_provider_emrkit.exceptions import RunError, RunLeftError, RunTimedOutError
from airflow_provider_emrkit.links import OPERATOR_LINKS, PLACED, announce, console_links
from airflow_provider_emrkit.logs.wishes import LogStream, LogWishes
from airflow_provider_emrkit.operators.arguments import check_arguments, check_placement, limits_of
from airflow_provider_emrkit.operators.begun import has_begun, note_begun, run_token
from airflow_provider_emrkit.operators.rendering import RendersSpecs
from airflow_provider_emrkit.operators.timing import (
    archive_patience,
    execution_deadline,
    last_lines,
    pace,
)
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.states import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import timedelta

    from airflow_provider_emrkit._compat import Context
    from airflow_provider_emrkit.applications.awaited import LeftWaits
    from airflow_provider_emrkit.jobs.spark_job import SparkJob
    from airflow_provider_emrkit.operators.attended import AttendedRun
    from airflow_provider_emrkit.operators.deferral import Deferral
    from airflow_provider_emrkit.operators.stopping import OnKill
    from airflow_provider_emrkit.runs.earlier import Found, OnExisting
    from airflow_provider_emrkit.runs.protocol import Compute
    from airflow_provider_emrkit.runs.token import RunToken
    from airflow_provider_emrkit.runs.watch import Pace


class EmrSparkOperator(RendersSpecs, BaseOperator):
    """Run a Spark job on EMR, follow its log in the task's log, and end it with the task.

    Local files of the job are staged to S3, the job is submitted, its state changes and log lines are written
    to the task's log while it runs. A cluster that was made for the job ends with it, however it ends. A job
    that finds no room in its :class:`ClusterPool` waits for some. What one that succeeded leaves in XCom is
    described at :func:`airflow_provider_emrkit.runs.outcome.result`; the XCom ``emrkit_run`` holds its ids as
    soon as it is submitted.

    :param job: What to run. (templated)
    :param compute: Where to run it. (templated)
    :param emrkit_conn_id: The ``emrkit`` connection. (templated)
    :param deferrable: Wait in the triggerer instead of on a worker; by default ``[operators]
        default_deferrable``.
    :param poll_interval: Seconds between two looks at the job's state, at least 1; by default ``[emrkit]
        poll_interval``. Log lines are looked for every ``[emrkit] log_poll_interval`` seconds.
    :param on_existing: What a retry does with work of an earlier try that is alive or done: ``attach`` goes
        on with it, ``fresh`` ends it and starts anew, ``fail`` refuses. A cleared task always starts anew.
    :param on_kill: What happens to the job when somebody marks, clears or fails the task: ``cancel`` ends
        it, ``leave`` lets it go on. A timeout ends it in any case; a worker's or triggerer's end never does.
    :param timeout: How long the job may take from its submission, in seconds or as a timedelta; None for as
        long as it likes. Unlike ``execution_timeout`` it goes on counting over retries that attach.
    :param start_timeout: How long its cluster, or its workers on EMR Serverless, may take to start.
    :param queue_timeout: How long the job may wait on its cluster or application for other work.
    :param run_timeout: How long the job itself may run.
    :param infra_retries: How often a job whose :class:`DynamicCluster` or pool's cluster was lost, or got no
        instances, is started once more within the same try, at most 10. Other failures are never repeated. A
        job on a pool whose cluster went before it began is placed once more in any case.
    :param executor_logs: Show the executors' logs as well. A new cluster sends them where it sends the
        others; one that exists has to do so already.
    :param log_streams: CloudWatch streams to show as well, which the job writes to by itself. (templated)
    :raises InvalidValueError: when an argument can't be right; DAG files then fail to load.

    >>> EmrSparkOperator(  # doctest: +SKIP
    ...     task_id="daily_sales",
    ...     job=SparkJob("jobs/daily_sales.py", args=["--day", "{{ ds }}"]),
    ...     compute=DynamicCluster(ClusterSpec("emr-7.11.0", size="medium")),
    ...     deferrable=True,
    ... )
    """

    template_fields = ("job", "compute", "emrkit_conn_id", "log_streams")
    operator_extra_links = OPERATOR_LINKS
    ui_color = "#fbe5d1"

    _attended: AttendedRun | None = None
    _deadline: float | None = None  # as it was told before the task waited for its application

    def __init__(
        self,
        *,
        job: SparkJob,
        compute: Compute,
        emrkit_conn_id: str = "emrkit_default",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | None = None,
        on_existing: OnExisting = "attach",
        on_kill: OnKill = "cancel",
        timeout: timedelta | float | None = None,
        start_timeout: timedelta | float | None = None,
        queue_timeout: timedelta | float | None = None,
        run_timeout: timedelta | float | None = None,
        infra_retries: int = 0,
        executor_logs: bool = False,
        log_streams: Sequence[LogStream] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job = job
        self.compute = compute
        self.emrkit_conn_id = emrkit_conn_id
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.on_existing = on_existing
        self.kill_action = on_kill  # on_kill itself is Airflow's
        self.timeout = timeout
        self.start_timeout = start_timeout
        self.queue_timeout = queue_timeout
        self.run_timeout = run_timeout
        self.infra_retries = infra_retries
        self.executor_logs = executor_logs
        self.log_streams = log_streams
        check_arguments(self)

    def execute(self, context: Context) -> dict[str, Any]:
        """Stage, submit, and wait for the job, here or in the triggerer.

        :raises SubmitRefusedError: when the job could not be started.
        :raises RunError: when it did not succeed; the type says how.
        """
        attended = self._attend(context)
        self._pace()  # a configuration that can't be right fails the task before there is a job
        token = run_token(context["ti"])
        earlier = self._earlier(context, attended, token)
        if earlier is None:
            return self._begin(context, attended, token)
        if earlier.status.state.is_final:
            return self._finish(context, attended, earlier.run, earlier.status)
        return self._pursue(context, attended, earlier.run)

    def execute_again(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Go on when the application has changed that the task waited for: nothing was submitted before.

        :param event: The trigger's payload.
        :raises SubmitRefusedError: when the job could not be started.
        :raises RunError: when it did not succeed; the type says how.
        """
        from airflow_provider_emrkit.operators.application_waits import taken_up

        left = taken_up(event, self.execution_timeout)
        self._deadline = left.deadline
        attended = self._attend(context, left=left)
        return self._begin(context, attended, run_token(context["ti"]))

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Go on where the trigger ended.

        :param event: The trigger's payload.
        :raises RunError: when the job did not succeed; the type says how.
        """
        from airflow_provider_emrkit.runs.outcome import unwatchable

        run = JobRun.from_dict(event["run"])
        if not run.id:
            raise self._unplaced(context, run, event)
        attended = self._attend(context, run)
        if event.get("announced") is False:  # the trigger has placed the job, and Airflow did not take it
            with self._ended_on_error(attended, run):
                self._announce(context["ti"], run)
        if event["state"] == "ended":
            status = RunStatus.from_dict(event["status"])
            if status.by_event:  # anybody who may write to the queue could have said so: EMR is the truth
                with self._ended_on_error(attended, run):
                    status = attended.confirm(run, status, self._pace())
            return self._finish(context, attended, run, status)
        became = attended.abandon(run)
        attended.repeat_log(run)
        if event["state"] == "timeout":
            late = f"{run} took longer than execution_timeout ({self.execution_timeout})"
            raise RunTimedOutError(event["message"] or late)
        raise unwatchable(run, event.get("error"), event["message"], became)

    def _unplaced(self, context: Context, run: JobRun, event: Mapping[str, Any]) -> Exception:
        """Give the error for a job that a trigger could not place; nothing is left of it."""
        from airflow_provider_emrkit.runs.outcome import unplaced

        if event["state"] == "timeout":
            return RunTimedOutError(f"{event['message']} (execution_timeout, {self.execution_timeout})")
        if event["state"] == "error":  # the trigger may have failed between the request and its answer
            token = replace(run_token(context["ti"]), relaunch=run.relaunch)
            self._attend(context).end_lost(self.compute, token)
        return unplaced("PoolBusyError" if event["state"] == "busy" else event.get("error"), event["message"])

    def _begin(self, context: Context, attended: AttendedRun, token: RunToken) -> dict[str, Any]:
        note_begun(context, token, self.log)
        return self._pursue(context, attended, self._start(context, attended, token))

    def _earlier(self, context: Context, attended: AttendedRun, token: RunToken) -> Found | None:
        """Look for what earlier tries have started; the first one has none, and asks nobody."""
        if not has_begun(context, token, self.log):
            return None
        dag_run = context.get("dag_run")
        since = dag_run.start_date.timestamp() if dag_run and dag_run.start_date else None
        return attended.take_over(self.job, self.compute, token, since, self.on_existing)

    def _start(self, context: Context, attended: AttendedRun, token: RunToken) -> JobRun:
        """Submit the job; a deferrable task waits in the triggerer for room in a pool, or its application."""
        check_placement(self)  # now that it is rendered
        if isinstance(self.compute, ClusterPool):
            return self._place(context, attended, token, self.compute)
        run = attended.start(self.job, self.compute, token, self._base_dir())
        if not isinstance(run, JobRun):
            from airflow_provider_emrkit.operators.application_waits import leave

            return leave(self, context, run, self.emrkit_conn_id, self._hook.clients.region_name)
        told = "Started %s (%s) with %s" if run.owns_cluster else "On %s (%s): %s"
        with self._ended_on_error(attended, run):
            self.log.info(told, run.where, run.region, run.what)
        return run

    def _place(self, context: Context, attended: AttendedRun, token: RunToken, pool: ClusterPool) -> JobRun:
        placed = attended.place(self.job, pool, token, self._base_dir(), waits=not self.deferrable)
        if isinstance(placed, JobRun):
            with self._ended_on_error(attended, placed):
                self.log.info(PLACED, pool.name, placed.step_id, placed.cluster_id, placed.region)
            return placed
        attended.refuse_if_stopped()
        trigger = self._deferral(context["ti"]).placing(placed, self._hook.clients.region_name)
        return self.defer(trigger=trigger, method_name="execute_complete")

    def _pursue(self, context: Context, attended: AttendedRun, run: JobRun) -> dict[str, Any]:
        """Wait for a run that goes on, here or in the triggerer."""
        with self._ended_on_error(attended, run):
            self._announce(context["ti"], run)
            trigger = self._watching(context, attended, run)
        if trigger:
            self.defer(trigger=trigger, method_name="execute_complete")
        return self._finish(context, attended, run, self._watch(attended, run))

    def _watching(self, context: Context, attended: AttendedRun, run: JobRun) -> Any:
        """Give the trigger that is to have the run; None where it is watched here."""
        if not self.deferrable:
            attended.refuse_if_stopped(run)
            return None
        attended.refuse_to_hand_on(run)
        return self._deferral(context["ti"]).watching(run)

    def _watch(self, attended: AttendedRun, run: JobRun) -> RunStatus:
        with self._ended_on_error(attended, run):
            return attended.watch(run, self._pace())

    def _finish(
        self, context: Context, attended: AttendedRun, run: JobRun, status: RunStatus
    ) -> dict[str, Any]:
        """Give the result of a run that has ended, or start its job once more where that makes sense."""
        from airflow_provider_emrkit.runs.classify import may_relaunch, never_began

        if run.pool and not run.relaunch and never_began(status):
            self.log.warning(
                "Cluster %s went before step %s began (%s); placing the job in pool %s once more.",
                run.cluster_id,
                run.step_id,
                status.compute_message or status.compute_state,
                run.pool,
            )
            return self._start_again(context, attended, run)
        try:
            return attended.finish(run, status)
        except RunError as error:
            lost = (run.owns_cluster or run.pool) and may_relaunch(error)
            if run.relaunch >= self.infra_retries or not lost:
                raise
            self.log.warning("%s", error)
        self.log.info("Starting the job on a new cluster, %s of %s", run.relaunch + 1, self.infra_retries)
        return self._start_again(context, attended, run)

    def _start_again(self, context: Context, attended: AttendedRun, run: JobRun) -> dict[str, Any]:
        attended.refuse_if_stopped()
        token = replace(run_token(context["ti"]), relaunch=run.relaunch + 1)
        again = self._attend(context)
        return self._pursue(context, again, self._start(context, again, token))

    def on_kill(self) -> None:
        """End the job; called when the task is stopped while a worker has it."""
        if self._attended is not None:
            self._attended.kill()

    def _attend(
        self, context: Context, run: JobRun | None = None, left: LeftWaits | None = None
    ) -> AttendedRun:
        from airflow_provider_emrkit.applications.awaited import LeftWaits
        from airflow_provider_emrkit.hooks.emrkit import EmrKitHook
        from airflow_provider_emrkit.operators.attended import AttendedRun

        self._hook = EmrKitHook(self.emrkit_conn_id, run.region if run else None)
        self._attended = AttendedRun(
            self._hook,
            self.log,
            run,
            task_instance=context["ti"],
            on_kill=self.kill_action,
            limits=limits_of(self),
            wishes=LogWishes.of(executor_logs=self.executor_logs, log_streams=self.log_streams),
            last_lines=last_lines(),
            archive_patience=archive_patience(),
            left=(left or LeftWaits()) if self.deferrable and not is_tried_out(context["ti"]) else None,
        )
        return self._attended

    @contextmanager
    def _ended_on_error(self, attended: AttendedRun, run: JobRun) -> Iterator[None]:
        """Leave nothing behind when the task ends before its run does, unless Airflow comes back to it."""
        try:
            yield
        except RunLeftError:
            raise
        except BaseException:  # Airflow's timeout and SIGTERM are no Exceptions
            attended.abandon(run)
            raise

    def _announce(self, ti: Any, run: JobRun) -> None:
        """Show the run in Airflow while it goes on; it is found by its token where that does not work."""
        on_aws = not self._hook.clients.has_own_endpoint
        links = console_links(run, on_aws=on_aws, task_instance=ti)
        try:
            announce(run, links, lambda key, value: ti.xcom_push(key=key, value=value))
        except Exception as error:
            self.log.warning("Airflow did not take the ids and links of %s: %s", run, error)
        if "cluster" in links:
            self.log.info("Console: %s", links["cluster"])

    def _deferral(self, ti: Any) -> Deferral:
        from airflow_provider_emrkit.operators.deferral import Deferral

        deadline = execution_deadline(ti, self.execution_timeout, self._deadline)
        return Deferral(self.emrkit_conn_id, self._pace(), limits_of(self), self.kill_action, deadline)

    def _pace(self) -> Pace:
        return pace(self.poll_interval)

    def _base_dir(self) -> Path:
        """Give the folder of the DAG file, which local paths of a job start from."""
        return Path(self.dag.fileloc).parent
