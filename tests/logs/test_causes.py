# ruff: noqa: E501 - logs are as they are
from __future__ import annotations

import pytest

from airflow_provider_emrkit.logs.causes import LogText, find_cause

PYTHON = """\
24/01/01 00:00:00 INFO SparkContext: Running Spark version 3.5.6
Traceback (most recent call last):
  File "/mnt/tmp/spark-1/daily.py", line 12, in <module>
    main()
  File "/mnt/tmp/spark-1/daily.py", line 7, in main
    raise ValueError(f"no such day: {day}")
ValueError: no such day: 2024-02-30
24/01/01 00:00:01 INFO ShutdownHookManager: Shutdown hook called"""

CHAINED = """\
Traceback (most recent call last):
  File "/mnt/tmp/daily.py", line 3, in load
    return table[name]
KeyError: 'sales'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/mnt/tmp/daily.py", line 9, in <module>
    load()
RuntimeError: table sales is not configured"""

ANALYSIS = """\
Traceback (most recent call last):
  File "/mnt/tmp/spark-1/daily.py", line 5, in <module>
    spark.table("nowhere.sales").show()
  File "/usr/lib/spark/python/lib/pyspark.zip/pyspark/sql/session.py", line 1667, in table
  File "/usr/lib/spark/python/lib/pyspark.zip/pyspark/errors/exceptions/captured.py", line 185, in deco
pyspark.errors.exceptions.captured.AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] The table or view `nowhere`.`sales` cannot be found."""

EXECUTOR_PYTHON = """\
Traceback (most recent call last):
  File "/mnt/tmp/daily.py", line 8, in <module>
    df.rdd.map(parse).collect()
  File "/usr/lib/spark/python/lib/py4j-0.10.9.7-src.zip/py4j/protocol.py", line 326, in get_return_value
py4j.protocol.Py4JJavaError: An error occurred while calling z:org.apache.spark.api.python.PythonRDD.collectAndServe.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 0.0 failed 4 times
\tat org.apache.spark.scheduler.DAGScheduler.failJobAndIndependentStages(DAGScheduler.scala:2898)
Caused by: org.apache.spark.api.python.PythonException: Traceback (most recent call last):
  File "/usr/lib/spark/python/lib/pyspark.zip/pyspark/worker.py", line 1247, in main
    process()
  File "/mnt/tmp/daily.py", line 4, in parse
    return int(row)
ValueError: invalid literal for int() with base 10: 'x'

\tat org.apache.spark.api.python.BasePythonRunner$ReaderIterator.handlePythonException(PythonRunner.scala:572)"""

DENIED = """\
Traceback (most recent call last):
  File "/mnt/tmp/daily.py", line 3, in <module>
    spark.read.parquet("s3://secret/x")
py4j.protocol.Py4JJavaError: An error occurred while calling o40.parquet.
: java.nio.file.AccessDeniedException: s3://secret/x: getFileStatus
\tat org.apache.hadoop.fs.s3a.S3AUtils.translateException(S3AUtils.java:255)
Caused by: com.amazonaws.services.s3.model.AmazonS3Exception: Forbidden (Service: Amazon S3; Status Code: 403)
\t... 26 more"""

JAVA = """\
Exception in thread "main" org.apache.spark.SparkException: Job aborted due to stage failure
\tat org.apache.spark.SparkContext.runJob(SparkContext.scala:2261)
Caused by: java.lang.RuntimeException: could not load
\tat com.example.Etl.load(Etl.java:44)
Caused by: java.lang.IllegalStateException: no driver for jdbc:foo
\tat com.example.Etl.connect(Etl.java:12)
\t... 10 more"""

SUBMIT_CLASS = "Error: Failed to load class com.example.Nope."

NO_FILE = "python3: can't open file '/mnt/tmp/spark-1/daily.py': [Errno 2] No such file or directory"

USER_CLASS = """\
24/01/01 00:00:00 INFO Client: Application report for application_1700000000000_0001 (state: FINISHED)
24/01/01 00:00:00 INFO Client:
\t client token: N/A
\t diagnostics: User application exited with status 1
Exception in thread "main" org.apache.spark.SparkException: Application application_1700000000000_0001 finished with failed status
\tat org.apache.spark.deploy.yarn.Client.run(Client.scala:1327)"""

OOM = """\
24/01/01 00:00:00 ERROR Executor: Exception in task 0.0 in stage 0.0 (TID 0)
java.lang.OutOfMemoryError: Java heap space
\tat java.util.Arrays.copyOf(Arrays.java:3332)"""

YARN_KILL = (
    "24/01/01 WARN YarnAllocator: Container killed by YARN for exceeding memory limits. 5.5 GB of 5.5 GB used"
)

SYNTAX = """\
  File "/mnt/tmp/spark-1/daily.py", line 3
    print("hi"
         ^
SyntaxError: '(' was never closed"""

