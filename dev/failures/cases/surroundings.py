"""Failures of what a Python job finds where it runs: modules, files, variables, arguments, services."""

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
        name="bad-encoding",
        runs=((SPARK_33, CLIENT),),
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
        runs=((SPARK_35, CLUSTER),),
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
        runs=((SPARK_35, CLIENT),),
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
        name="shadowed-module",
        runs=((SPARK_40, CLIENT),),
        contains="ImportError: cannot import name '_NoValue' from partially initialized module 'pyspark'",
        error="UserCodeError",
        # Python finds it instead of its own module.
        script="subprocess.py",
        job="""\
from pyspark.sql import SparkSession  # fails

print(SparkSession.builder.getOrCreate().range(3).count())
""",
    ),
    Case(
        name="failed-command",
        runs=((SPARK_40, CLIENT), (SPARK_33, CLUSTER)),
        contains="CalledProcessError: Command '['tar', '-xzf', 'rates.tar.gz']' returned non-zero exit",
        error="UserCodeError",
        job=_SESSION
        + """\
import subprocess

print(spark.range(3).count(), "days")
subprocess.run(["tar", "-xzf", "rates.tar.gz"], check=True)  # fails
""",
    ),
    Case(
        name="connection-refused",
        runs=((SPARK_35, CLUSTER),),
        contains="Connection refused",
        error="UserCodeError",
        job=_SESSION
        + """\
import urllib.request


def rates():
    with urllib.request.urlopen("http://127.0.0.1:9/rates?day=2024-01-01", timeout=5) as answer:  # fails
        return answer.read()


print(spark.range(3).count(), rates())
""",
    ),
    Case(
        name="disk-full",
        runs=((SPARK_40, CLUSTER),),
        contains="OSError: [Errno 28] No space left on device",
        error="UserCodeError",
        job=_SESSION
        + """\
rows = spark.range(2000).collect()
with open("/dev/full", "w", buffering=1) as report:  # fails
    for row in rows:
        report.write(f"{row.id}\\n")
""",
    ),
    Case(
        name="denied-by-boto3",
        runs=((SPARK_35, CLIENT),),
        contains="ClientError: An error occurred (403) when calling the HeadObject operation",
        about="denied",
        error="JobDeniedError",
        # It is on EMR's nodes.
        command=(
            "bash",
            "-c",
            "python3 -m pip install --quiet boto3 && spark-submit {home}/{file}",
        ),
        job=_SESSION
        + """\
import boto3

s3 = boto3.client("s3")
print(spark.range(3).count(), s3.head_object(Bucket="payroll", Key="2024/salaries.csv"))  # fails
""",
    ),
)
