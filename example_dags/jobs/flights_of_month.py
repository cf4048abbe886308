"""Count one month's flights by airport: ``flights_of_month.py --input s3://… --output s3://… --month 7``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str]) -> None:
    """Write a row for each airport with its flights, and those that were cancelled, as JSON lines.

    :param argv: The job's arguments.
    """
    # Spark brings it where the job runs.
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as f

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True, help="folder that holds flights.csv")
    parser.add_argument("--output", required=True, help="folder of the results, one below it for each month")
    parser.add_argument("--month", required=True, type=int, choices=range(1, 13), metavar="1…12")
    given = parser.parse_args(argv)

    spark = SparkSession.builder.appName(f"flights of month {given.month}").getOrCreate()
    flights = spark.read.csv(f"{given.input}/flights.csv", header=True, nullValue="NA")
    of_month = flights.where(f.col("month").cast("int") == given.month)
    cancelled = f.count(f.when(f.col("dep_time").isNull(), True)).alias("cancelled")
    counts = of_month.groupBy("origin").agg(f.count("*").alias("flights"), cancelled).orderBy("origin")
    counts.coalesce(1).write.mode("overwrite").json(f"{given.output}/month={given.month:02}")
    print(f"month {given.month}: {of_month.count()} flights", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