NO_MODULE = """\
Traceback (most recent call last):
  File "/mnt/tmp/spark-1/daily.py", line 1, in <module>
    import pandas
ModuleNotFoundError: No module named 'pandas\'"""


@pytest.mark.parametrize(
    ("log", "message", "kind", "place"),
    [
        pytest.param(PYTHON, "ValueError: no such day: 2024-02-30", "python", "daily.py line 7", id="python"),
        pytest.param(
            CHAINED, "RuntimeError: table sales is not configured", "python", "daily.py line 9", id="chained"
        ),
        pytest.param(
            ANALYSIS, "AnalysisException: [TABLE_OR_VIEW_NOT_FOUND]", "python", "daily.py line 5", id="sql"
        ),
        pytest.param(
            EXECUTOR_PYTHON,
            "ValueError: invalid literal for int()",
            "python",
            "daily.py line 4",
            id="python worker",
        ),
        pytest.param(DENIED, "AmazonS3Exception: Forbidden", "java", "daily.py line 3", id="denied S3"),
        pytest.param(
            JAVA, "java.lang.IllegalStateException: no driver for jdbc:foo", "java", "Etl.java line 12", id="java"
        ),
        pytest.param(SUBMIT_CLASS, "Failed to load class com.example.Nope", "submit", "", id="no class"),
        pytest.param(NO_FILE, "can't open file", "submit", "", id="no file"),
        pytest.param(OOM, "java.lang.OutOfMemoryError: Java heap space", "memory", "", id="heap"),
        pytest.param(
            YARN_KILL, "Container killed by YARN for exceeding memory limits.", "memory", "", id="YARN"
        ),
        pytest.param(SYNTAX, "SyntaxError: '(' was never closed", "python", "daily.py line 3", id="syntax"),
        pytest.param(NO_MODULE, "No module named 'pandas'", "python", "daily.py line 1", id="module"),
    ],
)
def test_the_cause_is_found(log, message, kind, place):
    cause = find_cause([LogText("stderr", log.splitlines())])
    assert message in cause.message
    assert (cause.kind, cause.place, cause.source) == (kind, place, "stderr")
    assert message.split(":")[0].split(" ")[-1] in log.splitlines()[cause.line - 1]


def test_the_driver_s_word_counts_more_than_what_spark_submit_makes_of_it():
    texts = [LogText("driver stderr", PYTHON.splitlines()), LogText("submit", USER_CLASS.splitlines())]
    assert find_cause(texts).source == "driver stderr"


def test_spark_submit_s_word_is_better_than_none():
    cause = find_cause([LogText("submit", USER_CLASS.splitlines())], "Unknown Error.")
    assert cause.message == "User application exited with status 1"


@pytest.mark.parametrize(
    ("log", "about"),
    [
        pytest.param(NO_MODULE, "not_found", id="module"),
        pytest.param(DENIED, "denied", id="denied"),
        pytest.param(OOM, "memory", id="memory"),
        pytest.param("docker: manifest unknown: no such tag", "docker", id="docker"),
        pytest.param("Diagnostics: Container released on a *lost* node", "node", id="node"),
        pytest.param(PYTHON, "", id="something of the job's own"),
    ],
)
def test_what_it_is_about_is_told_where_it_is_known(log, about):
    assert find_cause([LogText("stderr", log.splitlines())]).about == about


def test_a_line_that_quotes_a_failure_is_not_quoted_whole():
    log = "24/01/01 WARN YarnAllocator: Container released on a *lost* node, 17 of 20 left"
    assert find_cause([LogText("stderr", [log])]).message == "Container released on a *lost* node"


@pytest.mark.parametrize(
    ("log", "hint"),
    [
        pytest.param(NO_MODULE, "py_files", id="module"),
        pytest.param(DENIED, "instance profile", id="denied"),
        pytest.param(OOM, "spark.executor.memory", id="memory"),
        pytest.param(SUBMIT_CLASS, "main_class", id="class"),
        pytest.param(ANALYSIS, "table's name", id="table"),
        pytest.param(PYTHON, "", id="none"),
    ],
)
def test_a_hint_is_given_where_there_is_one(log, hint):
    assert hint in find_cause([LogText("stderr", log.splitlines())]).hint


def test_emr_is_quoted_when_the_logs_are_silent():
    cause = find_cause([LogText("stderr", ["nothing special"])], "Exit status 1")
    assert (cause.message, cause.kind, cause.sentence()) == ("Exit status 1", "api", "Exit status 1")
    assert find_cause([]).message == "the logs do not say why"


def test_a_cause_is_one_short_line_whatever_the_log_holds():
    hostile = ["Traceback (most recent call last):", "ValueError: \x1b[31m" + "x" * 100_000]
    sentence = find_cause([LogText("stderr", hostile)]).sentence()
    assert len(sentence) < 500
    assert "\x1b" not in sentence
