"""The history server's life, with a program in its place that lists the names of event logs."""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import threading
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from waiting import wait_until

from airflow_provider_emrkit.localemr.processes import Process
from airflow_provider_emrkit.localemr.run import history as module
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError
from airflow_provider_emrkit.localemr.run.event_logs import KEPT, event_log_directory
from airflow_provider_emrkit.localemr.run.history import HistoryServer
from airflow_provider_emrkit.localemr.run.process import SESSION_FILE, Session
from airflow_provider_emrkit.localemr.spark.install import InstallError
from airflow_provider_emrkit.localemr.spark.installed import newest_installed
from airflow_provider_emrkit.localemr.spark.java import Java
from airflow_provider_emrkit.localemr.spark.software import Software
from airflow_provider_emrkit.localemr.spark.versions import candidates

FAKE = (
    f"#!{sys.executable}\n"
    + r"""
import http.server, json, os, pathlib, shlex, socketserver, sys
words = shlex.split(os.environ["SPARK_HISTORY_OPTS"])
options = dict(word.removeprefix("-D").split("=", 1) for word in words)
folder = pathlib.Path(options["spark.history.fs.logDirectory"].removeprefix("file://"))

class Pages(http.server.BaseHTTPRequestHandler):
    looks = {}
    def do_GET(self):
        name = self.path.split("/")[-1].split("?")[0]
        self.looks[name] = self.looks.get(name, 0) + 1
        there = name in {"", "applications"} or any(path.name.startswith(name) for path in folder.iterdir())
        self.send_response(200 if there else 404)
        self.end_headers()
        # As Spark's: an application that ended just now is not complete at the first look.
        attempts = [{"completed": self.looks[name] > 2}]
        self.wfile.write(json.dumps({"attempts": attempts, **os.environ}).encode())

socketserver.ThreadingTCPServer.allow_reuse_address = True
server = socketserver.ThreadingTCPServer(("127.0.0.1", int(options["spark.history.ui.port"])), Pages)
address = f"http://127.0.0.1:{server.server_address[1]}"
print(f"INFO HistoryServer: Bound HistoryServer to 127.0.0.1, and started at {address}", file=sys.stderr)
sys.stderr.flush()
server.serve_forever()
"""
)


@pytest.fixture
def program(tmp_path) -> Path:
    path = tmp_path / "spark/bin/spark-class"
    path.parent.mkdir(parents=True)
    path.write_text(FAKE)
    path.chmod(0o755)
    return path


@pytest.fixture
def config(server_config, tmp_path, program, monkeypatch):
    java = tmp_path / "java"
    (java / "bin").mkdir(parents=True)
    software = Software(
        candidates("emr-7.11.0")[0], tmp_path / "spark", Java(java, 17, "17"), Path(sys.executable)
    )
    monkeypatch.setattr(module, "newest_installed", lambda cache_dir: software)
    monkeypatch.setattr(module, "s3_jar", lambda cache_dir: tmp_path / "s3.jar")
    return server_config


@pytest.fixture
def history(config):
    server = HistoryServer(config)
    yield server
    server.stop()


def write_event_log(config, application_id: str, owner: str, suffix: str = "") -> None:
    properties = {"spark.app.id": application_id, "spark.emrkit.owner": owner}
    event = {"Event": "SparkListenerEnvironmentUpdate", "Spark Properties": properties}
    directory = event_log_directory(config)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{application_id}{suffix}").write_text(json.dumps(event, separators=(",", ":")) + "\n")


@pytest.fixture
def event_log(config):
    return functools.partial(write_event_log, config)


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def session_of(config) -> Session:
    session = Session.load(config.data_dir.resolve() / "history" / SESSION_FILE)
    assert session
    return session


def test_nothing_runs_until_a_page_is_asked_for(history, config):
    assert not (config.data_dir / "history").exists()
    history.stop()


def test_one_server_shows_all_applications(history, event_log):
    event_log("local-1", "s-1")
    event_log("local-2", "00frun", ".inprogress")
    everything = history.url()
    assert everything.startswith("http://127.0.0.1:")
    assert history.url("s-1") == f"{everything}history/local-1/jobs/"
    assert history.url("local-1") == f"{everything}history/local-1/jobs/"
    assert history.url("00frun") == f"{everything}history/local-2/jobs/"


def test_the_page_of_a_finished_application_says_that_it_is_finished(history, event_log):
    event_log("local-1", "s-1")
    event_log("local-2", "s-2", ".inprogress")
    finished, running = history.url("s-1"), history.url("s-2")
    api = f"{history.url()}api/v1/applications"
    assert json.loads(get(f"{api}/{finished.split('/')[-3]}"))["attempts"] == [{"completed": True}]
    assert json.loads(get(f"{api}/{running.split('/')[-3]}"))["attempts"] == [{"completed": False}]


def test_the_data_directory_may_have_any_name(config, tmp_path):
    odd = replace(config, data_dir=tmp_path / 'My "data" \\ %41 #1')
    history = HistoryServer(odd)
    write_event_log(odd, "local-1", owner="s-1")
    assert history.url("s-1") == f"{history.url()}history/local-1/jobs/"
    history.stop()


def test_an_application_without_an_event_log_gets_the_list(history):
    assert history.url("application_1_0001") == history.url()


