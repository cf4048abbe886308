"""Deploy mode cluster: the driver belongs to the cluster, the step is only its client."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.processes import Process
from airflow_provider_emrkit.localemr.run.contract import ClusterRequest, StepRequest
from airflow_provider_emrkit.localemr.run.process import Session
from airflow_provider_emrkit.localemr.run.runner import SparkClusterRunner
from airflow_provider_emrkit.localemr.run.submit_program import rooted
from airflow_provider_emrkit.localemr.run.yarn_wire import YarnAddress, YarnGoneError, ask

CLUSTER_MODE = ("spark-submit", "--deploy-mode", "cluster")
SLEEPS = (
    *CLUSTER_MODE,
    "--name",
    "daily",
    "--conf",
    "spark.yarn.tags=mine,emrkit-0AB-0-1",
    "job-that-sleeps",
)


@pytest.fixture
def cluster(start):
    return start()


@pytest.fixture
def directory(cluster, tmp_path) -> Path:
    (found,) = (tmp_path / "instance" / "clusters").iterdir()
    return found


@pytest.fixture
def run(cluster, directory):
    """Run a step to its end, and give its result and what it printed."""

    def call(*args: str, step_id: str):
        result = cluster.start_step(StepRequest(step_id, "a step", "command-runner.jar", args)).wait()
        stdout, stderr = ((directory / "steps" / step_id / name).read_text() for name in ("stdout", "stderr"))
        return result, stdout, stderr

    return call


def begin(cluster, *args: str, step_id: str = "s-1"):
    return cluster.start_step(StepRequest(step_id, "a step", "command-runner.jar", args))


def await_text(path: Path, text: str) -> str:
    deadline, pause = time.monotonic() + 20, threading.Event()
    while text not in (path.read_text() if path.exists() else ""):
        assert time.monotonic() < deadline, f"no {text!r} in {path}"
        pause.wait(0.02)
    return path.read_text()


def driver_log(directory: Path, step_id: str = "s-1") -> Path:
    report = await_text(directory / "steps" / step_id / "stderr", "(state: RUNNING)")
    return directory / "applications" / re.findall(r"application_\w+", report)[0] / "stdout"


def pids(directory: Path) -> list[int]:
    """List the driver's processes."""
    (file,) = directory.glob("applications/*/process.json")
    return Session.load(file).pids()


def alive(processes: list[int]) -> list[int]:
    return [pid for pid in processes if Process.of(pid)]


def test_a_cancelled_step_leaves_its_driver_running(cluster, directory, run):
    running = begin(cluster, *SLEEPS)
    await_text(driver_log(directory), "sleeping")
    running.cancel()
    assert running.wait().cancelled
    assert len(pids(directory)) == 2
    _, listed, _ = run("yarn", "application", "-list", step_id="s-2")
    assert re.search(r"application_\d+_0001\t\s+daily\t\s+SPARK\t.*\tdefault|RUNNING", listed)


def test_a_killed_step_leaves_its_driver_running_too(cluster, directory):
    running = begin(cluster, *SLEEPS)
    await_text(driver_log(directory), "sleeping")
    running.cancel(force=True)
    assert running.wait().cancelled
    assert len(pids(directory)) == 2


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_an_application_is_found_by_its_tag_and_killed(cluster, directory, run):
    running = begin(cluster, *SLEEPS)
    await_text(driver_log(directory), "sleeping")
    processes = pids(directory)
    running.cancel()
    running.wait()
    script = (
        "yarn application -list -appTags emrkit-0AB-0-1 2>/dev/null | grep -o 'application_[0-9_]*' "
        "| xargs -r yarn application -kill"
    )
    result, printed, _ = run("bash", "-c", script, step_id="s-2")
    assert result.succeeded
    assert re.fullmatch(r"Killing application application_\d+_0001\n", printed)
    assert alive(processes) == []
    assert list(directory.glob("applications/*/process.json")) == []
    _, live, _ = run("yarn", "application", "-list", step_id="s-3")
    assert live.splitlines()[0].endswith("states: [SUBMITTED, ACCEPTED, RUNNING] and tags: []):0")
    _, ended, _ = run("yarn", "application", "-list", "-appStates", "ALL", step_id="s-4")
    assert re.search(r"KILLED\t\s+KILLED", ended)


