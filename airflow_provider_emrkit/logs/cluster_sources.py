"""The logs of a step: found out from what EMR says about its cluster."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.log_events import stream_names
from airflow_provider_emrkit.logs.containers import Application, ContainerLog, crowded
from airflow_provider_emrkit.logs.joined_sources import together
from airflow_provider_emrkit.logs.s3_folders import Part, S3Folder, bucket_and_prefix
from airflow_provider_emrkit.logs.sources import CloudWatchStream, LogLine, LogSource, LogSources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

SUBMIT_LABELS = {"stdout": "submit stdout", "stderr": "submit"}
DRIVER_LABELS = {"stdout": "stdout", "stderr": "stderr"}
FILES = ("stdout", "stderr")

# Seconds between two looks for the driver's streams, until one is there and after. The first is shorter
# than the time between two looks at the logs: else every second of those would come a moment too early.
LOOK_FOR_DRIVER = 1.0
LOOK_FOR_NEXT_DRIVER = 30.0
# Seconds between two looks for executors' streams.
LOOK_FOR_EXECUTORS = 5.0

# Seconds between two looks at logs on S3 that make sense.
S3_PAUSE = 30.0

# A step's log, or what was put aside of it when it was an hour old, e.g. stderr.2026-11-28-10.gz.
_STEP_LOG = re.compile(r"/(stdout|stderr)(?:\.([\d-]+))?\.gz$")


@dataclass(frozen=True)
class CloudWatchPlace:
    """Where a cluster sends its logs (DescribeCluster: MonitoringConfiguration.CloudWatchLogConfiguration).

    :param group: Log group.
    :param prefix: What the streams' names start with; empty, or ending in a slash.
    :param executors: Whether the executors' logs are sent, too.

    >>> CloudWatchPlace.of({"Id": "j-1", "MonitoringConfiguration":
    ...     {"CloudWatchLogConfiguration": {"Enabled": True, "LogStreamNamePrefix": "team"}}})
    CloudWatchPlace(group='/aws/emr/j-1', prefix='team/', executors=False)
    """

    group: str
    prefix: str = ""
    executors: bool = False

    @classmethod
    def of(cls, cluster: Mapping[str, Any]) -> CloudWatchPlace | None:
        """Read it from a cluster's description; None when the cluster keeps its logs to itself."""
        config = (cluster.get("MonitoringConfiguration") or {}).get("CloudWatchLogConfiguration") or {}
        if not config.get("Enabled"):
            return None
        prefix = (config.get("LogStreamNamePrefix") or "").strip("/")
        return cls(
            config.get("LogGroupName") or f"/aws/emr/{cluster['Id']}",
            f"{prefix}/" if prefix else "",
            executors=bool((config.get("LogTypes") or {}).get("SPARK_EXECUTOR")),
        )


@dataclass
class StepCloudWatchSources(LogSources):
    """The CloudWatch streams of a step: spark-submit's own, and its driver's and executors' as they come.

    These are named by the YARN application, whose id spark-submit writes to the step's stderr.

    :param logs: boto3 client of CloudWatch Logs.
    :param place: Where the cluster sends its logs.
    :param step_id: ``s-…``
    :param driver_apart: Whether the driver runs in a YARN container (deploy mode ``cluster``) and so has
        streams of its own.
    :param clock: Seconds, for the looks after streams that may have appeared.
    :param executors: Whether the executors' streams are wanted.
    :param reason: What the reader of the log should know about them.

    >>> StepCloudWatchSources(boto3.client("logs"), CloudWatchPlace("/emr"), "s-1")  # doctest: +SKIP
    """

    logs: Any = field(repr=False)
    place: CloudWatchPlace
    step_id: str
    driver_apart: bool = True
    clock: Callable[[], float] = time.monotonic
    executors: bool = False
    reason: str | None = None
    application: Application = field(init=False)
    _found: dict[str, ContainerLog] = field(default_factory=dict)
    _next_look: float = 0.0

    def __post_init__(self) -> None:
        self.application = application_of(driver_apart=self.driver_apart, executors=self.executors)

    @property
    def note(self) -> str | None:
        """Say what is to be known of them, and which executors are left out."""
        prefix = f"{self.place.prefix}applications/{self.application.id}/"
        rest = f"the streams {prefix}… of the log group {self.place.group}"
        return together(self.reason, crowded(rest) if self.application.is_crowded else None)

    def current(self) -> Sequence[LogSource]:
        """Name the step's streams, and those of its application that exist (DescribeLogStreams)."""
        if self.application.id and self.application.is_wanted and self.clock() >= self._next_look:
            self._look(self.application.id)
        labels = step_labels(driver_apart=self.driver_apart)
        own = [
            self._source(f"{self.place.prefix}steps/{self.step_id}/{name}", labels[name]) for name in FILES
        ]
        found = [self._source(stream, self.application.label(log)) for stream, log in self._found.items()]
        return [*own, *found]

    def observe(self, lines: Iterable[LogLine]) -> None:
        """Find the YARN application's id in what spark-submit wrote."""
        self.application.observe(lines)

    def _look(self, application_id: str) -> None:
        prefix = f"{self.place.prefix}applications/{application_id}/"
        for stream in stream_names(self.logs, self.place.group, prefix):
            log = ContainerLog.of(stream)
            if log is None or not self.application.follows(log):
                continue
            # What a driver has written nothing to yet, it may write its last words to.
            for file in FILES if log.is_master else (log.file,):
                self._found[f"{stream.rpartition('/')[0]}/{file}"] = replace(log, file=file)
        self._next_look = self.clock() + self._wait()

    def _wait(self) -> float:
        if self.driver_apart and not any(log.is_master for log in self._found.values()):
            return LOOK_FOR_DRIVER
        wants_more = self.executors and not self.application.is_crowded
        return LOOK_FOR_EXECUTORS if wants_more else LOOK_FOR_NEXT_DRIVER

    def _source(self, stream: str, label: str) -> LogSource:
        return CloudWatchStream(self.logs, self.place.group, stream, label)


