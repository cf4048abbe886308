"""Collects what tells why a job run of EMR Serverless failed: EMR's words, and the ends of its logs."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.logs.causes import find_cause, is_definite
from airflow_provider_emrkit.logs.joined_sources import JoinedSources
from airflow_provider_emrkit.logs.serverless_places import LogPlaces, job_folder
from airflow_provider_emrkit.logs.serverless_sources import S3_PAUSE, serverless_sources
from airflow_provider_emrkit.logs.user_streams import UserStreams
from airflow_provider_emrkit.runs.log_ends import LogEnds
from airflow_provider_emrkit.runs.log_patience import LogPatience
from airflow_provider_emrkit.runs.protocol import FailureFacts
from airflow_provider_emrkit.runs.serverless_calls import (
    details_of,
    get_job_run,
    image_of,
    job_run_status,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.logs.causes import LogText
    from airflow_provider_emrkit.logs.sources import LogSources
    from airflow_provider_emrkit.runs.job_run import JobRun


def job_run_sources(clients: AwsClients, run: JobRun) -> LogSources:
    """Give the sources of a job run's logs, of all its attempts; asks nobody."""
    sources = serverless_sources(
        clients.client,
        run.application_id,
        run.job_run_id,
        places_of(run),
        executors=run.executor_logs,
        uploaded_within=0.0
        if clients.has_own_endpoint
        else S3_PAUSE,  # a local EMR has them before it says so
    )
    if not run.log_streams:
        return sources
    theirs = UserStreams(clients.client("logs"), run.log_streams, int(run.submitted_at * 1000))
    return JoinedSources([sources, theirs], clients.region_name)


def read_job_run_facts(
    clients: AwsClients,
    run: JobRun,
    patience: float = 0.0,
    pause: Callable[[float], bool] | None = None,
) -> FailureFacts:
    """Collect EMR Serverless' words and the ends of the logs of the last attempt, its driver's first.

    Executors' logs are read only where the driver's do not say why. Trouble with a log takes nothing away
    from what the others say.

    :param patience: Seconds to wait for logs that EMR Serverless has not put on S3 yet.
    :param pause: Waits some seconds; gives True when the task is to stop.
    """
    return _Search(clients, run, LogPatience(patience, pause or threading.Event().wait)).facts()


@dataclass
class _Search:
    """The search for the cause of one failure."""

    clients: AwsClients
    run: JobRun
    patience: LogPatience
    message: str = ""
    attempt: int = 0
    image: str = ""

    def facts(self) -> FailureFacts:
        job_run = self._ends().without_trouble(self._job_run)
        if job_run is not None:  # else EMR could not be asked; its logs may be there all the same
            self.message = details_of(job_run)
            self.attempt = job_run.get("attempt") or 0
            if job_run_status(job_run).started_at is None:
                self.patience = replace(self.patience, seconds=0.0)  # it has written nothing
        if job_run is not None and job_run.get("state") != "FAILED":
            return FailureFacts(self.message)  # nothing that the job wrote tells why it was cancelled
        self.image = self.run.image or image_of(job_run or {})
        texts, followed = self._texts()
        return FailureFacts(self.message, texts=texts, followed=followed, image=self.image)

    def _job_run(self) -> Mapping[str, Any]:
        client = self.clients.client("emr-serverless")
        return get_job_run(client, self.run.application_id, self.run.job_run_id)

    def _texts(self) -> tuple[Sequence[LogText], bool]:
        """Give the ends of the logs, and whether the task's log has them already."""
        texts = self._live(executors=False)
        followed = bool(texts)
        if not texts and self.run.log_uri:
            # Also a run that is to send its logs to CloudWatch may not be allowed to.
            where = f"{self.run.log_uri.rstrip('/')}/"
            where += job_folder(self.run.application_id, self.run.job_run_id)
            texts = self.patience.until(bool, lambda: self._archived(executors=False), where)
            followed = bool(texts) and not self.run.log_group and not self.patience.used
        if not is_definite(find_cause(texts, self.message, self.image)):
            known = {text.name for text in texts}
            sent = self.run.log_group and self.run.executors_sent
            further = self._live(executors=True) if sent else self._archived(executors=True)
            texts = [*texts, *(text for text in further if text.name not in known)]
        return texts, followed

    def _live(self, *, executors: bool) -> Sequence[LogText]:
        """Read what lines come to as they are written: CloudWatch."""
        return self._read(replace(places_of(self.run), uri=None), executors=executors)

    def _archived(self, *, executors: bool) -> Sequence[LogText]:
        return self._read(replace(places_of(self.run), group=None), executors=executors)

    def _read(self, places: LogPlaces, *, executors: bool) -> Sequence[LogText]:
        ids = self.run.application_id, self.run.job_run_id
        sources = serverless_sources(
            self.clients.client, *ids, places, executors=executors, attempt=self.attempt
        )
        return self._ends().of(sources)

    def _ends(self) -> LogEnds:
        return LogEnds(self.run.region, in_console=not self.clients.has_own_endpoint)


def places_of(run: JobRun) -> LogPlaces:
    """Give where the logs of a job run go, as it says itself."""
    return LogPlaces(run.log_uri, run.log_group, run.log_prefix, run.executors_sent)
