"""Summarise a year of flights: one row per airport, airline and month.

A plain PySpark program that knows neither where it runs nor who starts it::

    spark-submit flights_summary.py --input s3://bucket/nycflights13 --output s3://bucket/summary

``--input`` is a folder that holds ``flights.csv``, ``airlines.csv``, ``planes.csv`` and ``weather.csv``.
The summary is written to ``--output`` as parquet, one folder per airport, and one line of JSON with the
numbers of the run to ``<output>.metrics.json``, so that whoever only wants those needs no parquet reader.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame, SparkSession

DELAYED_AFTER_MINUTES = 15
"""A departure counts as delayed from the sixteenth minute on, as the airlines' own statistics have it."""

SCHEMAS = {
    "flights": (
        "year INT, month INT, day INT, dep_time INT, sched_dep_time INT, dep_delay INT, arr_time INT, "
        "sched_arr_time INT, arr_delay INT, carrier STRING, flight INT, tailnum STRING, origin STRING, "
        "dest STRING, air_time INT, distance INT, hour INT, minute INT, time_hour STRING"
    ),
    "airlines": "carrier STRING, name STRING",
    "planes": (
        "tailnum STRING, year INT, type STRING, manufacturer STRING, model STRING, engines INT, seats INT, "
        "speed INT, engine STRING"
    ),
    "weather": (
        "origin STRING, year INT, month INT, day INT, hour INT, temp DOUBLE, dewp DOUBLE, humid DOUBLE, "
        "wind_dir INT, wind_speed DOUBLE, wind_gust DOUBLE, precip DOUBLE, pressure DOUBLE, visib DOUBLE, "
        "time_hour STRING"
    ),
}


class Options(NamedTuple):
    """What the command line says.

    :param source: Folder of the csv files, without a trailing slash.
    :param output: Folder the parquet files are written to, without a trailing slash. It is overwritten.
    """

    source: str
    output: str


def parse_options(argv: Sequence[str]) -> Options:
    """Read the command line.

    :raises SystemExit: with argparse's message when an option is missing or unknown.
    """
    parser = argparse.ArgumentParser(description="Summarise a year of flights.")
    parser.add_argument("--input", required=True, help="folder that holds flights.csv and its side tables")
    parser.add_argument("--output", required=True, help="folder for the parquet files; it is overwritten")
    arguments = parser.parse_args(argv)
    return Options(source=arguments.input.rstrip("/"), output=arguments.output.rstrip("/"))


def metrics_uri(output: str) -> str:
    """Where the numbers of the run go: beside the output, for in it readers expect only parquet."""
    return f"{output}.metrics.json"


def metrics_line(options: Options, *, rows_read: int, rows_written: int, seconds: float) -> str:
    """One line of JSON that others read instead of the parquet files."""
    return json.dumps(
        {
            "rows_read": rows_read,
            "rows_written": rows_written,
            "output": options.output,
            "seconds": round(seconds, 1),
        }
    )


def say(text: str) -> None:
    """Print a progress line at once; Python holds lines back when its output is a pipe."""
    print(text, flush=True)


def read_table(spark: SparkSession, source: str, name: str) -> DataFrame:
    """Read one csv file, in which ``NA`` is a missing value; a row that doesn't fit is an error."""
    path = f"{source}/{name}.csv"
    options = {"header": "true", "nullValue": "NA", "mode": "FAILFAST"}
    table: DataFrame = spark.read.options(**options).schema(SCHEMAS[name]).csv(path)
    say(f"reading {path}")
    return table


def enrich(flights: DataFrame, airlines: DataFrame, planes: DataFrame, weather: DataFrame) -> DataFrame:
    """Give each flight its airline's name, its plane's seats and the rain of its hour, where they are known.

    The weather is matched by its UTC hour: the local hour occurs twice when summer time ends.
    """
    rain = weather.select("origin", "time_hour", "precip")
    seats = planes.select("tailnum", "seats")
    named = flights.join(airlines.withColumnRenamed("name", "airline"), "carrier", "left")
    return named.join(seats, "tailnum", "left").join(rain, ["origin", "time_hour"], "left")


