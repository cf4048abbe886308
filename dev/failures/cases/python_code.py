"""Failures of a job's own Python, on the driver and on executors."""

from __future__ import annotations

from failures.case import CLIENT, CLUSTER, SPARK_33, SPARK_35, SPARK_40, Case

_SESSION = """\
from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("daily-sales").getOrCreate()
"""

CASES = (
    Case(
        name="missing-module",
        runs=((SPARK_35, CLUSTER), (SPARK_33, CLIENT)),
        contains="ModuleNotFoundError: No module named 'holidays'",
        about="not_found",
        error="JobNotFoundError",
        job="""\
from datetime import date

import holidays  # fails
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.createDataFrame([(date(2024, 1, 1) in holidays.DE(),)], ["holiday"]).show()
""",
    ),
    Case(
        name="missing-module-in-udf",
        runs=((SPARK_40, CLUSTER), (SPARK_35, CLIENT)),
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
        name="zip-without-the-package",
        runs=((SPARK_35, CLIENT),),
        contains="No module named 'etl.transform'",
        about="not_found",
        error="JobNotFoundError",
        modules={"etl/__init__.py": "", "etl/load.py": "def load(): ...\n"},
        job="""\
from etl.load import load
from etl.transform import clean  # fails

clean(load())
""",
    ),
    Case(
        name="value-error",
        runs=((SPARK_33, CLUSTER), (SPARK_40, CLIENT)),
        contains="ValueError: no such day: 2024-02-30",
        error="UserCodeError",
        args=("--day", "2024-02-30"),
        job="""\
import sys
from datetime import date

from pyspark.sql import SparkSession


def day_of(text):
    try:
        return date(*map(int, text.split("-")))
    except ValueError:
        raise ValueError(f"no such day: {text}") from None  # fails


spark = SparkSession.builder.appName("daily-sales").getOrCreate()
spark.createDataFrame([(day_of(sys.argv[-1]),)], ["day"]).show()
""",
    ),
    Case(
        name="assertion",
        runs=((SPARK_40, CLIENT), (SPARK_33, CLUSTER)),
        contains="AssertionError: expected 5 shops, got 3",
        error="UserCodeError",
        job=_SESSION
        + """\
shops = spark.createDataFrame([("Berlin",), ("Porto",), ("Gent",)], ["city"])
found = shops.count()
assert found == 5, f"expected 5 shops, got {found}"  # fails
""",
    ),
    Case(
        name="assertion-without-words",
        runs=((SPARK_35, CLUSTER),),
        contains="AssertionError",
        error="UserCodeError",
        job=_SESSION
        + """\
def check(frame):
    assert not frame.isEmpty()  # fails


check(spark.range(0))
""",
    ),
    Case(
        name="raise-from",
        runs=((SPARK_35, CLIENT), (SPARK_40, CLUSTER)),
        contains="RuntimeError: the rates of 2024-01-01 can't be loaded",
        error="UserCodeError",
        job=_SESSION
        + """\
RATES = {"2024-01-02": 1.09}


def rate(day):
    try:
        return RATES[day]
    except KeyError as error:
        raise RuntimeError(f"the rates of {day} can't be loaded") from error  # fails


spark.range(3).selectExpr(f"id * {rate('2024-01-01')} as price").show()
""",
    ),
    Case(
        name="error-in-except",
        runs=((SPARK_33, CLIENT), (SPARK_35, CLUSTER)),
        contains="AttributeError: 'NoneType' object has no attribute 'warn'",
        error="UserCodeError",
        job=_SESSION
        + """\
log = None


def day_of(row):
    try:
        return row["day"]
    except Exception:
        log.warn("a row without a day")  # fails
        return None


print(day_of(spark.range(1).first()))
""",
    ),
    Case(
        name="own-exception",
        runs=((SPARK_35, CLUSTER), (SPARK_40, CLIENT)),
        contains="quality.checks.DataQualityError: 2 of 3 rows have no price",
        error="UserCodeError",
        modules={
            "quality/__init__.py": "",
            "quality/checks.py": """\
class DataQualityError(Exception):
    def __init__(self, bad, of):
        super().__init__(f"{bad} of {of} rows have no price")


def check(frame):
    bad = frame.where("price is null").count()
    if bad:
        raise DataQualityError(bad, frame.count())  # fails
""",
        },
        job=_SESSION
        + """\
from quality.checks import check

check(spark.createDataFrame([(1, 2.5), (2, None), (3, None)], ["id", "price"]))
""",
    ),
    Case(
        name="message-of-many-lines",
        runs=((SPARK_40, CLUSTER), (SPARK_33, CLIENT)),
        contains="ValueError: 3 checks of table sales failed",
        error="UserCodeError",
        job=_SESSION
        + """\
found = {"id is unique": 2, "price is positive": 1, "day is set": 7}
print(spark.range(10).count(), "rows")
lines = [f"- {check}: {rows} rows" for check, rows in found.items()]
said = "\\n".join([f"{len(found)} checks of table sales failed:", *lines, "", "See the wiki."])
raise ValueError(said)  # fails
""",
    ),
    Case(
        name="misleading-key",
        runs=((SPARK_35, CLIENT), (SPARK_33, CLUSTER)),
        contains="KeyError: 'java.lang.OutOfMemoryError: Java heap space'",
        error="UserCodeError",
        job=_SESSION
        + """\
# Counts the errors of other jobs.
TEAMS = {"java.io.IOException": "storage", "ValueError": "ingest"}
errors = spark.createDataFrame(
    [("java.io.IOException",), ("java.lang.OutOfMemoryError: Java heap space",)], ["error"]
)
for row in errors.collect():
    print(row.error, TEAMS[row.error])  # fails
""",
    ),
    Case(
        name="bad-encoding",
        runs=((SPARK_33, CLIENT), (SPARK_40, CLUSTER)),
        contains="UnicodeDecodeError: 'utf-8' codec can't decode byte 0xe9",
        error="UserCodeError",
        job=_SESSION
        + """\
files = spark.sparkContext.parallelize(["Montr\\u00e9al".encode("latin-1"), b"Gent"], 1)
print([city.decode("utf-8") for city in files.collect()])  # fails
""",
    ),
    Case(
        name="missing-variable",
        runs=((SPARK_35, CLUSTER), (SPARK_40, CLIENT)),
        contains="KeyError: 'SALES_BUCKET'",
        error="UserCodeError",
        job="""\
import os

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.read.parquet(f"s3://{os.environ['SALES_BUCKET']}/sales").show()  # fails
""",
    ),
    Case(
        name="syntax-error",
        runs=((SPARK_35, CLUSTER), (SPARK_33, CLIENT)),
        contains="SyntaxError: ",
        error="UserCodeError",
        job="""\
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
if spark.range(3).count() > 2  # fails
    print("many")
""",
    ),
    Case(
        name="indentation-error",
        runs=((SPARK_40, CLIENT),),
        contains="IndentationError: unexpected indent",
        error="UserCodeError",
        job="""\
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
  frame = spark.range(3)  # fails
frame.show()
""",
    ),
    Case(
        name="usage",
        runs=((SPARK_35, CLIENT), (SPARK_40, CLUSTER)),
        contains="error: the following arguments are required: --day",
        error="UserCodeError",
        args=("--shop", "7"),
        job="""\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--day", required=True, help="the day to load, e.g. 2024-01-31")
parser.add_argument("--shop", type=int)
options = parser.parse_args()
print(options.day)
""",
    ),
    Case(
        name="exit-code",
        runs=((SPARK_35, CLUSTER),),
        contains="User application exited with status 3",
        error="UserCodeError",
        job=_SESSION
        + """\
import sys

if spark.range(0).count() == 0:
    spark.stop()
    sys.exit(3)
""",
    ),
    Case(
        name="exit-with-words",
        runs=((SPARK_35, CLIENT), (SPARK_33, CLUSTER)),
        contains="no sales on 2024-01-01: nothing to load",
        error="UserCodeError",
        job=_SESSION
        + """\
import sys

if spark.range(0).count() == 0:
    sys.exit("no sales on 2024-01-01: nothing to load")
""",
    ),
    Case(
        name="logged-and-exited",
        runs=((SPARK_35, CLUSTER), (SPARK_40, CLIENT)),
        contains="ZeroDivisionError: division by zero",
        error="UserCodeError",
        job="""\
import logging
import sys

from pyspark.sql import SparkSession

logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
log = logging.getLogger("daily_sales")


def main():
    spark = SparkSession.builder.getOrCreate()
    days = spark.range(0).count()
    log.info("%s days", days)
    return 100 / days  # fails


try:
    main()
except Exception:
    log.exception("the job failed")
    sys.exit(1)
""",
    ),
    Case(
        name="survived-errors",
        runs=((SPARK_35, CLUSTER), (SPARK_33, CLIENT)),
        contains="ValueError: only 1 of 4 partitions could be read",
        error="UserCodeError",
        job="""\
import logging

from pyspark.sql import SparkSession

logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
log = logging.getLogger("daily_sales")
spark = SparkSession.builder.appName("daily-sales").getOrCreate()
jvm_log = spark._jvm.org.apache.log4j.LogManager.getLogger("org.apache.spark.Listing")
good = 0
for shop in range(4):
    try:
        if shop == 2:
            good += 1
        else:
            spark.read.parquet(f"s3://data-lake/sales/shop={shop}")
    except Exception as error:
        log.exception("shop %s can't be read", shop)
        jvm_log.warn("gave up on a partition", getattr(error, "_origin", None))
if good < 4:
    raise ValueError(f"only {good} of 4 partitions could be read")  # fails
""",
    ),
    Case(
        name="noise-after-it",
        runs=((SPARK_35, CLIENT), (SPARK_40, CLUSTER)),
        contains="ValueError: invalid literal for int() with base 10: 'n/a'",
        error="UserCodeError",
        job="""\
import atexit
import logging

from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("daily-sales").getOrCreate()


class Lock:
    def __del__(self):
        raise OSError("the lock is gone")


def release():
    raise ConnectionError("the scheduler's lock can't be released: connection refused")


def report():
    logging.warning("the metrics were not sent", exc_info=TimeoutError("no answer after 5 s"))


atexit.register(release)
atexit.register(report)
lock = Lock()
amounts = [row.amount for row in spark.createDataFrame([("1",), ("n/a",)], ["amount"]).collect()]
print(sum(int(amount) for amount in amounts))  # fails
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
        runs=((SPARK_40, CLIENT), (SPARK_33, CLUSTER)),
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