@dataclass
class ArchivedSources(LogSources):
    """The logs of a step on S3, where EMR puts them every few minutes and at the end.

    :param s3: boto3 client of S3.
    :param log_uri: The cluster's ``LogUri``.
    :param cluster_id: ``j-…``
    :param step_id: ``s-…``
    :param driver_apart: Whether the driver runs in a YARN container.
    :param reason: Why they are read here, for the reader of the log.
    :param executors: Whether the executors' logs are wanted.

    >>> ArchivedSources(boto3.client("s3"), "s3n://logs/emr/", "j-1", "s-1").current()  # doctest: +SKIP
    """

    s3: Any = field(repr=False)
    log_uri: str
    cluster_id: str
    step_id: str
    driver_apart: bool = True
    reason: str | None = None
    executors: bool = False
    pause: float | None = S3_PAUSE
    application: Application = field(init=False)
    _own: S3Folder = field(init=False)
    _containers: S3Folder | None = None

    def __post_init__(self) -> None:
        self.application = application_of(driver_apart=self.driver_apart, executors=self.executors)
        self._own = self._folder(f"steps/{self.step_id}/", self._step_log)

    @property
    def note(self) -> str | None:
        """Say why the logs are read here, and which executors are left out."""
        folder = self._containers
        rest = f"s3://{folder.bucket}/{folder.prefix}" if folder and self.application.is_crowded else None
        return together(self.reason, rest and crowded(rest))

    def current(self) -> Sequence[LogSource]:
        """Name the step's logs, and those of its application, that are there (ListObjectsV2)."""
        found = [*self._own.logs()]
        if self.application.id and self.application.is_wanted:
            path = f"containers/{self.application.id}/"
            self._containers = self._containers or self._folder(path, self._container_log)
            found += self._containers.logs()
        return found

    def observe(self, lines: Iterable[LogLine]) -> None:
        """Find the YARN application's id in what spark-submit wrote."""
        self.application.observe(lines)

    def _folder(self, path: str, part: Callable[[str], Part | None]) -> S3Folder:
        bucket, root = bucket_and_prefix(self.log_uri)
        return S3Folder(self.s3, bucket, f"{root}{self.cluster_id}/{path}", part)

    def _step_log(self, key: str) -> Part | None:
        match = _STEP_LOG.search(key)
        if match is None:
            return None
        file, hour = match.groups()
        label = step_labels(driver_apart=self.driver_apart)[file]
        return Part(f"{key[: match.start()]}/{file}.gz", label, hour or "")

    def _container_log(self, key: str) -> Part | None:
        log = ContainerLog.of(key)
        if log is None or not self.application.follows(log):
            return None
        return Part(f"{key.rpartition('/')[0]}/{log.file}.gz", self.application.label(log), log.rotated)


@dataclass(frozen=True)
class NoSources(LogSources):
    """A run whose logs can't be followed.

    :param why: Why, and where they will be.

    >>> NoSources("the cluster keeps no logs").current()
    ()
    """

    why: str | None

    @property
    def note(self) -> str | None:
        """Say why."""
        return self.why

    def current(self) -> Sequence[LogSource]:
        """Name nothing."""
        return ()


def step_labels(*, driver_apart: bool) -> Mapping[str, str]:
    """Give what the lines of a step's own files are marked with: spark-submit's, or the driver's.

    >>> step_labels(driver_apart=False)["stderr"]
    'stderr'
    """
    return SUBMIT_LABELS if driver_apart else DRIVER_LABELS


def application_of(*, driver_apart: bool, executors: bool) -> Application:
    """Give the YARN application of a step, of which nothing is known yet.

    >>> application_of(driver_apart=True, executors=False).submit_label
    'submit'
    """
    label = step_labels(driver_apart=driver_apart)["stderr"]
    return Application(driver_apart, label, executors)
