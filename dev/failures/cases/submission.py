"""Failures of what is submitted, before the job's own code runs.

On EMR the client fails then in both deploy modes; here, in deploy mode ``cluster``, the driver would.
"""

from __future__ import annotations

from failures.case import CLIENT, SPARK_33, SPARK_35, SPARK_40, Case

_COUNT = """\
from pyspark.sql import SparkSession

print(SparkSession.builder.getOrCreate().range(3).count())
"""

CASES = (
    Case(
        name="missing-main-file",
        runs=((SPARK_35, CLIENT),),
        contains="s3://data-lake/jobs/daily_sales.py",
        about="not_found",
        error="JobNotFoundError",
        command=("spark-submit", "--deploy-mode", "{mode}", "s3://data-lake/jobs/daily_sales.py"),
    ),
    Case(
        name="missing-local-file",
        runs=((SPARK_35, CLIENT),),
        contains="/home/hadoop/daily_sales.py",
        about="not_found",
        error="JobNotFoundError",
        command=("spark-submit", "--deploy-mode", "{mode}", "/home/hadoop/daily_sales.py"),
    ),
    Case(
        name="missing-jar",
        runs=((SPARK_35, CLIENT),),
        contains="s3://data-lake/jars/delta-core.jar",
        about="not_found",
        error="JobNotFoundError",
        options=("--jars", "s3://data-lake/jars/delta-core.jar"),
        job=_COUNT,
    ),
    Case(
        name="unknown-option",
        runs=((SPARK_35, CLIENT),),
        contains="Unrecognized option: --executor-mem",
        error="UserCodeError",
        options=("--executor-mem", "4g"),
        job=_COUNT,
    ),
    Case(
        name="bad-memory-size",
        runs=((SPARK_35, CLIENT),),
        contains="Executor memory must be a positive number",
        error="UserCodeError",
        options=("--conf", "spark.executor.memory=2gigs"),
        job=_COUNT,
    ),
    Case(
        name="bad-setting",
        runs=((SPARK_33, CLIENT), (SPARK_40, CLIENT)),
        # Spark 3.3 says no more than that.
        contains={
            "3.3": "IllegalArgumentException: <exception str() failed>",
            "4.0": "spark.sql.shuffle.partitions",
        },
        error="UserCodeError",
        options=("--conf", "spark.sql.shuffle.partitions=many"),
        job="""\
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
print(spark.range(30).groupBy("id").count().collect())  # fails
""",
    ),
    Case(
        name="script-fails",
        runs=((SPARK_35, CLIENT),),
        contains="load.sh: line 3: SALES_DAY: no day is set",
        error="UserCodeError",
        data={
            "load.sh": '#!/bin/bash\nset -eu\nday=${SALES_DAY:?no day is set}\nspark-sql -e "select $day"\n'
        },
        command=(
            "bash",
            "-c",
            "hadoop fs -get {home}/load.sh . && bash load.sh",
        ),
    ),
    Case(
        name="sql-script",
        runs=((SPARK_35, CLIENT), (SPARK_33, CLIENT)),
        contains={
            "3.3": "Table or view not found: orders",
            "3.5": "[TABLE_OR_VIEW_NOT_FOUND] The table or view `orders` cannot be found",
        },
        about="not_found",
        error="JobNotFoundError",
        data={"report.sql": "show databases;\nselect shop, sum(price) from orders group by shop;\n"},
        command=("spark-sql", "-f", "{home}/report.sql"),
    ),
)
