"""Failures of Scala jobs, and of their classes."""

from __future__ import annotations

from failures.case import CLIENT, CLUSTER, SPARK_33, SPARK_35, SPARK_40, Case

_JOB = """\
import org.apache.spark.sql.SparkSession

object Job {
  def main(args: Array[String]): Unit = {
    val spark = SparkSession.builder.appName("daily-sales").getOrCreate()
    import spark.implicits._
@body@
  }
}
"""
_RATES = """\
package rates

object Rates {
  def of(currency: String@parameter@): Double = 1.09
}
"""


def _job(body: str) -> str:
    return _JOB.replace("@body@", "\n".join(f"    {line}" for line in body.strip().splitlines()))


CASES = (
    Case(
        name="scala-caused-by",
        runs=((SPARK_35, CLIENT), (SPARK_33, CLUSTER), (SPARK_40, CLUSTER)),
        contains='java.lang.NumberFormatException: For input string: "12,5"',
        error="UserCodeError",
        scala=_job(
            """
def price(text: String): Int =
  try text.toInt  // fails
  catch { case error: NumberFormatException => throw new IllegalArgumentException(s"bad price $text", error) }
val prices = Seq("3", "12,5").toDF("price").as[String].collect()
try println(prices.map(price).sum)
catch { case error: IllegalArgumentException => throw new RuntimeException("the day can't be loaded", error) }
"""
        ),
    ),
    Case(
        name="scala-udf",
        runs=((SPARK_35, CLUSTER), (SPARK_33, CLIENT)),
        contains="java.lang.ArithmeticException: / by zero",
        error="UserCodeError",
        scala=_job(
            """
val share = org.apache.spark.sql.functions.udf((number: Int) => 100 / number)  // fails
Seq(4, 2, 0).toDF("n").select(share($"n")).write.mode("overwrite").parquet("hdfs:///tmp/shares")
"""
        ),
    ),
    Case(
        name="scala-assertion",
        runs=((SPARK_40, CLIENT),),
        contains="java.lang.AssertionError: assertion failed: 2 rows have no price",
        error="UserCodeError",
        scala=_job(
            """
val bad = Seq(1, 2).toDF("id").count()
assert(bad == 0, s"$bad rows have no price")  // fails
"""
        ),
    ),
    Case(
        name="missing-main-class",
        runs=((SPARK_35, CLIENT),),
        contains="Failed to load class com.example.DailySales",
        about="not_found",
        error="JobNotFoundError",
        main_class="com.example.DailySales",
        scala=_job("println(spark.range(3).count())"),
    ),
    Case(
        name="missing-class-at-run-time",
        runs=((SPARK_35, CLUSTER),),
        contains="java.lang.ClassNotFoundException: rates.Rates",
        about="not_found",
        error="JobNotFoundError",
        library=_RATES.replace("@parameter@", ""),
        scala=_job('println(spark.range(3).count() * rates.Rates.of("USD"))  // fails'),
    ),
    Case(
        name="library-of-another-version",
        runs=((SPARK_35, CLIENT), (SPARK_33, CLUSTER)),
        contains="java.lang.NoSuchMethodError: 'double rates.Rates$.of(java.lang.String, int)'",
        error="UserCodeError",
        library=_RATES.replace("@parameter@", ", day: Int"),
        shipped=_RATES.replace("@parameter@", ""),
        scala=_job('println(spark.range(3).count() * rates.Rates.of("USD", 7))  // fails'),
    ),
    Case(
        name="scala-of-another-version",
        runs=((SPARK_40, CLUSTER),),
        contains="NoSuchMethodError: 'org.apache.spark.sql.SparkSession$implicits$ org.apache.spark",
        error="UserCodeError",
        compiled_for=SPARK_35,
        scala=_job('println(Seq("a", "b").toDF("city").count())  // fails'),
    ),
    Case(
        name="scala-not-serializable",
        runs=((SPARK_35, CLIENT), (SPARK_40, CLUSTER)),
        contains="java.io.NotSerializableException: Job$Rates",
        error="UserCodeError",
        scala="""\
import org.apache.spark.sql.SparkSession

object Job {
  class Rates { def of(currency: String): Double = 1.09 }

  def main(args: Array[String]): Unit = {
    val spark = SparkSession.builder.appName("daily-sales").getOrCreate()
    val rates = new Rates
    val prices = spark.sparkContext.parallelize(Seq(3.0, 4.0))
    println(prices.map(_ * rates.of("USD")).sum())  // fails
  }
}
""",
    ),
)
