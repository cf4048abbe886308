"""Interactive sessions, which localemr has none of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.serverless.errors import not_found, validation_error

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.call import Call
    from airflow_provider_emrkit.localemr.serverless.context import Serverless


def start_session(serverless: Serverless, call: Call) -> dict[str, Any]:
    """StartSession."""
    serverless.application(call)
    raise validation_error("localemr does not support interactive sessions of EMR Serverless (StartSession).")


def list_sessions(serverless: Serverless, call: Call) -> dict[str, Any]:
    """ListSessions: always empty."""
    serverless.application(call)
    return {"sessions": []}


def unknown_session(serverless: Serverless, call: Call) -> dict[str, Any]:
    """Answer for a session, as there is none."""
    serverless.application(call)
    raise not_found("Session", f"{call.params['sessionId']} (localemr does not support sessions)")


OPERATIONS = {
    "GetSession": unknown_session,
    "GetSessionEndpoint": unknown_session,
    "ListSessions": list_sessions,
    "StartSession": start_session,
    "TerminateSession": unknown_session,
}
