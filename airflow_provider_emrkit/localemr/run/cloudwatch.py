"""A step's live lines, sent to CloudWatch Logs while it runs."""

from __future__ import annotations

import collections
import contextlib
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

log = logging.getLogger(__name__)

FLUSH_EVERY = 0.2
"""Seconds between two batches while lines arrive."""

# Limits of CloudWatch Logs' PutLogEvents.
MAX_EVENTS = 10_000
MAX_BATCH_BYTES = 1_048_576
MAX_EVENT_BYTES = 262_144
EVENT_OVERHEAD = 26

_MAX_WAITING_BYTES = 8 * 1024 * 1024
_MAX_FAILURES = 20

EXECUTOR = "SPARK_EXECUTOR"
"""The type of an executor's log."""

DEFAULT_LOG_TYPES: Mapping[str, tuple[str, ...]] = {
    "STEP_LOGS": ("STDOUT", "STDERR"),
    "SPARK_DRIVER": ("STDOUT", "STDERR"),
}


@dataclass(frozen=True)
class Event:
    """One line and the time it arrived (ms since the epoch)."""

    timestamp: int
    message: str

    @property
    def size(self) -> int:
        """What it counts for in a batch (bytes)."""
        return len(self.message.encode("utf-8")) + EVENT_OVERHEAD


@dataclass(frozen=True)
class LogTarget:
    """Where a cluster's lines go, read from its ``MonitoringConfiguration``.

    :param group: Log group.
    :param prefix: ``LogStreamNamePrefix`` without slashes around it; may be empty.
    :param log_types: ``STEP_LOGS``, ``SPARK_DRIVER``, ``SPARK_EXECUTOR`` → ``STDOUT``, ``STDERR``.

    >>> target = log_target({"CloudWatchLogConfiguration": {"Enabled": True}}, "j-1")
    >>> target.step_stream("s-1", "stdout")
    'steps/s-1/stdout'
    """

    group: str
    prefix: str
    log_types: Mapping[str, tuple[str, ...]]

    @property
    def takes_executors(self) -> bool:
        """Whether it wants anything of executors."""
        return bool(self.log_types.get(EXECUTOR))

    def step_stream(self, step_id: str, name: str) -> str | None:
        """Give the stream of a step's ``stdout`` or ``stderr``; None when the cluster does not send it."""
        return self.stream("STEP_LOGS", f"steps/{step_id}", name)

    def driver_stream(self, application_id: str, container_id: str, name: str) -> str | None:
        """Give the stream of a driver's ``stdout`` or ``stderr``; None when the cluster does not send it."""
        return self.stream("SPARK_DRIVER", f"applications/{application_id}/{container_id}", name)

    def executor_stream(self, application_id: str, container_id: str, name: str) -> str | None:
        """Give the stream of an executor's ``stdout`` or ``stderr``; None when it is not sent."""
        return self.stream(EXECUTOR, f"applications/{application_id}/{container_id}", name)

    def stream(self, log_type: str, path: str, name: str) -> str | None:
        """Give the stream of a log of some type; None when that type is not sent.

        :param path: What comes between the prefix and the name.
        :param name: ``stdout`` or ``stderr``.
        """
        if name.upper() not in self.log_types.get(log_type, ()):
            return None
        return "/".join(part for part in (self.prefix, path, name) if part)


def log_target(monitoring: Mapping[str, Any], cluster_id: str) -> LogTarget | None:
    """Read a cluster's ``MonitoringConfiguration``; None when it sends nothing to CloudWatch Logs."""
    config = monitoring.get("CloudWatchLogConfiguration") or {}
    if not config.get("Enabled"):
        return None
    asked = config.get("LogTypes")
    types = {str(key): tuple(value) for key, value in asked.items()} if asked else DEFAULT_LOG_TYPES
    prefix = str(config.get("LogStreamNamePrefix") or "").strip("/")
    return LogTarget(config.get("LogGroupName") or f"/aws/emr/{cluster_id}", prefix, types)


def as_events(timestamp: int, line: str) -> Iterator[Event]:
    """Turn a line into events: CloudWatch Logs takes no empty ones and none above its size limit."""
    data = line.encode("utf-8")
    limit = MAX_EVENT_BYTES - EVENT_OVERHEAD
    if len(data) <= limit:
        yield Event(timestamp, line or " ")
        return
    while data:
        cut = limit
        while cut < len(data) and data[cut] & 0xC0 == 0x80:  # never inside a character
            cut -= 1
        yield Event(timestamp, data[:cut].decode("utf-8"))
        data = data[cut:]


def batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Cut events into batches that PutLogEvents accepts, in their order."""
    batch: list[Event] = []
    size = 0
    for event in events:
        if batch and (len(batch) == MAX_EVENTS or size + event.size > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += event.size
    if batch:
        yield batch


class CloudWatchPublisher:
    """Sends the lines of several streams in the background.

    Writers wait when too much is waiting to be sent, so that a chatty job costs no memory. A log service that
    keeps failing is given up with one warning; the lines are on S3 in the end.

    :param client: A boto3 client of CloudWatch Logs.
    :param group: Log group; made when the first line is sent.

    >>> publisher = CloudWatchPublisher(boto3.client("logs"), "/aws/emr/j-1")  # doctest: +SKIP
    >>> publisher.add("steps/s-1/stdout", 1_700_000_000_000, "hello")  # doctest: +SKIP
    """

    def __init__(self, client: Any, group: str) -> None:
        self._client = client
        self._group = group
        self._waiting: dict[str, collections.deque[Event]] = {}
        self._bytes = 0
        self._changed = threading.Condition()
        self._closed = False
        self._made: set[str] = set()
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="localemr-cloudwatch", daemon=True)
        self._thread.start()

    def add(self, stream: str, timestamp: int, line: str) -> None:
        """Queue a line; waits while too much is queued.

        :param timestamp: ms since the epoch; must not go back inside a stream.
        """
        events = list(as_events(timestamp, line))
        with self._changed:
            self._changed.wait_for(lambda: self._bytes < _MAX_WAITING_BYTES or self._closed)
            self._waiting.setdefault(stream, collections.deque()).extend(events)
            self._bytes += sum(event.size for event in events)
            self._changed.notify_all()

    def close(self) -> None:
        """Send what is queued and end; returns when everything is sent. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._bytes or self._closed)
                taken, self._waiting, self._bytes = self._waiting, {}, 0
                last = self._closed
                self._changed.notify_all()
            for stream, events in taken.items():
                for batch in batches(events):
                    self._send(stream, batch)
            if last and not taken:
                return
            if not last:
                pause.wait(FLUSH_EVERY)

    def _send(self, stream: str, batch: list[Event]) -> None:
        if self._failures >= _MAX_FAILURES:
            return
        events = [{"timestamp": event.timestamp, "message": event.message} for event in batch]
        try:
            self._make(stream)
            self._client.put_log_events(logGroupName=self._group, logStreamName=stream, logEvents=events)
            self._failures = 0
        except Exception as error:
            self._failures += 1
            log.warning(
                "log group %s, stream %s: %d lines were not sent: %s", self._group, stream, len(batch), error
            )

    def _make(self, stream: str) -> None:
        if stream in self._made:
            return
        exists = self._client.exceptions.ResourceAlreadyExistsException
        with contextlib.suppress(exists):
            self._client.create_log_group(logGroupName=self._group)
        with contextlib.suppress(exists):
            self._client.create_log_stream(logGroupName=self._group, logStreamName=stream)
        self._made.add(stream)
