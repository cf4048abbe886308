"""Whose an event log is, and which are kept."""

from __future__ import annotations

import json
import os

import pytest

from airflow_provider_emrkit.localemr.run import event_logs as module
from airflow_provider_emrkit.localemr.run.event_logs import OWNER, EventLogs, Found, Owned, read_owner

DAY = 86_400.0
NOW = 1_800_000_000.0


def head(application_id: str, owner: str | None = None, properties: dict | None = None) -> str:
    mine = {"spark.app.id": application_id, **({OWNER: owner} if owner else {}), **(properties or {})}
    events = [
        {"Event": "SparkListenerLogStart", "Spark Version": "3.5.6"},
        {"Event": "SparkListenerResourceProfileAdded", "Resource Profile Id": 0},
        {"Event": "SparkListenerEnvironmentUpdate", "Spark Properties": mine},
        {"Event": "SparkListenerApplicationStart", "App ID": application_id},
    ]
    # Spark writes no space between an event's members.
    return "".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events)


@pytest.fixture
def write(tmp_path):
    def call(name: str, text: str = "", age: float = 0.0):
        path = tmp_path / name
        path.write_text(text)
        os.utime(path, (NOW - age, NOW - age))
        return path

    return call


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (head("local-1", "s-1"), Owned("local-1", "s-1")),
        (head("local-1"), Owned("local-1", None)),
        ("", None),
        (head("local-1")[:120], None),
        ('{"Event":"SparkListenerEnvironmentUpdate"\n', None),
        ('{"Event":"SparkListenerEnvironmentUpdate","Spark Properties":[]}\n', None),
        ('{"Event":"SparkListenerEnvironmentUpdate","Spark Properties":[1]}\n', None),
        ('{"Event":"SparkListenerEnvironmentUpdate","x":' + "[" * 100_000, None),
        ('"\\"Event\\":\\"SparkListenerEnvironmentUpdate\\""\n', None),
        ("{}\n" * 20 + head("local-1"), None),
    ],
    ids=["owned", "nobodys", "empty", "cut", "broken", "odd", "odder", "deep", "text", "late"],
)
def test_the_head_says_which_application_it_is_and_whose(text, found):
    assert read_owner(text.splitlines()) == found


def test_an_application_is_found_by_its_owner_or_by_its_own_id(tmp_path, write):
    write("local-1", head("local-1", "s-1"))
    write("local-2.inprogress", head("local-2", "application_1_0001"))
    write("eventlog_v2_local-3").unlink()
    (tmp_path / "eventlog_v2_local-3").mkdir()
    logs = EventLogs(tmp_path)
    assert logs.find("s-1") == Found("local-1", True)
    assert logs.find("application_1_0001") == Found("local-2", False)
    assert [logs.find(f"local-{number}").application_id for number in (1, 2, 3)] == [
        "local-1",
        "local-2",
        "local-3",
    ]
    assert logs.find("s-2") is None
    assert logs.find("../local-1") is None


def test_of_several_applications_of_a_step_the_newest_is_meant(tmp_path, write):
    write("local-1", head("local-1", "s-1"), age=50)
    write("local-2", head("local-2", "s-1"), age=10)
    write("local-3", head("local-3", "s-1"), age=30)
    assert EventLogs(tmp_path).find("s-1") == Found("local-2", True)


def test_a_log_that_says_nothing_yet_is_read_again(tmp_path, write):
    logs = EventLogs(tmp_path)
    write("local-1.inprogress")
    assert logs.find("s-1") is None
    write("local-1.inprogress", head("local-1", "s-1"))
    assert logs.find("s-1") == Found("local-1", False)
    (tmp_path / "local-1.inprogress").rename(tmp_path / "local-1")
    assert logs.find("s-1") == Found("local-1", True)


def test_a_file_that_is_no_event_log_is_read_once_and_not_whole(tmp_path, write, monkeypatch):
    path = write("local-1", "x" * 100 + "\n" + head("local-1", "s-1"))
    monkeypatch.setattr(module, "_HEAD", 90)
    logs = EventLogs(tmp_path)
    assert logs.find("s-1") is None
    path.write_text(head("local-1", "s-1"))
    monkeypatch.undo()
    assert logs.find("s-1") is None
    assert EventLogs(tmp_path).find("s-1") == Found("local-1", True)


def test_there_may_be_no_directory_yet(tmp_path):
    logs = EventLogs(tmp_path / "absent")
    assert logs.find("s-1") is None
    logs.prune(nothing_runs=True)


def names(directory) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_old_logs_and_all_but_the_newest_are_removed(tmp_path, write):
    for number in range(5):
        write(f"local-{number}", age=number)
    write("local-old", age=31 * DAY)
    directory = tmp_path / "eventlog_v2_local-dir"
    directory.mkdir()
    (directory / "events_1").touch()
    os.utime(directory, (NOW - 99, NOW - 99))
    EventLogs(tmp_path).prune(nothing_runs=False, kept=3, now=NOW)
    assert names(tmp_path) == {"local-0", "local-1", "local-2"}


@pytest.mark.parametrize(("nothing_runs", "left"), [(False, {"running.inprogress", "new"}), (True, {"new"})])
def test_the_log_of_a_running_application_stays(tmp_path, write, nothing_runs, left):
    write("running.inprogress", age=60)
    write("new", age=0)
    EventLogs(tmp_path).prune(nothing_runs=nothing_runs, kept=1, now=NOW)
    assert names(tmp_path) == left