def test_an_application_that_is_not_listed_in_time_gets_the_list(history, event_log, program, monkeypatch):
    program.write_text(FAKE.replace("any(", "not any("))
    monkeypatch.setattr(module, "LISTED_LIMIT", 0.3)
    event_log("local-1", "s-1")
    assert history.url("s-1") == history.url()


def test_nothing_of_the_users_reaches_it(history, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "real")
    monkeypatch.setenv("MY_SECRET", "real")
    environment = json.loads(get(history.url()))
    assert "real" not in [value for value in environment.values() if isinstance(value, str)]
    assert environment["SPARK_LOCAL_IP"] == "127.0.0.1"


def test_many_who_ask_at_once_start_one_server(history):
    urls: list[str] = []
    threads = [threading.Thread(target=lambda: urls.append(history.url())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(urls) == 5
    assert len(set(urls)) == 1


def test_stop_ends_it_and_leaves_nothing(history, config):
    history.url()
    pid = session_of(config).sid
    history.stop()
    history.stop()
    assert Process.of(pid) is None
    assert not (config.data_dir / "history").exists()
    with pytest.raises(ClusterStartError, match="being stopped"):
        history.url()


def test_stop_does_not_wait_for_one_that_is_starting(history, config, program):
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    problems: list[str] = []

    def ask() -> None:
        try:
            history.url()
        except ClusterStartError as error:
            problems.append(str(error))

    asking = threading.Thread(target=ask)
    asking.start()
    deadline, pause = time.monotonic() + 10, threading.Event()
    while not (Session.load(config.data_dir.resolve() / "history" / SESSION_FILE) or Session(0, 0, "")).sid:
        assert time.monotonic() < deadline
        pause.wait(0.02)
    history.stop()
    asking.join(10)
    assert len(problems) == 1


def test_one_that_died_is_started_again_on_its_port(history, config):
    first = history.url()
    pid = session_of(config).sid
    os.kill(pid, signal.SIGKILL)
    deadline, pause = time.monotonic() + 10, threading.Event()
    while Process.of(pid) is not None:
        assert time.monotonic() < deadline
        pause.wait(0.02)
    assert history.url() == first
    assert get(first)


def test_one_that_nobody_asks_for_ends(config):
    history = HistoryServer(config, idle_limit=0.5)
    url = history.url()
    ended = history._running
    wait_until(lambda: ended._ended, "it has ended")
    assert Process.of(ended._process.session.sid) is None
    assert history.url() == url
    assert history._running is not ended
    history.stop()


def test_the_time_it_takes_to_start_is_no_idle_time(config):
    history = HistoryServer(config, idle_limit=0.001)
    assert history.url().startswith("http://127.0.0.1:")
    history.stop()


def test_one_that_cannot_start_says_why(history, program):
    program.write_text(
        "#!/bin/sh\necho 'Exception in thread \"main\" java.lang.Error: no luck' >&2\nexit 1\n"
    )
    with pytest.raises(ClusterStartError, match=r"did not start: .*no luck"):
        history.url()
    program.write_text(FAKE)
    assert history.url()


def test_one_whose_program_is_not_there_says_so(history, program):
    program.unlink()
    with pytest.raises(ClusterStartError, match=r"can't be started: .*spark-class"):
        history.url()


def test_a_new_one_ends_what_a_killed_server_left(history, config):
    history.url()
    pid = session_of(config).sid
    second = HistoryServer(config)
    assert Process.of(pid) is None
    second.stop()


def test_an_ephemeral_instance_begins_with_no_event_logs(config, event_log):
    event_log("local-1", "s-1")
    HistoryServer(config)
    assert [path.name for path in event_log_directory(config).iterdir()] == ["local-1"]
    HistoryServer(replace(config, ephemeral=True))
    assert not event_log_directory(config).exists()


def test_it_leaves_no_event_logs_of_an_ephemeral_instance(config, event_log):
    history = HistoryServer(replace(config, ephemeral=True))
    event_log("local-1", "s-1")
    history.stop()
    assert not event_log_directory(config).exists()


def test_event_logs_do_not_become_ever_more_though_nobody_asks_for_a_page(config, event_log, monkeypatch):
    monkeypatch.setattr(module, "PRUNE_EVERY", 0.02)
    history = HistoryServer(config)
    for number in range(KEPT + 5):
        event_log(f"local-{number}", "s-1")
    deadline, pause = time.monotonic() + 10, threading.Event()
    while len(list(event_log_directory(config).iterdir())) > KEPT:
        assert time.monotonic() < deadline
        pause.wait(0.02)
    history.stop()


def test_the_newest_spark_that_is_installed_shows_pages(tmp_path, monkeypatch):
    java = tmp_path / "java"
    (java / "bin").mkdir(parents=True)
    (java / "bin/java").write_text("#!/bin/sh\n")
    (java / "bin/java").chmod(0o755)
    (java / "release").write_text('JAVA_VERSION="17.0.9"\n')
    monkeypatch.setenv("EMRKIT_JAVA_HOME", str(java))
    with pytest.raises(InstallError, match="no Spark is in"):
        newest_installed(tmp_path)
    for name in ("3.5.6", "3.5.10", "3.1.3", ".3.9.9.partial-x", "9.9.9", "notes"):
        (tmp_path / "spark" / name / "pyspark").mkdir(parents=True)
    found = newest_installed(tmp_path)
    assert found.spark.version == "3.5.10"
    assert found.spark_home == tmp_path / "spark/3.5.10/pyspark"
    assert found.java.home == java
