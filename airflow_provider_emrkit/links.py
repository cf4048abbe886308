"""Links from a task to the AWS console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from airflow_provider_emrkit._compat import BaseOperatorLink, XCom
from airflow_provider_emrkit.console import console_host, stream_link

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_emrkit._compat import BaseOperator
    from airflow_provider_emrkit.runs.job_run import JobRun

XCOM_KEY = "emrkit_links"
RUN_XCOM_KEY = "emrkit_run"

# The line that says where a pool's job is.
PLACED = "In pool %s: step %s on cluster %s (%s)"


def console_links(run: JobRun, *, on_aws: bool) -> dict[str, str]:
    """Give the console's pages for a run.

    :param on_aws: False when EMR is reached at another address, where the console shows nothing.

    >>> from airflow_provider_emrkit.runs.job_run import JobRun
    >>> console_links(JobRun("step", "j-1", "s-1", "t-1", "sales", "eu-west-1"), on_aws=True)
    {'cluster': 'https://eu-west-1.console.aws.amazon.com/emr/home?region=eu-west-1#/clusterDetails/j-1'}
    """
    if not on_aws:
        return {}
    host, region = console_host(run.region), quote(run.region, safe="")
    cluster = quote(run.cluster_id, safe="")
    links = {"cluster": f"{host}/emr/home?region={region}#/clusterDetails/{cluster}"}
    if run.log_uri:
        _, _, path = run.log_uri.partition("://")
        bucket, _, prefix = path.partition("/")
        folder = "/".join(filter(None, (prefix.strip("/"), run.cluster_id, "steps", run.step_id))) + "/"
        links["logs"] = f"{host}/s3/buckets/{quote(bucket, safe='')}?region={region}&prefix={quote(folder)}"
    if run.log_group and run.kind == "step":
        stream = f"{run.log_prefix}steps/{run.step_id}/stderr"
        links["cloudwatch"] = stream_link(run.region, run.log_group, stream)
    return links


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


class EmrLogsLink(_EmrKitLink):
    """The step's archived logs in the S3 console.

    >>> EmrLogsLink().name
    'EMR step logs'
    """

    which = "logs"

    @property
    def name(self) -> str:
        """What the button says."""
        return "EMR step logs"


class EmrCloudWatchLink(_EmrKitLink):
    """The step's log in the CloudWatch console, as it is written.

    >>> EmrCloudWatchLink().name
    'CloudWatch log'
    """

    which = "cloudwatch"

    @property
    def name(self) -> str:
        """What the button says."""
        return "CloudWatch log"


OPERATOR_LINKS = (EmrClusterLink(), EmrLogsLink(), EmrCloudWatchLink())
