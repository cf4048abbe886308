"""What executors write, and where it goes."""

from __future__ import annotations

import os
import threading
import time

import pytest

from airflow_provider_emrkit.localemr.run.cloudwatch import LogTarget, log_target
from airflow_provider_emrkit.localemr.run.containers import (
    ClientContainers,
    DriverContainers,
    JobContainers,
    Numbers,
)
from airflow_provider_emrkit.localemr.run.contract import ClusterRequest, StepRequest
from airflow_provider_emrkit.localemr.run.executor_logs import ExecutorLogs
from airflow_provider_emrkit.localemr.run.job_logs import executor_logs
from airflow_provider_emrkit.localemr.run.logs import LogStream
from airflow_provider_emrkit.localemr.run.outputs import LogPlace, OpenLogs
from airflow_provider_emrkit.localemr.run.yarn import Application

HEAD = f'Spark Executor Command: "java" "-cp" "a b"\n{"=" * 40}\n\n'
APP = "app-20260101000000-0000"


class Kept:
    """Keeps the lines of all executors."""

    def __init__(self):
        self.lines: dict[tuple[int, int], list[str]] = {}
        self.changed = threading.Condition()
        self.fails = 0

    def open(self, directory, application, executor):
        if self.fails:
            self.fails -= 1
            raise OSError(28, "No space left on device")
        found = self.lines.setdefault((application, executor), [])

        def keep(_, line):
            with self.changed:
                found.append(line)
                self.changed.notify_all()

        return OpenLogs({name: LogStream(directory / name, keep) for name in ("stdout", "stderr")})

    def wait(self, place, *lines):
        with self.changed:
            assert self.changed.wait_for(lambda: self.lines.get(place) == list(lines), 10), self.lines


@pytest.fixture
def kept():
    return Kept()


@pytest.fixture
def work(tmp_path):
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


@pytest.fixture
def logs(work, kept, tmp_path):
    followed = ExecutorLogs(work, tmp_path / "kept", kept)
    yield followed
    followed.close()


def write(work, text, executor=0, name="stderr", application=APP):
    folder = work / application / str(executor)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("a") as file:
        file.write(text)


def test_lines_are_seen_while_they_are_written_without_the_executors_command(work, kept, logs):
    write(work, HEAD + "one\ntw")
    kept.wait((0, 0), "one")
    write(work, "o\n")
    kept.wait((0, 0), "one", "two")


@pytest.mark.parametrize("cut", [1, 10, len("Spark Executor Command: "), 50, len(HEAD) - 1, len(HEAD)])
def test_a_command_that_is_written_in_pieces_is_left_out_too(work, kept, logs, tmp_path, cut):
    write(work, HEAD[:cut])
    (tmp_path / "kept").mkdir(exist_ok=True)
    wait_for(tmp_path / "kept" / "0-0" / "stderr")
    write(work, HEAD[cut:] + "one\n")
    kept.wait((0, 0), "one")


@pytest.mark.parametrize("text", ["Spark Executor Command: x\nno rule\n", "Spark Exec", "x\n" + HEAD])
def test_what_only_looks_like_a_command_is_kept(work, kept, logs, text):
    write(work, text)
    logs.close()
    assert kept.lines[0, 0] == text.splitlines()


def test_an_executor_that_could_not_be_started_has_no_log(work, kept, logs):
    (work / APP / "0").mkdir(parents=True)
    write(work, "one\n", executor=1)
    kept.wait((0, 1), "one")
    logs.close()
    assert (0, 0) not in kept.lines


def wait_for(path):
    deadline, pause = time.monotonic() + 10, threading.Event()
    while not path.exists():
        assert time.monotonic() < deadline
        pause.wait(0.02)


def test_the_last_lines_are_there_when_it_is_closed(work, kept, logs, tmp_path):
    write(work, "one\ntwo")
    logs.close()
    assert kept.lines[0, 0] == ["one", "two"]
    assert (tmp_path / "kept" / "0-0" / "stderr").read_text() == "one\ntwo"


def test_applications_and_executors_are_told_apart(work, kept, logs):
    for application, executor, place in (
        (APP, 0, (0, 0)),
        (APP, 11, (0, 11)),
        ("app-20260101000001-0000", 0, (1, 0)),
    ):
        write(work, f"{executor} of {application}\n", executor, application=application)
        kept.wait(place, f"{executor} of {application}")
    assert len(kept.lines) == 3


def test_a_log_that_could_not_be_made_is_made_later(work, kept, logs, caplog):
    kept.fails = 1
    write(work, "one\n")
    kept.wait((0, 0), "one")
    assert "No space left" in caplog.text


