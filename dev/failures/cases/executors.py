"""Failures of Python that runs on executors, or is on its way there."""

from __future__ import annotations

from failures.case import CLIENT, CLUSTER, SPARK_33, SPARK_35, SPARK_40, Case

_SESSION = """\
from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("daily-sales").getOrCreate()
"""

CASES = (
    Case(
        name="missing-module-in-udf",
        runs=((SPARK_35, CLIENT),),
        contains="ModuleNotFoundError: No module named 'holidays'",
        about="not_found",
        error="JobNotFoundError",
        job="""\
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf

spark = SparkSession.builder.appName("daily-sales").getOrCreate()


@udf("boolean")
def is_holiday(day):
    import holidays  # fails

    return day in holidays.DE()


days = spark.sql("select explode(sequence(date'2024-01-01', date'2024-01-31')) as day")
print(days.where(is_holiday("day")).count())
""",
    ),
    Case(
        name="udf-divides-by-zero",
        runs=((SPARK_33, CLIENT), (SPARK_35, CLUSTER), (SPARK_40, CLUSTER)),
        contains="ZeroDivisionError: ",
        error="UserCodeError",
        job="""\
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf

spark = SparkSession.builder.appName("daily-sales").getOrCreate()


@udf("double")
def share(part, whole):
    return part / whole  # fails


sales = spark.createDataFrame([(1.0, 4.0), (2.0, 0.0)], ["part", "whole"])
sales.select(share("part", "whole").alias("share")).write.mode("overwrite").parquet("hdfs:///tmp/shares")
""",
    ),
    Case(
        name="rdd-value-error",
        runs=((SPARK_33, CLUSTER),),
        contains="ValueError: invalid literal for int() with base 10: '12,5'",
        error="UserCodeError",
        job=_SESSION
        + """\
def price(line):
    return int(line.split(";")[1])  # fails


lines = spark.sparkContext.parallelize(["apple;3", "pear;12,5", "plum;9"], 2)
print(lines.map(price).sum())
""",
    ),
    Case(
        name="context-in-udf",
        runs=((SPARK_33, CLIENT), (SPARK_35, CLUSTER)),
        contains={"3.3": "SPARK-5063", "3.5": "[CONTEXT_ONLY_VALID_ON_DRIVER]"},
        error="UserCodeError",
        job=_SESSION
        + """\
def rate(day):
    return spark.sql(f"select {day} as rate").first().rate


print(spark.sparkContext.parallelize(range(3)).map(rate).collect())  # fails
""",
    ),
    Case(
        name="lock-in-udf",
        runs=((SPARK_35, CLIENT),),
        contains="cannot pickle '_thread.lock' object",
        error="UserCodeError",
        job="""\
import threading

from pyspark.sql import SparkSession
from pyspark.sql.functions import udf

spark = SparkSession.builder.appName("daily-sales").getOrCreate()
lock = threading.Lock()


@udf("long")
def counted(number):
    with lock:
        return number + 1


spark.range(3).select(counted("id")).show()  # fails
""",
    ),
    Case(
        name="udf-of-wrong-type",
        runs=((SPARK_35, CLUSTER), (SPARK_33, CLIENT)),
        contains="expected zero arguments for construction of ClassDict (for fractions.Fraction)",
        error="UserCodeError",
        job="""\
from fractions import Fraction

from pyspark.sql import SparkSession
from pyspark.sql.functions import udf

spark = SparkSession.builder.appName("daily-sales").getOrCreate()


@udf("double")
def third(number):
    return Fraction(number, 3)


print(spark.range(3).select(third("id")).collect())  # fails
""",
    ),
    Case(
        name="other-python-on-executors",
        runs=((SPARK_35, CLIENT),),
        contains="Python in worker has different version",
        error="UserCodeError",
        options=("--conf", "spark.pyspark.driver.python={python}", "--conf", "spark.pyspark.python={other}"),
        job=_SESSION
        + """\
print(spark.sparkContext.parallelize(range(3)).map(str).collect())  # fails
""",
    ),
    Case(
        name="stream",
        runs=((SPARK_35, CLIENT), (SPARK_40, CLUSTER)),
        contains="LookupError: batch 0 names no shop",
        error="UserCodeError",
        job=_SESSION
        + """\
def write(batch, number):
    if not batch.columns.count("shop"):
        raise LookupError(f"batch {number} names no shop")  # fails
    batch.write.saveAsTable("sales")


rows = spark.readStream.format("rate").option("rowsPerSecond", 5).load()
rows.writeStream.foreachBatch(write).option("checkpointLocation", "hdfs:///tmp/stream").start().awaitTermination()
""",
    ),
)
