# ruff: noqa: E501 - logs are as they are
from __future__ import annotations

import pickle
import time

import pytest

from airflow_provider_emrkit.logs.causes import Cause, LogText, find_cause, is_definite

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
            JAVA,
            "java.lang.IllegalStateException: no driver for jdbc:foo",
            "java",
            "Etl.java line 12",
            id="java",
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
        pytest.param(
            "Shell error output: docker: Error response from daemon: manifest unknown: no such tag",
            "docker",
            id="docker",
        ),
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
        pytest.param(
            "Traceback (most recent call last):\nOSError: [Errno 28] No space left on device",
            "EBS",
            id="disk, which is about nothing else",
        ),
    ],
)
def test_a_hint_is_given_where_there_is_one(log, hint):
    assert hint in find_cause([LogText("stderr", log.splitlines())]).hint


def test_emr_is_quoted_when_the_logs_are_silent():
    cause = find_cause([LogText("stderr", ["24/01/01 00:00:00 INFO A: fine"])], "Exit status 1")
    assert (cause.message, cause.kind, cause.sentence()) == ("Exit status 1", "api", "Exit status 1")
    assert find_cause([]).message == "the logs do not say why"


def test_the_last_line_is_given_with_emr_s_words_where_nothing_tells():
    cause = find_cause([LogText("stdout", ["3 shops", "no sales"])], "Unknown Error.")
    assert (cause.message, cause.kind) == ("Unknown Error; its last line: no sales", "api")
    assert cause.line == 2


def test_a_cause_is_one_short_line_whatever_the_log_holds():
    hostile = ["Traceback (most recent call last):", "ValueError: \x1b[31m" + "x" * 100_000]
    sentence = find_cause([LogText("stderr", hostile)]).sentence()
    assert len(sentence) < 500
    assert "\x1b" not in sentence


def lines(*texts: str) -> list[str]:
    return [line for text in texts for line in text.splitlines()]


def cause_of(*texts: str, emr: str = "Unknown Error.") -> Cause:
    """Find the cause in one log."""
    return find_cause([LogText("stderr", lines(*texts))], emr)


