"""Prints numbered lines with the time they were written at, evenly spread over some seconds."""

from __future__ import annotations

import sys
import time

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.range(10).count()
number_of_lines, seconds = int(sys.argv[1]), float(sys.argv[2])
began = time.monotonic()
for number in range(number_of_lines):
    print(f"line {number:03d} {time.time():.3f}", flush=True)
    time.sleep(max(0.0, began + (number + 1) * seconds / number_of_lines - time.monotonic()))
spark.stop()
