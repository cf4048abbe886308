"""The logs of a step: found out from what EMR says about its cluster."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_emrkit.hooks.logs import stream_names
from airflow_provider_emrkit.logs.s3_files import S3LogFile
from airflow_provider_emrkit.logs.sources import CloudWatchStream, LogLine, LogSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

SUBMIT_LABELS = {"stdout": "submit stdout", "stderr": "submit"}
DRIVER_LABELS = {"stdout": "stdout", "stderr": "stderr"}
FILES = ("stdout", "stderr")

# Seconds between two looks for the driver's streams, until both are there and after. The first is shorter
# than the time between two looks at the logs: else every second of those would come a moment too early.
LOOK_FOR_DRIVER = 1.0
LOOK_FOR_NEXT_DRIVER = 30.0

_APPLICATION_ID = re.compile(r"\bapplication_\d{10,}_\d{4,}\b")
# The first container of each attempt is the application master, which a cluster-mode driver lives in.
_DRIVER_STREAM = re.compile(r"/container_(?:e\d+_)?\d+_\d+_\d+_000001/(stdout|stderr)$")


@dataclass(frozen=True)
class CloudWatchPlace:
    """Where a cluster sends its logs (DescribeCluster: MonitoringConfiguration.CloudWatchLogConfiguration).

    :param group: Log group.
    :param prefix: What the streams' names start with; empty, or ending in a slash.

    >>> CloudWatchPlace.of({"Id": "j-1", "MonitoringConfiguration":
    ...     {"CloudWatchLogConfiguration": {"Enabled": True, "LogStreamNamePrefix": "team"}}})
    CloudWatchPlace(group='/aws/emr/j-1', prefix='team/')
    """

    group: str
    prefix: str = ""

    @classmethod
    def of(cls, cluster: Mapping[str, Any]) -> CloudWatchPlace | None:
        """Read it from a cluster's description; None when the cluster keeps its logs to itself."""
        config = (cluster.get("MonitoringConfiguration") or {}).get("CloudWatchLogConfiguration") or {}
        if not config.get("Enabled"):
            return None
        prefix = (config.get("LogStreamNamePrefix") or "").strip("/")
        return cls(config.get("LogGroupName") or f"/aws/emr/{cluster['Id']}", f"{prefix}/" if prefix else "")


@dataclass
class StepCloudWatchSources:
    """The CloudWatch streams of a step: spark-submit's own, and its driver's once that is known.

    :param logs: boto3 client of CloudWatch Logs.
    :param place: Where the cluster sends its logs.
    :param step_id: ``s-…``
    :param driver_apart: Whether the driver runs in a YARN container (deploy mode ``cluster``) and so has
        streams of its own, named by the YARN application id that spark-submit writes to the step's stderr.
    :param clock: Seconds, for the looks after the driver's streams.

    >>> StepCloudWatchSources(boto3.client("logs"), CloudWatchPlace("/emr"), "s-1")  # doctest: +SKIP
    """

    logs: Any = field(repr=False)
    place: CloudWatchPlace
    step_id: str
    driver_apart: bool = True
    clock: Callable[[], float] = time.monotonic
    note: str | None = None
    application_id: str | None = None
    _drivers: dict[str, LogSource] = field(default_factory=dict)
    _next_look: float = 0.0

    def current(self) -> Sequence[LogSource]:
        """Name the step's streams, and those of its driver that exist (DescribeLogStreams)."""
        if self.application_id and self.clock() >= self._next_look:
            self._look_for_drivers(self.application_id)
        labels = SUBMIT_LABELS if self.driver_apart else DRIVER_LABELS
        own = [
            self._source(f"{self.place.prefix}steps/{self.step_id}/{name}", labels[name]) for name in FILES
        ]
        return [*own, *self._drivers.values()]

    def observe(self, lines: Iterable[LogLine]) -> None:
        """Find the YARN application's id in what spark-submit wrote."""
        if self.driver_apart and self.application_id is None:
            submit = (line.text for line in lines if line.label == SUBMIT_LABELS["stderr"])
            found = next(filter(None, map(_APPLICATION_ID.search, submit)), None)
            self.application_id = found and found.group()

    def _look_for_drivers(self, application_id: str) -> None:
        prefix = f"{self.place.prefix}applications/{application_id}/"
        for stream in stream_names(self.logs, self.place.group, prefix):
            match = _DRIVER_STREAM.search(stream)
            if match and stream not in self._drivers:
                self._drivers[stream] = self._source(stream, DRIVER_LABELS[match.group(1)])
        complete = len(self._drivers) >= len(FILES)
        self._next_look = self.clock() + (LOOK_FOR_NEXT_DRIVER if complete else LOOK_FOR_DRIVER)

    def _source(self, stream: str, label: str) -> LogSource:
        return CloudWatchStream(self.logs, self.place.group, stream, label)