def test_a_step_fails_when_its_application_is_killed(cluster, directory, run):
    running = begin(cluster, *SLEEPS)
    name = driver_log(directory).parent.name
    assert run("yarn", "application", "-kill", name, step_id="s-2")[0].succeeded
    result = running.wait()
    assert not result.succeeded
    assert not result.cancelled
    assert (
        result.message
        == f'Exception in thread "main" org.apache.spark.SparkException: Application {name} is killed'
    )
    assert "final status: KILLED" in (directory / "steps/s-1/stderr").read_text()


def test_in_client_mode_a_cancel_ends_the_driver(cluster, directory):
    running = begin(cluster, "spark-submit", "job-that-sleeps")
    await_text(directory / "steps/s-1/stdout", "sleeping")
    running.cancel()
    assert running.wait().cancelled
    assert list(directory.glob("applications/*")) == []


def test_the_end_of_the_cluster_is_the_end_of_its_applications(cluster, directory):
    running = begin(cluster, *SLEEPS)
    await_text(driver_log(directory), "sleeping")
    processes = pids(directory)
    running.cancel()
    running.wait()
    cluster.stop()
    assert alive(processes) == []
    assert not directory.exists()


def test_a_new_runner_ends_the_drivers_of_one_that_was_killed(cluster, directory, server_config):
    begin(cluster, *SLEEPS)
    await_text(driver_log(directory), "sleeping")
    processes = pids(directory)
    SparkClusterRunner(server_config)
    deadline, pause = time.monotonic() + 10, threading.Event()
    while alive(processes):
        assert time.monotonic() < deadline
        pause.wait(0.02)


def test_a_client_that_does_not_wait_is_done_at_once(cluster, directory, run):
    args = [*SLEEPS[:-1], "--conf", "spark.yarn.submit.waitAppCompletion=false", SLEEPS[-1]]
    result, _, report = run(*args, step_id="s-1")
    assert result.succeeded
    [application] = re.findall(r"Submitted application (application_\w+)", report)
    # The client may be gone before it could see the application run.
    await_text(directory / "applications" / application / "stdout", "sleeping")
    assert len(pids(directory)) == 2


@pytest.mark.parametrize(
    "script",
    [
        pytest.param('spark-submit --deploy-mode cluster "$1" "$2"', id="called"),
        pytest.param('exec spark-submit --deploy-mode cluster "$@"', id="exec"),
        pytest.param(
            r"""printf '%s\0' "$@" > argv; a=(); while IFS= read -r -d '' x; do a+=("$x"); done < argv;
            exec spark-submit --deploy-mode cluster "${a[@]}" """,
            id="argument-file",
        ),
        pytest.param('spark-submit --conf spark.submit.deployMode=cluster "$@"', id="by-conf"),
    ],
)
def test_a_scripts_spark_submit_is_a_client_too(directory, run, script):
    result, stdout, report = run("bash", "-c", script, "x", "job.py", "a b\n'é", step_id="s-1")
    assert result.succeeded
    assert stdout == ""
    assert "final status: SUCCEEDED" in report
    log = directory / "applications" / re.findall(r"application_\w+", report)[0] / "stdout"
    assert log.read_text().endswith("job.py\na b\n'é\n")


def test_a_scripts_client_can_be_killed_without_its_driver(cluster, directory):
    running = begin(cluster, "bash", "-c", 'spark-submit --deploy-mode cluster "$@"', "x", "job-that-sleeps")
    await_text(driver_log(directory), "sleeping")
    running.cancel()
    assert running.wait().cancelled
    assert len(pids(directory)) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["job-that-fails"], r"Application application_\w+ finished with failed status", id="job"
        ),
        pytest.param(["--files", "absent.txt", "job.py"], r"absent.txt can't be read", id="file"),
    ],
)
def test_a_scripts_spark_submit_fails_as_a_steps_own_does(run, arguments, message):
    script = "spark-submit --deploy-mode cluster " + " ".join(arguments)
    result, _, report = run("bash", "-c", script, step_id="s-1")
    assert not result.succeeded
    assert re.search(message, report)
    assert re.search(message, result.message)


def test_drivers_run_where_their_files_are(directory, run):
    script = (
        "echo 1 > data.txt; touch job-that-sleeps; "
        "spark-submit --deploy-mode cluster --conf spark.yarn.submit.waitAppCompletion=false "
        "--files data.txt job.py job-that-sleeps"
    )
    assert run("bash", "-c", script, step_id="s-1")[0].succeeded
    place = re.search(r"sleeping in (.*)", await_text(driver_log(directory), "sleeping"))[1]
    assert Path(place, "data.txt").read_text() == "1\n"
    assert Path(place).parent == directory / "staging"


