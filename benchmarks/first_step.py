"""``make bench-first-step``: how long the first step of a warm cluster takes on the local EMR.

A warm cluster waits, its Spark is installed and its class archive made (``emrkit local prefetch``). The step
is a trivial PySpark job. Each run has a cluster of its own. Wall time is a client's: from AddJobFlowSteps to
the answer that the step is COMPLETED.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich_argparse import RawDescriptionRichHelpFormatter

from airflow_provider_emrkit.localemr.config import default_cache_dir
from airflow_provider_emrkit.localemr.spark.prefetch import prefetch
from airflow_provider_emrkit.testing import LocalEmr

if TYPE_CHECKING:
    from collections.abc import Sequence

GOAL = 3.5
"""Seconds on two cores that have nothing else to do."""

JOB = """
from pyspark.sql import SparkSession
print("rows:", SparkSession.builder.getOrCreate().range(100).count())
"""
_MISSED = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print a table.

    :return: 0 when the median meets the goal, 1 when it does not.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.first_step",
        description=__doc__,
        epilog="examples:\n"
        "  python -m benchmarks.first_step\n"
        "  python -m benchmarks.first_step emr-6.15.0 --runs 9",
        formatter_class=RawDescriptionRichHelpFormatter,
    )
    parser.add_argument("label", nargs="?", default="emr-7.11.0", help="release (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="clusters to measure (default: %(default)s)")
    given = parser.parse_args(argv)
    prefetch(given.label, default_cache_dir(os.environ), print)
    seconds = measured(given.label, given.runs)
    _show(given.label, seconds)
    return 0 if statistics.median(seconds) <= GOAL else _MISSED


def measured(label: str, runs: int) -> list[float]:
    """Run the job as the first step of so many clusters, one after the other.

    :return: Wall times in seconds.
    """
    with LocalEmr.start(release=label) as emr:
        bucket, _, folder = emr.staging_uri.removeprefix("s3://").partition("/")
        emr.client("s3").put_object(Bucket=bucket, Key=f"{folder}/job.py", Body=JOB.encode())
        return [_first_step(emr) for _ in range(runs)]


def _first_step(emr: LocalEmr) -> float:
    client = emr.client("emr")
    with emr.start_cluster() as cluster:
        started = time.perf_counter()
        step = cluster.submit("spark-submit", f"{emr.staging_uri}/job.py")
        client.get_waiter("step_complete").wait(ClusterId=cluster.id, StepId=step)
        return time.perf_counter() - started


def _show(label: str, seconds: Sequence[float]) -> None:
    table = Table(title=f"first step of a warm cluster, {label}, {os.cpu_count()} processors")
    for heading in ("least", "median", "most", "goal"):
        table.add_column(heading, justify="right")
    figures = (min(seconds), statistics.median(seconds), max(seconds), GOAL)
    table.add_row(*(f"{figure:.2f} s" for figure in figures))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
