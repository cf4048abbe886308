"""Records as the API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.serverless.ids import application_arn, run_arn
from airflow_provider_emrkit.localemr.serverless.image_settings import resolves_at_start
from airflow_provider_emrkit.localemr.serverless.model import (
    ENDED_STATES,
    FAILED_ATTEMPTS_PER_HOUR,
    IDLE_MINUTES,
    ApplicationRecord,
    AttemptRecord,
    RunRecord,
)
from airflow_provider_emrkit.localemr.serverless.transitions import queued_seconds
from airflow_provider_emrkit.localemr.serverless.usage import (
    billed_resources,
    duration_seconds,
    total_resources,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

ENGINE = "Spark"

_LONGEST_DETAILS = 256

# Members that GetJobRun gives back as StartJobRun got them.
_AS_REQUESTED = ("name", "executionIamPolicy", "configurationOverrides", "jobDriver", "flexExecution")


def application_summary(application: ApplicationRecord) -> dict[str, Any]:
    """Give the API's ``ApplicationSummary``."""
    return {
        "id": application.id,
        "name": application.name,
        "arn": application_arn(application.region, application.id),
        "releaseLabel": application.release_label,
        "type": ENGINE,
        "state": application.state,
        "stateDetails": _details(application.details) or None,
        "createdAt": application.created,
        "updatedAt": application.updated,
        "architecture": application.architecture,
    }


def application_details(application: ApplicationRecord) -> dict[str, Any]:
    """Give the API's ``Application``."""
    settings, summary = application.settings, application_summary(application)
    del summary["id"]
    return {
        **settings,
        **summary,
        "applicationId": application.id,
        "tags": application.tags,
        "autoStartConfiguration": {"enabled": application.auto_start},
        "autoStopConfiguration": _auto_stop(application),
        "schedulerConfiguration": application.scheduler,
        **_images(settings, application.digests),
    }


def _auto_stop(application: ApplicationRecord) -> dict[str, Any]:
    given = application.settings.get("autoStopConfiguration", {})
    return {"enabled": True, "idleTimeoutMinutes": IDLE_MINUTES, **given}


def _images(settings: Mapping[str, Any], digests: Mapping[str, str]) -> dict[str, Any]:
    def shown(holder: Mapping[str, Any]) -> dict[str, Any] | None:
        config = holder.get("imageConfiguration")
        return config and {
            **config,
            "applicationLevelDigestResolution": resolves_at_start(config, settings),
            "resolvedImageDigest": digests.get(config["imageUri"]),
        }

    workers = settings.get("workerTypeSpecifications")
    return {
        "imageConfiguration": shown(settings),
        "workerTypeSpecifications": workers
        and {name: {"imageConfiguration": shown(worker)} for name, worker in workers.items()},
    }


def run_summary(run: RunRecord) -> dict[str, Any]:
    """Give the API's ``JobRunSummary``."""
    return {
        "applicationId": run.application_id,
        "id": run.id,
        "name": run.request.get("name"),
        "mode": run.mode,
        "arn": run_arn(run),
        "createdBy": run.created_by,
        "createdAt": run.created,
        "updatedAt": run.updated,
        "executionRole": run.request["executionRoleArn"],
        "state": run.state,
        "stateDetails": _details(run.details) or run.state,
        "releaseLabel": run.release_label,
        "type": ENGINE,
        "attempt": run.attempt.number,
        "attemptCreatedAt": run.attempt.created,
        "attemptUpdatedAt": run.attempt.updated,
        "flexExecution": run.request.get("flexExecution"),
    }


def attempt_summary(run: RunRecord, attempt: AttemptRecord) -> dict[str, Any]:
    """Give the API's ``JobRunAttemptSummary``."""
    return {
        **run_summary(run),
        "jobCreatedAt": run.created,
        "createdAt": attempt.created,
        "updatedAt": attempt.updated,
        "state": attempt.state,
        "stateDetails": _details(attempt.details) or attempt.state,
        "attempt": attempt.number,
    }


def run_details(run: RunRecord, attempt: AttemptRecord, now: datetime) -> dict[str, Any]:
    """Give the API's ``JobRun``, as it was, or is, in one of its attempts."""
    summary = run_summary(run)
    is_last = attempt is run.attempt
    counted = run.attempts if is_last else [attempt]
    queued = queued_seconds(run, now)
    ended = attempt.state in ENDED_STATES
    return {
        **summary,
        **{name: run.request.get(name) for name in _AS_REQUESTED},
        "jobRunId": run.id,
        "state": attempt.state,
        "stateDetails": _details(attempt.details) or attempt.state,
        "tags": run.tags,
        "networkConfiguration": run.application.get("networkConfiguration"),
        "executionTimeoutMinutes": run.timeout_minutes,
        "retryPolicy": _retry_policy(run),
        "attempt": attempt.number,
        "attemptCreatedAt": attempt.created,
        "attemptUpdatedAt": attempt.updated,
        "startedAt": attempt.started,
        "endedAt": attempt.ended,
        "queuedDurationMilliseconds": None if queued is None else round(queued * 1000),
        "totalResourceUtilization": total_resources(run, now, counted) if ended else None,
        "billedResourceUtilization": billed_resources(run, now, counted) if ended else None,
        "totalExecutionDurationSeconds": duration_seconds(counted, now) if ended else None,
        **_images(run.application, run.digests),
    }


def _retry_policy(run: RunRecord) -> dict[str, int]:
    given: dict[str, int] = run.request.get("retryPolicy", {})
    if run.mode == "STREAMING":
        return {"maxFailedAttemptsPerHour": FAILED_ATTEMPTS_PER_HOUR, **given}
    return {"maxAttempts": 1, **given}


def _details(text: str) -> str:
    return text if len(text) <= _LONGEST_DETAILS else text[: _LONGEST_DETAILS - 1] + "…"
