"""The software of one cluster: a Spark, a Java and a Python that fit together."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.spark.install import (
    InstallError,
    NotPublishedError,
    spark_home,
    uv_program,
)
from airflow_provider_emrkit.localemr.spark.java import CONFIGURED_MAJOR, Java, find_java, has_java
from airflow_provider_emrkit.localemr.spark.python import OWN_VERSION, find_python, own_python
from airflow_provider_emrkit.localemr.spark.versions import SparkVersion, UnsupportedReleaseError, candidates
from airflow_provider_emrkit.releases import release

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from airflow_provider_emrkit.localemr.spark.transfer import Progress


@dataclass(frozen=True)
class Software:
    """What a cluster runs with.

    :param spark: The Spark that stands for the release.
    :param spark_home: Its SPARK_HOME.
    :param java: The Java it runs on.
    :param python: The interpreter that the cluster's environment is made from.
    :param notice: What is worth knowing about them, e.g. that another Spark stands in for the exact one.
    """

    spark: SparkVersion
    spark_home: Path
    java: Java
    python: Path
    notice: str = ""


def check_label(label: str, environ: Mapping[str, str] | None = None) -> None:
    """Refuse a release that can't run here at all; nothing is installed for that.

    :param environ: Environment to read; the process's own by default.
    :raises UnsupportedReleaseError: with the mend.
    :raises InvalidValueError: for a text that is not a release label.
    """
    options = candidates(label)
    try:
        if any(has_java(spark.java, environ) for spark in options):
            return
    except InstallError as error:
        raise UnsupportedReleaseError(f"ReleaseLabel: {label} can't run here: {error}") from error
    major = options[0].java[0]
    raise UnsupportedReleaseError(
        f"ReleaseLabel: {label} holds Spark {release(label).spark}, which needs a Java {major}: name its "
        f"directory in {CONFIGURED_MAJOR.format(major=major)} where the local EMR is started, or use "
        "emr-6.1.0 or later, e.g. emr-7.11.0."
    )


def install_software(label: str, cache_dir: Path, progress: Progress) -> Software:
    """Have the software of a release on this machine, installing what is missing.

    :param label: EMR release label.
    :param progress: Called with one line of text per piece of news, e.g. when another Spark stands in for the
        exact one.
    :raises UnsupportedReleaseError: for a release that can't run here at all.
    :raises InstallError: when something can't be had, with the mend.
    """
    check_label(label)
    problem: InstallError | None = None
    for spark, python in runnable(candidates(label)):
        notice = _notice(label, spark, python)
        if notice:
            progress(notice)
        try:
            java = find_java(spark.java, cache_dir, progress)
            home = spark_home(spark, cache_dir, progress)
        except NotPublishedError as error:
            # Only what will never be there: a network that is away must not change a cluster's Spark.
            problem = problem or error
            continue
        return Software(spark, home, java, python, notice)
    raise problem or InstallError(f"{label} has no Spark that can run here.")


def runnable(options: Sequence[SparkVersion]) -> Iterator[tuple[SparkVersion, Path]]:
    """Give those Sparks for which this machine has a Python, and that.

    :raises InstallError: when it has none for any of them.
    """
    pythons = [(spark, python) for spark in options if (python := find_python(spark))]
    if pythons:
        yield from pythons
        return
    spark = options[0]
    if spark.version.startswith("2."):
        # Its Pythons are as old as itself, and jars need none.
        yield spark, own_python()
        return
    newest = ".".join(map(str, spark.python[1]))
    raise InstallError(
        f"no Python {spark.python_range} was found for Spark {spark.version}; install one, e.g. with "
        f"'uv python install {newest}', and put it in PATH."
    )


def _notice(label: str, spark: SparkVersion, python: Path) -> str:
    exact, parts = release(label).spark, []
    if spark.version != exact:
        parts.append(
            f"{label} holds Spark {exact}; Spark {spark.version} runs instead, the nearest that can run here"
        )
    if python == own_python() and not spark.takes_python(OWN_VERSION):
        parts.append(
            f"no Python {spark.python_range} was found for Spark {spark.version}: jars run, PySpark doesn't"
        )
    return "; ".join(parts)


def make_environment(python: Path, directory: Path) -> None:
    """Make an empty virtual environment (no pip, no network).

    :raises InstallError: when uv can't make it.
    """
    argv = [
        uv_program(),
        "venv",
        "--quiet",
        "--offline",
        "--no-project",
        "--no-config",
        "--no-python-downloads",
    ]
    argv += ["--python", os.fspath(python), os.fspath(directory)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InstallError(f"no Python environment could be made from {python}: {done.stderr.strip()}")