def summarise(enriched: DataFrame) -> DataFrame:
    """One row per airport, airline and month; a flight without ``dep_time`` was cancelled."""
    from pyspark.sql import functions as F  # noqa: N812 - every PySpark program calls it so

    departed = F.col("dep_time").isNotNull()
    delayed = F.col("dep_delay") > DELAYED_AFTER_MINUTES

    def number_of(condition: Column) -> Column:
        return F.count(F.when(condition, True))

    def percentile_95(column: str) -> Column:
        return F.round(F.expr(f"percentile({column}, 0.95)"), 2)

    return (
        enriched.groupBy("origin", "carrier", "airline", "month")
        .agg(
            F.count("*").alias("flights"),
            number_of(~departed).alias("cancelled"),
            F.round(F.mean("dep_delay"), 2).alias("mean_dep_delay"),
            percentile_95("dep_delay").alias("p95_dep_delay"),
            F.round(F.mean("arr_delay"), 2).alias("mean_arr_delay"),
            percentile_95("arr_delay").alias("p95_arr_delay"),
            F.round(number_of(delayed) / number_of(departed), 4).alias("share_delayed"),
            number_of(F.col("precip") > 0).alias("flights_in_rain"),
            F.sum(F.when(departed, F.col("distance"))).alias("miles_flown"),
            F.sum(F.when(departed, F.col("seats"))).alias("seats_flown"),
        )
        .orderBy("origin", "carrier", "month")
    )


def write_text(spark: SparkSession, uri: str, text: str) -> None:
    """Write one small object through Hadoop's file system, which every Spark can, wherever ``uri`` points."""
    context = spark.sparkContext
    # PySpark has no public way to write one file.
    path = context._jvm.org.apache.hadoop.fs.Path(uri)  # noqa: SLF001
    stream = path.getFileSystem(context._jsc.hadoopConfiguration()).create(path, True)  # noqa: SLF001
    try:
        stream.write(bytearray(text, "utf-8"))
    finally:
        stream.close()


def report(summary: DataFrame) -> None:
    """Say per airport what came out, so that the log alone tells whether the run was a sane one."""
    from pyspark.sql import functions as F  # noqa: N812

    totals = summary.groupBy("origin").agg(
        F.sum("flights").alias("flights"), F.sum("cancelled").alias("cancelled"), F.count("*").alias("rows")
    )
    for row in totals.orderBy("origin").collect():
        say(f"{row['origin']}: {row['flights']} flights, {row['cancelled']} cancelled, {row['rows']} rows")


def run(spark: SparkSession, options: Options) -> None:
    """Read, join, aggregate, write."""
    started = time.monotonic()
    say(f"Spark {spark.version}, application {spark.sparkContext.applicationId}")
    flights = read_table(spark, options.source, "flights").cache()
    side_tables = [read_table(spark, options.source, name) for name in ("airlines", "planes", "weather")]
    rows_read = flights.count()
    say(f"rows read: {rows_read}")
    say("joining with airlines, planes and weather, and summarising by airport, airline and month")
    summary = summarise(enrich(flights, *side_tables)).cache()
    rows_written = summary.count()
    report(summary)
    say(f"writing {rows_written} rows to {options.output}")
    summary.coalesce(1).write.partitionBy("origin").mode("overwrite").parquet(options.output)
    seconds = time.monotonic() - started
    metrics = metrics_line(options, rows_read=rows_read, rows_written=rows_written, seconds=seconds)
    write_text(spark, metrics_uri(options.output), metrics)
    say(f"rows written: {rows_written}")
    say(f"metrics: {metrics}")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the job; the entry point of ``spark-submit``."""
    options = parse_options(sys.argv[1:] if argv is None else argv)
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.appName("flights_summary").getOrCreate()
    try:
        run(spark, options)
    finally:
        spark.stop()


if __name__ == "__main__":
    main()
