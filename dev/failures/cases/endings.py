"""Jobs that say more, or less, than why they fail."""

from __future__ import annotations

from failures.case import CLIENT, CLUSTER, SPARK_33, SPARK_35, SPARK_40, Case

_SESSION = """\
from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("daily-sales").getOrCreate()
"""

CASES = (
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
        runs=((SPARK_35, CLUSTER),),
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
        name="stopped-session",
        runs=((SPARK_35, CLIENT), (SPARK_33, CLUSTER)),
        contains={
            "3.3": "Cannot call methods on a stopped SparkContext",
            "3.5": "Cannot call methods on a stopped SparkContext",
        },
        error="UserCodeError",
        job=_SESSION
        + """\
days = spark.range(3)
spark.stop()
print(days.count())  # fails
""",
    ),
)
