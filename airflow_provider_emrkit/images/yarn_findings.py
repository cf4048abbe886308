"""Judges what is known of an image: whether YARN on EMR runs jobs in it. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.findings import (
    Finding,
    image_findings,
    not_looked_into,
    secret_findings,
)
from airflow_provider_emrkit.images.program_findings import java_findings, python_findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emrkit.images.findings import Target
    from airflow_provider_emrkit.images.probing import ImageFacts

# YARN lets an image's own value of these stand (yarn.nodemanager.env-whitelist), or Spark follows them.
_CLUSTERS = re.compile(
    r"HADOOP_(COMMON_HOME|HDFS_HOME|CONF_DIR|YARN_HOME|HOME)|SPARK_HOME|SPARK_CONF_DIR|PYTHONHOME", re.ASCII
)


def yarn_findings(facts: ImageFacts, target: Target) -> list[Finding]:
    """Judge an image for Docker on YARN."""
    found = list(image_findings(facts, target))
    settings = [*_of_settings(facts), *secret_findings(facts)]
    if facts.inside.problem:
        return [*found, not_looked_into(facts, target), *settings]
    return [
        *found,
        *_of_the_system(facts),
        *java_findings(facts, target),
        *python_findings(facts, target),
        *_of_another_python(facts, target),
        *_of_starting(facts),
        *settings,
    ]


def _of_the_system(facts: ImageFacts) -> Iterator[Finding]:
    inside = facts.inside
    system = inside.system or "unknown"
    if inside.libc == "musl":
        text = f"{system} has musl for a C library: native libraries of Hadoop and Spark do not load"
        yield Finding(
            "error", "system", text, "begin with an image that has glibc, as amazoncorretto:8-al2023"
        )
    else:
        yield Finding("ok", "system", system)
    if not inside.bash:
        text = "there is no /bin/bash, with which YARN starts each container"
        yield Finding("error", "bash", text, "install it")
    if inside.lacks:
        text = f"{', '.join(inside.lacks)}: missing, and YARN's launch script calls it"
        yield Finding("error", "bash", text, "install coreutils")
    if inside.bash and not inside.lacks:
        yield Finding("ok", "bash", inside.bash)


def _of_another_python(facts: ImageFacts, target: Target) -> Iterator[Finding]:
    set_by_image = facts.env.get("PYSPARK_PYTHON", target.python)
    works = any(one.path == target.python and one.works and one.told for one in facts.inside.pythons)
    if works and set_by_image != target.python:
        text = (
            f"the image sets PYSPARK_PYTHON={set_by_image}, but EMR's own, {target.python}, stands above it"
        )
        yield Finding("warning", "python", text, f'SparkJob(env={{"PYSPARK_PYTHON": "{set_by_image}"}})')


def _of_starting(facts: ImageFacts) -> Iterator[Finding]:
    shown = " ".join(facts.entrypoint)
    if not facts.entrypoint:
        yield Finding("ok", "entrypoint", "none")
    elif facts.inside.hands_on is not False:
        text = f"{shown}: YARN gives it `bash launch_container.sh`, which it has to start"
        yield Finding("warning", "entrypoint", text, "ENTRYPOINT [] in the Dockerfile, unless jobs need it")
    else:
        text = f"{shown}: YARN gives it `bash launch_container.sh` for arguments, and it does not start that"
        yield Finding("error", "entrypoint", text, "ENTRYPOINT [] in the Dockerfile")
    if facts.command:
        yield Finding("ok", "command", f"{' '.join(facts.command)}: YARN starts its own instead")
    if facts.user not in ("", "root", "0", "0:0"):
        yield Finding("ok", "user", f"{facts.user}: YARN starts it as the user of the job instead")


def _of_settings(facts: ImageFacts) -> Iterator[Finding]:
    clusters = [name for name in facts.env if _CLUSTERS.fullmatch(name)]
    if clusters:
        text = f"the image sets {', '.join(clusters)}, and that stands above what the cluster says"
        yield Finding("warning", "settings", text, "leave them out of the Dockerfile")
