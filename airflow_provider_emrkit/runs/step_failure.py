"""Collects what tells why a step failed: EMR's words, and the ends of its logs, no more than are needed."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.logs.causes import find_cause, is_definite
from airflow_provider_emrkit.logs.containers import application_id
from airflow_provider_emrkit.logs.image_causes import image_of
from airflow_provider_emrkit.logs.start_causes import find_start_cause
from airflow_provider_emrkit.runs.container_logs import controller_texts, executor_texts, node_texts
from airflow_provider_emrkit.runs.log_ends import LogEnds
from airflow_provider_emrkit.runs.log_patience import LogPatience
from airflow_provider_emrkit.runs.protocol import FailureFacts
from airflow_provider_emrkit.runs.start_logs import StartLogs
from airflow_provider_emrkit.runs.step_calls import cluster_state, error_codes, failure_message, list_steps
from airflow_provider_emrkit.runs.step_sources import archived_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.logs.causes import LogText
    from airflow_provider_emrkit.logs.sources import LogSources
    from airflow_provider_emrkit.runs.job_run import JobRun

_CAME_UP_BADLY = re.compile(r"bootstrap|provision", re.IGNORECASE)


def read_facts(
    clients: AwsClients,
    run: JobRun,
    sources: LogSources,
    patience: float = 0.0,
    pause: Callable[[float], bool] | None = None,
) -> FailureFacts:
    """Collect EMR's words and the ends of the logs, from CloudWatch or else from S3.

    Executors' and nodes' logs are read only where the driver's do not say why; those of bootstrap actions
    where the cluster did not come up for them. Trouble with a log takes nothing away from what the others
    say.

    :param sources: Where the run's logs are as they are written.
    :param patience: Seconds to wait for logs that EMR has not put on S3 yet.
    :param pause: Waits some seconds; gives True when the task is to stop.
    """
    return _Search(clients, run, sources, LogPatience(patience, pause or threading.Event().wait)).facts()


@dataclass
class _Search:
    """The search for the cause of one failure."""

    clients: AwsClients
    run: JobRun
    sources: LogSources
    patience: LogPatience
    message: str = ""

    def facts(self) -> FailureFacts:
        step = self._ends().without_trouble(self._step)
        if step is None:  # EMR could not be asked; its logs may be there all the same
            texts, followed = self._texts()
            return FailureFacts(texts=texts, followed=followed)
        status = step.get("Status") or {}
        self.message = failure_message(step)
        log_file = (status.get("FailureDetails") or {}).get("LogFile") or ""
        if status.get("State") == "FAILED":
            texts, followed = self._texts()
            image = image_of((step.get("Config") or {}).get("Args") or ())
            return FailureFacts(self.message, log_file, texts, followed=followed, image=image)
        if step and not (status.get("Timeline") or {}).get("StartDateTime"):
            said = self._ends().without_trouble(self._said_of_cluster) or ""
            if _CAME_UP_BADLY.search(said):
                return FailureFacts(self.message, log_file, start_texts=self._start_texts(said))
        # Nothing that the job wrote tells why it was cancelled, or its cluster went away.
        return FailureFacts(self.message, log_file)

    def _ends(self) -> LogEnds:
        return LogEnds(self.run.region, in_console=not self.clients.has_own_endpoint)

    def _step(self) -> Mapping[str, Any]:
        run = self.run
        return list_steps(self.clients.client("emr"), run.cluster_id, [run.step_id]).get(run.step_id) or {}

    def _said_of_cluster(self) -> str:
        cluster = self.clients.client("emr").describe_cluster(ClusterId=self.run.cluster_id)["Cluster"]
        _, code, message = cluster_state(cluster)
        return " ".join((code, *error_codes(cluster), message))

    def _start_texts(self, said: str) -> Sequence[LogText]:
        if not self.run.log_uri:
            return ()
        s3 = self.clients.client("s3")
        logs = StartLogs(s3, self.run, said, self._ends())
        return self.patience.until(lambda texts: bool(find_start_cause(texts)), logs.texts, self._where)

    def _texts(self) -> tuple[Sequence[LogText], bool]:
        """Give the ends of the logs, and whether the task's log has them already."""
        texts = self._ends().of(self.sources)
        followed = bool(texts)
        if not texts and self.run.log_uri:
            # Also a cluster that is to send its logs to CloudWatch may not be allowed to, or too short-lived.
            texts = self.patience.until(self._suffices, self._archived, self._where)
            followed = bool(texts) and not self.run.log_group and not self.patience.used
        for further in (executor_texts, node_texts, controller_texts):
            if is_definite(find_cause(texts, self.message)):
                break
            texts = [*texts, *further(self.clients, self.run, texts, self._ends())]
        return texts, followed

    def _archived(self) -> Sequence[LogText]:
        return self._ends().of(archived_sources(self.clients, self.run))

    def _suffices(self, texts: Sequence[LogText]) -> bool:
        """Tell whether all logs are there that the step must have: spark-submit names the driver's."""
        if is_definite(find_cause(texts)):
            return True
        if not self.run.driver_apart or not texts:
            return bool(texts)
        has_driver = any(text.name.startswith(("stdout", "stderr")) for text in texts)
        return has_driver or application_id(line for text in texts for line in text.lines) is None

    @property
    def _where(self) -> str:
        return f"{(self.run.log_uri or '').rstrip('/')}/{self.run.cluster_id}/"