@dataclass
class ArchivedSources:
    """The logs of a step that is over, as EMR archived them on S3.

    :param s3: boto3 client of S3.
    :param log_uri: The cluster's ``LogUri``.
    :param cluster_id: ``j-…``
    :param step_id: ``s-…``
    :param driver_apart: Whether the driver ran in a YARN container.

    >>> ArchivedSources(boto3.client("s3"), "s3n://logs/emr/", "j-1", "s-1").current()  # doctest: +SKIP
    """

    s3: Any = field(repr=False)
    log_uri: str
    cluster_id: str
    step_id: str
    driver_apart: bool = True
    note: str | None = None
    application_id: str | None = None

    def current(self) -> Sequence[LogSource]:
        """Name the step's logs, and those of its driver that are archived (ListObjectsV2)."""
        labels = SUBMIT_LABELS if self.driver_apart else DRIVER_LABELS
        own = [self._source(f"steps/{self.step_id}/{name}.gz", labels[name]) for name in FILES]
        return [*own, *(self._drivers(self.application_id) if self.application_id else ())]

    def observe(self, lines: Iterable[LogLine]) -> None:
        """Find the YARN application's id in what spark-submit wrote."""
        found = next(filter(None, (_APPLICATION_ID.search(line.text) for line in lines)), None)
        if self.driver_apart and found:
            self.application_id = found.group()

    def _drivers(self, application_id: str) -> Iterable[LogSource]:
        bucket, root = bucket_and_prefix(self.log_uri)
        prefix = f"{root}{self.cluster_id}/containers/{application_id}/"
        answer = self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix)
        for entry in answer.get("Contents", []):
            match = _DRIVER_STREAM.search(entry["Key"].removesuffix(".gz"))
            if match:
                yield S3LogFile(self.s3, bucket, entry["Key"], DRIVER_LABELS[match.group(1)])

    def _source(self, path: str, label: str) -> LogSource:
        bucket, root = bucket_and_prefix(self.log_uri)
        return S3LogFile(self.s3, bucket, f"{root}{self.cluster_id}/{path}", label)


@dataclass(frozen=True)
class NoSources:
    """A run whose logs can't be followed.

    :param note: Why, and where they will be.

    >>> NoSources("the cluster keeps no logs").current()
    ()
    """

    note: str | None

    def current(self) -> Sequence[LogSource]:
        """Name nothing."""
        return ()

    def observe(self, lines: Iterable[LogLine]) -> None:
        """Learn nothing."""


def bucket_and_prefix(uri: str) -> tuple[str, str]:
    """Part an S3 URI (EMR writes ``s3n://`` too) into bucket and prefix, empty or ending in a slash.

    >>> bucket_and_prefix("s3n://logs/emr")
    ('logs', 'emr/')
    """
    parts = urlsplit(uri)
    path = parts.path.strip("/")
    return parts.netloc, f"{path}/" if path else ""