def test_relative_paths_of_files_are_made_full(tmp_path):
    for name in ("job.py", "a.zip", "b.zip", "--name"):
        (tmp_path / name).touch()
    args = [
        "--name",
        "job.py",
        "--py-files=a.zip,s3://x/c.zip, b.zip#b,none.zip",
        "--verbose",
        "job.py",
        "job.py",
    ]
    assert rooted(args, tmp_path) == [
        "--name", "job.py",
        "--py-files", f"{tmp_path}/a.zip,s3://x/c.zip,{tmp_path}/b.zip#b,none.zip",
        "--verbose", f"{tmp_path}/job.py", "job.py",
    ]  # fmt: skip
    assert rooted(["--class", "job.py", "spark-internal"], tmp_path) == [
        "--class",
        "job.py",
        "spark-internal",
    ]


def test_a_client_that_is_killed_before_it_has_submitted_leaves_nothing(cluster, directory, monkeypatch):
    fetching, go_on = threading.Event(), threading.Event()

    def slow(*_):
        fetching.set()
        assert go_on.wait(20)

    monkeypatch.setattr("airflow_provider_emrkit.localemr.run.yarn_service.localise", slow)
    running = begin(cluster, "bash", "-c", 'spark-submit --deploy-mode cluster "$@"', "x", "job.py")
    assert fetching.wait(20)
    running.cancel()
    assert running.wait().cancelled
    go_on.set()
    for thread in threading.enumerate():
        if thread.name == "localemr-yarn-client":
            thread.join(20)
    assert cluster.context.manager.applications() == []


def address(directory: Path) -> YarnAddress:
    from airflow_provider_emrkit.localemr.run.yarn_program import read_address

    return read_address(directory / "submit.json")


def test_only_the_clusters_own_programs_are_answered(cluster, directory):
    known = address(directory)
    assert list(ask(known, action="list")) == []
    for secret in ("", "other", None):
        with pytest.raises(YarnGoneError):
            list(ask(YarnAddress(known.port, secret), action="list"))
    for junk in (b"\n", b"[]\n", b"\xff\xfe{\n", b'{"secret": 1'):
        with socket.create_connection(("127.0.0.1", known.port)) as connection:
            connection.sendall(junk)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100) == b""
    assert list(ask(known, action="dance")) == []


def test_after_the_clusters_end_nobody_answers(cluster, directory):
    known = address(directory)
    cluster.stop()
    with pytest.raises(YarnGoneError, match="does not answer"):
        list(ask(known, action="list"))


def test_a_program_says_that_its_cluster_is_gone(cluster, directory, tmp_path):
    program, settings = (directory / "bin" / "yarn").read_text(), (directory / "submit.json").read_text()
    cluster.stop()
    directory.mkdir(parents=True)
    (directory / "submit.json").write_text(settings)
    (tmp_path / "yarn").write_text(program)
    done = subprocess.run(
        ["sh", tmp_path / "yarn", "application", "-list"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 255
    assert done.stderr.startswith("yarn: the cluster's YARN does not answer")


def test_a_stopped_manager_starts_nothing(cluster):
    manager = cluster.context.manager
    manager.stop()
    with pytest.raises(RuntimeError, match="was stopped"):
        manager.submit(None)


def test_a_bootstrap_action_that_fails_ends_what_it_submitted(runner, tmp_path):
    script = tmp_path / "boot.sh"
    script.write_text(
        "spark-submit --deploy-mode cluster --conf spark.yarn.submit.waitAppCompletion=false "
        "job-that-sleeps\n"
        f"cat {tmp_path}/instance/clusters/*/applications/*/process.json > {tmp_path}/session.json; exit 1"
    )
    action = {"Name": "one", "ScriptBootstrapAction": {"Path": os.fspath(script)}}
    with pytest.raises(Exception, match="bootstrap action 1 returned a non-zero return code"):
        runner.start(ClusterRequest("j-BOOT", "emr-7.11.0", bootstrap_actions=[action]), lambda _: None)
    assert Session.load(tmp_path / "session.json").pids() == []
