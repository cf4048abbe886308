"""Run a Spark job on EMR."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit._compat import BaseOperator, conf
from airflow_provider_emrkit.compute.targets import DynamicCluster, ExistingCluster
from airflow_provider_emrkit.exceptions import RunError, RunTimedOutError
from airflow_provider_emrkit.frozen import FrozenSpec
from airflow_provider_emrkit.jobs.spark_job import SparkJob
from airflow_provider_emrkit.links import OPERATOR_LINKS, console_links, persist_links
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.states import RunStatus
from airflow_provider_emrkit.runs.token import RunToken
from airflow_provider_emrkit.templating import map_strings
from airflow_provider_emrkit.validation import InvalidValueError, check_instance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_emrkit._compat import Context
    from airflow_provider_emrkit.operators.attended import AttendedRun
    from airflow_provider_emrkit.runs.watch import Pace
    from airflow_provider_emrkit.triggers.job_run import EmrJobRunTrigger

OWNER = "EmrSparkOperator"
RUN_XCOM_KEY = "emrkit_run"
MIN_POLL_INTERVAL = 1.0
# Part of the execution timeout that is kept for ending the job, and the most seconds it may be.
TIMEOUT_MARGIN = 0.1
MAX_TIMEOUT_MARGIN = 10.0


class EmrSparkOperator(BaseOperator):
    """Run a Spark job on EMR, follow its log in the task's log, and end it with the task.

    Local files of the job are staged to S3, the job is submitted, its state changes and log lines are written
    to the task's log while it runs. A cluster that was made for the job ends with it, however it ends. What a
    job that succeeded leaves in XCom is described at :func:`airflow_provider_emrkit.runs.outcome.result`; the
    XCom ``emrkit_run`` holds its ids as soon as it is submitted.

    :param job: What to run. (templated)
    :param compute: Where to run it. (templated)
    :param emrkit_conn_id: The ``emrkit`` connection. (templated)
    :param deferrable: Wait in the triggerer instead of on a worker; by default ``[operators]
        default_deferrable``.
    :param poll_interval: Seconds between two looks at the job's state, at least 1; by default ``[emrkit]
        poll_interval``. Log lines are looked for every ``[emrkit] log_poll_interval`` seconds.
    :raises InvalidValueError: when an argument can't be right; DAG files then fail to load.

    >>> EmrSparkOperator(  # doctest: +SKIP
    ...     task_id="daily_sales",
    ...     job=SparkJob("jobs/daily_sales.py", args=["--day", "{{ ds }}"]),
    ...     compute=DynamicCluster(ClusterSpec("emr-7.11.0", size="medium")),
    ...     deferrable=True,
    ... )
    """

    template_fields = ("job", "compute", "emrkit_conn_id")
    operator_extra_links = OPERATOR_LINKS
    ui_color = "#fbe5d1"

    _attended: AttendedRun | None = None

    def __init__(
        self,
        *,
        job: SparkJob,
        compute: DynamicCluster | ExistingCluster,
        emrkit_conn_id: str = "emrkit_default",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job = job
        self.compute = compute
        self.emrkit_conn_id = emrkit_conn_id
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self._check()

    def execute(self, context: Context) -> dict[str, Any]:
        """Stage, submit, and wait for the job, here or in the triggerer.

        :raises SubmitRefusedError: when the job could not be started.
        :raises RunError: when it did not succeed; the type says how.
        """
        attended = self._attend()
        token = _run_token(context["ti"])
        run = attended.start(self.job, self.compute, token, self._base_dir())
        with self._ended_on_error(attended, run):
            self._announce(context["ti"], run)
            pace = self._pace()
            attended.refuse_if_stopped(run)
            status = None if self.deferrable else attended.watch(run, pace)
        if status is None:
            self.defer(trigger=self._trigger(context["ti"], run, pace), method_name="execute_complete")
        return attended.finish(run, status)

    def execute_complete(
        self,
        context: Context,  # noqa: ARG002 - Airflow's signature
        event: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Go on where the trigger ended.

        :param event: The trigger's payload.
        :raises RunError: when the job did not succeed; the type says how.
        """
        run = JobRun.from_dict(event["run"])
        attended = self._attend(run)
        if event["state"] == "ended":
            return attended.finish(run, RunStatus.from_dict(event["status"]))
        attended.abandon(run)
        if event["state"] == "timeout":
            raise RunTimedOutError(f"{run} took longer than execution_timeout ({self.execution_timeout})")
        raise RunError(f"{run} could not be watched any longer, so it was cancelled: {event['message']}")

    def on_kill(self) -> None:
        """End the job; called when the task is stopped while a worker has it."""
        if self._attended is not None:
            self._attended.kill()

    def render_template(
        self, content: Any, context: Context, jinja_env: Any = None, seen_oids: set[int] | None = None
    ) -> Any:
        """Render templates, also those inside of jobs and clusters.

        :raises InvalidValueError: when a rendered value can't be right; it names the field.
        """
        if not isinstance(content, FrozenSpec) or (seen_oids is not None and id(content) in seen_oids):
            return super().render_template(content, context, jinja_env, seen_oids)
        env = jinja_env or self.get_template_env()

        def rendered(text: str) -> str:
            return str(super(EmrSparkOperator, self).render_template(text, context, env, set()))

        return map_strings(content, rendered)

    def _check(self) -> None:
        check_instance(OWNER, "job", self.job, SparkJob)
        compute: Any = self.compute
        if not isinstance(compute, (DynamicCluster, ExistingCluster)):
            mend = "give a DynamicCluster or an ExistingCluster"
            raise InvalidValueError(OWNER, "compute", compute, "is nothing a job can run on", mend)
        if self.poll_interval is None:
            return
        if isinstance(self.poll_interval, bool) or not isinstance(self.poll_interval, (int, float)):
            problem = f"is of type {type(self.poll_interval).__name__}"
        elif not MIN_POLL_INTERVAL <= self.poll_interval < float("inf"):
            problem = "is out of bounds"
        else:
            return
        mend = f"give a number of seconds, at least {MIN_POLL_INTERVAL:g}"
        raise InvalidValueError(OWNER, "poll_interval", self.poll_interval, problem, mend)

    def _attend(self, run: JobRun | None = None) -> AttendedRun:
        from airflow_provider_emrkit.hooks.emrkit import EmrKitHook
        from airflow_provider_emrkit.operators.attended import AttendedRun

        self._hook = EmrKitHook(self.emrkit_conn_id, run.region if run else None)
        self._attended = AttendedRun(self._hook, self.log, run)
        return self._attended

    @contextmanager
    def _ended_on_error(self, attended: AttendedRun, run: JobRun) -> Iterator[None]:
        """Leave nothing behind when the task ends before its run does, for whatever reason."""
        try:
            yield
        except BaseException:  # Airflow's timeout and SIGTERM are no Exceptions
            attended.abandon(run)
            raise

    def _announce(self, ti: Any, run: JobRun) -> None:
        ti.xcom_push(key=RUN_XCOM_KEY, value=run.to_dict())
        links = console_links(run, on_aws=not self._hook.clients.has_own_endpoint)
        persist_links(links, ti)
        if run.owns_cluster:
            self.log.info("Started cluster %s (%s) with step %s", run.cluster_id, run.region, run.step_id)
        else:
            self.log.info("Added step %s to cluster %s (%s)", run.step_id, run.cluster_id, run.region)
        if "cluster" in links:
            self.log.info("Console: %s", links["cluster"])

    def _trigger(self, ti: Any, run: JobRun, pace: Pace) -> EmrJobRunTrigger:
        from airflow_provider_emrkit.triggers.job_run import EmrJobRunTrigger

        return EmrJobRunTrigger(
            run.to_dict(),
            emrkit_conn_id=self.emrkit_conn_id,
            poll_interval=pace.poll,
            log_poll_interval=pace.logs,
            log_drain=pace.drain,
            max_lines=pace.max_lines,
            deadline=self._deadline(ti),
            deferred_at=time.time(),
        )

    def _deadline(self, ti: Any) -> float | None:
        """Airflow 3 does not watch the timeout of a deferred task, and 2 leaves no time to clean up."""
        if self.execution_timeout is None:
            return None
        seconds = self.execution_timeout.total_seconds()
        margin = min(seconds * TIMEOUT_MARGIN, MAX_TIMEOUT_MARGIN)
        started = ti.start_date.timestamp() if ti.start_date else time.time()
        return float(started + seconds - margin)

    def _pace(self) -> Pace:
        from airflow_provider_emrkit.runs.watch import Pace

        defaults = Pace()
        return Pace(
            poll=self.poll_interval or conf.getfloat("emrkit", "poll_interval", fallback=defaults.poll),
            logs=conf.getfloat("emrkit", "log_poll_interval", fallback=defaults.logs),
            drain=conf.getfloat("emrkit", "log_drain", fallback=defaults.drain),
            max_lines=conf.getint("emrkit", "max_log_lines", fallback=defaults.max_lines),
        )

    def _base_dir(self) -> Path:
        """Give the folder of the DAG file, which local paths of a job start from."""
        return Path(self.dag.fileloc).parent


def _run_token(ti: Any) -> RunToken:
    map_index = -1 if ti.map_index is None else ti.map_index
    return RunToken(ti.dag_id, ti.run_id, ti.task_id, map_index, ti.max_tries, ti.try_number)
