from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_emrkit.logs.cluster_sources import NoSources
from airflow_provider_emrkit.logs.sources import LogLine, LogSources, Read
from airflow_provider_emrkit.operators.log_ending import LogEnding, most_telling
from airflow_provider_emrkit.runs.job_run import JobRun

RUN = JobRun("step", "j-1", "s-1", "t-1", "sales", "us-east-1")


class Log:
    """A log as Airflow 3 has it; keeps lines with their times, if they have any of their own."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str | None]] = []

    def log(self, level: int, text: str, *arguments: Any, timestamp: str | None = None, **_: Any) -> None:
        self.lines.append((text % arguments, timestamp))

    def info(self, text: str, *arguments: Any) -> None:
        self.log(20, text, *arguments)

    warning = info


class Output:
    """An output of a job that has ended."""

    def __init__(self, label: str, lines: list[tuple[int, str]]) -> None:
        self.label = self.name = label
        self.written = [LogLine(when, text, label) for when, text in lines]

    def link(self, region: str) -> str:
        return f"https://{region}/{self.label}"

    def from_end(self, limit: int) -> Read:
        return Read(self.written[-limit:], "end")


class Runs(LogSources):
    """A run's log sources; ``error`` for trouble with them."""

    def __init__(self, *outputs: Output, error: Exception | None = None) -> None:
        self.outputs = outputs
        self.error = error

    def log_sources(self, run: JobRun) -> Any:
        if self.error:
            raise self.error
        return self if self.outputs else NoSources("none")

    def current(self) -> Any:
        return self.outputs


@pytest.fixture
def log() -> Log:
    return Log()


def ending(log: Log, *outputs: Output, error: Exception | None = None) -> LogEnding:
    runs: Any = Runs(*outputs, error=error)
    return LogEnding(RUN, runs, log)


def test_the_last_lines_are_repeated_at_the_times_they_have_in_the_whole_log(log):
    whole, part = Log(), log
    output = Output("stdout", [(1_700_000_000_000, f"row {number}") for number in range(100)])
    assert ending(whole, output).repeat(100)
    assert ending(part, output).repeat(3)
    assert part.lines[1:] == whole.lines[-3:]
    assert part.lines[0][0] == (
        "The last lines of the job's log (3), once more and at their own times. "
        "All of it: stdout: https://us-east-1/stdout"
    )


def test_none_are_repeated_where_none_are_wanted_and_nobody_is_asked(log):
    assert not ending(log, error=AssertionError("asked")).repeat(0)
    assert log.lines == []


def test_a_log_without_lines_is_not_spoken_of(log):
    assert not ending(log).repeat(50)
    assert not ending(log, Output("stdout", [])).repeat(50)
    assert log.lines == []


def test_trouble_is_told_in_one_line(log):
    assert not ending(log, error=RuntimeError("not\nnow")).repeat(50)
    [(line, _)] = log.lines
    assert line == "The end of the job's log can't be shown: RuntimeError('not\\nnow')"


def test_the_driver_tells_more_than_those_who_started_it():
    lines = [
        LogLine(1, "rows: 3", "stdout"),
        LogLine(2, "spilling", "executor 1 stderr"),
        LogLine(3, "state: FINISHED", "submit"),
        LogLine(4, "own", "driver-2025-01-01"),
    ]
    assert [line.text for line in most_telling(lines, 50)] == ["rows: 3", "own"]
    assert [line.text for line in most_telling(lines[1:3], 50)] == ["spilling", "state: FINISHED"]
    assert [line.text for line in most_telling(lines, 1)] == ["own"]
    assert most_telling(lines, 0) == ()
