"""Writes to ``s3://`` until it is killed: a DataFrame, and a file above the size of a part."""

from __future__ import annotations

import threading
import time

from pyspark.sql import SparkSession


def slowly(row: object) -> tuple[str]:
    """One row of a job that has written some files and does not end."""
    number = row.id  # type: ignore[attr-defined]
    if number > 150:
        time.sleep(600)
    return ("x" * 1000,)


def write_table(spark: SparkSession) -> None:
    """Write a table whose last tasks never end."""
    rows = spark.range(0, 200, 1, 20).rdd.map(slowly)
    spark.createDataFrame(rows, "text string").write.parquet("s3://killed/table")


spark = SparkSession.builder.getOrCreate()
jvm = spark._jvm
path = jvm.org.apache.hadoop.fs.Path("s3://killed/large")
out = path.getFileSystem(spark._jsc.hadoopConfiguration()).create(path)
for _ in range(20):
    out.write(bytearray(5 * 1024 * 1024))
threading.Thread(target=write_table, args=(spark,), daemon=True).start()
time.sleep(600)
