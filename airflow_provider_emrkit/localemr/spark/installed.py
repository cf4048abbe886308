"""The newest Spark that is on this machine already."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.spark.install import InstallError
from airflow_provider_emrkit.localemr.spark.java import find_java
from airflow_provider_emrkit.localemr.spark.software import Software
from airflow_provider_emrkit.localemr.spark.versions import SparkVersion, known_version

if TYPE_CHECKING:
    from collections.abc import Iterator


def newest_installed(cache_dir: Path) -> Software:
    """Give the newest installed Spark for which a Java can be had, for programs that run no jobs.

    :raises InstallError: when there is none, with the mend.
    """
    problem = f"no Spark is in {cache_dir} yet; run a step or a job first, or 'emrkit local prefetch LABEL'."
    for spark in sorted(_installed(cache_dir), key=_order, reverse=True):
        home = cache_dir / "spark" / spark.version / "pyspark"
        try:
            java = find_java(spark.java, cache_dir, lambda _: None)
        except InstallError as error:
            problem = str(error)
            continue
        return Software(spark, home, java, Path(sys.executable))
    raise InstallError(problem)


def _installed(cache_dir: Path) -> Iterator[SparkVersion]:
    for home in (cache_dir / "spark").glob("[0-9]*/pyspark"):
        spark = known_version(home.parent.name)
        if spark:
            yield spark


def _order(spark: SparkVersion) -> list[int]:
    return [int(part) for part in spark.version.split(".")]
