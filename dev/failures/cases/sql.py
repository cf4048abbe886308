# ruff: noqa: S608 - these queries are put together of texts that stand here
"""Failures of queries: what they name, read and write."""

from __future__ import annotations

from failures.case import CLIENT, CLUSTER, SPARK_33, SPARK_35, SPARK_40, Case

_SESSION = """\
from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("daily-sales").getOrCreate()
"""

CASES = (
    Case(
        name="missing-table",
        runs=((SPARK_33, CLIENT), (SPARK_35, CLUSTER), (SPARK_40, CLUSTER)),
        contains={
            "3.3": "Table or view not found: sales.orders",
            "3.5": "[TABLE_OR_VIEW_NOT_FOUND] The table or view `sales`.`orders` cannot be found",
            "4.0": "[TABLE_OR_VIEW_NOT_FOUND] The table or view `sales`.`orders` cannot be found",
        },
        about="not_found",
        error="JobNotFoundError",
        job=_SESSION
        + """\
spark.sql("select shop, sum(price) from sales.orders group by shop").show()  # fails
""",
    ),
    Case(
        name="missing-column",
        runs=((SPARK_33, CLUSTER), (SPARK_35, CLIENT)),
        contains={
            "3.3": "Column 'amont' does not exist",
            "3.5": "[UNRESOLVED_COLUMN.WITH_SUGGESTION]",
            "4.0": "[UNRESOLVED_COLUMN.WITH_SUGGESTION]",
        },
        error="UserCodeError",
        job=_SESSION
        + """\
sales = spark.createDataFrame([("Gent", 3)], ["city", "amount"])
sales.select("city", "amont").show()  # fails
""",
    ),
    Case(
        name="sql-syntax",
        runs=((SPARK_35, CLUSTER), (SPARK_33, CLIENT)),
        contains="yntax error at or near 'sales'",
        error="UserCodeError",
        job=_SESSION
        + """\
QUERY = '''
select city, sum(amount)
form sales
group by city
'''
spark.sql(QUERY).show()  # fails
""",
    ),
    Case(
        name="missing-path",
        runs=((SPARK_33, CLIENT),),
        contains={
            "3.3": "Path does not exist: s3://data-lake/sales/2024-01-01",
            "4.0": "[PATH_NOT_FOUND] Path does not exist: s3://data-lake/sales/2024-01-01",
        },
        about="not_found",
        error="JobNotFoundError",
        job=_SESSION
        + """\
sales = spark.read.parquet("s3://data-lake/sales/2024-01-01")  # fails
sales.show()
""",
    ),
    Case(
        name="missing-hdfs-path",
        runs=((SPARK_35, CLIENT),),
        contains="Path does not exist: hdfs:",
        about="not_found",
        error="JobNotFoundError",
        job=_SESSION
        + """\
print(spark.read.json("hdfs:///user/hadoop/events").count())  # fails
""",
    ),
    Case(
        name="missing-rdd-path",
        runs=((SPARK_35, CLUSTER),),
        contains="Input path does not exist: s3://data-lake/lists/shops.txt",
        about="not_found",
        error="JobNotFoundError",
        job=_SESSION
        + """\
print(spark.sparkContext.textFile("s3://data-lake/lists/shops.txt").count())  # fails
""",
    ),
    Case(
        name="missing-bucket",
        runs=((SPARK_35, CLUSTER), (SPARK_33, CLIENT)),
        contains="data-lake-of-others",
        about="not_found",
        error="JobNotFoundError",
        job=_SESSION
        + """\
spark.range(10).write.parquet("s3://data-lake-of-others/numbers")  # fails
""",
    ),
    Case(
        name="denied-read",
        runs=((SPARK_35, CLUSTER), (SPARK_40, CLIENT)),
        contains="403",
        about="denied",
        error="JobDeniedError",
        job=_SESSION
        + """\
spark.read.csv("s3://payroll/2024/salaries.csv").show()  # fails
""",
    ),
    Case(
        name="denied-write",
        runs=((SPARK_33, CLUSTER), (SPARK_35, CLIENT)),
        contains="403",
        about="denied",
        error="JobDeniedError",
        job=_SESSION
        + """\
spark.range(10).write.parquet("s3://payroll/numbers")  # fails
""",
    ),
    Case(
        name="output-exists",
        runs=((SPARK_33, CLUSTER), (SPARK_40, CLIENT)),
        contains={
            "3.3": "path s3://data-lake/output-exists/days already exists",
            "4.0": "[PATH_ALREADY_EXISTS]",
        },
        error="UserCodeError",
        data={"days/part-0.csv": "2024-01-01\n"},
        job=_SESSION
        + """\
spark.range(10).write.csv("s3://data-lake/output-exists/days")  # fails
""",
    ),
    Case(
        name="duplicate-columns",
        runs=((SPARK_33, CLIENT), (SPARK_35, CLUSTER)),
        contains={"3.3": "Found duplicate column(s)", "3.5": "[COLUMN_ALREADY_EXISTS]"},
        error="UserCodeError",
        job=_SESSION
        + """\
orders = spark.createDataFrame([(1, "Gent")], ["id", "city"])
shops = spark.createDataFrame([("Gent", 7)], ["city", "shop"])
orders.join(shops, orders.city == shops.city).write.parquet("hdfs:///tmp/orders")  # fails
""",
    ),
    Case(
        name="ambiguous-column",
        runs=((SPARK_33, CLUSTER),),
        contains={"3.3": "Reference 'city' is ambiguous", "4.0": "[AMBIGUOUS_REFERENCE]"},
        error="UserCodeError",
        job=_SESSION
        + """\
orders = spark.createDataFrame([(1, "Gent")], ["id", "city"])
shops = spark.createDataFrame([("Gent", 7)], ["city", "shop"])
orders.join(shops, orders.city == shops.city).select("city").show()  # fails
""",
    ),
    Case(
        name="malformed-json",
        runs=((SPARK_35, CLUSTER), (SPARK_33, CLIENT)),
        contains="Unrecognized token 'oops'",
        error="UserCodeError",
        data={"events.json": '{"shop": 1, "amount": 3}\n{"shop": 2, "amount": oops}\n'},
        job=_SESSION
        + """\
reader = spark.read.schema("shop int, amount int").option("mode", "FAILFAST")
events = reader.json("s3://data-lake/malformed-json/events.json")
print(events.groupBy("shop").sum("amount").collect())  # fails
""",
    ),
    Case(
        name="parquet-of-another-type",
        runs=((SPARK_33, CLUSTER), (SPARK_40, CLIENT)),
        contains={
            "3.3": "Column: [id], Expected: int, Found: BINARY",
            "4.0": "reading Parquet column [id]. Expected Spark type int, actual Parquet type BINARY",
        },
        error="UserCodeError",
        job=_SESSION
        + """\
spark.createDataFrame([("A1",), ("B7",)], ["id"]).write.mode("overwrite").parquet("hdfs:///tmp/orders")
orders = spark.read.schema("id int").parquet("hdfs:///tmp/orders")
print(orders.agg({"id": "max"}).first())  # fails
""",
    ),
    Case(
        name="bad-cast",
        runs=((SPARK_35, CLIENT), (SPARK_40, CLUSTER)),
        contains='[CAST_INVALID_INPUT] The value \'n/a\' of the type "STRING" cannot be cast to "INT"',
        error="UserCodeError",
        options=("--conf", "spark.sql.ansi.enabled=true"),
        job=_SESSION
        + """\
sales = spark.createDataFrame([("3",), ("n/a",)], ["amount"])
sales.selectExpr("cast(amount as int) as amount").write.mode("overwrite").parquet("hdfs:///tmp/s")  # fails
""",
    ),
    Case(
        name="sql-divides-by-zero",
        runs=((SPARK_40, CLIENT),),
        contains="[DIVIDE_BY_ZERO] Division by zero",
        error="UserCodeError",
        job=_SESSION
        + """\
spark.range(3).createOrReplaceTempView("days")
spark.sql("select sum(100 / id) from days").show()  # fails
""",
    ),
    Case(
        name="output-removed-meanwhile",
        runs=((SPARK_35, CLUSTER),),
        contains="_temporary",
        about="not_found",
        error="JobNotFoundError",
        job="""\
import threading
import time

from pyspark.sql import SparkSession
from pyspark.sql.functions import udf

spark = SparkSession.builder.appName("daily-sales").getOrCreate()
OUTPUT = "s3://data-lake/daily"


def overwrite_it_too():
    # What a second run of the same job does to the first one's output.
    path = spark._jvm.org.apache.hadoop.fs.Path(OUTPUT + "/_temporary")
    files = path.getFileSystem(spark._jsc.hadoopConfiguration())
    while True:
        time.sleep(0.3)
        files.delete(path, True)


@udf("long")
def slow(number):
    time.sleep(3)
    return number


threading.Thread(target=overwrite_it_too, daemon=True).start()
spark.range(0, 8, 1, 2).select(slow("id").alias("id")).write.mode("overwrite").parquet(OUTPUT)  # fails
""",
    ),
    Case(
        name="slow-broadcast",
        runs=((SPARK_35, CLIENT),),
        contains="Could not execute broadcast in 2 secs",
        error="UserCodeError",
        options=("--conf", "spark.sql.broadcastTimeout=2", "--conf", "spark.sql.adaptive.enabled=false"),
        job="""\
import time

from pyspark.sql import SparkSession
from pyspark.sql.functions import broadcast, udf

spark = SparkSession.builder.appName("daily-sales").getOrCreate()


@udf("long")
def slow(number):
    time.sleep(5)
    return number


shops = spark.range(2).select(slow("id").alias("id"))
print(spark.range(10).join(broadcast(shops), "id").collect())  # fails
""",
    ),
    Case(
        name="missing-data-source",
        runs=((SPARK_35, CLUSTER), (SPARK_33, CLIENT)),
        contains={
            "3.3": "Failed to find data source: delta",
            "3.5": "[DATA_SOURCE_NOT_FOUND] Failed to find the data source: delta",
        },
        about="not_found",
        error="JobNotFoundError",
        job=_SESSION
        + """\
spark.read.format("delta").load("s3://data-lake/orders").show()  # fails
""",
    ),
    Case(
        name="missing-jdbc-driver",
        runs=((SPARK_40, CLUSTER),),
        contains="java.lang.ClassNotFoundException: org.postgresql.Driver",
        about="not_found",
        error="JobNotFoundError",
        job=_SESSION
        + """\
reader = spark.read.format("jdbc").option("driver", "org.postgresql.Driver")
reader.options(url="jdbc:postgresql://10.0.0.7/shop", dbtable="orders").load().show()  # fails
""",
    ),
    Case(
        name="missing-database",
        runs=((SPARK_35, CLIENT), (SPARK_33, CLUSTER)),
        contains={
            "3.3": "Database 'sales_2024' does not exist",
            "3.5": "[SCHEMA_NOT_FOUND] The schema `sales_2024`",
        },
        about="not_found",
        error="JobNotFoundError",
        job=_SESSION
        + """\
spark.catalog.setCurrentDatabase("sales_2024")  # fails
spark.table("orders").show()
""",
    ),
)
