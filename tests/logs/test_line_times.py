from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_provider_emrkit.logs.line_times import line_time

NOON = int(datetime(2026, 11, 28, 12, tzinfo=timezone.utc).timestamp() * 1000)


@pytest.mark.parametrize(
    ("line", "milliseconds"),
    [
        ("26/11/28 12:00:00 INFO SparkContext: Running", 0),
        ("2026-11-28 12:00:00,123 INFO [main] org.apache.hadoop.yarn: x", 123),
        ("2026-11-28 12:00:00,123 - etl - WARNING - x", 123),
        ("[2026-11-28 12:00:00.5] x", 500),
        ("2026-11-28T12:00:00.123456Z INFO x", 123),
        ("2026-11-28T14:00:00.123+0200: [GC pause", 123),
        ("2026-11-28T06:30:00-05:30 x", 0),
        ("ERROR 2026-11-28 12:00:00,001 x", 1),
        ('{"ts":"2026-11-28T12:00:00.042Z","level":"INFO","msg":"x"}', 42),
    ],
)
def test_a_line_may_begin_with_its_time(line, milliseconds):
    assert line_time(line) == NOON + milliseconds


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\tat java.lang.Thread.run(Thread.java:1)",
        "rows of 2026-11-28 12:00:00",
        "2026-11-28",
        "2026-13-45 12:00:00 x",
        "26/11/28 25:61:61 x",
        "0000-01-01 00:00:00 x",
        "0001-01-01 00:00:00+14:00 x",
        "1969-12-31 23:59:59 x",
        "٢٠٢٦-11-28 12:00:00",
    ],
)
def test_all_else_has_none(line):
    assert line_time(line) is None
