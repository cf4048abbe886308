"""Making, showing, changing, starting, stopping and deleting applications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.run.contract import ClusterStartError
from airflow_provider_emrkit.localemr.serverless import transitions
from airflow_provider_emrkit.localemr.serverless.application_rules import application_record, updated_settings
from airflow_provider_emrkit.localemr.serverless.errors import validation_error
from airflow_provider_emrkit.localemr.serverless.ids import application_arn
from airflow_provider_emrkit.localemr.serverless.image_settings import (
    has_same_images,
    may_change_while_started,
)
from airflow_provider_emrkit.localemr.serverless.model import RESTING_STATES, ApplicationRecord
from airflow_provider_emrkit.localemr.serverless.paging import listed
from airflow_provider_emrkit.localemr.serverless.shapes import application_details, application_summary
from airflow_provider_emrkit.localemr.serverless.tokens import repeated, token_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_provider_emrkit.localemr.call import Call
    from airflow_provider_emrkit.localemr.serverless.context import Serverless

# A waiter that sees one of these would sleep and ask again.
_PASSING_STATES = frozenset({"CREATING", "STARTING", "STOPPING"})


def create_application(serverless: Serverless, call: Call) -> dict[str, Any]:
    """CreateApplication: the application is CREATED when the request is answered."""
    token = token_of(call.params)
    application = repeated(token, serverless.store.with_token(call.region, token.value))
    if application is None:
        application = _create(
            serverless, application_record(call.params, call.region, token, serverless.now())
        )
    return {
        "applicationId": application.id,
        "name": call.params.get("name"),
        "arn": application_arn(call.region, application.id),
    }


def _create(serverless: Serverless, application: ApplicationRecord) -> ApplicationRecord:
    _check_runnable(serverless, application.settings)
    serverless.add(application)
    transitions.enter(application, "CREATED", serverless.now())
    serverless.changed(application)
    return application


def _check_runnable(serverless: Serverless, settings: dict[str, Any]) -> None:
    try:
        serverless.runner.check(settings["releaseLabel"], settings.get("architecture", "X86_64"))
    except ClusterStartError as error:
        raise validation_error(str(error)) from error


def get_application(serverless: Serverless, call: Call) -> dict[str, Any]:
    """GetApplication."""
    application = serverless.application(call)
    serverless.hold(call, lambda: application.state not in _PASSING_STATES)
    return {"application": application_details(application)}


def list_applications(serverless: Serverless, call: Call) -> dict[str, Any]:
    """ListApplications: newest first."""
    states = frozenset(call.params.get("states", ()))
    found, token = listed(
        serverless.store.applications(call.region), call, lambda item: not states or item.state in states
    )
    return {"applications": [application_summary(item) for item in found], "nextToken": token}


def update_application(serverless: Serverless, call: Call) -> dict[str, Any]:
    """UpdateApplication: only what is named is changed; some of it while the application is STARTED."""
    application = serverless.application(call)
    is_live = may_change_while_started(application.settings, call.params)
    _need_state(application, RESTING_STATES | {"STARTED"} if is_live else RESTING_STATES)
    settings = updated_settings(application.settings, call.params)
    _check_runnable(serverless, settings)
    if not has_same_images(settings, application.settings):
        application.digests = {}
    application.settings = settings
    application.updated = serverless.now()
    serverless.changed(application)
    return {"application": application_details(application)}


def delete_application(serverless: Serverless, call: Call) -> dict[str, Any]:
    """DeleteApplication: it is shown as TERMINATED for some time."""
    application = serverless.application(call)
    _need_state(application, RESTING_STATES)
    _need_no_runs(serverless, application, "deleted")
    transitions.enter(application, "TERMINATED", serverless.now())
    serverless.changed(application)
    return {}


def start_application(serverless: Serverless, call: Call) -> dict[str, Any]:
    """StartApplication; one that is up, or on its way, stays as it is."""
    application = serverless.application(call)
    _need_state(application, {"CREATED", "STARTING", "STARTED", "STOPPED"})
    if application.state in RESTING_STATES:
        serverless.scheduler.start_application(application)
    return {}


def stop_application(serverless: Serverless, call: Call) -> dict[str, Any]:
    """StopApplication; one that is stopped, or on its way, stays as it is."""
    application = serverless.application(call)
    _need_state(application, {"CREATED", "STARTING", "STARTED", "STOPPING", "STOPPED"})
    if application.state not in ("STOPPING", "STOPPED"):
        _need_no_runs(serverless, application, "stopped")
        transitions.enter(application, "STOPPING", serverless.now())
        serverless.changed(application)
    return {}


def _need_state(application: ApplicationRecord, states: Collection[str]) -> None:
    if application.state not in states:
        raise validation_error(
            f"Application {application.id} must be in one of the following statuses "
            f"[{', '.join(sorted(states))}]. Current status: {application.state}"
        )


def _need_no_runs(serverless: Serverless, application: ApplicationRecord, what: str) -> None:
    count = len(serverless.store.active_runs(application.id))
    if count:
        raise validation_error(
            f"Application {application.id} can't be {what}: {count} of its job runs must be completed or "
            "cancelled before."
        )


OPERATIONS = {
    "CreateApplication": create_application,
    "DeleteApplication": delete_application,
    "GetApplication": get_application,
    "ListApplications": list_applications,
    "StartApplication": start_application,
    "StopApplication": stop_application,
    "UpdateApplication": update_application,
}
