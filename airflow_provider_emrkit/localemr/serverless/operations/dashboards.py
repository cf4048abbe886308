"""The pages of Spark applications.

These operations take the store's lock themselves, and only to look: a page may have to be started first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.aws_json import ApiError
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError
from airflow_provider_emrkit.localemr.run.event_logs import job_application_id
from airflow_provider_emrkit.localemr.serverless.errors import not_found
from airflow_provider_emrkit.localemr.serverless.operations.runs import attempt_of

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.call import Call
    from airflow_provider_emrkit.localemr.serverless.context import Serverless


def get_dashboard_for_job_run(serverless: Serverless, call: Call) -> dict[str, Any]:
    """GetDashboardForJobRun: the page of a Spark history server on this machine.

    Clients ask for it as soon as they have started the job run: until there is such a page, they get the
    list of all.
    """
    with serverless.store.lock:
        run = serverless.run(call)
        spark_id = job_application_id(run.id, attempt_of(run, call).number)
    try:
        return {"url": serverless.ui.url(spark_id)}
    except ClusterStartError as error:
        raise ApiError("InternalServerException", str(error), 500) from error


def get_resource_dashboard(serverless: Serverless, call: Call) -> dict[str, Any]:
    """GetResourceDashboard: there are no sessions here, and so no pages of any."""
    with serverless.store.lock:
        serverless.application(call)
    raise not_found("Session", call.params["resourceId"])


OPERATIONS = {
    "GetDashboardForJobRun": get_dashboard_for_job_run,
    "GetResourceDashboard": get_resource_dashboard,
}
