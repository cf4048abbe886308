"""Starting, showing and cancelling job runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.serverless.errors import not_found, validation_error
from airflow_provider_emrkit.localemr.serverless.ids import run_arn
from airflow_provider_emrkit.localemr.serverless.model import AttemptRecord, RunRecord
from airflow_provider_emrkit.localemr.serverless.paging import listed
from airflow_provider_emrkit.localemr.serverless.run_rules import grace_seconds, run_record
from airflow_provider_emrkit.localemr.serverless.shapes import attempt_summary, run_details, run_summary
from airflow_provider_emrkit.localemr.serverless.tokens import repeated, token_of

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.call import Call
    from airflow_provider_emrkit.localemr.serverless.context import Serverless
    from airflow_provider_emrkit.localemr.serverless.model import ApplicationRecord

_CANCELLED_BY_USER = "Job run was cancelled by the user"


def start_job_run(serverless: Serverless, call: Call) -> dict[str, Any]:
    """StartJobRun: starts the application too, when that starts automatically."""
    application = serverless.application(call)
    token = token_of(call.params)
    run = repeated(token, serverless.store.with_token(application.id, token.value))
    if not isinstance(run, RunRecord):
        _check_takes_runs(application)
        run = run_record(call.params, application, token, serverless.now())
        serverless.add(run)
        serverless.scheduler.news(application.id)
    return {"applicationId": application.id, "jobRunId": run.id, "arn": run_arn(run)}


def _check_takes_runs(application: ApplicationRecord) -> None:
    if application.state == "TERMINATED":
        raise validation_error(f"Application {application.id} is terminated. Cannot start job run.")
    if application.state not in ("STARTING", "STARTED") and not application.auto_start:
        raise validation_error(
            f"Application {application.id} is {application.state} and its autoStartConfiguration is not "
            "enabled. Start the application before the job run."
        )


def get_job_run(serverless: Serverless, call: Call) -> dict[str, Any]:
    """GetJobRun: the present attempt, or the one that is named."""
    run = serverless.run(call)
    serverless.hold(call, lambda: not run.is_active)
    return {"jobRun": run_details(run, attempt_of(run, call), serverless.now())}


def attempt_of(run: RunRecord, call: Call) -> AttemptRecord:
    """Find the attempt that a request names; the present one when it names none.

    :raises ApiError: ``ResourceNotFoundException``.
    """
    number: int | None = call.params.get("attempt")
    if number is None:
        return run.attempt
    if not 1 <= number <= len(run.attempts):
        raise not_found(f"Attempt {number} of JobRun", run.id)
    return run.attempts[number - 1]


def list_job_runs(serverless: Serverless, call: Call) -> dict[str, Any]:
    """ListJobRuns: newest first."""
    application = serverless.application(call)
    if call.is_waiter:
        serverless.hold(
            call, lambda: not any(_is_asked(run, call) for run in serverless.store.runs(application.id))
        )
    found, token = listed(serverless.store.runs(application.id), call, lambda run: _is_asked(run, call))
    return {"jobRuns": [run_summary(run) for run in found], "nextToken": token}


def _is_asked(run: RunRecord, call: Call) -> bool:
    params = call.params
    states, mode = params.get("states"), params.get("mode")
    after, before = params.get("createdAtAfter"), params.get("createdAtBefore")
    return (
        (not states or run.state in states)
        and (mode is None or run.mode == mode)
        and (after is None or run.created > after)
        and (before is None or run.created < before)
    )


def list_job_run_attempts(serverless: Serverless, call: Call) -> dict[str, Any]:
    """ListJobRunAttempts: newest first."""
    run = serverless.run(call)
    found, token = listed(reversed(run.attempts), call, lambda _: True)
    return {"jobRunAttempts": [attempt_summary(run, item) for item in found], "nextToken": token}


def cancel_job_run(serverless: Serverless, call: Call) -> dict[str, Any]:
    """CancelJobRun; one that is being cancelled, or was, stays as it is."""
    run = serverless.run(call)
    seconds = grace_seconds(run, call.params.get("shutdownGracePeriodInSeconds"))
    if run.state in ("SUCCESS", "FAILED"):
        raise validation_error(f"JobRun {run.id} can't be cancelled: it is in state {run.state}")
    serverless.scheduler.cancel(run, seconds, _CANCELLED_BY_USER)
    return {"applicationId": run.application_id, "jobRunId": run.id}


OPERATIONS = {
    "CancelJobRun": cancel_job_run,
    "GetJobRun": get_job_run,
    "ListJobRunAttempts": list_job_run_attempts,
    "ListJobRuns": list_job_runs,
    "StartJobRun": start_job_run,
}
