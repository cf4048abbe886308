from __future__ import annotations

import time

import pytest


@pytest.fixture
def logs(localemr_server):
    return localemr_server.client("logs")


@pytest.fixture
def s3(localemr_server):
    return localemr_server.client("s3")


@pytest.fixture
def write(logs):
    """Write events of (milliseconds from now on, message) to a stream, which is made when it is needed."""
    start = int(time.time() * 1000) - 60_000

    def put(group: str, stream: str, *events: tuple[int, str]) -> None:
        known = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        if group not in [entry["logGroupName"] for entry in known]:
            logs.create_log_group(logGroupName=group)
        streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)["logStreams"]
        if stream not in [entry["logStreamName"] for entry in streams]:
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
        entries = [{"timestamp": start + offset, "message": message} for offset, message in events]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=entries)

    return put
