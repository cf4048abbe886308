"""Exceptions of a job's own Python, on the driver."""

from __future__ import annotations

from failures.case import CLIENT, CLUSTER, SPARK_33, SPARK_35, Case

_SESSION = """\
from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("daily-sales").getOrCreate()
"""

CASES = (
    Case(
        name="value-error",
        runs=((SPARK_33, CLUSTER),),
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
        runs=((SPARK_33, CLUSTER),),
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
        runs=((SPARK_35, CLIENT),),
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
        runs=((SPARK_35, CLUSTER),),
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
        runs=((SPARK_33, CLIENT),),
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
        name="exception-group",
        runs=((SPARK_35, CLIENT),),
        contains="ExceptionGroup: 2 of 3 shops failed (2 sub-exceptions)",
        error="UserCodeError",
        job=_SESSION
        + """\
def load(shop):
    if shop != 1:
        raise LookupError(f"shop {shop} has no rows")  # fails
    return spark.range(shop)


failed = []
for shop in range(3):
    try:
        load(shop)
    except LookupError as error:
        failed.append(error)
if failed:
    raise ExceptionGroup(f"{len(failed)} of 3 shops failed", failed)
""",
    ),
    Case(
        name="recursion",
        runs=((SPARK_35, CLUSTER),),
        contains="RecursionError: maximum recursion depth exceeded",
        error="UserCodeError",
        job=_SESSION
        + """\
def depth(tree):
    return 1 + max(depth(branch) for branch in [tree])  # fails


print(depth({"shops": spark.range(3).count()}))
""",
    ),
)
