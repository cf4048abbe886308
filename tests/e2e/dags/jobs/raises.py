"""Fails as a job of a user's does: some work, then an exception."""

from __future__ import annotations

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
print(f"rows: {spark.range(10).count()}", flush=True)
raise ValueError("no flights on 2013-02-30")
