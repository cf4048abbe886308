"""The software of one cluster: a Spark, a Java and a Python that fit together."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_emrkit.localemr.spark.install import (
    InstallError,
    Progress,
    spark_home,
    uv_environment,
    uv_program,
)
from airflow_provider_emrkit.localemr.spark.java import Java, find_java
from airflow_provider_emrkit.localemr.spark.versions import SparkVersion, candidates
from airflow_provider_emrkit.releases import release


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


def install_software(label: str, cache_dir: Path, progress: Progress) -> Software:
    """Have the software of a release on this machine, installing what is missing.

    :param label: EMR release label.
    :param progress: Called with one line of text per piece of news, e.g. when another Spark stands in for the
        exact one.
    :raises UnsupportedReleaseError: for a release that can't run here at all.
    :raises InstallError: when something can't be had, with the mend.
    """
    spark, python = choose(candidates(label))
    notice = _stand_in(label, spark)
    if notice:
        progress(notice)
    home = spark_home(spark, cache_dir, progress)
    return Software(spark, home, find_java(spark.java, cache_dir, progress), python, notice)


def _stand_in(label: str, spark: SparkVersion) -> str:
    exact = release(label).spark
    if spark.version == exact:
        return ""
    return f"{label} holds Spark {exact}; Spark {spark.version} runs instead, the nearest that can run here"


def choose(options: tuple[SparkVersion, ...]) -> tuple[SparkVersion, Path]:
    """Choose the first Spark for which this machine has a Python.

    :raises InstallError: when it has none for any of them.
    """
    for spark in options:
        python = find_python(spark)
        if python:
            return spark, python
    spark = options[0]
    newest = ".".join(map(str, spark.python[1]))
    raise InstallError(
        f"no Python {spark.python_range} was found for Spark {spark.version}; install one, e.g. with "
        f"'uv python install {newest}', and put it in PATH."
    )


def find_python(spark: SparkVersion) -> Path | None:
    """Find an interpreter that a Spark's Python jobs work with, without downloading one."""
    if spark.takes_python((sys.version_info.major, sys.version_info.minor)):
        return Path(getattr(sys, "_base_executable", None) or sys.executable)
    low, high = spark.python
    wanted = f">={low[0]}.{low[1]},<{high[0]}.{high[1] + 1}"
    argv = [uv_program(), "python", "find", "--no-python-downloads", "--no-project", "--system", wanted]
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=uv_environment(os.environ),
    )
    found = done.stdout.strip()
    return Path(found) if done.returncode == 0 and found else None


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
