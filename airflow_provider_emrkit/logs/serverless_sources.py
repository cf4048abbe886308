"""The logs of a job run of EMR Serverless: found out from what it says about the run and its application."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.log_events import stream_names
from airflow_provider_emrkit.logs.cluster_sources import NoSources
from airflow_provider_emrkit.logs.containers import Executors, crowded, of_attempt
from airflow_provider_emrkit.logs.joined_sources import FallbackSources, together
from airflow_provider_emrkit.logs.s3_folders import Part, S3Folder, bucket_and_prefix
from airflow_provider_emrkit.logs.sources import CloudWatchStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_provider_emrkit.logs.sources import LogLine, LogSource, LogSources

DEFAULT_GROUP = "/aws/emr-serverless"
FILES = ("stdout", "stderr")

# Seconds between two looks for streams, until one of the driver's is there and after.
LOOK_FOR_DRIVER = 1.0
LOOK_FOR_MORE = 5.0
# Seconds between two uploads of a running job's logs to S3.
S3_PAUSE = 15.0

# Below the folder of a job run. What has grown to 128 MB is put aside into a folder "archived".
_LOG = re.compile(
    r"(?P<attempts>(?:attempts/(?P<attempt>\d+)/)?)(?P<worker>SPARK_DRIVER|SPARK_EXECUTOR/(?P<executor>\w+))/"
    r"(?:archived/)?(?P<file>stdout|stderr)(?:[_.-](?P<order>[\d-]+))?(?:\.gz)?$"
)


@dataclass(frozen=True)
class WorkerLog:
    """A log of a job run's driver or of one of its executors.

    :param folder: What comes before its file, below the job run's folder.
    :param attempt: Which attempt of the job run wrote it.
    :param executor: Id of the executor; None for the driver.
    :param file: ``stdout`` or ``stderr``.
    :param order: Sorts what was put aside of it; empty for the end.

    >>> WorkerLog.of("attempts/2/SPARK_EXECUTOR/7/stderr.gz").label
    'executor 7 stderr of attempt 2'
    """

    folder: str
    attempt: int
    executor: str | None
    file: str
    order: str = ""

    @classmethod
    def of(cls, path: str) -> WorkerLog | None:
        """Read the path of a log below its job run's folder; None when it is something else."""
        match = _LOG.fullmatch(path)
        if match is None:
            return None
        folder = f"{match['attempts']}{match['worker']}"
        return cls(folder, int(match["attempt"] or 1), match["executor"], match["file"], match["order"] or "")

    @property
    def label(self) -> str:
        """Name what wrote it."""
        who = self.file if self.executor is None else f"executor {self.executor} {self.file}"
        return of_attempt(who, self.attempt)

    def is_followed(self, executors: Executors) -> bool:
        """Tell whether it is to be followed: a driver's always.

        :param executors: Chooses among the others.
        """
        return self.executor is None or executors.follow(self.folder)


@dataclass
class JobRunStreams:
    """The CloudWatch streams of a job run, of all its attempts.

    :param logs: boto3 client of CloudWatch Logs.
    :param group: Log group.
    :param prefixes: What its streams' names may start with; the first that there are streams of is the one.
    :param executors: Chooses those whose logs are followed.
    :param reason: What the reader of the log should know about them.
    :param clock: Seconds, for the looks after streams that may have appeared.

    >>> JobRunStreams(boto3.client("logs"), "/aws/emr-serverless", prefixes, executors)  # doctest: +SKIP
    """

    logs: Any = field(repr=False)
    group: str
    prefixes: Sequence[str]
    executors: Executors
    reason: str | None = None
    clock: Callable[[], float] = time.monotonic
    pause: float | None = None
    _found: dict[str, WorkerLog] = field(default_factory=dict)
    _next_look: float | None = None

    @property
    def note(self) -> str | None:
        """Say what is to be known of them, and which executors are left out."""
        where = f"the streams {self.prefixes[0]}… of the log group {self.group}"
        return together(self.reason, crowded(where) if self.executors.is_crowded else None)

    def current(self) -> Sequence[LogSource]:
        """Name the streams that exist (DescribeLogStreams)."""
        if self._next_look is None or self.clock() >= self._next_look:
            self._look()
            has_driver = any(log.executor is None for log in self._found.values())
            self._next_look = self.clock() + (LOOK_FOR_MORE if has_driver else LOOK_FOR_DRIVER)
        return [
            CloudWatchStream(self.logs, self.group, stream, log.label) for stream, log in self._found.items()
        ]

    def observe(self, lines: Iterable[LogLine]) -> None:
        """Learn nothing."""

    def _look(self) -> None:
        for prefix in self.prefixes:
            for stream in stream_names(self.logs, self.group, prefix):
                log = WorkerLog.of(stream.removeprefix(prefix))
                if log is None or not log.is_followed(self.executors):
                    continue
                # What a driver has written nothing to yet, it may write its last words to.
                for file in FILES if log.executor is None else (log.file,):
                    self._found[f"{prefix}{log.folder}/{file}"] = replace(log, file=file)
            if self._found:
                self.prefixes = (prefix,)
                return


