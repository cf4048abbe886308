from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow_fixtures import Collected

from airflow_provider_emrkit import _compat
from airflow_provider_emrkit.logs.sources import LogLine
from airflow_provider_emrkit.logs.writing import LINES_AT_ONCE, LogWriter
from airflow_provider_emrkit.runs.states import RunState, RunStatus
from airflow_provider_emrkit.runs.watch import Note, Tick

WHEN = 1_700_000_000_123
MOMENT = datetime(2023, 11, 14, 22, 13, 20, 123_000, timezone.utc)


class StructuredLog:
    """A log as Airflow 3 has it: entries with members of their own."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def log(self, level: int, event: str, *arguments: Any, **members: Any) -> None:
        self.entries.append({"level": level, "event": event % arguments, **members})


def structured(tick: Tick) -> list[dict[str, Any]]:
    log = StructuredLog()
    LogWriter(log).write_all(tick)
    return log.entries


def test_airflow_3_s_own_log_takes_the_time():
    structlog = pytest.importorskip("structlog")
    with structlog.testing.capture_logs() as entries:
        LogWriter(structlog.get_logger("task")).write_all(Tick(None, lines=[LogLine(WHEN, "x", "stdout")]))
    assert [entry["timestamp"] for entry in entries] == [MOMENT.isoformat()]


def test_airflow_3_gets_the_line_s_time_as_its_timestamp():
    [entry] = structured(Tick(None, lines=[LogLine(WHEN, "100% done", "stderr")]))
    assert entry["timestamp"] == MOMENT.isoformat()
    assert (entry["level"], entry["event"]) == (logging.INFO, "[stderr] 100% done")


@pytest.mark.parametrize("name", ["emrkit] ", "\x1b[2Kemrkit] ", "a\n[emrkit"])
def test_a_label_does_not_end_before_its_end(name):
    [entry] = structured(Tick(None, lines=[LogLine(WHEN, "x", f"{name}all is well")]))
    label, rest = entry["event"].split("]", 1)
    assert rest == " x"
    assert label.startswith("[")
    assert label.isprintable()
    assert "all is well" in label


def test_airflow_2_gets_it_as_the_record_s(monkeypatch):
    monkeypatch.setattr(_compat, "AIRFLOW_V_3_0_PLUS", False)
    log, collected = logging.getLogger("tests.writing"), Collected()
    log.setLevel(logging.INFO)
    log.addHandler(collected)
    LogWriter(log).write_all(Tick(None, lines=[LogLine(WHEN, "100% done", "stderr")]))
    log.removeHandler(collected)
    [record] = collected.records
    assert record.getMessage() == "[stderr] 100% done"
    assert record.created == MOMENT.timestamp()


def test_equal_lines_of_one_millisecond_are_told_apart_and_stay_in_order():
    entries = structured(Tick(None, lines=[LogLine(WHEN, "again", "stdout")] * 3))
    times = [entry["timestamp"] for entry in entries]
    assert times == sorted(set(times))
    assert [time[17:23] for time in times] == ["20.123", "20.124", "20.125"]


def test_a_line_has_the_level_that_stands_in_it():
    texts = ["25/01/01 12:00:00 WARN A: x", "\tat a.B.c(B.java:1)", "DEBUG:root:x"]
    entries = structured(Tick(None, lines=[LogLine(WHEN, text, "stderr") for text in texts]))
    assert [entry["level"] for entry in entries] == [logging.WARNING, logging.WARNING, logging.INFO]


def test_lines_after_those_passed_over_have_the_times_and_levels_that_they_would_have():
    lines = [
        LogLine(WHEN, text, "stderr") for text in ("25/01/01 12:00:00 ERROR A: x", "\tat a.B.c(B.java:1)")
    ]
    log = StructuredLog()
    writer = LogWriter(log)
    writer.skip(lines[:1])
    writer.write(lines[1:])
    assert log.entries == structured(Tick(None, lines=lines))[1:]


def test_a_line_without_a_time_gets_the_present():
    [entry] = structured(Tick(None, lines=[LogLine(None, "archived", "stderr")]))
    assert abs(datetime.fromisoformat(entry["timestamp"]) - datetime.now(timezone.utc)).total_seconds() < 60


def test_many_lines_are_written_in_parts_so_that_other_triggers_get_their_turn():
    tick = Tick(None, lines=[LogLine(WHEN, str(number), "stdout") for number in range(2 * LINES_AT_ONCE + 1)])
    assert len(list(LogWriter(StructuredLog()).write_in_parts(tick))) == 3


def test_the_end_is_told_after_the_last_lines_and_the_start_before_the_first():
    lines, note = [LogLine(WHEN, "line", "stdout")], [Note(logging.INFO, "note")]
    running = structured(Tick(RunStatus(RunState.RUNNING, "RUNNING"), note, lines))
    ended = structured(Tick(RunStatus(RunState.SUCCEEDED, "COMPLETED"), note, lines))
    assert ["timestamp" in entry for entry in running] == [False, True]
    assert ["timestamp" in entry for entry in ended] == [True, False]


def test_the_name_of_an_output_does_no_harm():
    [entry] = structured(Tick(None, lines=[LogLine(WHEN, "x", "a\n::group::b")]))
    assert entry["event"] == "[a\\n: :group::b] x"
