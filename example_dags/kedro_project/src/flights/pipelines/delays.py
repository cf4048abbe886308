"""The mean delay of each month."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node
from pyspark.sql import DataFrame
from pyspark.sql import functions as f


def by_month(flights: DataFrame) -> DataFrame:
    """Average the delays of a month's flights, in minutes."""
    return flights.groupBy("month").agg(f.avg("dep_delay").alias("mean_delay")).coalesce(1)


def create_pipeline() -> Pipeline:
    """Give the pipeline."""
    return Pipeline([node(by_month, "flights", "delays", name="by_month")])
