"""State changes as EventBridge events, for the rules of this server's default event bus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.event_sender import EventSender, event
from airflow_provider_emrkit.localemr.serverless.ids import application_arn, run_arn
from airflow_provider_emrkit.localemr.serverless.model import ENDED_STATES, ApplicationRecord, RunRecord
from airflow_provider_emrkit.localemr.serverless.usage import billed_resources, total_resources

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_emrkit.localemr.serverless.changes import Change

SOURCE = "aws.emr-serverless"


class ServerlessEvents(EventSender):
    """Sends the events of every change (EventBridge PutEvents); a listener of the store's changes.

    :param client_for: Gives the EventBridge client of a region.
    :param now: Clock.

    >>> serverless.store.changes.subscribe(ServerlessEvents(client_for, utc_now))  # doctest: +SKIP
    """

    def __call__(self, change: Change) -> None:
        """Send the events of a change."""
        self.send(change.record.region, events_of(change))


def events_of(change: Change) -> list[dict[str, Any]]:
    """Give the events of a change, as PutEvents takes them."""
    if isinstance(change.record, ApplicationRecord):
        return [application_event(change.record)]
    if change.retried:
        return [retry_event(change.record)]
    events = [run_event(change.record, change.before)]
    if change.record.state in ENDED_STATES:
        events.append(usage_event(change.record))
    return events


def application_event(application: ApplicationRecord) -> dict[str, Any]:
    """Give the event of an application's state."""
    limit = application.idle_limit
    stop: dict[str, Any] = {"enabled": limit is not None}
    if limit is not None:
        stop["idleTimeout"] = int(limit.total_seconds() // 60)
    detail = {
        "applicationId": application.id,
        "applicationName": application.name or "",
        "arn": application_arn(application.region, application.id),
        "releaseLabel": application.release_label,
        "state": application.state,
        "type": "SPARK",
        "createdAt": _shown(application.created),
        "updatedAt": _shown(application.updated),
        "autoStopConfig": stop,
        "autoStartConfig": {"enabled": application.auto_start},
    }
    return event(SOURCE, "EMR Serverless Application State Change", detail)


def run_event(run: RunRecord, before: str | None) -> dict[str, Any]:
    """Give the event of a job run's state.

    :param before: Its state before.
    """
    detail = {**_run_detail(run), "state": run.state}
    if before is not None:
        detail["previousState"] = before
    return event(SOURCE, "EMR Serverless Job Run State Change", detail)


def retry_event(run: RunRecord) -> dict[str, Any]:
    """Give the event of a job run's new attempt."""
    before, new = run.attempts[-2:]
    detail = {
        **_run_detail(run),
        "previousAttempt": before.number,
        "previousAttemptState": before.state,
        "previousAttemptCreatedAt": _shown(before.created),
        "previousAttemptEndedAt": _shown(before.ended or new.created),
        "newAttempt": new.number,
        "newAttemptCreatedAt": _shown(new.created),
    }
    return event(SOURCE, "EMR Serverless Job Run Retry", detail)


def usage_event(run: RunRecord) -> dict[str, Any]:
    """Give the event of what a job run that has ended has used."""
    attempt, ended = run.attempt, run.ended or run.updated
    used, billed = total_resources(run, ended), billed_resources(run, ended)
    detail = {
        "applicationId": run.application_id,
        "jobRunId": run.id,
        "attempt": attempt.number,
        "mode": run.mode,
        "createdAt": _shown(run.created),
        "calculatedFrom": _shown(attempt.started or run.created),
        "calculatedTo": _shown(ended),
        "resourceUtilizationFinal": True,
        "resourceUtilizationForInterval": used,
        "billedResourceUtilizationForInterval": billed,
        "totalResourceUtilization": used,
        "totalBilledResourceUtilization": billed,
    }
    if attempt.started is not None:
        detail["startedAt"] = _shown(attempt.started)
    told = event(SOURCE, "EMR Serverless Job Resource Utilization Update", detail)
    return {**told, "Resources": [run_arn(run)]}


def _run_detail(run: RunRecord) -> dict[str, Any]:
    return {
        "jobRunId": run.id,
        "applicationId": run.application_id,
        "arn": run_arn(run),
        "releaseLabel": run.release_label,
        "createdBy": run.created_by,
        "updatedAt": _shown(run.updated),
        "createdAt": _shown(run.created),
    }


def _shown(time: datetime) -> str:
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")
