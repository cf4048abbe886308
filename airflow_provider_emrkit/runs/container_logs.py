"""Reads the logs of executors, of nodes and of EMR itself, which tell what the driver does not know."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.logs.containers import application_id, launched_executor
from airflow_provider_emrkit.logs.s3_files import S3LogFile
from airflow_provider_emrkit.logs.s3_folders import bucket_and_prefix, objects_below
from airflow_provider_emrkit.logs.sources import CloudWatchStream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.logs.causes import LogText
    from airflow_provider_emrkit.logs.sources import LogSource
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.log_ends import LogEnds

# Executors, and nodes, whose logs are read.
MAX_EXECUTORS = 3
MAX_NODES = 3
# Pages of 1,000 objects of a cluster's nodes that are looked through.
MAX_PAGES = 3

_CONTAINER = re.compile(r"\bcontainer_(?:e\d{1,6}_)?(\d{10,16})_(\d{4,8})_\d{2,6}_(\d{6,12})\b")
# The driver tells that an executor is gone.
_LOST = re.compile(r"[Ll]ost executor (\d{1,7})|\(executor (\d{1,7}) exited|executor (\d{1,7})\)?: ")
_GONE = ("xit", "lost", "ost executor", "kill", "bad node", "Lost task")
_MASTER = "000001"
_NODE_LOG = re.compile(r"/hadoop-yarn/[^/]{0,200}nodemanager[^/]{0,200}\.(?:log|out)[^/]{0,40}\.gz$")


def executor_texts(
    clients: AwsClients, run: JobRun, texts: Sequence[LogText], ends: LogEnds
) -> Sequence[LogText]:
    """Read the ends of the logs of executors that the driver says were lost, or failed their tasks.

    :param texts: The ends of the driver's logs.
    """
    found = []
    for container in _lost_containers(texts)[:MAX_EXECUTORS]:
        for source in _executor_sources(clients, run, container):
            text = ends.read(source)
            if text.lines:
                found.append(text)
                break
    return found


def _lost_containers(texts: Sequence[LogText]) -> list[str]:
    """Name the containers of executors that went away, the last one first."""
    lines = list(chain.from_iterable(reversed(text.lines) for text in texts))
    containers = {executor: container for container, executor in filter(None, map(launched_executor, lines))}
    found: dict[str, None] = {}
    for line in lines:
        if not any(word in line for word in _GONE):
            continue
        for match in _CONTAINER.finditer(line):
            if match[3] != _MASTER:
                found[match.group()] = None
        for match in _LOST.finditer(line):
            known = containers.get(match[1] or match[2] or match[3])
            if known:
                found[known] = None
    return list(found)


def _executor_sources(clients: AwsClients, run: JobRun, container: str) -> Iterator[LogSource]:
    """Give where an executor's log may be: on CloudWatch, if its cluster sends it there, and on S3."""
    match = _CONTAINER.fullmatch(container)
    if match is None:
        return
    application = f"application_{match[1]}_{match[2]}"
    label = "executor's stderr"
    if run.log_group:
        stream = f"{run.log_prefix}applications/{application}/{container}/stderr"
        yield CloudWatchStream(clients.client("logs"), run.log_group, stream, label)
    if run.log_uri:
        bucket, root = bucket_and_prefix(run.log_uri)
        key = f"{root}{run.cluster_id}/containers/{application}/{container}/stderr.gz"
        yield S3LogFile(clients.client("s3"), bucket, key, label)


def node_texts(
    clients: AwsClients, run: JobRun, texts: Sequence[LogText], ends: LogEnds
) -> Sequence[LogText]:
    """Read what the nodes of a cluster say about a run's application: their YARN NodeManagers' logs on S3.

    :param texts: The ends of the run's own logs, which name the application.
    """
    lines = chain.from_iterable(text.lines for text in texts)
    application = application_id(lines)
    if application is None or not run.log_uri:
        return ()
    s3 = clients.client("s3")
    bucket, root = bucket_and_prefix(run.log_uri)
    prefix = f"{root}{run.cluster_id}/node/"
    keys = ends.without_trouble(lambda: _node_logs(s3, bucket, prefix)) or []
    read = (ends.read(S3LogFile(s3, bucket, key, _node_label(key, prefix))) for key in keys[:MAX_NODES])
    about = (_about(text, application.removeprefix("application")) for text in read)
    return [text for text in about if text.lines]


def controller_texts(
    clients: AwsClients, run: JobRun, _: Sequence[LogText], ends: LogEnds
) -> Sequence[LogText]:
    """Read what EMR says about the process that it ran, where that was the driver: how it ended."""
    if run.driver_apart or not run.log_uri:
        return ()
    bucket, root = bucket_and_prefix(run.log_uri)
    key = f"{root}{run.cluster_id}/steps/{run.step_id}/controller.gz"
    text = ends.read(S3LogFile(clients.client("s3"), bucket, key, "controller"))
    return (text,) if text.lines else ()


def _node_logs(s3: Any, bucket: str, prefix: str) -> list[str]:
    """Find the logs of NodeManagers, the newest first (ListObjectsV2)."""
    entries = objects_below(s3, bucket, prefix, MAX_PAGES)
    found = [(entry["LastModified"], entry["Key"]) for entry in entries if _NODE_LOG.search(entry["Key"])]
    return [key for _, key in sorted(found, reverse=True)]


def _node_label(key: str, prefix: str) -> str:
    return f"NodeManager of {key.removeprefix(prefix).partition('/')[0]}"


def _about(text: LogText, application: str) -> LogText:
    """Keep what a node's log says about an application: from its first line to its last one."""
    indexes = [index for index, line in enumerate(text.lines) if application in line]
    if not indexes:
        return replace(text, lines=())
    before = None if text.before is None else text.before + indexes[0]
    return replace(text, lines=text.lines[indexes[0] : indexes[-1] + 1], before=before)
