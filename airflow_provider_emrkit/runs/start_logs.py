"""What was written while a cluster came up: by bootstrap actions, and by the installation of applications."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.logs.s3_files import S3LogFile
from airflow_provider_emrkit.logs.s3_folders import bucket_and_prefix, objects_below

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_emrkit.logs.causes import LogText
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.log_ends import LogEnds

_INSTANCE = re.compile(r"\b(i-[0-9a-f]{8,17})\b")
_BOOTSTRAP_ACTION = re.compile(r"bootstrap action (\d{1,2})\b", re.IGNORECASE)
_ACTION_LOG = re.compile(r"/bootstrap-actions/(?P<action>\d{1,3})/(?P<file>stderr|stdout|controller)\.gz$")
_INSTALLATION_LOG = re.compile(r"/provision-node/.{0,200}/(?P<file>stderr|stdout|puppet\.log)(?:\.gz)?$")
# The most telling file first.
_FILES = ("stderr", "puppet.log", "stdout", "controller")
MAX_FILES = 4
# Pages of 1,000 objects that are looked through.
MAX_PAGES = 3


@dataclass(frozen=True)
class StartLogs:
    """The logs of a cluster that did not come up, as EMR archives them on S3.

    :param s3: boto3 client of S3.
    :param run: A run that was to run there; its cluster has a ``LogUri``.
    :param message: What EMR says about the cluster; it names the instance and the action.
    :param ends: Reads them.

    >>> StartLogs(boto3.client("s3"), run, "bootstrap action 1 failed", ends).texts()  # doctest: +SKIP
    """

    s3: Any = field(repr=False)
    run: JobRun
    message: str
    ends: LogEnds

    def texts(self) -> Sequence[LogText]:
        """Read what is there by now, the most telling first (ListObjectsV2, GetObject)."""
        bucket, root = bucket_and_prefix(self.run.log_uri or "")
        instance, action = _instance_and_action(self.message)
        prefix = f"{root}{self.run.cluster_id}/node/" + (f"{instance}/" if instance else "")
        if instance and action:
            prefix += f"bootstrap-actions/{action}/"
        found = self.ends.without_trouble(lambda: self._found(bucket, prefix, action)) or []
        texts = [self.ends.read(source) for _, source in sorted(found, key=lambda one: one[0])[:MAX_FILES]]
        return [text for text in texts if text.lines]

    def _found(self, bucket: str, prefix: str, action: str) -> list[tuple[tuple[int, int], S3LogFile]]:
        found: list[tuple[tuple[int, int], S3LogFile]] = []
        for entry in objects_below(self.s3, bucket, prefix, MAX_PAGES):
            part = _part(entry["Key"], action)
            if part:
                label, order = part
                found.append((order, S3LogFile(self.s3, bucket, entry["Key"], label)))
        return found


def _part(key: str, action: str) -> tuple[str, tuple[int, int]] | None:
    """Name what wrote a log, and tell its place among the others; None for a log of something else."""
    bootstrap = _ACTION_LOG.search(key)
    if bootstrap:
        if action and bootstrap["action"] != action:
            return None
        # Of several actions the last one is the one that failed.
        order = (-int(bootstrap["action"]), _FILES.index(bootstrap["file"]))
        return f"{bootstrap['file']} of bootstrap action {bootstrap['action']}", order
    installation = None if action else _INSTALLATION_LOG.search(key)
    if installation:
        return f"{installation['file']} of the installation", (-1_000, _FILES.index(installation["file"]))
    return None


def _instance_and_action(message: str) -> tuple[str, str]:
    instance, action = _INSTANCE.search(message), _BOOTSTRAP_ACTION.search(message)
    return instance[1] if instance else "", action[1] if action else ""


def bootstrap_log(run: JobRun, message: str) -> str | None:
    """Give the S3 URI of the log of the bootstrap action that failed; None when EMR's message names none.

    :param message: ``Cluster.Status.StateChangeReason.Message``, e.g. ``On the master instance (i-0123…),
        bootstrap action 1 returned a non-zero return code``.
    """
    instance, action = _instance_and_action(message)
    if not run.log_uri or not instance or not action:
        return None
    bucket, root = bucket_and_prefix(run.log_uri)
    return f"s3://{bucket}/{root}{run.cluster_id}/node/{instance}/bootstrap-actions/{action}/stderr.gz"
