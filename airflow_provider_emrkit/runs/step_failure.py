"""Collects what tells why a step failed: EMR's words, and the ends of its logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_emrkit.logs.causes import LogText
from airflow_provider_emrkit.logs.cluster_sources import ArchivedSources
from airflow_provider_emrkit.runs.protocol import FailureFacts
from airflow_provider_emrkit.runs.step_calls import failure_message, list_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.logs.sources import LogSources
    from airflow_provider_emrkit.runs.job_run import JobRun

# Lines at the end of each log that a failure's cause is looked for in.
TAIL_LINES = 1_000


def read_facts(clients: AwsClients, run: JobRun, sources: LogSources) -> FailureFacts:
    """Collect EMR's words (ListSteps) and the ends of the logs, from CloudWatch or else from S3.

    :param sources: Where the run's logs can be followed.
    :raises botocore.exceptions.ClientError: when AWS refuses.
    """
    step = list_steps(clients.client("emr"), run.cluster_id, [run.step_id]).get(run.step_id) or {}
    details = (step.get("Status") or {}).get("FailureDetails") or {}
    texts = _log_ends(sources)
    followed = bool(texts)
    if not followed and run.log_uri:
        # Also a cluster that is to send its logs to CloudWatch may not be allowed to, or too short-lived.
        s3 = clients.client("s3")
        archive = ArchivedSources(s3, run.log_uri, run.cluster_id, run.step_id, run.driver_apart)
        texts = _log_ends(archive)
    return FailureFacts(failure_message(step), details.get("LogFile") or "", texts, followed=followed)


def _log_ends(sources: LogSources) -> Sequence[LogText]:
    """Read the ends of all logs, the driver's first.

    What spark-submit wrote is read first all the same: it names the YARN application, and so the driver's
    logs.
    """
    texts: dict[str, LogText] = {}
    for _ in range(2):
        for source in sources.current():
            if source.name in texts:
                continue
            lines = source.from_end(TAIL_LINES).lines
            texts[source.name] = LogText(f"{source.label} in {source.name}", [line.text for line in lines])
            sources.observe(lines)
    return [text for text in reversed(texts.values()) if text.lines]
