"""Whatever a local EMR was doing when it ended, nothing is left of it but what it keeps on purpose."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.instance import running_instance
from airflow_provider_emrkit.localemr.processes import Process
from airflow_provider_emrkit.localemr.run.clients import aws_client

# Some Sparks, one after the other, the first of which may have to be downloaded.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "import sys; from airflow_provider_emrkit.cli import main; sys.exit(main())"]
# What is kept on purpose: docs/localemr.md, "What is left".
KEPT = {"access.log", "localemr.log", "services", "s3", "event-logs"}
KEPT |= {"state.db", "state.db-shm", "state.db-wal"}  # the last two after a kill, until the next start

SLEEPS = """
import pathlib, sys, time
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
file = sys.argv[1]
def work(number):
    pathlib.Path(file).write_text("runs")
    time.sleep(600)
spark.sparkContext.parallelize(range(2), 2).foreach(work)
"""
# Ignores SIGTERM, and has children in a session and with an environment of their own.
CLINGS = "trap '' TERM; setsid sleep 600 & env -i sleep 600 & echo runs > {}; sleep 600; wait"


def until(condition, what, seconds=300.0):
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not after {seconds} s: {what}"
        pause.wait(0.1)
    return found


def processes_of(place: Path) -> dict[int, str]:
    """All processes that have a directory in their command, environment or working directory."""
    text, found = os.fsencode(place), {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes()
            told = command + (entry / "environ").read_bytes() + os.fsencode((entry / "cwd").readlink())
            if text in told and Process.of(int(entry.name)):
                found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


class Emrkit:
    """Runs ``emrkit local …`` on one data directory, and sees what is there of it.

    :param place: A directory of the test's own, for the data and for temporary files.
    """

    def __init__(self, place: Path) -> None:
        self.data, self.temporary, self.place = place / "data", place / "tmp", place
        self.temporary.mkdir()
        self.extra: dict[str, str] = {}
        self.seen: dict[int, str] = {}

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(self.temporary), **self.extra}

    def __call__(self, action: str, *options: str) -> str:
        done = subprocess.run(
            [*COMMAND, "local", action, "--port=0", "--data-dir", str(self.data), *options],
            env=self.environment(), capture_output=True, text=True, check=False, timeout=100,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def foreground(self) -> subprocess.Popen[bytes]:
        server = subprocess.Popen(
            [*COMMAND, "local", "up", "--foreground", "--port=0", "--data-dir", str(self.data)],
            env=self.environment(), stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        until(lambda: running_instance(self.data), "the server is up")
        return server

    @property
    def status(self):
        return running_instance(self.data)

    def client(self, service: str):
        return aws_client(service, self.status.url, "us-east-1")

    def cluster(self, **request) -> str:
        instances = {
            "InstanceCount": 1,
            "MasterInstanceType": "m5.xlarge",
            "KeepJobFlowAliveWhenNoSteps": True,
        }
        asked = {"Name": "c", "ReleaseLabel": "emr-7.11.0", "JobFlowRole": "r", "ServiceRole": "r", **request}
        return str(self.client("emr").run_job_flow(**{"Instances": instances, **asked})["JobFlowId"])

    def start_step(self, cluster: str, *args: str) -> Path:
        """Add a step that writes a file when it runs, and wait for that; its last argument is the file."""
        file = self.place / f"runs-{len(list(self.place.iterdir()))}"
        words = [word.replace("{}", str(file)) for word in args]
        step = {
            "Name": "s",
            "ActionOnFailure": "CONTINUE",
            "HadoopJarStep": {"Jar": "command-runner.jar", "Args": words},
        }
        self.client("emr").add_job_flow_steps(JobFlowId=cluster, Steps=[step])
        until(file.exists, f"step {words} runs")
        return file

    def look(self) -> dict[int, str]:
        """Remember the processes there are now."""
        now = processes_of(self.place)
        self.seen |= now
        return now

    def assert_nothing_is_left(self) -> None:
        assert processes_of(self.place) == {}
        assert list(self.temporary.iterdir()) == []
        assert {entry.name for entry in self.data.iterdir()} <= KEPT
        sockets = [file for file in self.data.rglob("*") if stat.S_ISSOCK(file.lstat().st_mode)]
        assert sockets == []
        # A JVM's own file, which is not where java.io.tmpdir says.
        left = [file for file in Path("/tmp").glob("hsperfdata_*/*") if file.name in map(str, self.seen)]
        assert left == []


@pytest.fixture
def emrkit(tmp_path):
    run = Emrkit(tmp_path)
    yield run
    for pid in processes_of(tmp_path):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def busy(emrkit):
    """Make the server busy: Spark in both deploy modes, a step that clings to life, the history server."""

    def make() -> None:
        s3, emr = emrkit.client("s3"), emrkit.client("emr")
        s3.put_object(Bucket="emrkit-local", Key="job.py", Body=SLEEPS.encode())
        cluster = emrkit.cluster(StepConcurrencyLevel=5, LogUri="s3://emrkit-local/logs")
        emrkit.start_step(cluster, "bash", "-c", CLINGS)
        emrkit.start_step(cluster, "spark-submit", "s3://emrkit-local/job.py", "{}")
        emrkit.start_step(
            cluster, "spark-submit", "--deploy-mode", "cluster", "s3://emrkit-local/job.py", "{}"
        )
        arn = emr.describe_cluster(ClusterId=cluster)["Cluster"]["ClusterArn"]
        made = emr.create_persistent_app_ui(TargetResourceArn=arn)
        page = emr.get_persistent_app_ui_presigned_url(PersistentAppUIId=made["PersistentAppUIId"])
        with urllib.request.urlopen(page["PresignedURL"]) as response:
            assert response.status == 200
        commands = " ".join(emrkit.look().values())
        for program in ("SparkSubmit", "HistoryServer", "sleep 600", "serve"):
            assert program in commands

    return make


def test_after_finished_work_and_down(emrkit):
    emrkit("up")
    cluster = emrkit.cluster(LogUri="s3://emrkit-local/logs")
    file = emrkit.start_step(cluster, "bash", "-c", "echo runs > {}")
    assert file.read_text() == "runs\n"
    emrkit.look()
    emrkit("down")
    emrkit.assert_nothing_is_left()


def test_after_down_in_the_middle_of_everything(emrkit, busy):
    emrkit("up")
    busy()
    assert "stopped" in emrkit("down")
    emrkit.assert_nothing_is_left()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["terminated", "terminal-closed"])
def test_after_the_end_of_a_server_in_the_foreground(emrkit, number):
    server = emrkit.foreground()
    emrkit.start_step(emrkit.cluster(), "bash", "-c", CLINGS)
    emrkit.look()
    server.send_signal(number)
    assert server.wait(200) == 0
    emrkit.assert_nothing_is_left()


def test_after_down_during_a_bootstrap_action(emrkit):
    emrkit("up")
    file = emrkit.place / "runs"
    script = f"#!/bin/bash\n{CLINGS.format(file)}\n".encode()
    emrkit.client("s3").put_object(Bucket="emrkit-local", Key="b.sh", Body=script)
    path = {"Path": "s3://emrkit-local/b.sh"}
    emrkit.cluster(BootstrapActions=[{"Name": "b", "ScriptBootstrapAction": path}])
    until(file.exists, "the bootstrap action runs")
    emrkit.look()
    emrkit("down")
    emrkit.assert_nothing_is_left()


@pytest.fixture
def installing(emrkit):
    """Have a server in the middle of an installation: nothing is there yet, and the index never answers."""
    with socket.create_server(("127.0.0.1", 0)) as index:
        address = f"http://127.0.0.1:{index.getsockname()[1]}/simple"
        emrkit.extra = {
            "EMRKIT_CACHE_DIR": str(emrkit.place / "cache"),
            "UV_DEFAULT_INDEX": address, "UV_INDEX_URL": address, "PIP_INDEX_URL": address,
            "UV_CACHE_DIR": str(emrkit.place / "uv-cache"), "UV_HTTP_TIMEOUT": "300",
        }  # fmt: skip
        emrkit("up")
        emrkit.cluster()
        index.settimeout(60)
        with index.accept()[0]:
            emrkit.look()
            yield emrkit


def test_after_down_during_an_installation(installing):
    installing("down")
    installing.assert_nothing_is_left()


def kill(emrkit) -> None:
    server = emrkit.status.process
    server.send(signal.SIGKILL)
    assert server.wait_gone(60)


@pytest.mark.parametrize("actions", [["up", "down"], ["down"]], ids=["up-and-down", "down-alone"])
def test_after_the_server_was_killed(emrkit, busy, actions):
    emrkit("up")
    busy()
    kill(emrkit)
    assert processes_of(emrkit.place) != {}
    for action in actions:
        emrkit(action)
    emrkit.assert_nothing_is_left()


def test_after_the_server_was_killed_during_an_installation(installing):
    kill(installing)
    installing("down")
    installing.assert_nothing_is_left()
