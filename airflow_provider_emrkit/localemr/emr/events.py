"""EMR's state changes as EventBridge events, for the rules of this server's default event bus."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.event_sender import EventSender, event

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.emr.model import ClusterRecord, StepRecord

SOURCE = "aws.emr"

# The states EMR sends events of, and how grave they are. It sends none of the others.
_CLUSTER_SEVERITY = {
    "STARTING": "INFO",
    "RUNNING": "INFO",
    "WAITING": "INFO",
    "TERMINATED": "INFO",
    "TERMINATED_WITH_ERRORS": "CRITICAL",
}
_STEP_SEVERITY = {
    "PENDING": "INFO",
    "CANCEL_PENDING": "WARN",
    "RUNNING": "INFO",
    "COMPLETED": "INFO",
    "CANCELLED": "WARN",
    "FAILED": "ERROR",
}


class StateEvents(EventSender):
    """Sends an event of every new state (EventBridge PutEvents); a listener of the store's changes.

    :param client_for: Gives the EventBridge client of a region.
    :param now: Clock, for changes whose record carries no time.

    >>> emr.store.changes.subscribe(StateEvents(client_for, emr.now))  # doctest: +SKIP
    """

    def __call__(self, cluster: ClusterRecord, step: StepRecord | None) -> None:
        """Send the event of a cluster's, or of its step's, new state, if there is one."""
        told = cluster_event(cluster) if step is None else step_event(cluster, step)
        self.send(cluster.region, [told] if told else [])


def cluster_event(cluster: ClusterRecord) -> dict[str, str] | None:
    """Give the event of a cluster's state, as PutEvents takes it; None for a state without one."""
    severity = _CLUSTER_SEVERITY.get(cluster.state)
    if severity is None:
        return None
    reason = {"code": cluster.reason_code or "", "message": cluster.reason_message}
    detail = {
        "severity": severity,
        "stateChangeReason": json.dumps(reason if cluster.reason_code else {"code": ""}),
        "name": cluster.name,
        "clusterId": cluster.id,
        "state": cluster.state,
        "message": f"Amazon EMR cluster {cluster.id} ({cluster.name}) is {cluster.state}.",
    }
    return event(SOURCE, "EMR Cluster State Change", detail)


def step_event(cluster: ClusterRecord, step: StepRecord) -> dict[str, str] | None:
    """Give the event of a step's state, as PutEvents takes it; None for a state without one."""
    severity = _STEP_SEVERITY.get(step.state)
    if severity is None:
        return None
    place = f"Amazon EMR cluster {cluster.id} ({cluster.name})"
    detail = {
        "severity": severity,
        "actionOnFailure": step.action_on_failure,
        "stepId": step.id,
        "name": step.name,
        "clusterId": cluster.id,
        "state": step.state,
        "message": f"Step {step.id} ({step.name}) in {place} is {step.state}.",
    }
    return event(SOURCE, "EMR Step Status Change", detail)
