"""Finds what an earlier try of a task has started, and decides with it how this try goes on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.exceptions import RunStillEndingError
from airflow_provider_emrkit.logs.wishes import NO_WISHES
from airflow_provider_emrkit.runs.earlier import decide

if TYPE_CHECKING:
    from airflow_provider_emrkit.jobs.spark_job import SparkJob
    from airflow_provider_emrkit.logs.wishes import LogWishes
    from airflow_provider_emrkit.runs.earlier import Found
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.protocol import Compute, Runs
    from airflow_provider_emrkit.runs.token import RunToken

# Seconds in which work that must not go on has to end before the job is submitted anew.
END_PATIENCE = 60.0


@dataclass(frozen=True)
class Takeover:
    """Looks for earlier work of a task before one of its later tries submits.

    :param runs: Where the job runs.
    :param log: The task's log.
    :param wishes: What is wanted of the job's logs now.

    >>> Takeover(runs, self.log).run(job, compute, token, None, "attach")  # doctest: +SKIP
    """

    runs: Runs
    log: Any
    wishes: LogWishes = NO_WISHES

    def run(
        self, job: SparkJob, compute: Compute, token: RunToken, since: float | None, on_existing: str
    ) -> Found | None:
        """Give the earlier work this try goes on with; None when it has to submit the job.

        Work that a cleared try has left is ended, and work that is being cancelled is waited for, so that the
        job never runs twice at once.

        :param since: When the DAG run started, in seconds since 1970: older work is of a DAG run that had the
            same id and was deleted.
        :param on_existing: ``attach``, ``fresh`` or ``fail``.
        :raises ExistingRunError: with ``fail``, when there is earlier work.
        :raises SubmitRefusedError: when AWS can't be asked, or earlier work does not end.
        """
        decision = decide(self.runs.earlier(compute, token, since), token, on_existing)
        for run in (*decision.end, *decision.wait_for):
            self._end(run)
        if decision.attach is None:
            return None
        self._tell(decision.attach)
        run = replace(decision.attach.run, driver_apart=job.deploy_mode == "cluster")
        return replace(decision.attach, run=run.with_wishes(self.wishes))

    def _end(self, run: JobRun) -> None:
        self.log.info("An earlier job of this task, %s, is not wanted any more; waiting for its end.", run)
        ended = self.runs.end(run, END_PATIENCE + run.grace_seconds)
        going = ended.done and run.owns_cluster  # a cluster that terminates comes back no more
        if not (ended.ended or going):
            raise RunStillEndingError(
                f"{run} of an earlier try could not be ended ({ended.message}), so the job was not submitted "
                "a second time; end it by hand, or let the task be retried"
            )
        self.log.info("Ended: %s", ended.message)

    def _tell(self, found: Found) -> None:
        state = found.status.detail or found.status.state.value
        text = "Try %s has started %s, which is %s: going on with it."
        self.log.info(text, found.mark.try_number, found.run, state)
