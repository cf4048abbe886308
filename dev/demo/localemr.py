"""The local EMR for the demo and its tests, and what they ask it."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demo.airflow import StartError
from demo.environment import KEY, REGION, Places
from demo.processes import Child

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import boto3
    from mypy_boto3_emr import EMRClient
    from mypy_boto3_s3 import S3Client

START_LIMIT_SECONDS = 60
STOP_SECONDS = 20
_POLL_SECONDS = 0.2
_COMPLAINT = "emrkit: "


def start(places: Places, environment: Mapping[str, str], folder: Path) -> Child:
    """Start the local EMR; it is not ready yet, see :func:`wait_ready`.

    :param folder: Where it keeps its data and its output.
    """
    argv = [str(places.localemr_env / "bin" / "emrkit"), "local", "up", "--foreground"]
    argv += ["--host", "127.0.0.1", "--port", str(places.localemr_port), "--data-dir", str(folder / "data")]
    return Child.start("localemr", argv, environment, folder / "localemr.log")


def wait_ready(child: Child, endpoint: str, news: Callable[[str], None]) -> None:
    """Return when the local EMR answers.

    :raises StartError: when it ends, or doesn't answer after :data:`START_LIMIT_SECONDS`.
    """
    deadline = time.monotonic() + START_LIMIT_SECONDS
    while not _healthy(endpoint):
        news(f"waiting for {endpoint}")
        if not child.running:
            raise StartError(f"localemr ended with exit code {child.exit_code}: {_last_words(child)}")
        if time.monotonic() > deadline:
            raise StartError(f"localemr doesn't answer after {START_LIMIT_SECONDS} s: {_last_words(child)}")
        time.sleep(_POLL_SECONDS)


def _healthy(endpoint: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{endpoint}/_emrkit/health", timeout=5) as answer:
            return bool(json.load(answer).get("status") == "ok")
    except (OSError, ValueError, AttributeError):
        return False


def _last_words(child: Child) -> str:
    lines = "\n".join(f"  {line}" for line in child.tail())
    return f"the end of {child.log}:\n{lines}"


def prefetch(places: Places, environment: Mapping[str, str], label: str, news: Callable[[str], None]) -> str:
    """Install the Spark of a release, so that the first cluster doesn't have to wait for the download.

    :returns: The last line the command printed.
    :raises StartError: with the command's own message when it fails.
    """
    argv = [str(places.localemr_env / "bin" / "emrkit"), "local", "prefetch", label]
    lines = [""]
    with subprocess.Popen(
        argv,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as command:
        try:
            for line in command.stdout or ():
                lines.append(line.strip())
                news(line.strip())
        except BaseException:
            command.kill()  # leaving the block waits for it, and the user has just asked for our own end
            raise
    if command.returncode:
        raise StartError(_complaint(lines))
    return lines[-1]


def _complaint(lines: Sequence[str]) -> str:
    """Return what a failed ``emrkit`` has said last, without the progress before it."""
    start = next((number for number, line in enumerate(lines) if line.startswith(_COMPLAINT)), len(lines) - 1)
    return "\n".join(lines[start:]).removeprefix(_COMPLAINT)


def release_label(dag_file: Path) -> str:
    """Return the release label a DAG file asks for, so that it is written in one place only.

    :raises StartError: when it names none.
    """
    found = re.search(r'release_label="([^"]+)"', dag_file.read_text())
    if found is None:
        raise StartError(f"{dag_file} names no release_label")
    return found.group(1)


def session() -> boto3.Session:
    """Return a boto3 session with the credentials of the local EMR, whatever the environment says."""
    import boto3

    return boto3.Session(aws_access_key_id=KEY, aws_secret_access_key=KEY, region_name=REGION)


def s3_client(endpoint: str) -> S3Client:
    """Return a client of the local S3."""
    return session().client("s3", endpoint_url=endpoint)


def emr_client(endpoint: str) -> EMRClient:
    """Return a client of the local EMR."""
    return session().client("emr", endpoint_url=endpoint)


@dataclass(frozen=True)
class ClusterNews:
    """Where a cluster stands.

    :param message: Its StateChangeReason.
    :param step_id: Its only step; empty before there is one.
    """

    cluster_id: str
    state: str
    message: str = ""
    release: str = ""
    step_id: str = ""
    step_state: str = ""

    def line(self) -> str:
        """Say it in few words, since a terminal may have only 80 columns: the ids are in the log."""
        step = f", step {self.step_state}" if self.step_id else ""
        message = f" ({self.message})" if self.message else ""
        return f"cluster {self.state}{message}{step}"


class Clusters:
    """The clusters that appeared since this object was made.

    :param emr: A client of the local EMR.
    """

    def __init__(self, emr: EMRClient) -> None:
        self._emr = emr
        self._old = {cluster["Id"] for cluster in self._list()}

    def newest(self) -> ClusterNews | None:
        """Return the latest new cluster and its step; None as long as there is none."""
        new = [cluster["Id"] for cluster in self._list() if cluster["Id"] not in self._old]
        return self._news(new[0]) if new else None

    def _list(self) -> list[Any]:
        pages = self._emr.get_paginator("list_clusters").paginate()
        return [cluster for page in pages for cluster in page["Clusters"]]

    def _news(self, cluster_id: str) -> ClusterNews:
        cluster = self._emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
        steps = self._emr.list_steps(ClusterId=cluster_id).get("Steps", [])
        status: Mapping[str, Any] = cluster["Status"]
        return ClusterNews(
            cluster_id=cluster_id,
            state=str(status["State"]),
            message=str(status.get("StateChangeReason", {}).get("Message", "")),
            release=str(cluster.get("ReleaseLabel", "")),
            step_id=steps[0]["Id"] if steps else "",
            step_state=str(steps[0]["Status"]["State"]) if steps else "",
        )
