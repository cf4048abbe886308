"""Prints a numbered line with the time once a second, as many as the command line says."""

from __future__ import annotations

import sys
import time

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
for number in range(int(sys.argv[1])):
    print(f"tick {number} {time.time():.3f}", flush=True)
    time.sleep(1)
spark.stop()
