"""The pages of Spark applications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.run.event_logs import job_application_id
from airflow_provider_emrkit.localemr.serverless.errors import not_found
from airflow_provider_emrkit.localemr.serverless.operations.runs import attempt_of

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.call import Call
    from airflow_provider_emrkit.localemr.serverless.context import Serverless


def get_dashboard_for_job_run(serverless: Serverless, call: Call) -> dict[str, Any]:
    """GetDashboardForJobRun: clients ask for it as soon as they have started the job run."""
    run = serverless.run(call)
    return {"url": serverless.page_url(job_application_id(run.id, attempt_of(run, call).number))}


def get_resource_dashboard(serverless: Serverless, call: Call) -> dict[str, Any]:
    """GetResourceDashboard: there are no sessions here, and so no pages of any."""
    serverless.application(call)
    raise not_found("Session", call.params["resourceId"])


OPERATIONS = {
    "GetDashboardForJobRun": get_dashboard_for_job_run,
    "GetResourceDashboard": get_resource_dashboard,
}
