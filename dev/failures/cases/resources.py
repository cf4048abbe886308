"""Failures for want of memory, and jobs that are killed."""

from __future__ import annotations

from failures.case import CLIENT, CLUSTER, SPARK_33, SPARK_35, SPARK_40, Case

_SESSION = """\
from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("daily-sales").getOrCreate()
"""
CASES = (
    Case(
        name="driver-heap",
        runs=((SPARK_35, CLIENT), (SPARK_33, CLUSTER)),
        contains="java.lang.OutOfMemoryError: Java heap space",
        about="memory",
        error="OutOfMemoryError",
        options=("--driver-memory", "1g", "--conf", "spark.driver.maxResultSize=0"),
        job=_SESSION
        + """\
wide = spark.range(400).selectExpr("id", "repeat(cast(id as string), 4000000) as text")
print(len(wide.collect()))  # fails
""",
    ),
    Case(
        name="scala-heap",
        runs=((SPARK_40, CLIENT), (SPARK_35, CLUSTER)),
        contains="java.lang.OutOfMemoryError: Java heap space",
        about="memory",
        error="OutOfMemoryError",
        options=("--driver-memory", "1g"),
        scala="""\
import org.apache.spark.sql.SparkSession

object Job {
  def main(args: Array[String]): Unit = {
    val spark = SparkSession.builder.appName("daily-sales").getOrCreate()
    val days = spark.range(100).collect().map(_ => new Array[Long](20 * 1024 * 1024))  // fails
    println(days.length)
  }
}
""",
    ),
    Case(
        name="python-memory",
        runs=((SPARK_35, CLUSTER), (SPARK_40, CLIENT)),
        contains="MemoryError",
        about="memory",
        error="OutOfMemoryError",
        job="""\
import resource

from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("daily-sales").getOrCreate()
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
days = [bytearray(256 << 20) for _ in range(spark.range(40).count())]  # fails
print(len(days))
""",
    ),
    Case(
        name="result-too-large",
        runs=((SPARK_35, CLUSTER), (SPARK_33, CLIENT)),
        contains="is bigger than spark.driver.maxResultSize",
        error="UserCodeError",
        options=("--conf", "spark.driver.maxResultSize=1m"),
        job=_SESSION
        + """\
print(len(spark.range(0, 2000000, 1, 4).selectExpr("id", "uuid() as u").collect()))  # fails
""",
    ),
    Case(
        name="executor-heap",
        runs=((SPARK_35, CLIENT),),
        contains="OutOfMemoryError: Java heap space",
        about="memory",
        error="OutOfMemoryError",
        executors="processes",
        job="""\
from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("daily-sales").getOrCreate()
wide = spark.range(0, 2000, 1, 1).selectExpr("collect_list(repeat(cast(id as string), 2000000)) as texts")
print(wide.selectExpr("size(texts)").collect())  # fails
""",
    ),
    Case(
        name="executor-killed",
        runs=((SPARK_35, CLIENT), (SPARK_33, CLIENT)),
        # Spark does not know more: "containers exceeding thresholds, or network issues".
        contains="ExecutorLostFailure",
        error="RunFailedError",
        executors="processes",
        job="""\
import os
import signal

from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("daily-sales").getOrCreate()


def as_the_kernel_does(number):
    # The parent of a Python worker's daemon is the executor.
    with open(f"/proc/{os.getppid()}/stat") as stat:
        os.kill(int(stat.read().rpartition(")")[2].split()[1]), signal.SIGKILL)
    return number


print(spark.sparkContext.parallelize(range(3), 1).map(as_the_kernel_does).collect())  # fails
""",
    ),
    Case(
        name="worker-killed",
        runs=((SPARK_35, CLUSTER), (SPARK_40, CLIENT)),
        contains="Python worker exited unexpectedly (crashed)",
        error="UserCodeError",
        job="""\
import os
import signal

from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("daily-sales").getOrCreate()


def crash(number):
    os.kill(os.getpid(), signal.SIGSEGV)
    return number


print(spark.sparkContext.parallelize(range(3), 1).map(crash).collect())  # fails
""",
    ),
    Case(
        name="driver-terminated",
        runs=((SPARK_35, CLUSTER),),
        contains="143",
        about="memory",
        error="OutOfMemoryError",
        job=_SESSION
        + """\
import os
import signal

print(spark.range(3).count())
os.kill(os.getppid(), signal.SIGTERM)
""",
    ),
    Case(
        name="udf-memory",
        runs=((SPARK_35, CLUSTER),),
        contains="MemoryError",
        about="memory",
        error="OutOfMemoryError",
        job=_SESSION
        + """\
import resource


def history(shop):
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    return len(bytearray(8 << 30))  # fails


print(spark.sparkContext.parallelize(range(3), 1).map(history).sum())
""",
    ),
)