def test_what_a_job_puts_in_the_place_of_a_log_holds_nothing_up(work, kept, logs):
    folder = work / APP / "0"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "stdout")
    (folder / "stderr").touch()
    (work / APP / "2" / "stderr").mkdir(parents=True)
    for name in ("no number", "01", "9" * 200, "٣"):
        (work / APP / name).mkdir()
    (work / "a file").touch()
    write(work, "one\n", executor=1)
    kept.wait((0, 1), "one")
    logs.close()
    assert kept.lines == {(0, 0): [], (0, 1): ["one"]}


class Recording:
    """Outputs that only say where something would go."""

    target = LogTarget("/g", "", {"SPARK_EXECUTOR": ("STDERR",)})

    def open(self, directory, places):
        return places

    def executor_places(self, application_id, container_id):
        return {"stderr": LogPlace(None, f"{application_id}/{container_id}")}


IDS = Application(1700000000000, 1)


def test_executors_of_a_driver_have_its_applications_containers_from_the_second_on():
    containers = DriverContainers(IDS, Recording())
    opened = [containers.open(None, *place)["stderr"].path for place in ((0, 0), (0, 1), (1, 0), (0, 2))]
    assert [path.rpartition("_")[2] for path in opened] == ["000002", "000003", "000004", "000004"]
    assert {path.partition("/")[0] for path in opened} == {IDS.application_id}


def test_each_application_of_a_client_is_one_of_yarns_and_told_in_its_stderr(tmp_path):
    numbers = iter((7, 8))
    stderr = LogStream(tmp_path / "stderr")
    containers = ClientContainers(lambda: Application(1700000000000, next(numbers)), Recording(), stderr)
    opened = [containers.open(None, *place)["stderr"].path for place in ((0, 0), (0, 1), (1, 0))]
    assert opened == [
        "application_1700000000000_0007/container_1700000000000_0007_01_000002",
        "application_1700000000000_0007/container_1700000000000_0007_01_000003",
        "application_1700000000000_0008/container_1700000000000_0008_01_000002",
    ]
    told = (tmp_path / "stderr").read_text()
    assert told.count("YarnClientImpl: Submitted application application_1700000000000_0007") == 1
    assert told.count("YarnClientImpl: Submitted application application_1700000000000_0008") == 1


def test_executors_of_a_job_run_are_numbered_from_one():
    places = JobContainers("applications/a/jobs/r", Recording()).open(None, 0, 0)
    assert places["stderr"] == LogPlace(
        "/applications/a/jobs/r/SPARK_EXECUTOR/1/stderr", "SPARK_EXECUTOR/1/stderr"
    )
    assert places["stdout"].stream is None


def test_a_job_runs_streams_have_the_prefix_first():
    target = LogTarget("/g", "team", {"SPARK_EXECUTOR": ("STDOUT", "STDERR")})
    assert executor_logs(target, "applications/a", 2)["stdout"].stream == (
        "team/applications/a/SPARK_EXECUTOR/2/stdout"
    )


def test_numbers_of_an_application_that_grows_meet_those_of_the_next_only_then():
    numbers = Numbers(1)
    assert [numbers.of(0, 0), numbers.of(0, 1), numbers.of(1, 0), numbers.of(1, 1)] == [1, 2, 3, 4]


def monitoring(*types):
    asked = {name: ["STDERR"] for name in types}
    return {"CloudWatchLogConfiguration": {"Enabled": True, "LogTypes": asked}}


def test_a_cluster_wants_executors_when_it_asks_for_their_logs():
    assert log_target(monitoring("SPARK_DRIVER", "SPARK_EXECUTOR"), "j-1").takes_executors
    assert not log_target(monitoring("SPARK_DRIVER"), "j-1").takes_executors
    assert not log_target(
        {"CloudWatchLogConfiguration": {"Enabled": True, "LogTypes": {"SPARK_EXECUTOR": []}}}, "j-1"
    ).takes_executors


@pytest.mark.parametrize(
    ("executors", "types", "master"),
    [
        ("threads", ["STEP_LOGS"], "local["),
        ("threads", ["STEP_LOGS", "SPARK_EXECUTOR"], "local-cluster["),
        ("processes", ["STEP_LOGS"], "local-cluster["),
    ],
)
def test_clusters_that_want_to_see_executors_have_them(runner, tmp_path, executors, types, master):
    object.__setattr__(runner._config, "executors", executors)
    cluster = runner.start(ClusterRequest("j-EXECUTORS", "emr-7.11.0", monitoring=monitoring(*types)), print)
    try:
        step = StepRequest("s-1", "a step", "command-runner.jar", ["spark-submit", "job.py"])
        assert cluster.start_step(step).wait().succeeded
        (stdout,) = (tmp_path / "instance" / "clusters").glob("*/steps/s-1/stdout")
        assert master in stdout.read_text()
        home = stdout.parent / "spark" / "bin"
        assert home.is_symlink() == (master == "local-cluster[")
    finally:
        cluster.stop()
