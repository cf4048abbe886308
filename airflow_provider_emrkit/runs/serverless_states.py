"""Asks how job runs of EMR Serverless are doing, many at once, in as few calls as will do."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.applications.calls import ACTIVE_RUN_STATES
from airflow_provider_emrkit.hooks.errors import is_not_found, is_transient
from airflow_provider_emrkit.runs.job_run import by_compute
from airflow_provider_emrkit.runs.serverless_calls import (
    CLOCK_SKEW,
    details_of,
    get_job_run,
    job_run_pages,
    job_run_status,
    knows,
)
from airflow_provider_emrkit.runs.states import NOT_LISTED, RunState, RunStatus
from airflow_provider_emrkit.runs.unlisted import Unlisted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from airflow_provider_emrkit.runs.job_run import JobRun

    Changed: TypeAlias = tuple[object, ...]

# Job runs of one application up to which each is asked for: AWS takes ten GetJobRun in the time of one
# ListJobRuns.
FEW = 10
# Pages of 50 that are listed at most for one look; what is not on them is asked for by itself.
MAX_PAGES = 10
# Job runs that are asked for one by one at most in one look that serves many, so that it ends soon.
MAX_ASKED = 100
# Job runs that are remembered at most.
MAX_REMEMBERED = 20_000


@dataclass
class JobRunMemory:
    """What is remembered of the job runs that are watched. Threads may share it.

    :param clock: Seconds that only go up.
    :param now: Seconds since 1970.

    >>> memory = JobRunMemory()
    >>> job_run_states(client, [run], memory)[run].detail  # doctest: +SKIP
    'RUNNING'
    """

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    seen: dict[str, tuple[Changed, RunStatus]] = field(default_factory=dict)
    asked_at: dict[str, float] = field(default_factory=dict)
    failures: dict[str, tuple[int, str]] = field(default_factory=dict)
    unlisted: Unlisted = field(default_factory=Unlisted)

    def note(self, job_run_id: str, changed: Changed, status: RunStatus) -> None:
        """Remember how a job run was doing; one that is over is asked for no more."""
        if status.state.is_final:
            self.forget(job_run_id)
            return
        if len(self.seen) >= MAX_REMEMBERED:
            self.asked_at.clear()
            self.seen.clear()  # it only saves calls; watches that were given up leave job runs behind
        self.seen[job_run_id] = changed, status

    def forget(self, job_run_id: str) -> None:
        """Forget a job run."""
        self.seen.pop(job_run_id, None)
        self.asked_at.pop(job_run_id, None)
        self.failures.pop(job_run_id, None)
        self.unlisted.forget(job_run_id)


def job_run_states(client: Any, runs: Sequence[JobRun], memory: JobRunMemory) -> dict[JobRun, RunStatus]:
    """Ask how job runs are doing (GetJobRun; ListJobRuns where there are many).

    The list tells which ones have changed since the last look, or are over: these are asked for one by one,
    as it does not tell when they started and ended.

    :param client: boto3 client of EMR Serverless.
    :param runs: The job runs, of any applications.
    :param memory: The same one at each look.
    :raises botocore.exceptions.ClientError: when AWS refuses; nothing is known then.
    """
    statuses: dict[JobRun, RunStatus] = {}
    for application_id, here in by_compute(runs).items():
        statuses.update(_Look(client, application_id, memory).statuses(here))
    return statuses


class _Look:
    """One look at the job runs of an application."""

    def __init__(self, client: Any, application_id: str, memory: JobRunMemory) -> None:
        self._client = client
        self._id = application_id
        self._memory = memory

    def statuses(self, runs: Sequence[JobRun]) -> dict[JobRun, RunStatus]:
        """Give the states of all job runs, but of those that are to be asked for at the next look."""
        if len(runs) <= FEW:
            return {run: self._asked(run) for run in runs}
        listed = self._active(runs)
        statuses: dict[JobRun, RunStatus] = {}
        unsure = []
        for run in runs:
            summary = listed.get(run.job_run_id)
            seen = self._memory.seen.get(run.job_run_id)
            if summary and seen and seen[0] == _changed(summary):
                statuses[run] = seen[1]
                continue
            unsure.append(run)
            if summary:
                statuses[run] = job_run_status(summary)
        statuses.update(self._asked_in_turn(unsure, listed))
        return statuses

    def _asked_in_turn(
        self, runs: Sequence[JobRun], listed: Mapping[str, Mapping[str, Any]]
    ) -> dict[JobRun, RunStatus]:
        """Ask for some, those first that were not for the longest: there may be more than a look can ask for.

        What is known when AWS limits the rate is not lost; the others have their turn at the next look.
        """
        statuses: dict[JobRun, RunStatus] = {}
        in_turn = sorted(runs, key=lambda run: self._memory.asked_at.get(run.job_run_id, 0.0))
        try:
            for run in in_turn[:MAX_ASKED]:
                statuses[run] = self._asked(run, listed.get(run.job_run_id))
        except Exception as error:
            if not statuses or not is_transient(error):
                raise
        return statuses

    def _active(self, runs: Sequence[JobRun]) -> dict[str, Mapping[str, Any]]:
        """List those that are not over, until they are found or there are no more."""
        missing = {run.job_run_id for run in runs}
        oldest = min(run.submitted_at for run in runs) - CLOCK_SKEW
        after = datetime.fromtimestamp(max(0.0, oldest), timezone.utc)
        found: dict[str, Mapping[str, Any]] = {}
        asked = {"applicationId": self._id, "states": list(ACTIVE_RUN_STATES), "createdAtAfter": after}
        try:
            for page, _ in job_run_pages(self._client.list_job_runs, asked, MAX_PAGES):
                found.update({summary["id"]: summary for summary in page if summary["id"] in missing})
                if len(found) == len(missing):
                    break
        except Exception as error:
            if not is_not_found(error):
                raise  # else the application is gone, and each job run tells for itself
        return found

    def _asked(self, run: JobRun, summary: Mapping[str, Any] | None = None) -> RunStatus:
        self._memory.asked_at[run.job_run_id] = self._memory.clock()
        try:
            job_run = get_job_run(self._client, self._id, run.job_run_id)
        except Exception as error:
            if not is_not_found(error):
                raise
            return self._unlisted(run)
        self._memory.unlisted.forget(run.job_run_id)
        status = self._with_last_failure(run, job_run_status(job_run))
        # What has changed since the list was made differs from it at the next look.
        self._memory.note(run.job_run_id, _changed(summary or {}), status)
        return status

    def _unlisted(self, run: JobRun) -> RunStatus:
        age = self._memory.now() - run.submitted_at
        is_lost = self._memory.unlisted.is_lost(run.job_run_id, age=age, clock=self._memory.clock())
        return RunStatus(RunState.UNLISTED if is_lost else RunState.QUEUED, NOT_LISTED)

    def _with_last_failure(self, run: JobRun, status: RunStatus) -> RunStatus:
        """Say of a job run that is tried once more why the attempt before failed (GetJobRun)."""
        if status.attempt < 2 or status.state.is_final:
            return status
        attempt, said = self._memory.failures.get(run.job_run_id, (0, ""))
        if attempt != status.attempt and knows(self._client, "GetJobRun", "attempt"):
            before = get_job_run(self._client, self._id, run.job_run_id, status.attempt - 1)
            said = details_of(before)
            self._memory.failures[run.job_run_id] = status.attempt, said
        told = f"attempt {status.attempt - 1} failed" + (f": {said}" if said else "")
        return replace(status, message=told)


def _changed(described: Mapping[str, Any]) -> Changed:
    """Give what is different in ListJobRuns' answer when a job run has changed."""
    return tuple(described.get(name) for name in ("state", "stateDetails", "attempt"))
