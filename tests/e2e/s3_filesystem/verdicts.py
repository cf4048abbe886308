"""Run the ``check_…`` functions of a module inside one Spark and print what each of them found."""

from __future__ import annotations

import json
import time
import traceback
from typing import TYPE_CHECKING, Any

from pyspark.sql import SparkSession

if TYPE_CHECKING:
    from collections.abc import Callable

MARK = "VERDICTS "


def run(module: dict[str, Any], make_argument: Callable[[SparkSession, str], Any]) -> None:
    """Call every check with its own argument and print ``{name: "" or what went wrong}``."""
    # The default of 200 would make every small aggregation hundreds of tasks, and of files in checkpoints.
    spark = SparkSession.builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
    found: dict[str, str] = {}
    for name, check in list(module.items()):
        if name.startswith("check_"):
            started = time.monotonic()
            try:
                check(make_argument(spark, name.removeprefix("check_")))
                found[name] = ""
            except Exception:
                found[name] = traceback.format_exc()
            print(f"{name}: {time.monotonic() - started:.2f} s", flush=True)
    spark.stop()
    print(MARK + json.dumps(found), flush=True)
