"""A step that has ended, with what it said."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_SUBMITTED = re.compile(r"Submitted application (application_\w+)")
_TAIL_LINES = 30


class StepFailedError(Exception):
    """A step that was expected to succeed did not; the message holds the end of its stderr.

    :param step: The step.
    """

    def __init__(self, step: FinishedStep) -> None:
        super().__init__(step.report())
        self.step = step


@dataclass(frozen=True)
class FinishedStep:
    """A step in its last state.

    :param id: ``s-…``
    :param cluster_id: ``j-…``
    :param args: What it ran.
    :param state: ``COMPLETED``, ``FAILED``, ``CANCELLED`` or ``INTERRUPTED``.
    :param details: EMR's ``FailureDetails``; empty for a step that succeeded.
    :param log_uri: ``LogUri`` of its cluster.
    :param s3: boto3 client, for the logs.

    >>> step = emr.cluster().run("spark-submit", "s3://data/job.py")  # doctest: +SKIP
    >>> "rows written: 3" in step.output  # doctest: +SKIP
    True
    """

    id: str
    cluster_id: str
    args: tuple[str, ...]
    state: str
    details: dict[str, str] = field(default_factory=dict)
    log_uri: str = ""
    s3: Any = field(default=None, repr=False, compare=False)

    @property
    def succeeded(self) -> bool:
        """Whether it completed."""
        return self.state == "COMPLETED"

    @property
    def stdout(self) -> str:
        """The step's standard output; that of its driver is elsewhere in deploy mode cluster."""
        return self._read(f"steps/{self.id}/stdout")

    @property
    def stderr(self) -> str:
        """The step's standard error, with Spark's log."""
        return self._read(f"steps/{self.id}/stderr")

    @property
    def controller(self) -> str:
        """What EMR says about the step."""
        return self._read(f"steps/{self.id}/controller")

    @property
    def output(self) -> str:
        """What the job printed, in either deploy mode."""
        driver = self._driver_folder()
        return self._read(f"{driver}/stdout") if driver else self.stdout

    @property
    def driver_log(self) -> str:
        """The job's standard error with Spark's log, in either deploy mode."""
        driver = self._driver_folder()
        return self._read(f"{driver}/stderr") if driver else self.stderr

    def report(self) -> str:
        """Say what ran, how it ended, and the end of what it said."""
        lines = [f"step {self.id} ({' '.join(self.args)}) is {self.state}"]
        lines += [f"{name}: {text}" for name, text in self.details.items() if text]
        said = self.driver_log.splitlines()[-_TAIL_LINES:]
        return "\n".join([*lines, *(["the end of its stderr:", *said] if said else [])])

    def _driver_folder(self) -> str | None:
        """Find the folder of the driver's container, which is the application's first."""
        found = _SUBMITTED.search(self.stderr)
        if found is None:
            return None
        folder = f"containers/{found[1]}/"
        bucket, prefix = self._place(folder)
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = sorted(item["Key"] for page in pages for item in page.get("Contents", []))
        return folder + keys[0].removeprefix(prefix).split("/")[0] if keys else None

    def _read(self, path: str) -> str:
        bucket, key = self._place(f"{path}.gz")
        try:
            packed = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return ""
        return gzip.decompress(packed).decode(errors="replace")

    def _place(self, path: str) -> tuple[str, str]:
        where = urlsplit(self.log_uri)
        return where.netloc, f"{where.path.strip('/')}/{self.cluster_id}/{path}".lstrip("/")
