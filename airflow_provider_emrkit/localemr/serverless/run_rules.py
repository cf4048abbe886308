"""Which job runs EMR Serverless accepts, and job runs as records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.serverless import transitions
from airflow_provider_emrkit.localemr.serverless.errors import validation_error
from airflow_provider_emrkit.localemr.serverless.ids import CREATED_BY, new_id
from airflow_provider_emrkit.localemr.serverless.model import RunRecord, Token
from airflow_provider_emrkit.localemr.serverless.tag_rules import checked_tags
from airflow_provider_emrkit.releases import release

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from airflow_provider_emrkit.localemr.serverless.model import ApplicationRecord

LEAST_TIMEOUT = 5
MAX_BATCH_TIMEOUT = 10_080
MAX_ATTEMPTS = 10
MAX_GRACE = 1800
LEAST_GRACE = 15
STREAMING_GRACE = 120


def run_record(
    request: Mapping[str, Any], application: ApplicationRecord, token: Token, created: datetime
) -> RunRecord:
    """Check a StartJobRun request and make the job run's record.

    :raises ApiError: ``ValidationException``.
    """
    mode = request.get("mode", "BATCH")
    _check_driver(request.get("jobDriver", {}))
    _check_timeout(request.get("executionTimeoutMinutes"), mode)
    _check_retries(request.get("retryPolicy", {}), mode)
    if mode == "STREAMING" or request.get("retryPolicy"):
        _check_release(application.release_label)
    kept = {
        name: value for name, value in request.items() if name not in ("applicationId", "clientToken", "tags")
    }
    return RunRecord(
        id=new_id(),
        application_id=application.id,
        region=application.region,
        request=kept,
        application=application.settings,
        created=created,
        updated=created,
        created_by=CREATED_BY,
        token=token,
        tags=checked_tags(request.get("tags", {})),
        attempts=transitions.first_attempt(created),
    )


def grace_seconds(run: RunRecord, asked: int | None) -> float:
    """Give the time that a job run which is cancelled may take to end by itself.

    :param asked: ``shutdownGracePeriodInSeconds``.
    :raises ApiError: ``ValidationException``.
    """
    if asked is None:
        return STREAMING_GRACE if run.mode == "STREAMING" else 0
    if asked != 0 and not LEAST_GRACE <= asked <= MAX_GRACE:
        raise validation_error(
            f"shutdownGracePeriodInSeconds {asked} is not valid; "
            f"it must be 0, or {LEAST_GRACE} to {MAX_GRACE}."
        )
    return asked


def _check_driver(driver: Mapping[str, Any]) -> None:
    if "hive" in driver:
        raise validation_error("localemr does not support Hive jobs; it runs jobDriver.sparkSubmit only.")
    if "sparkSubmit" not in driver:
        raise validation_error("jobDriver.sparkSubmit is required for an application of type SPARK.")


def _check_timeout(minutes: int | None, mode: str) -> None:
    if minutes is None or (minutes == 0 and mode == "STREAMING"):
        return
    if minutes < LEAST_TIMEOUT:
        raise validation_error(f"RunTimeout must be at least {LEAST_TIMEOUT} minutes.")
    if mode == "BATCH" and minutes > MAX_BATCH_TIMEOUT:
        raise validation_error(f"RunTimeout must be at most {MAX_BATCH_TIMEOUT} minutes.")


def _check_retries(policy: Mapping[str, int], mode: str) -> None:
    right, wrong = "maxAttempts", "maxFailedAttemptsPerHour"
    if mode == "STREAMING":
        right, wrong = wrong, right
    if wrong in policy:
        raise validation_error(f"retryPolicy.{wrong} is not applicable to job runs in {mode} mode.")
    value = policy.get(right, 1)
    if value > MAX_ATTEMPTS:
        raise validation_error(f"retryPolicy.{right} {value} is not valid; it must be 1 to {MAX_ATTEMPTS}.")


def _check_release(label: str) -> None:
    if not release(label).supports("serverless_retries"):
        raise validation_error(
            f"Release {label} supports neither STREAMING mode nor a retryPolicy; use emr-7.1.0 or later."
        )
