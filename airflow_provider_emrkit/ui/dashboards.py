"""The address of a run's Spark UI, which EMR makes anew each time and which holds for an hour."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_emrkit._compat import AirflowNotFoundException
from airflow_provider_emrkit.exceptions import ConnectionFieldError
from airflow_provider_emrkit.hooks.errors import explain, is_aws_error, is_denied, is_not_found, is_throttled
from airflow_provider_emrkit.runs.job_run import JOB_RUN
from airflow_provider_emrkit.ui.notice import Notice
from airflow_provider_emrkit.ui.task_runs import TaskRun

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.ui.task_runs import TaskKey

log = logging.getLogger(__name__)


def dashboard_of(key: TaskKey) -> str:
    """Have EMR make the address of the Spark UI of a task instance's run.

    :raises Notice: when there is none to be had; it says why.
    """
    found: TaskRun | None = None
    try:
        found = TaskRun.of(key)
        url = dashboard_url(found.run, _clients(found))
    except Notice:
        raise
    except Exception as error:
        if found and is_aws_error(error):
            raise _refusal(error, found) from error
        log.exception("No Spark UI for %r", key)
        mend = "The web server's log has the details."
        raise Notice(500, "Something went wrong", f"{type(error).__name__}, for {key}.", mend) from error
    if urlsplit(url).scheme not in ("https", "http"):
        raise Notice(502, "No Spark UI", f"EMR gave an address for {found.run} that is no web page's.")
    return url


def dashboard_url(run: JobRun, clients: AwsClients) -> str:
    """Ask EMR for the address (GetDashboardForJobRun; GetPersistentAppUIPresignedURL for a step).

    :raises Notice: when EMR is still preparing it.
    """
    if run.kind == JOB_RUN:
        # Nobody waits for many attempts before a page that stays white.
        serverless = clients.client("emr-serverless", retries=False)
        asked = {"applicationId": run.application_id, "jobRunId": run.job_run_id}
        return str(serverless.get_dashboard_for_job_run(**asked)["url"])
    return _history_url(run, clients.client("emr", retries=False))


def _history_url(run: JobRun, emr: Any) -> str:
    """Ask for the history server that EMR keeps of a cluster, also when the cluster is gone."""
    if not hasattr(emr, "create_persistent_app_ui"):
        mend = "Install boto3 1.38 or newer where the web server runs."
        raise Notice(501, "No Spark UI", "The boto3 of this Airflow can't ask EMR for the UI of steps.", mend)
    cluster = emr.describe_cluster(ClusterId=run.cluster_id)["Cluster"]
    made = emr.create_persistent_app_ui(TargetResourceArn=cluster["ClusterArn"])
    shown = emr.get_persistent_app_ui_presigned_url(PersistentAppUIId=made["PersistentAppUIId"])
    if not shown.get("PresignedURLReady") or not shown.get("PresignedURL"):
        text = f"EMR is preparing the history server of {run.where}."
        raise Notice(503, "Not ready yet", text, "Load this page again in a minute.")
    return str(shown["PresignedURL"])


def _clients(found: TaskRun) -> AwsClients:
    from airflow_provider_emrkit.hooks.emrkit import EmrKitHook

    conn_id = found.emrkit_conn_id
    hook = EmrKitHook(conn_id, found.run.region or None)
    try:
        return hook.clients
    except ConnectionFieldError as error:
        raise Notice(500, "The connection can't be right", str(error)) from error
    except AirflowNotFoundException as error:
        text = f"The connection {conn_id}, or the AWS connection that it names, is not to be found: {error}."
        mend = (
            "The web server needs the connection, too: a variable of the workers' environment is not enough."
        )
        raise Notice(500, "The connection is missing", text, mend) from error


def _refusal(error: Exception, found: TaskRun) -> Notice:
    """Give the notice for an error of AWS."""
    from airflow_provider_emrkit.hooks.clients import renew_clients

    if is_denied(error):  # with keys that have been replaced, say
        renew_clients(found.emrkit_conn_id, found.run.region or None)
    said = f"EMR was asked for the Spark UI of {found.run}: {explain(error, found.run.region)}."
    status, title, mend = next(answer for holds, answer in _ANSWERS if holds(error))
    return Notice(status, title, said, mend.format(conn_id=found.emrkit_conn_id))


def _is_unreachable(error: BaseException) -> bool:
    from botocore.exceptions import ConnectionError as BotoConnectionError
    from botocore.exceptions import HTTPClientError

    return isinstance(error, (HTTPClientError, BotoConnectionError))


def _is_anything(_: BaseException) -> bool:
    return True


_UNREACHABLE = (
    504,
    "EMR can't be reached",
    "Airflow's web server has to reach EMR itself: in a private network, give it a VPC endpoint of EMR.",
)
_DENIED = (
    403,
    "A permission is missing",
    "It is the web server that asks, with connection {conn_id} and the role or keys it finds there.",
)
_FORGOTTEN = (
    404,
    "EMR no longer knows the job",
    "EMR keeps a Spark UI for 30 days. Logs that were sent to S3 or CloudWatch stay for longer.",
)
_THROTTLED = (429, "Too many requests", "Load this page again in a minute.")
_OTHER = (502, "EMR has no Spark UI", "A job that has not started yet has none; try again when it runs.")

# Status, title and mend of AWS's errors.
_ANSWERS: tuple[tuple[Callable[[BaseException], bool], tuple[int, str, str]], ...] = (
    (_is_unreachable, _UNREACHABLE),
    (is_denied, _DENIED),
    (is_throttled, _THROTTLED),
    (is_not_found, _FORGOTTEN),
    (_is_anything, _OTHER),
)