@dataclass
class JobRunArchive:
    """The logs of a job run on S3, where EMR Serverless puts them every few seconds, of all its attempts.

    :param folder: The job run's.
    :param executors: Chooses those whose logs are followed.
    :param reason: Why they are read here, for the reader of the log.

    >>> JobRunArchive(folder, executors).current()  # doctest: +SKIP
    """

    folder: S3Folder
    executors: Executors
    reason: str | None = None
    pause: float | None = S3_PAUSE

    @property
    def note(self) -> str | None:
        """Say why the logs are read here, and which executors are left out."""
        where = f"s3://{self.folder.bucket}/{self.folder.prefix}"
        return together(self.reason, crowded(where) if self.executors.is_crowded else None)

    def current(self) -> Sequence[LogSource]:
        """Name the logs that are there (ListObjectsV2)."""
        return self.folder.logs()

    def observe(self, lines: Iterable[LogLine]) -> None:
        """Learn nothing."""


def serverless_sources(
    client: Callable[[str], Any],
    application: Mapping[str, Any],
    job_run: Mapping[str, Any],
    *,
    executors: bool = False,
) -> LogSources:
    """Give the sources of a job run's logs, as it and its application are set up; asks nobody.

    :param client: Gives the boto3 client of a service.
    :param application: From GetApplication.
    :param job_run: From GetJobRun.
    :param executors: Whether the executors' logs are wanted.

    >>> serverless_sources(clients.client, application, job_run).current()  # doctest: +SKIP
    """
    monitoring = monitoring_of(application, job_run)
    what = f"Job run {job_run['jobRunId']} of application {job_run['applicationId']}"
    to_cloudwatch = monitoring.get("cloudWatchLoggingConfiguration") or {}
    log_uri = (monitoring.get("s3MonitoringConfiguration") or {}).get("logUri")
    late = f"EMR Serverless puts them to {log_uri} every quarter of a minute"
    if to_cloudwatch.get("enabled"):
        streams = _streams(client("logs"), to_cloudwatch, job_run, what, executors=executors)
        silence = f"{what} is set up to send its logs to CloudWatch, but nothing has come to log group "
        silence += f"{streams.group}; its execution role may not be allowed to write there."
        if not log_uri:
            return FallbackSources(streams, None, silence)
        silence += f" {late}, too."
        return FallbackSources(
            streams, _archive(client("s3"), log_uri, job_run, executors=executors), silence
        )
    if log_uri:
        reason = f"{what} does not send its logs to CloudWatch; {late}, and they are shown here as they come."
        return _archive(client("s3"), log_uri, job_run, reason, executors=executors)
    if (monitoring.get("managedPersistenceMonitoringConfiguration") or {}).get("enabled", True):
        return NoSources(
            f"{what} keeps its logs in EMR Serverless' own storage alone, which only its dashboard shows; "
            "they can be shown here when they are sent to CloudWatch or to S3."
        )
    return NoSources(f"{what} keeps no logs.")


def monitoring_of(application: Mapping[str, Any], job_run: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the ``monitoringConfiguration`` that holds: each member is the run's, or else its application's.

    >>> run = {"configurationOverrides": {"monitoringConfiguration": {"s3MonitoringConfiguration": {}}}}
    >>> monitoring_of({"monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "s3://a"}}}, run)
    {'s3MonitoringConfiguration': {}}
    """
    overrides = job_run.get("configurationOverrides") or {}
    inherited = application.get("monitoringConfiguration") or {}
    return {**inherited, **(overrides.get("monitoringConfiguration") or {})}


def _streams(
    logs: Any, config: Mapping[str, Any], job_run: Mapping[str, Any], what: str, *, executors: bool
) -> JobRunStreams:
    sent = bool((config.get("logTypes") or {}).get("SPARK_EXECUTOR"))
    reason = f"{what} does not send its executors' logs to CloudWatch, so they are not shown here."
    return JobRunStreams(
        logs,
        config.get("logGroupName") or DEFAULT_GROUP,
        _prefixes(config.get("logStreamNamePrefix") or "", _folder(job_run)),
        Executors(executors and sent),
        reason if executors and not sent else None,
    )


def _prefixes(given: str, folder: str) -> Sequence[str]:
    """Give what streams' names may start with: a slash stands behind the prefix, also behind an empty one."""
    plain = given.rstrip("/")
    return list(dict.fromkeys((f"{given}/{folder}", f"{plain}/{folder}", f"{plain}/{folder}".lstrip("/"))))


def _archive(
    s3: Any, log_uri: str, job_run: Mapping[str, Any], reason: str | None = None, *, executors: bool
) -> JobRunArchive:
    bucket, root = bucket_and_prefix(log_uri)
    prefix, chosen = f"{root}{_folder(job_run)}", Executors(executors)

    def part(key: str) -> Part | None:
        log = WorkerLog.of(key.removeprefix(prefix))
        if log is None or not log.is_followed(chosen):
            return None
        return Part(f"{prefix}{log.folder}/{log.file}.gz", log.label, log.order)

    return JobRunArchive(S3Folder(s3, bucket, prefix, part), chosen, reason)


def _folder(job_run: Mapping[str, Any]) -> str:
    return f"applications/{job_run['applicationId']}/jobs/{job_run['jobRunId']}/"
