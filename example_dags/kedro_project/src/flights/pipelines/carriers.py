"""Flights of each airline, and how many of them were late."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node
from pyspark.sql import DataFrame
from pyspark.sql import functions as f


def punctuality(flights: DataFrame, late_after: int) -> DataFrame:
    """Count flights by carrier; cancelled ones, which have no delay, are none."""
    late = f.when(f.col("dep_delay") > late_after, 1).otherwise(0)
    return (
        flights.where(f.col("dep_delay").isNotNull())
        .groupBy("carrier")
        .agg(f.count("*").alias("flights"), f.sum(late).alias("late"))
    )


def named(counts: DataFrame, airlines: DataFrame) -> DataFrame:
    """Give each carrier its airline's name."""
    return counts.join(airlines, "carrier").coalesce(1)


def create_pipeline() -> Pipeline:
    """Give the pipeline."""
    return Pipeline(
        [
            node(punctuality, ["flights", "params:late_after"], "counts", name="punctuality"),
            node(named, ["counts", "airlines"], "carriers", name="named"),
        ]
    )
