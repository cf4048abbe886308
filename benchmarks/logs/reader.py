"""``python -m benchmarks.logs.reader``: reads streams in threads, as a worker does that waits for its job.

It reads an order from its input: ``group``, ``streams``, ``until`` (seconds since 1970, when the job has
ended) and ``endpoint_url``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from airflow.providers.amazon.aws.hooks.logs import AwsLogsHook
from airflow.providers.amazon.aws.utils.task_log_fetcher import AwsTaskLogFetcher
from airflow.sdk.log import configure_logging
from botocore.exceptions import ClientError

from airflow_provider_emrkit.hooks.logs import CloudWatchLogsHook
from benchmarks.logs.counting import COUNTED
from benchmarks.logs.scenarios import FETCHER, HOOK, OWN_HOOK, PAUSE, PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Order = dict[str, Any]
    Read = Callable[[], Iterator[dict[str, Any]]]


def read_plainly(order: Order, stream: str) -> Read:
    """Give what reads on with GetLogEvents alone, until the token stays the same."""
    client: Any = boto3.client("logs", region_name="us-east-1", endpoint_url=order["endpoint_url"])
    place: dict[str, str] = {}

    def read() -> Iterator[dict[str, Any]]:
        while True:
            page = client.get_log_events(
                logGroupName=order["group"], logStreamName=stream, startFromHead=True, **place
            )
            yield from page["events"]
            if page["nextForwardToken"] == place.get("nextToken"):
                return
            place["nextToken"] = page["nextForwardToken"]

    return read


def read_with_hook(order: Order, stream: str) -> Read:
    """Give what reads on with the amazon provider's hook."""
    hook: Any = AwsLogsHook()
    token = hook.ContinuationToken()
    return lambda: hook.get_log_events(order["group"], stream, continuation_token=token)


class Follower(threading.Thread):
    """Reads all there is, again and again, and a last time when it is told to stop.

    :param read: Gives the new events.
    :param log: Where they go.
    """

    def __init__(self, read: Read, log: Any) -> None:
        super().__init__()
        self._read = read
        self._log = log
        self._stop_reading = threading.Event()

    def run(self) -> None:
        """Read until stopped."""
        while not self._stop_reading.wait(PAUSE):
            self._forward()
        self._forward()

    def stop(self) -> None:
        """Have it read a last time."""
        self._stop_reading.set()

    def _forward(self) -> None:
        try:
            for event in self._read():
                self._log.log(20, event["message"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise


class OwnHook(threading.Thread):
    """Reads all streams with emrkit's hook, interleaved by time.

    :param streams: Pairs of group and stream.
    :param log: Where the lines go.
    """

    def __init__(self, streams: Sequence[tuple[str, str]], log: Any) -> None:
        super().__init__()
        self._streams = streams
        self._log = log
        self._job_has_ended = threading.Event()

    def run(self) -> None:
        """Read until the job has ended and its log is silent."""
        hook = CloudWatchLogsHook()
        for line in hook.stream(self._streams, until=self._job_has_ended, poll_interval=PAUSE):
            self._log.log(20, line.text)

    def stop(self) -> None:
        """Tell it that the job has ended."""
        self._job_has_ended.set()


Reader = Follower | AwsTaskLogFetcher | OwnHook


def readers(contestant: str, order: Order, log: Any) -> Sequence[Reader]:
    """Make the threads that read the streams."""
    if contestant == OWN_HOOK:
        return [OwnHook([(order["group"], stream) for stream in order["streams"]], log)]
    return [_follower(contestant, order, stream, log) for stream in order["streams"]]


def _follower(contestant: str, order: Order, stream: str, log: Any) -> Follower | AwsTaskLogFetcher:
    if contestant == FETCHER:
        return AwsTaskLogFetcher(
            log_group=order["group"],
            log_stream_name=stream,
            fetch_interval=timedelta(seconds=PAUSE),
            logger=log,
        )
    reading = read_with_hook if contestant == HOOK else read_plainly
    return Follower(reading(order, stream), log)


def main() -> None:
    """Read until the job has ended, then write a report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contestant", choices=PLAIN)
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--log-fd", type=int, help="the task's log; without, lines are counted")
    arguments = parser.parse_args()
    log: Any = COUNTED
    if arguments.log_fd is not None:
        log = _task_log(arguments.log_fd)
    print("ready", flush=True)
    order = json.loads(sys.stdin.readline())
    threads = readers(arguments.contestant, order, log)
    for one in threads:
        one.start()
    threading.Event().wait(max(0.0, order["until"] - time.time()))
    for one in threads:
        one.stop()
    for one in threads:
        one.join()
    arguments.report.write_text(json.dumps({"lines": COUNTED.lines}))
    print("done", flush=True)
    sys.stdin.readline()  # what it used is read from outside


def _task_log(descriptor: int) -> Any:
    """Give a logger that writes to a supervisor, as a task's does."""
    import structlog

    output = os.fdopen(descriptor, "wb", buffering=0)
    configure_logging(json_output=True, output=output, sending_to_supervisor=True)
    structlog.contextvars.bind_contextvars(trigger_id=1)
    return structlog.get_logger("task").bind(trigger_id=1)


if __name__ == "__main__":
    main()
