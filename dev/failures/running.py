"""Runs jobs that fail on a local EMR, and reads their logs where EMR archives them."""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.config import default_cache_dir
from airflow_provider_emrkit.localemr.spark.software import Software, install_software
from airflow_provider_emrkit.runs.step_calls import failure_message
from failures.case import CLUSTER, REAL, SPARK_33, SPARK_35, SPARK_40, Case, Run, folder_name
from failures.command import DATA, Staging
from failures.corpus import Entry
from failures.excerpt import Names, excerpt
from failures.scala import Compiler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emrkit.testing import FinishedStep
    from failures.server import Server

_APPCACHE = "/mnt/yarn/usercache/hadoop/appcache"
DENIED = "payroll"
"""A bucket that nobody may do anything with."""

_CONTAINER = re.compile(r"/container_(?:e\d+_)?\d+_\d+_\d+_(?P<number>\d+)/(?P<file>stdout|stderr)\.gz$")
_SUBMITTED = re.compile(r"Submitted application (application_\d+_\d+)")
_STEP_TIMEOUT = 300.0


class UnexpectedError(Exception):
    """A job did not fail as it should; the message says which."""


@dataclass
class FailureRuns:
    """Runs cases on a local EMR, with a cluster for each release.

    :param emr: The local EMR.

    >>> with Server() as emr:  # doctest: +SKIP
    ...     entry = FailureRuns(emr).run(case, ("emr-7.11.0", "client"))
    """

    emr: Server
    _software: dict[str, Software] = field(default_factory=dict)

    def prepare(self) -> None:
        """Make the buckets of the jobs."""
        s3 = self.emr.client("s3")
        for bucket in (DATA, DENIED):
            s3.create_bucket(Bucket=bucket)
        resources = [f"arn:aws:s3:::{DENIED}", f"arn:aws:s3:::{DENIED}/*"]
        refused = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": resources}
        policy = {"Version": "2012-10-17", "Statement": [refused]}
        s3.put_bucket_policy(Bucket=DENIED, Policy=json.dumps(policy))

    def run(self, case: Case, run: Run) -> Entry:
        """Let a case fail.

        :raises UnexpectedError: when it does not.
        """
        release, mode = run
        cluster = self.emr.cluster(release)
        command = self._staging(release).command(case, run)
        step = cluster.wait(cluster.submit(*command, name=case.name), _STEP_TIMEOUT)
        if step.state != "FAILED":
            raise UnexpectedError(f"{folder_name(case.name, run)} is {step.state}, not FAILED")
        described = self.emr.client("emr").describe_step(ClusterId=cluster.id, StepId=step.id)["Step"]
        names = self.names(release)
        truth = {
            "spark": self.software(release).spark.version,
            "release": release,
            "deploy_mode": mode,
            "emr_says": names.told(failure_message(described)),
            "contains": case.expected(release),
            "about": case.about,
            "error": case.error,
            "place": case.place,
            "how": REAL,
        }
        logs = {name: excerpt(text, names) for name, text in self._logs(step, mode)}
        return Entry(folder_name(case.name, run), truth, logs)

    def _logs(self, step: FinishedStep, mode: str) -> Iterator[tuple[str, str]]:
        apart = mode == CLUSTER
        yield ("submit-stdout.log" if apart else "stdout.log"), step.stdout
        yield ("submit.log" if apart else "stderr.log"), step.stderr
        yield "controller.log", step.controller
        found = _SUBMITTED.search(step.stderr)
        if found:
            yield from self._containers(f"{step.cluster_id}/containers/{found[1]}/")

    def _containers(self, folder: str) -> Iterator[tuple[str, str]]:
        """Read the logs of the driver, which is an application's first container, and of executors."""
        s3 = self.emr.client("s3")
        bucket, _, root = self.emr.log_uri.removeprefix("s3://").partition("/")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{root}/{folder}")
        for key in sorted(item["Key"] for page in pages for item in page.get("Contents", [])):
            container = _CONTAINER.search(key)
            if container:
                text = gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
                executor = int(container["number"]) - 1
                name = container["file"] if not executor else f"executor-{executor}-{container['file']}"
                yield f"{name}.log", text.decode(errors="replace")

    def software(self, release: str) -> Software:
        """Give the Spark, Java and Python of a release."""
        if release not in self._software:
            self._software[release] = install_software(release, default_cache_dir(os.environ), print)
        return self._software[release]

    def _staging(self, release: str) -> Staging:
        folder = self.emr.data_dir / "sources"
        folder.mkdir(exist_ok=True)
        compilers = {
            label: Compiler(
                self.software(label).java.home / "bin" / "java",
                self.software(label).spark_home / "jars",
                folder,
            )
            for label in (SPARK_33, SPARK_35, SPARK_40)
        }
        # Spark 3.3 takes older Pythons than the others.
        words = {"python": str(self.software(release).python), "other": str(self.software(SPARK_33).python)}
        return Staging(self.emr.client("s3"), words, compilers)

    def names(self, release: str) -> Names:
        """Give what stands in for the names of this machine."""
        software = self.software(release)
        clusters = re.escape(f"{self.emr.data_dir}/clusters/") + r"j-\w+"
        patterns = {
            # Where executors are processes, each step has a Spark of its own.
            rf"{clusters}/(?:steps|applications)/[\w-]+/spark/": "/usr/lib/spark/",
            rf"{clusters}/steps/bootstrap-(\d+)/work": r"/mnt/var/lib/bootstrap-actions/\1",
            rf"{clusters}/steps/(s-\w+)/work": r"/mnt/var/lib/hadoop/steps/\1",
            rf"{clusters}/(?:applications|staging)/([\w-]+)(?:/work)?": rf"{_APPCACHE}/\1",
            rf"{clusters}/venv/": "/usr/",
            clusters: "/mnt",
            r"[^\s'\":,=(]*/\.pyenv/versions/[\d.]+/": "/usr/",
            re.escape(self.emr.url.rpartition(":")[0]) + r":\d+": "https://s3.us-east-1.amazonaws.com",
            rf"\b{re.escape(socket.gethostname())}\b(?=[:/.]|$| )": "ip-10-0-0-1",
            r"\broot\b": "hadoop",
        }
        texts = {
            str(software.spark_home): "/usr/lib/spark",
            str(software.java.home): "/usr/lib/jvm/jre-17",
            str(default_cache_dir(os.environ)): "/usr/share/aws/emr",
            str(self.emr.data_dir): "/mnt",
            str(software.python.parent.parent): "/usr",
        }
        return Names(texts, patterns)
