"""Links from a task to the AWS console, and to the Spark UI of its job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlencode

from airflow_provider_emrkit._compat import BaseOperatorLink, XCom, web_root
from airflow_provider_emrkit.console import console_host, folder_link, stream_link, streams_link
from airflow_provider_emrkit.runs.job_run import JOB_RUN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_emrkit._compat import BaseOperator
    from airflow_provider_emrkit.runs.job_run import JobRun

XCOM_KEY = "emrkit_links"
RUN_XCOM_KEY = "emrkit_run"

# Where the pages of emrkit's own are in Airflow's web server, and which of them leads to a Spark UI.
WEB_PREFIX = "emrkit"
DASHBOARD_ROUTE = "/dags/{dag_id}/dashboard"

# The line that says where a pool's job is.
PLACED = "In pool %s: step %s on cluster %s (%s)"


def console_links(run: JobRun, *, on_aws: bool, task_instance: Any = None) -> dict[str, str]:
    """Give the pages about a run: those of the console, and the way to its Spark UI.

    :param on_aws: False when EMR is reached at another address, where the console shows nothing.
    :param task_instance: The task instance whose run it is, for the Spark UI; None leaves that out.

    >>> from airflow_provider_emrkit.runs.job_run import JobRun
    >>> console_links(JobRun("step", "j-1", "s-1", "t-1", "sales", "eu-west-1"), on_aws=True)
    {'cluster': 'https://eu-west-1.console.aws.amazon.com/emr/home?region=eu-west-1#/clusterDetails/j-1'}
    """
    links = (_job_run_links(run) if run.kind == JOB_RUN else _step_links(run)) if on_aws else {}
    if task_instance is not None:
        links["dashboard"] = dashboard_link(task_instance)
    return links


def dashboard_link(task_instance: Any) -> str:
    """Give the address in Airflow's web server that leads to the Spark UI of a task instance's run.

    EMR's own address of a Spark UI holds for an hour and is made anew each time somebody follows this one.

    :param task_instance: The task instance, or its key.
    """
    index = task_instance.map_index
    asked = {"run_id": task_instance.run_id, "task_id": task_instance.task_id}
    if index is not None and index >= 0:
        asked["map_index"] = str(index)
    page = DASHBOARD_ROUTE.format(dag_id=quote(task_instance.dag_id, safe=""))
    return f"{web_root()}{WEB_PREFIX}{page}?{urlencode(asked)}"


def _step_links(run: JobRun) -> dict[str, str]:
    host, region = console_host(run.region), quote(run.region, safe="")
    cluster = quote(run.cluster_id, safe="")
    links = {"cluster": f"{host}/emr/home?region={region}#/clusterDetails/{cluster}"}
    if run.log_uri:
        links["logs"] = _folder_link(run.region, run.log_uri, f"{run.cluster_id}/steps/{run.step_id}/")
    if run.log_group:
        stream = f"{run.log_prefix}steps/{run.step_id}/stderr"
        links["cloudwatch"] = stream_link(run.region, run.log_group, stream)
    return links


def _job_run_links(run: JobRun) -> dict[str, str]:
    """Give what the console shows of a job run: its page is in an EMR Studio, of which EMR tells nothing."""
    from airflow_provider_emrkit.logs.serverless_places import job_folder

    folder = job_folder(run.application_id, run.job_run_id)
    links = application_links(run.region)
    if run.log_uri:
        links["logs"] = _folder_link(run.region, run.log_uri, folder)
    if run.log_group:
        links["cloudwatch"] = streams_link(run.region, run.log_group, f"{run.log_prefix or '/'}{folder}")
    return links


def application_links(region: str) -> dict[str, str]:
    """Give what the console shows of an application of EMR Serverless.

    >>> application_links("eu-west-1")
    {'application': 'https://eu-west-1.console.aws.amazon.com/emr/home?region=eu-west-1#/serverless'}
    """
    page = f"emr/home?region={quote(region, safe='')}#/serverless"
    return {"application": f"{console_host(region)}/{page}"}


def _folder_link(region: str, log_uri: str, folder: str) -> str:
    _, _, path = log_uri.partition("://")
    bucket, _, prefix = path.partition("/")
    return folder_link(region, bucket, "/".join(filter(None, (prefix.strip("/"), folder))))


def announce(run: JobRun, links: Mapping[str, str], push: Callable[[str, Any], None]) -> None:
    """Show the ids and the links of a run in Airflow while it goes on.

    :param links: See :func:`console_links`.
    :param push: Stores an XCom of the task, by its key.
    """
    push(RUN_XCOM_KEY, run.to_dict())
    persist_links(links, push)


def persist_links(links: Mapping[str, str], push: Callable[[str, Any], None]) -> None:
    """Store the links of a run, so that they can be seen while it runs.

    :param push: Stores an XCom of the task, by its key.
    """
    push(XCOM_KEY, dict(links))
    for link in OPERATOR_LINKS:
        if link.which in links and hasattr(link, "xcom_key"):
            # Airflow 3's UI reads each link from an XCom of its own, which the worker fills at the end only.
            push(link.xcom_key, links[link.which])


class _EmrKitLink(BaseOperatorLink):
    """A link that is one of those stored by :func:`persist_links`."""

    which: ClassVar[str]

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """Give the URL, or an empty string where there is nothing to show."""
        stored: Any = XCom.get_value(key=XCOM_KEY, ti_key=ti_key)
        return str(stored.get(self.which, "")) if isinstance(stored, dict) else ""


class EmrClusterLink(_EmrKitLink):
    """The cluster in the EMR console.

    >>> EmrClusterLink().name
    'EMR cluster'
    """

    which = "cluster"

    @property
    def name(self) -> str:
        """What the button says."""
        return "EMR cluster"


class EmrApplicationLink(_EmrKitLink):
    """EMR Serverless in the EMR console.

    >>> EmrApplicationLink().name
    'EMR Serverless'
    """

    which = "application"

    @property
    def name(self) -> str:
        """What the button says."""
        return "EMR Serverless"


class EmrLogsLink(_EmrKitLink):
    """The job's archived logs in the S3 console: those of all its attempts.

    >>> EmrLogsLink().name
    'EMR logs'
    """

    which = "logs"

    @property
    def name(self) -> str:
        """What the button says."""
        return "EMR logs"


class EmrCloudWatchLink(_EmrKitLink):
    """The job's log in the CloudWatch console, as it is written.

    >>> EmrCloudWatchLink().name
    'CloudWatch log'
    """

    which = "cloudwatch"

    @property
    def name(self) -> str:
        """What the button says."""
        return "CloudWatch log"


class EmrSparkUiLink(_EmrKitLink):
    """The job's Spark UI: live while it runs, from its history when it has ended.

    It leads to Airflow's web server, which has EMR make the address at each click.

    >>> EmrSparkUiLink().name
    'Spark UI'
    """

    which = "dashboard"

    @property
    def name(self) -> str:
        """What the button says."""
        return "Spark UI"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """Give the address, or an empty string while there is no run."""
        return dashboard_link(ti_key) if XCom.get_value(key=RUN_XCOM_KEY, ti_key=ti_key) else ""


OPERATOR_LINKS = (
    EmrClusterLink(),
    EmrApplicationLink(),
    EmrSparkUiLink(),
    EmrLogsLink(),
    EmrCloudWatchLink(),
)
