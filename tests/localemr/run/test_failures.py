"""The line that tells why a command failed."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.localemr.run.failures import tail, telling_line

INFO = "25/01/31 10:00:00 INFO SparkContext: stopped"
TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "/job.py", line 7, in <module>',
    '    raise ValueError("boom")',
    "ValueError: boom",
]
JAVA = ['Exception in thread "main" java.lang.ClassNotFoundException: org.Main', "\tat java.base/X"]


@pytest.mark.parametrize(
    ("stderr", "stdout", "line"),
    [
        pytest.param([INFO, *TRACEBACK, INFO], [], "ValueError: boom", id="python"),
        pytest.param([INFO], ["before", *TRACEBACK], "ValueError: boom", id="pyspark-writes-it-to-stdout"),
        pytest.param(
            [*TRACEBACK, "", *TRACEBACK[:3], "KeyError: 'x'"], [], "KeyError: 'x'", id="the-last-one"
        ),
        pytest.param([*TRACEBACK[:3], INFO, "my.Oops: x"], [], "my.Oops: x", id="spark-talks-in-between"),
        pytest.param(
            [],
            [
                *TRACEBACK[:2],
                "Py4JJavaError: call",
                f": x.PythonException: {TRACEBACK[0]}",
                "  File",
                "KeyError: 1",
            ],
            "KeyError: 1",
            id="inside-a-task",
        ),
        pytest.param([INFO, *JAVA], [], JAVA[0], id="java"),
        pytest.param([INFO, "sh: no such file", INFO], [], "sh: no such file", id="anything-but-sparks-log"),
        pytest.param(
            ["Error: Missing application resource.", "", "Usage: spark-submit", "  --queue Q"],
            [],
            "Error: Missing application resource.",
            id="before-the-usage",
        ),
        pytest.param([INFO], [], None, id="nothing"),
        pytest.param([TRACEBACK[0]], [], TRACEBACK[0], id="cut-off"),
    ],
)
def test_the_telling_line(stderr, stdout, line):
    assert telling_line(stderr, stdout) == line


def test_a_line_without_end_is_cut():
    assert len(telling_line(["x" * 100_000])) == 1_000


def test_only_the_end_of_a_log_is_read(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"first\n" + b"x" * 300_000 + b"\n\xff last")
    assert tail(path)[-1] == "� last"
    assert "first" not in tail(path)
