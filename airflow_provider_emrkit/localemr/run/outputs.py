"""Where the lines of a cluster's steps and applications go: files, CloudWatch Logs, and S3 in the end."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from airflow_provider_emrkit.localemr.run.cloudwatch import CloudWatchPublisher, LogTarget
from airflow_provider_emrkit.localemr.run.logs import LogStream, PipeReader, Publish
from airflow_provider_emrkit.localemr.run.s3_logs import UPLOAD_EVERY, LogLocation, S3Logs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from airflow_provider_emrkit.localemr.run.executor_logs import ExecutorLogs


class LogPlace(NamedTuple):
    """The places of one log.

    :param stream: Its stream in CloudWatch Logs; None when the cluster does not send it there.
    :param path: Its path below the cluster's folder on S3, without ``.gz``.
    """

    stream: str | None
    path: str


@dataclass(frozen=True)
class Outputs:
    """What a cluster does with its logs.

    :param logs_client: boto3 client of CloudWatch Logs; used only with ``target``.
    :param s3_client: boto3 client of S3; used only with ``location``.
    :param target: Where live lines go, None for nowhere.
    :param location: Where gzipped logs go, None for nowhere.
    :param upload_every: Seconds between two uploads of logs that grow.

    >>> logs = outputs.open(Path("/data/s-1"), outputs.step_places("s-1"))  # doctest: +SKIP
    >>> logs["stdout"].write_lines(["hello"])  # doctest: +SKIP
    >>> logs.close()  # doctest: +SKIP
    """

    logs_client: Any
    s3_client: Any
    target: LogTarget | None = None
    location: LogLocation | None = None
    upload_every: float = UPLOAD_EVERY

    def open(self, directory: Path, places: Mapping[str, LogPlace]) -> OpenLogs:
        """Open logs as files of a directory.

        :param places: File name → where else its lines go.
        """
        publisher = CloudWatchPublisher(self.logs_client, self.target.group) if self.target else None
        streams = {
            name: LogStream(directory / name, _publish(publisher, place.stream))
            for name, place in places.items()
        }
        upload = None
        if self.location:
            files = {place.path: directory / name for name, place in places.items()}
            upload = S3Logs(self.s3_client, self.location, files, self.upload_every)
        return OpenLogs(streams, publisher, upload)

    def step_places(self, step_id: str) -> dict[str, LogPlace]:
        """Give the logs of a step."""
        streams = {
            name: self.target.step_stream(step_id, name) if self.target else None
            for name in ("stdout", "stderr")
        }
        names = ("controller", "syslog", "stdout", "stderr")
        return {name: LogPlace(streams.get(name), f"steps/{step_id}/{name}") for name in names}

    def driver_places(self, application_id: str, container_id: str) -> dict[str, LogPlace]:
        """Give the logs of a driver that has a container."""
        stream = self.target.driver_stream if self.target else _no_stream
        return _container_places(application_id, container_id, stream)

    def executor_places(self, application_id: str, container_id: str) -> dict[str, LogPlace]:
        """Give the logs of an executor."""
        stream = self.target.executor_stream if self.target else _no_stream
        return _container_places(application_id, container_id, stream)


def _no_stream(*_: str) -> None:
    return None


def _container_places(
    application_id: str, container_id: str, stream: Callable[[str, str, str], str | None]
) -> dict[str, LogPlace]:
    folder = f"containers/{application_id}/{container_id}"
    return {
        name: LogPlace(stream(application_id, container_id, name), f"{folder}/{name}")
        for name in ("stdout", "stderr")
    }


@dataclass
class OpenLogs:
    """Logs that are being written; see :class:`Outputs`."""

    streams: Mapping[str, LogStream]
    publisher: CloudWatchPublisher | None = None
    upload: S3Logs | None = None
    readers: list[PipeReader] = field(default_factory=list)
    executors: ExecutorLogs | None = None

    def __getitem__(self, name: str) -> LogStream:
        return self.streams[name]

    def control(self, text: str) -> None:
        """Add a line to the log ``controller``, in EMR's form."""
        now = dt.datetime.now(dt.timezone.utc)
        line = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z {text}"
        self.streams["controller"].write_lines([line])

    def read(self, pipes: Mapping[str, IO[bytes]]) -> None:
        """Move what comes out of pipes into the logs of the same names, and close the pipes at their end."""
        self.readers += [PipeReader(pipe, self.streams[name]) for name, pipe in pipes.items()]

    def finish_reading(self) -> None:
        """Wait until what is in the pipes now is in the logs."""
        for reader in self.readers:
            reader.finish()

    def close(self) -> None:
        """Wait for everything that was read or written to be where it belongs. Idempotent."""
        if self.executors:
            self.executors.close()
        self.finish_reading()
        if self.publisher:
            self.publisher.close()
        if self.upload:
            self.upload.close()


def _publish(publisher: CloudWatchPublisher | None, stream: str | None) -> Publish | None:
    if publisher is None or stream is None:
        return None
    return lambda timestamp, line: publisher.add(stream, timestamp, line)