LOGGED = """\
2024-01-01 00:00:00,123 {level} daily: price service: trying again
Traceback (most recent call last):
  File "/mnt/tmp/daily.py", line 21, in prices
    return fetch(day)
TimeoutError: no answer"""
SUBMIT_EXIT = "\t diagnostics: User application exited with status {status}"
DURING = """\
Traceback (most recent call last):
  File "/mnt/tmp/daily.py", line 5, in <module>
    load()
ValueError: no day

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/mnt/tmp/daily.py", line 8, in <module>
    report(error)
NameError: name 'repotr' is not defined"""
STOPPED = """\
Traceback (most recent call last):
  File "/mnt/tmp/daily.py", line 5, in <module>
    load()
ValueError: no day

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/mnt/tmp/daily.py", line 8, in <module>
    spark.stop()
  File "/usr/lib/spark/python/lib/py4j-0.10.9.7-src.zip/py4j/clientserver.py", line 503, in send_command
ConnectionRefusedError: [Errno 111] Connection refused"""
GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "/mnt/tmp/daily.py", line 3, in <module>
  |     raise ExceptionGroup("2 loads failed", errors)
  | ExceptionGroup: 2 loads failed (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: no day
    +---------------- 2 ----------------
    | KeyError: 'sales'
    +------------------------------------"""
PARSE = """\
Traceback (most recent call last):
  File "/mnt/tmp/daily.py", line 5, in <module>
    spark.sql(query)
  File "/usr/lib/spark/python/lib/pyspark.zip/pyspark/sql/utils.py", line 117, in deco
pyspark.sql.utils.ParseException:
Syntax error at or near 'FRM'(line 1, pos 9)

== SQL ==
SELECT * FRM sales
---------^^^
"""
STAGE = """\
Exception in thread "main" org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times, most recent failure: Lost task 0.3 in stage 1.0 (TID 4) (ip-10-0-0-7 executor 2): java.lang.ArithmeticException: / by zero
\tat com.example.Etl$.share(Etl.scala:12)
\tat org.apache.spark.scheduler.Task.run(Task.scala:141)

Driver stacktrace:
\tat org.apache.spark.scheduler.DAGScheduler.failJobAndIndependentStages(DAGScheduler.scala:2844)"""
CRASHED = """\
Traceback (most recent call last):
  File "/mnt/tmp/daily.py", line 8, in <module>
    df.count()
  File "/usr/lib/spark/python/lib/py4j-0.10.9.7-src.zip/py4j/protocol.py", line 326, in get_return_value
py4j.protocol.Py4JJavaError: An error occurred while calling o75.count.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times, most recent failure: Lost task 0.3 in stage 1.0 (TID 4) (ip-10-0-0-7 executor 2): org.apache.spark.SparkException: Python worker exited unexpectedly (crashed)
\tat org.apache.spark.api.python.BasePythonRunner$ReaderIterator$$anonfun$1.applyOrElse(PythonRunner.scala:612)
Caused by: java.io.EOFException
\tat java.base/java.io.DataInputStream.readInt(DataInputStream.java:398)"""
DISASSOCIATED = STAGE.replace(
    "java.lang.ArithmeticException: / by zero",
    "ExecutorLostFailure (executor 2 exited caused by one of the running tasks) Reason: Remote RPC client disassociated. Likely due to containers exceeding thresholds, or network issues. Check driver logs for WARN messages.",
)
EXECUTOR_HEAP = """\
24/01/01 00:00:00 ERROR SparkUncaughtExceptionHandler: Uncaught exception in thread Thread[Executor task launch worker for task 0.3 in stage 1.0 (TID 4),5,main]
java.lang.OutOfMemoryError: Java heap space
\tat java.util.Arrays.copyOf(Arrays.java:3332)"""
STRUCTURED = (
    '{"ts":"2024-01-01T00:00:00.000Z","level":"ERROR","msg":"User class threw exception: ","exception":{"class":'
    '"org.apache.spark.SparkException","msg":"Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times, '
    "most recent failure: Lost task 0.3 in stage 1.0 (TID 4) (ip-10-0-0-7 executor 2): java.lang.IllegalState"
    'Exception: no rate for \\"CHF\\"\\n\\tat com.example.Rates.of(Rates.scala:9)","stacktrace":[{"class":"org'
)
AUTO_CLOSE = """\
Exception in thread "main" java.lang.IllegalStateException: no rows
\tat com.example.Etl.main(Etl.java:9)
\tSuppressed: java.io.IOException: already closed
\t\tat com.example.Etl.close(Etl.java:30)
\tCaused by: java.net.SocketException: Socket closed
\t\t... 3 more"""
AFTERMATH = """\
24/01/01 00:00:02 ERROR Utils: Uncaught exception in thread shutdown-hook-0
java.lang.IllegalStateException: Shutdown in progress
\tat java.base/java.lang.ApplicationShutdownHooks.add(ApplicationShutdownHooks.java:66)
24/01/01 00:00:02 ERROR ShutdownHookManager: Exception while deleting Spark temp dir: /mnt/tmp/spark-1
java.nio.file.NoSuchFileException: /mnt/tmp/spark-1
\tat java.base/sun.nio.fs.UnixException.translateToIOException(UnixException.java:92)
24/01/01 00:00:02 ERROR TransportRequestHandler: Error while invoking RpcHandler#receive() for one-way message.
org.apache.spark.SparkException: Could not find CoarseGrainedScheduler.
\tat org.apache.spark.rpc.netty.Dispatcher.postMessage(Dispatcher.scala:178)
Exception in thread "shutdown-hook-1" java.lang.NoClassDefFoundError: org/apache/hadoop/Late
\tat org.apache.hadoop.util.ShutdownHookManager.run(ShutdownHookManager.java:9)"""
RECOVERED = """\
24/01/01 00:00:00 WARN TaskSetManager: Lost task 0.0 in stage 0.0 (TID 0) (ip-10-0-0-7 executor 1): java.lang.IllegalStateException: flaky
\tat com.example.Etl.load(Etl.java:7)
24/01/01 00:00:01 WARN YarnAllocator: Container from a bad node: container_1700000000000_0001_01_000002 on host: ip-10-0-0-7. Exit status: 137. Diagnostics: killed
24/01/01 00:00:02 INFO TaskSetManager: Finished task 0.1 in stage 0.0 (TID 1) in 85 ms on ip-10-0-0-8 (executor 2) (1/1)"""
BROKEN_AFTER_MEMORY = """\
java.lang.OutOfMemoryError: Java heap space
\tat java.base/java.util.Arrays.copyOf(Arrays.java:3537)
24/01/01 00:00:02 ERROR SparkContext: Error stopping SparkContext
java.io.IOException: Broken pipe
\tat java.base/sun.nio.ch.FileDispatcherImpl.write0(Native Method)
Exception in thread "main" java.lang.IllegalStateException: Cannot call methods on a stopped SparkContext.
\tat org.apache.spark.SparkContext.assertNotStopped(SparkContext.scala:122)"""
CRASH = """\
Fatal Python error: Segmentation fault

Current thread 0x00007f2a (most recent call first):
  File "/usr/lib/python3.9/site-packages/numpy/core/x.py", line 2 in dot
  File "/mnt/tmp/daily.py", line 4 in share

Extension modules: numpy.core._multiarray_umath (total: 1)
\t diagnostics: User application exited with status 139"""
IN_ONE_RECORD = """\
2024-01-01 00:00:00,123 ERROR daily: Traceback (most recent call last):
  File "/mnt/tmp/daily.py", line 21, in prices
    return fetch(day)
TimeoutError: no answer
\t diagnostics: User application exited with status 1"""
FRAME = """\
24/01/01 00:00:09 INFO Client:
\t client token: N/A
\t diagnostics: Application application_1700000000000_0001 failed 2 times due to AM Container for appattempt_1700000000000_0001_000002 exited with  exitCode: 1
Failing this attempt.Diagnostics: [2024-01-01 00:00:08.812]Exception from container-launch.
Container id: container_1700000000000_0001_02_000001
Exit code: 1
[2024-01-01 00:00:08.813]Container exited with a non-zero exit code 1. Error file: prelaunch.err.
Last 4096 bytes of prelaunch.err :
Last 4096 bytes of stderr :
{said}

For more detailed output, check the application tracking page: http://ip-10-0-0-1:8088/
\t ApplicationMaster host: N/A
Exception in thread "main" org.apache.spark.SparkException: Application application_1700000000000_0001 finished with failed status
\tat org.apache.spark.deploy.yarn.Client.run(Client.scala:1327)"""
USER_CLASS_THREW = """\
24/01/01 00:00:05 ERROR ApplicationMaster: User class threw exception:
java.util.concurrent.ExecutionException: java.lang.IllegalArgumentException: no table
\tat java.base/java.util.concurrent.FutureTask.report(FutureTask.java:122)
Caused by: java.lang.IllegalArgumentException: no table
\tat com.example.Etl.main(Etl.java:7)
24/01/01 00:00:05 INFO ApplicationMaster: Final app status: FAILED, exitCode: 15, (reason: User class threw exception: java.util.concurrent.ExecutionException)"""


@pytest.mark.parametrize(
    ("log", "message", "place"),
    [
        pytest.param(
            CHAINED, "RuntimeError: table sales is not configured, caused by KeyError: 'sales'", "daily.py line 9", id="raise from"
        ),
        pytest.param(
            DURING, "NameError: name 'repotr' is not defined, while handling ValueError: no day", "daily.py line 8", id="in a handler"
        ),
        pytest.param(STOPPED, "ValueError: no day", "daily.py line 5", id="the JVM went away in a handler"),
        pytest.param(GROUP, "ExceptionGroup: 2 loads failed (2 sub-exceptions); ValueError: no day; KeyError: 'sales'", "daily.py line 3", id="group"),
        pytest.param(
            PARSE, "pyspark.sql.utils.ParseException: Syntax error at or near 'FRM'(line 1, pos 9)", "daily.py line 5", id="message on the next line"
        ),
        pytest.param(STAGE, "java.lang.ArithmeticException: / by zero", "Etl.scala line 12", id="task of a stage"),
        pytest.param(STRUCTURED, 'java.lang.IllegalStateException: no rate for "CHF" at com.example.Rates.of(Rates.scala:9)', "", id="JSON, cut"),
        pytest.param(CRASH, "Fatal Python error: Segmentation fault", "daily.py line 4", id="interpreter crashed"),
        pytest.param(IN_ONE_RECORD, "TimeoutError: no answer", "daily.py line 21", id="in a record"),
        pytest.param(AUTO_CLOSE, "java.lang.IllegalStateException: no rows", "Etl.java line 9", id="suppressed"),
        pytest.param(USER_CLASS_THREW, "java.lang.IllegalArgumentException: no table", "Etl.java line 7", id="user class threw"),
        pytest.param(FRAME.format(said="Error: Could not find or load main class org.apache.spark.Nope"), "Error: Could not find or load main class org.apache.spark.Nope", "", id="container's own words"),
        pytest.param(FRAME.format(said="/bin/bash: line 1: oops: bad substitution"), "/bin/bash: line 1: oops: bad substitution", "", id="any words of a container"),
    ],
)  # fmt: skip
def test_the_exception_that_began_it_all_is_named(log, message, place):
    cause = cause_of(log)
    assert (cause.message, cause.place) == (message, place)
    assert is_definite(cause)


@pytest.mark.parametrize(
    ("log", "message"),
    [
        pytest.param(lines(LOGGED.format(level="WARNING"), PYTHON), "ValueError: no such day", id="a warning before"),
        pytest.param(lines(LOGGED.format(level="ERROR"), PYTHON), "ValueError: no such day", id="an error before"),
        pytest.param(
            lines(LOGGED.format(level="ERROR"), "3 of 7 checks failed", SUBMIT_EXIT.format(status=1)), "3 of 7 checks failed", id="words after a logged error"
        ),
        pytest.param(lines(LOGGED.format(level="ERROR"), SUBMIT_EXIT.format(status=1)), "TimeoutError: no answer", id="logged, then exit"),
        pytest.param(
            lines(PYTHON.replace("ValueError: no such day: 2024-02-30", "ValueError: skipped"), "giving up: 7 of 9 skipped", SUBMIT_EXIT.format(status=3)),
            "giving up: 7 of 9 skipped", id="printed, then an exit with words",
        ),
        pytest.param(lines(PYTHON, AFTERMATH), "ValueError: no such day", id="aftermath"),
        pytest.param(lines(STAGE, AFTERMATH), "ArithmeticException", id="aftermath in the JVM"),
        pytest.param(lines(RECOVERED, PYTHON), "ValueError: no such day", id="recovered task"),
        pytest.param(lines(RECOVERED, JAVA), "no driver for jdbc:foo", id="recovered task, then Java"),
        pytest.param(lines(RECOVERED, "no sales: nothing to load", SUBMIT_EXIT.format(status=1)), "no sales: nothing to load", id="recovered executor, then exit"),
        pytest.param(lines(PYTHON, "Error in atexit._run_exitfuncs:", "Traceback (most recent call last):", "OSError: closed"), "ValueError: no such day", id="atexit"),
        pytest.param(lines(PYTHON, "Exception ignored in: <function Pool.__del__ at 0x7f>", "Traceback (most recent call last):", "OSError: closed"), "ValueError: no such day", id="destructor"),
        pytest.param(lines(BROKEN_AFTER_MEMORY), "java.lang.OutOfMemoryError: Java heap space", id="broken pipe after memory"),
    ],
)  # fmt: skip
def test_false_friends_are_told_from_the_true_cause(log, message):
    assert message in cause_of(*log).message


@pytest.mark.parametrize(
    ("driver", "kind"),
    [pytest.param(CRASHED, "java", id="worker crashed"), pytest.param(DISASSOCIATED, "unknown", id="lost")],
)
def test_an_executor_s_own_log_tells_what_the_driver_does_not_know(driver, kind):
    alone = find_cause([LogText("stderr", lines(driver))])
    assert (alone.kind, is_definite(alone)) == (kind, False)
    both = find_cause([LogText("stderr", lines(driver)), LogText("executor 2", lines(EXECUTOR_HEAP))])
    assert (both.source, both.kind) == ("executor 2", "memory")


def test_emr_s_words_do_not_hide_what_the_logs_say():
    assert cause_of(PYTHON, emr="java.lang.OutOfMemoryError: somewhere").message.startswith("ValueError")


def test_emr_s_quotation_counts_where_the_logs_say_little():
    texts = [LogText("submit", FRAME.format(said="").splitlines())]
    assert (
        find_cause(texts, "Unknown Error.; ValueError: no day").message
        == "Unknown Error.; ValueError: no day"
    )


def test_a_cause_names_the_lines_it_was_read_from():
    text = LogText("stderr of x", ["first", "second", *lines(PYTHON)], link="https://console/x")
    cause = find_cause([text])
    assert (cause.first, cause.line, cause.last, cause.of_last) == (4, 9, 9, 0)
    assert cause.sentence() == (
        "ValueError: no such day: 2024-02-30 (daily.py line 7; lines 4-9 of stderr of x) - https://console/x"
    )


@pytest.mark.parametrize(
    ("before", "where"),
    [
        pytest.param(1_200, "lines 1,202-1,207 of stderr", id="known"),
        pytest.param(None, "lines 2-7 of the last 8 of stderr", id="unknown"),
    ],
)
def test_lines_are_counted_in_the_whole_log_where_that_can_be(before, where):
    assert f"; {where})" in find_cause([LogText("stderr", lines(PYTHON), before)]).sentence()


def test_a_line_that_was_cut_is_no_cause():
    assert cause_of('Exception in thread "main" ', "\tat a.B.c(B.java:1)").message == "Unknown Error."


def test_a_cause_can_be_pickled_and_made_of_little():
    cause = cause_of(PYTHON)
    assert pickle.loads(pickle.dumps(cause)) == cause
    assert Cause("no day", "python", "stderr", 3).sentence() == "no day (line 3 of stderr)"


SLOW = [
    "Container x is running beyond ",
    "x",
    "image: ",
    "_.",
    "a.B",
    "Caused by: a.B: ",
    "java.lang.OutOfMemoryError: ",
]
SLOW += [
    "  + Exception Group Traceback (most recent call last):",
    "Traceback (most recent call last):",
    "\tat a.b(c:1)",
]
SLOW += [
    "24/01/01 00:00:00 ERROR A: ",
    "2024-01-01 00:00:00 ",
    '{"level":"ERROR","exception":{"class":"a","msg":"\\\\',
]
SLOW += [
    "\t diagnostics: User class threw exception ",
    ' File "',
    "/bin/java: No such file",
    "manifest for ",
    "0 ",
    " 143 137",
]
SLOW += [
    "docker: Error: ",
    "Shell error output: docker: not found ",
    "docker: Error response from daemon: no such host python java: manifest ",
    "Shell error output: image: User: mount list ",
    "Shell error output: / pythonpython3: invalid ",
]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", SLOW)
def test_a_log_that_was_made_to_be_slow_is_not(piece):
    """16 MB in 10,000 lines: 0.1 to 0.2 s; where a pattern goes over a line again and again it takes minutes."""
    log = [(piece * 1_600)[:1_600]] * 10_000

    def seconds() -> float:
        began = time.process_time()
        find_cause([LogText("stderr", log)])
        return time.process_time() - began

    # Pages and caches that other processes take count as its own time: one of three looks has them to itself.
    assert any(seconds() < 1.0 for _ in range(3))


DRIVER_EXIT = "Job failed, please check complete logs in configured logging destination. ExitCode: {code}. Last few exceptions: {quoted}"


@pytest.mark.parametrize(
    ("logs", "emr", "message"),
    [
        pytest.param({"stdout": ["loaded 5 rows"]}, DRIVER_EXIT.format(code=3, quoted="none in the logs"), "the driver exited with code 3; its last line: loaded 5 rows", id="job run"),
        pytest.param({"stdout": ["loaded 5 rows"], "stderr": ["3 skipped"]}, DRIVER_EXIT.format(code=3, quoted=": 3 skipped"), "the driver exited with code 3; its last lines: loaded 5 rows | 3 skipped", id="both outputs"),
        pytest.param({}, DRIVER_EXIT.format(code=3, quoted="none in the logs"), "the driver exited with code 3", id="job run without logs"),
        pytest.param({}, DRIVER_EXIT.format(code=2, quoted="python: can't open file 'x.py'"), "the driver exited with code 2; EMR quotes: python: can't open file 'x.py'", id="without logs, and a quotation"),
        pytest.param({"stdout": ["loaded 5 rows"], "submit": [SUBMIT_EXIT.format(status=3)]}, "Unknown Error.", "User application exited with status 3; its last line: loaded 5 rows", id="step"),
        pytest.param({"stdout": ["UserWarning: old"], "submit": [SUBMIT_EXIT.format(status=1)]}, "Unknown Error.", "User application exited with status 1; its last line: UserWarning: old", id="a warning"),
    ],
)  # fmt: skip
def test_what_a_program_printed_before_it_ended_itself_is_shown_and_not_taken_for_the_cause(
    logs, emr, message
):
    cause = find_cause([LogText(name, texts) for name, texts in logs.items()], emr)
    assert (cause.message, cause.kind) == (message, "submit")
    assert is_definite(cause)


@pytest.mark.parametrize(
    ("logs", "message"),
    [
        pytest.param({"stdout": ["loaded 5 rows"], "stderr": lines(PYTHON)}, "ValueError: no such day", id="an exception in the other output"),
        pytest.param({"stdout": ["usage: daily.py [-h] --day DAY", "daily.py: error: no --day"]}, "daily.py: error: no --day (the driver exited with code 3)", id="refused arguments"),
        pytest.param({"stdout": ["loaded 5 rows"], "stderr": ["24/01/01 00:00:00 ERROR etl: no sales"]}, "no sales (the driver exited with code 3)", id="an error of its logger"),
    ],
)  # fmt: skip
def test_a_program_that_said_why_before_it_ended_itself_is_quoted(logs, message):
    said = DRIVER_EXIT.format(code=3, quoted="none in the logs")
    cause = find_cause([LogText(name, texts) for name, texts in logs.items()], said)
    assert cause.message.startswith(message)


@pytest.mark.parametrize(
    ("code", "printed", "message"),
    [
        pytest.param(52, ["24/01/01 00:00:00 ERROR SparkUncaughtExceptionHandler: Uncaught exception in thread Thread[main,5,main]", "java.lang.OutOfMemoryError: Java heap space", "\tat com.example.Daily.run(Daily.java:9)"], "java.lang.OutOfMemoryError: Java heap space", id="Spark's handler"),
        pytest.param(134, ["#", "# A fatal error has been detected by the Java Runtime Environment:", "#", "#  SIGSEGV (0xb) at pc=0x00007f, pid=12, tid=13", "#"], "SIGSEGV (0xb)", id="a signal"),
    ],
)  # fmt: skip
def test_a_driver_that_others_have_ended_did_not_end_itself(code, printed, message):
    said = DRIVER_EXIT.format(code=code, quoted="none in the logs")
    cause = find_cause([LogText("stderr", printed), LogText("stdout", ["rows 10"])], said)
    assert message in cause.message
    assert "the driver exited with code" not in cause.message


def test_an_exception_that_a_program_printed_before_it_ended_itself_is_told_beside_it():
    printed = [*lines(PYTHON), "cleaning up"]
    said = DRIVER_EXIT.format(code=2, quoted="none in the logs")
    cause = find_cause([LogText("stderr", printed), LogText("stdout", ["rows 10"])], said)
    assert "the driver exited with code 2" in cause.message
    assert "before it: ValueError: no such day" in cause.message


def test_that_a_driver_failed_with_1_is_what_emr_says_of_every_exception():
    said = DRIVER_EXIT.format(code=1, quoted="none in the logs")
    assert find_cause([LogText("stdout", ["loaded 5 rows"])], said).kind == "api"
