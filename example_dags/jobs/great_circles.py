"""Measure routes along great circles, in an image: ``great_circles.py --input s3://… --output s3://…``.

It needs the package ``haversine``, which the job's image has, in the driver and in each executor. That both
run in the image is checked, and told in the log.
"""

from __future__ import annotations

import argparse
import site
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame, SparkSession

# Docker and Podman put one of them into each container.
CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")


def where() -> str:
    """Tell which system this process runs in and whose ``haversine`` it imports.

    :raises RuntimeError: when it is not in a container, or the package is not the container's own.
    """
    import haversine

    if not any(Path(mark).exists() for mark in CONTAINER_MARKS):
        raise RuntimeError("the job does not run in a container")
    file = Path(haversine.__file__ or "")
    if not any(file.is_relative_to(folder) for folder in site.getsitepackages()):
        raise RuntimeError(f"{file} is not of the image, which has its packages in {site.getsitepackages()}")
    release = Path("/etc/os-release").read_text().splitlines()
    system = next(
        (line.partition("=")[2].strip('"') for line in release if line.startswith("PRETTY_NAME=")), ""
    )
    return f"{file} in a container of {system}, Python {sys.version.split()[0]}"


def miles(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Return the length of the shortest way between two places on the globe."""
    from haversine import Unit, haversine

    return float(haversine((latitude, longitude), (other_latitude, other_longitude), unit=Unit.MILES))


def routes(spark: SparkSession, folder: str) -> DataFrame:
    """Give a row for each route: its flights, the miles the airlines give, and those of the great circle."""
    from pyspark.sql import functions as f

    flights = spark.read.csv(f"{folder}/flights.csv", header=True, nullValue="NA")
    airports = spark.read.csv(f"{folder}/airports.csv", header=True, nullValue="NA")

    def places(code: str) -> DataFrame:
        columns = [f.col(name).cast("double").alias(f"{code}_{name}") for name in ("lat", "lon")]
        return airports.select(f.col("faa").alias(code), *columns)

    flown = flights.groupBy("origin", "dest").agg(
        f.count("*").alias("flights"), f.max(f.col("distance").cast("int")).alias("miles")
    )
    located = flown.join(places("origin"), "origin").join(places("dest"), "dest")
    measured = f.round(
        f.udf(miles, "double")(*(f"{code}_{name}" for code in ("origin", "dest") for name in ("lat", "lon"))),
        1,
    )
    return located.select("origin", "dest", "flights", "miles", measured.alias("great_circle_miles"))


def main(argv: Sequence[str]) -> None:
    """Write a row for each route whose airports are known, as JSON lines.

    :param argv: The job's arguments.
    """
    # Spark brings it where the job runs.
    from pyspark.sql import SparkSession

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True, help="folder that holds flights.csv and airports.csv")
    parser.add_argument("--output", required=True, help="folder of the result, replaced when it is there")
    given = parser.parse_args(argv)

    print(f"driver: {where()}", flush=True)
    spark = SparkSession.builder.appName("great circles").getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    for found in sorted(set(spark.sparkContext.range(2, numSlices=2).map(lambda _: where()).collect())):
        print(f"executors: {found}", flush=True)
    measured = routes(spark, given.input).orderBy("great_circle_miles").coalesce(1).cache()
    measured.write.mode("overwrite").json(given.output)
    longest = measured.collect()[-1]
    print(f"routes measured: {measured.count()}", flush=True)
    print(f"longest: {longest.origin}-{longest.dest}, {longest.great_circle_miles} miles", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
