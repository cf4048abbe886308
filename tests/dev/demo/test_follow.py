"""Following a run: each log line once and in order, up to its end; a dead program is noticed."""

from __future__ import annotations

import pytest
from botocore.exceptions import EndpointConnectionError

import demo.follow
from demo.follow import Follower, NewLines, RunError
from demo.localemr import ClusterNews
from demo.rest import AirflowError, LogLine


def _lines(*texts: str) -> list[LogLine]:
    return [LogLine(timestamp="t", text=text) for text in texts]


def test_a_line_is_new_once():
    new = NewLines()
    assert new.of(_lines("a", "b")) == _lines("a", "b")
    assert new.of(_lines("a", "b", "c")) == _lines("c")
    assert new.of(_lines("a", "b", "c")) == []


def test_a_line_that_is_merged_in_before_others_is_new():
    new = NewLines()
    new.of(_lines("a", "c"))
    assert new.of(_lines("a", "b", "c")) == _lines("b")


def test_equal_lines_of_one_moment_are_two():
    new = NewLines()
    assert new.of(_lines("a", "a")) == _lines("a", "a")
    assert new.of(_lines("a", "a", "a")) == _lines("a")


def test_a_log_that_is_short_for_a_moment_repeats_nothing():
    new = NewLines()
    new.of(_lines("a", "b"))
    new.of(_lines("a"))
    assert new.of(_lines("a", "b")) == []


class ScriptedAirflow:
    """Answers each round from a list; the last one is repeated."""

    def __init__(self, *rounds: tuple[str, list[LogLine] | AirflowError]) -> None:
        self._rounds = list(rounds)

    def run_state(self, dag_id: str, run_id: str) -> str:
        self._now = self._rounds.pop(0) if len(self._rounds) > 1 else self._rounds[0]
        return self._now[0]

    def tasks(self, dag_id: str, run_id: str):
        return [{"task_id": "t", "state": self._now[0], "try_number": 1}]

    def log(self, dag_id: str, run_id: str, task_id: str, try_number: int):
        if isinstance(self._now[1], AirflowError):
            raise self._now[1]
        return self._now[1]


class OneCluster:
    def newest(self) -> ClusterNews:
        return ClusterNews("j-1", "RUNNING", "Running step", "emr-7.11.0", "s-1", "RUNNING")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(demo.follow, "_POLL_SECONDS", 0)


@pytest.fixture
def follow():
    def follow(airflow, check=lambda: None):
        shown: list[str] = []
        news: list[str] = []
        follower = Follower(
            airflow, OneCluster(), show=lambda line: shown.append(line.text), news=news.append, check=check
        )
        return follower.follow("d", "r"), shown, news

    return follow


def test_the_last_lines_of_a_run_are_shown(follow):
    airflow = ScriptedAirflow(
        ("running", _lines("a")), ("running", _lines("a", "b")), ("success", _lines("a", "b", "c"))
    )
    outcome, shown, news = follow(airflow)
    assert shown == ["a", "b", "c"]
    assert outcome.succeeded
    assert news[-1] == "cluster RUNNING (Running step), step RUNNING; t success"


def test_errors_of_the_log_are_the_outcomes(follow):
    lines = [LogLine("t", "Task failed with exception", "error", error="EmrJobError: ValueError: no rows")]
    outcome, _, _ = follow(ScriptedAirflow(("failed", lines)))
    assert not outcome.succeeded
    assert outcome.errors == ["EmrJobError: ValueError: no rows"]


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(AirflowError("not yet", 404), id="no log yet"),
        pytest.param(AirflowError("busy"), id="busy"),
        pytest.param(AirflowError("database is locked", 500), id="an error of the server"),
    ],
)
def test_a_log_that_can_not_be_read_for_a_moment_is_read_later(follow, error):
    _, shown, _ = follow(ScriptedAirflow(("running", error), ("success", _lines("a"))))
    assert shown == ["a"]


def test_a_refused_log_is_an_error(follow):
    refused = ("running", AirflowError("forbidden", 403))
    with pytest.raises(RunError, match="can't be followed any more: forbidden"):
        follow(ScriptedAirflow(refused, ("success", _lines("a"))))


def test_a_program_that_answers_nothing_for_long_ends_the_following(follow):
    with pytest.raises(RunError, match="can't be followed any more: connection refused"):
        follow(ScriptedAirflow(("running", AirflowError("connection refused"))))


def test_a_local_emr_that_dies_while_it_is_asked_is_found_dead_the_next_time(follow, monkeypatch):
    died = []

    def newest(self) -> ClusterNews:
        died.append(True)
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:5005")

    def check() -> None:
        if died:
            raise RunError("localemr ended with exit code -9. The end of its log")

    monkeypatch.setattr(OneCluster, "newest", newest)
    with pytest.raises(RunError, match="localemr ended with exit code -9"):
        follow(ScriptedAirflow(("running", [])), check)


def test_a_program_that_has_died_ends_the_following(follow):
    def check() -> None:
        raise RunError("localemr ended with exit code 1")

    with pytest.raises(RunError, match="localemr ended"):
        follow(ScriptedAirflow(("running", [])), check)


def test_a_run_that_does_not_end_is_given_up(follow, monkeypatch):
    monkeypatch.setattr(demo.follow, "RUN_LIMIT_SECONDS", 0)
    with pytest.raises(RunError, match="has not ended after 0 s; it is 'running'"):
        follow(ScriptedAirflow(("running", [])))


def test_an_entry_of_the_log_carries_the_exception_that_was_raised():
    entry = {
        "timestamp": "2026-01-01T00:00:00Z",
        "event": "Task failed with exception",
        "level": "error",
        "logger": "task",
        "error_detail": [
            {"exc_type": "EmrJobError", "exc_value": "boom"},
            {"exc_type": "KeyError", "exc_value": "x"},
        ],
    }
    assert LogLine.from_entry(entry) == LogLine(
        "2026-01-01T00:00:00Z", "Task failed with exception", "error", "task", "EmrJobError: boom"
    )
