# mypy: ignore-errors
# (pyspark is not installed where this is checked: it comes with the Spark that runs this file.)
"""A small Spark job that uses what most jobs use; its classes go into the class-data archive."""

from __future__ import annotations

import tempfile

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

spark = SparkSession.builder.appName("warm-up").getOrCreate()
with tempfile.TemporaryDirectory() as folder:
    table = spark.range(1000).withColumn("k", f.col("id") % 7).withColumn("t", f.col("id").cast("string"))
    table.write.parquet(f"{folder}/parquet", partitionBy="k")
    table.write.csv(f"{folder}/csv", header=True)
    table.write.json(f"{folder}/json")
    stored = spark.read.parquet(f"{folder}/parquet")
    texts = spark.read.csv(f"{folder}/csv", header=True, inferSchema=True)
    spark.read.json(f"{folder}/json").count()
    stored.groupBy("k").agg(f.count("*").alias("n"), f.max("t")).join(texts, "k").orderBy("n").show(2)
    stored.select(f.udf(lambda number: number + 1, "long")("id")).collect()
    stored.createOrReplaceTempView("stored")
    spark.sql("select k, sum(id) over (partition by k order by id) from stored").count()
    pairs = spark.sparkContext.parallelize(range(10), 2).map(lambda number: (number % 3, number))
    pairs.reduceByKey(lambda left, right: left + right).collect()
spark.stop()
