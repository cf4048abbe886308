from __future__ import annotations

import logging
import time
import timeit

import pytest

from airflow_provider_emrkit.logs.levels import LevelReader, level_of
from airflow_provider_emrkit.logs.sources import LogLine

INFO, WARNING, ERROR, CRITICAL = logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL


def levels(*texts: str, label: str = "stderr") -> list[int]:
    reader = LevelReader()
    return [reader.level(LogLine(1, text, label)) for text in texts]


@pytest.mark.parametrize(
    ("line", "level"),
    [
        pytest.param("25/01/01 12:00:00 INFO SparkContext: Running Spark", INFO, id="log4j of EMR"),
        pytest.param("25/01/01 12:00:00 WARN NativeCodeLoader: Unable to load", WARNING, id="warn"),
        pytest.param("25/01/01 12:00:00 ERROR Executor: Exception in task 0.0", ERROR, id="error"),
        pytest.param("25/01/01 12:00:00 FATAL Main: gone", CRITICAL, id="fatal"),
        pytest.param(
            "2025-01-01 12:00:00,123 ERROR [main] a.B (B.java:12) - x", ERROR, id="log4j with thread"
        ),
        pytest.param("2025-01-01T12:00:00.123Z WARN  Utils:66 - x", WARNING, id="ISO time"),
        pytest.param("2025-01-01 12:00:00,123 [main] ERROR a.b.C - x", ERROR, id="thread before the level"),
        pytest.param("[2025-01-01 12:00:00,123] {job.py:12} WARNING - x", WARNING, id="Airflow's format"),
        pytest.param("2025-01-01 12:00:00,123 - sales.load - ERROR - x", ERROR, id="Python's usual format"),
        pytest.param("WARNING:py4j.clientserver:closing", WARNING, id="Python's basic format"),
        pytest.param("[ERROR] x", ERROR, id="in brackets"),
        pytest.param("ERROR: x", ERROR, id="with a colon"),
        pytest.param("log4j:WARN No appenders could be found", WARNING, id="log4j itself"),
        pytest.param(
            '{"ts":"2025-01-01T12:00:00Z","level":"ERROR","msg":"x"}', ERROR, id="structured, Spark 4"
        ),
        pytest.param('Setting default log level to "WARN".', None, id="a level in a sentence"),
        pytest.param("ERRORS: 3", None, id="a word that begins like a level"),
        pytest.param("rows: 3", None, id="none"),
        pytest.param("", None, id="empty"),
    ],
)
def test_the_level_stands_in_the_line(line, level):
    assert level_of(line) == level


@pytest.mark.parametrize("line", ["25/01/01 12:00:00 DEBUG A: x", "TRACE x", "DEBUG:root:x", "rows: 3"])
def test_no_line_is_below_what_airflow_shows(line):
    assert levels(line) == [INFO]


def test_a_stack_trace_has_the_level_of_its_entry():
    assert levels(
        "25/01/01 12:00:00 ERROR Executor: Exception in task 0.0 in stage 1.0 (TID 1)",
        "java.lang.RuntimeException: boom",
        "\tat org.apache.spark.Task.run(Task.scala:141)",
        "Caused by: java.lang.ArithmeticException: / by zero",
        "\t... 12 more",
        "25/01/01 12:00:01 INFO Executor: next",
    ) == [ERROR] * 5 + [INFO]
    assert (
        levels("25/01/01 12:00:00 INFO A: ignored", "java.io.IOException: x", "\tat a.B.c(B.java:1)")
        == [INFO] * 3
    )


def test_a_traceback_is_an_error_to_its_last_line():
    assert levels(
        "Traceback (most recent call last):",
        '  File "/tmp/job.py", line 3, in <module>',
        "    raise Trouble(3)",
        "sales.Trouble: 3",
        "done",
    ) == [ERROR] * 4 + [INFO]


def test_two_tracebacks_in_a_row_are_errors():
    texts = [
        "Traceback (most recent call last):",
        '  File "job.py", line 3',
        "KeyError: 'a'",
        "",
        "During handling of the above exception, another exception occurred:",
        "",
        "Traceback (most recent call last):",
        '  File "job.py", line 5',
        "ValueError: b",
    ]
    assert levels(*texts) == [ERROR] * len(texts)


@pytest.mark.parametrize(
    "line",
    [
        'Exception in thread "main" java.lang.NoClassDefFoundError: a/B',
        "pyspark.errors.exceptions.captured.AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] x",
        "ModuleNotFoundError: No module named 'x'",
    ],
)
def test_an_exception_without_an_entry_is_an_error(line):
    assert levels(line) == [ERROR]


def test_what_a_job_prints_after_an_error_is_none():
    assert levels("25/01/01 12:00:00 ERROR A: x", "rows: 3", "    indented") == [ERROR, INFO, INFO]


def test_outputs_do_not_get_in_each_other_s_way():
    reader = LevelReader()
    assert reader.level(LogLine(1, "25/01/01 12:00:00 ERROR A: x", "stderr")) == ERROR
    assert reader.level(LogLine(1, "  indented", "stdout")) == INFO
    assert reader.level(LogLine(1, "\tat a.B.c(B.java:1)", "stderr")) == ERROR


def cost(text: str) -> float:
    # One of many short looks is had while nothing else takes the processor's caches.
    return min(timeit.repeat(lambda: levels(text), time.process_time, number=5, repeat=100))


@pytest.mark.parametrize("part", ["{", "a ", "[", "a.", "1", '{"level":'])
def test_the_cost_of_a_hostile_line_grows_no_faster_than_the_line(part):
    # Eight times the length would cost 64 times as much where each character is tried from each other one.
    assert cost(part * 4_000) < 24 * cost(part * 500)
