"""The demo as a user runs it: its result, what its processes see of the user's AWS account, every way out."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.engine.settings import instance_id
from demo.ports import any_free, is_free
from demo.processes import command_of, environment_of, members, process
from demo.record import Record, read

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
# Seconds that a process may take from its fork to its program, on a machine that is busy.
BECOMES_WITHIN = 5.0
USERS_AWS = {
    "AWS_ACCESS_KEY_ID": "AKIAQYLPMN5HFIQR7XYA",
    "AWS_SECRET_ACCESS_KEY": "users-own-secret-key",
    "AWS_SESSION_TOKEN": "users-own-session-token",
    "AWS_PROFILE": "users-production-profile",
    "AWS_DEFAULT_PROFILE": "users-production-profile",
    "AWS_ROLE_ARN": "arn:aws:iam::210987654321:role/users-own-role",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/users-own-token",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/users-own",
    "AWS_ENDPOINT_URL_S3": "https://users-own-endpoint.example",
    "AIRFLOW_CONN_AWS_DEFAULT": "aws://users-own-connection",
}


class RunningDemo:
    """The demo in a process of its own.

    :param extra: Options and variables on top of the usual.
    """

    def __init__(self, places, folder: Path, *options: str, ports=None, user=None) -> None:
        self.folder = folder
        self.airflow_port, self.localemr_port = ports or (any_free(), any_free())
        self.log = folder.with_suffix(".out")
        argv = [str(places.localemr_env / "bin" / "python"), str(ROOT / "dev" / "run_demo.py")]
        argv += ["--airflow-env", str(places.airflow_env), "--localemr-env", str(places.localemr_env)]
        argv += ["--data-env", str(places.data_env), "--folder", str(folder)]
        argv += ["--airflow-port", str(self.airflow_port), "--localemr-port", str(self.localemr_port)]
        with self.log.open("wb") as output:
            self.popen = subprocess.Popen(
                [*argv, *options],
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(user or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.process = process(self.popen.pid)

    def text(self) -> str:
        return self.log.read_text()

    def record(self) -> Record | None:
        return read(self.folder / "running.json")

    def processes(self):
        """What it started, found without the demo's own marker: by parents and sessions."""
        return [one for one in members(("NO_MARKER", "none"), [self.process]) if one.pid != self.popen.pid]

    def end(self) -> None:
        """Leave nothing behind, whatever the test has met."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            self.popen.wait(120)
        record = self.record()
        if record is not None:
            record.stop()


@pytest.fixture
def demo(places, tmp_path):
    """Start demos; they are ended after the test."""
    started: list[RunningDemo] = []

    def start(*options: str, name: str = "demo", **more) -> RunningDemo:
        started.append(RunningDemo(places, tmp_path / name, *options, **more))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.fixture
def users_aws(tmp_path) -> dict[str, str]:
    """An AWS set-up of a user: variables, and the files that ``~/.aws`` holds."""
    credentials, config = tmp_path / "users-credentials", tmp_path / "users-config"
    credentials.write_text("[users-production-profile]\naws_access_key_id = AKIAQYLPMN5HFIQR7XYA\n")
    config.write_text("[profile users-production-profile]\nregion = eu-west-1\n")
    files = {"AWS_SHARED_CREDENTIALS_FILE": str(credentials), "AWS_CONFIG_FILE": str(config)}
    return {**USERS_AWS, **files}


def _watch(demo: RunningDemo, environments: dict[int, dict[str, str]], programs: set[str]) -> None:
    own = command_of(demo.popen.pid)
    for one in demo.processes():
        # One that has not become its program yet shows the demo's; one that stays what it is counts.
        deadline = time.monotonic() + BECOMES_WITHIN
        while (command := command_of(one.pid)) == own and time.monotonic() < deadline:
            time.sleep(0.01)
        found = environment_of(one.pid)
        if found:
            environments[one.pid] = found
            programs.add(command)


def test_the_demo_shows_its_result_and_never_sees_the_users_aws_account(demo, users_aws):
    kept = demo("--keep", user=users_aws)
    environments: dict[int, dict[str, str]] = {}
    programs: set[str] = set()
    while kept.popen.poll() is None:
        _watch(kept, environments, programs)
        time.sleep(0.1)
    text = kept.text()
    assert kept.popen.returncode == 0, text

    assert len(environments) > 10
    for program in ("airflow triggerer", "emrkit local up", "org.apache.spark.deploy.SparkSubmit"):
        assert any(program in command for command in programs), sorted(programs)
    secrets = set(users_aws.values())
    for pid, found in environments.items():
        assert not secrets & set(found.values()), f"process {pid}: {found}"
        allowed = {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"}
        allowed |= {"AWS_DEFAULT_REGION", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"}
        allowed |= {"AWS_EC2_METADATA_DISABLED"}
        assert {name for name in found if name.startswith("AWS_")} <= allowed

    assert "\x1b" not in text  # a file is no terminal
    _shows_the_result(text)
    _is_kept_and_stopped(kept, demo)


def _shows_the_result(text: str) -> None:
    lines = text.splitlines()
    job = [line for line in lines if " stdout  │ " in line]
    for wanted in ("rows read: 336776", "rows written: 399"):
        assert len([line for line in job if wanted in line]) == 1, text
    for wanted in (
        "flights_summary",
        "success",
        "399",
        "s3://emrkit-demo/flights_summary/",
        "s3://emrkit-demo/logs/j-",
    ):
        assert any(wanted in line for line in lines[-20:]), text


def _is_kept_and_stopped(kept: RunningDemo, demo) -> None:
    for port in (kept.airflow_port, kept.localemr_port):
        assert f"http://127.0.0.1:{port}" in kept.text()
        assert not is_free(port)
    record = kept.record()
    assert record is not None
    assert record.kept

    again = demo(ports=(kept.airflow_port, kept.localemr_port))
    assert again.popen.wait(120) == 1
    assert "an earlier demo has left Airflow" in again.text()
    assert "make demo-stop" in again.text()

    stopped = demo("--stop")
    assert stopped.popen.wait(120) == 0
    assert record.processes() == []
    assert is_free(kept.airflow_port)
    assert is_free(kept.localemr_port)


def test_a_taken_port_is_said_with_its_holder_and_the_mend(demo):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        port = server.getsockname()[1]
        refused = demo(ports=(port, any_free()))
        assert refused.popen.wait(120) == 1
    assert f"port {port}, wanted for Airflow, is taken by pid {os.getpid()}" in refused.text()
    assert "make demo AIRFLOW_PORT=" in refused.text()


def test_the_demo_with_an_image_runs_in_it_and_leaves_no_container(demo, docker_engine, example_image):
    shown = demo("--docker")
    assert shown.popen.wait(450) == 0, shown.text()
    lines = shown.text().splitlines()
    assert any("image: " in line and example_image in line for line in lines), shown.text()
    for who in ("driver", "executors"):
        inside = (
            f"stdout  │ {who}: /usr/local/lib/python3.11/dist-packages/haversine/__init__.py in a container"
        )
        # Once, but for the end of the log, which the worker may show again, and says so.
        first, _, again = shown.text().partition("once more and at their own times")
        assert (first.count(inside), again.count(inside)) in ((1, 0), (1, 1)), shown.text()
    assert any(line.startswith("The longest route: JFK-HNL, 4975.2 miles") for line in lines), shown.text()
    assert any("rows written" in line and "217" in line for line in lines[-20:]), shown.text()
    assert (
        docker_engine.containers(f"emrkit.localemr={instance_id(shown.folder / 'localemr' / 'data')}") == []
    )


def test_a_demo_with_an_image_and_no_engine_starts_nothing(demo):
    nowhere = {"DOCKER_HOST": "unix:///nowhere/socket", "CONTAINER_HOST": "unix:///nowhere/socket"}
    refused = demo("--docker", user=nowhere)
    assert refused.popen.wait(120) == 1
    (line,) = refused.text().splitlines()
    assert line.startswith("The demo can't start: no container engine runs here (")


def _leaves_nothing(stopped: RunningDemo, record: demo.record.Record, seen: list) -> None:
    assert record.processes() == []
    alive = [one for one in seen if (now := process(one.pid)) is not None and now.started == one.started]
    assert [command_of(one.pid) for one in alive] == []
    assert not (stopped.folder / "running.json").exists()
    assert is_free(stopped.airflow_port)
    assert is_free(stopped.localemr_port)


@pytest.mark.parametrize(
    ("number", "sign"),
    [
        pytest.param(signal.SIGINT, "… Spark for", id="Ctrl-C while it starts"),
        pytest.param(signal.SIGTERM, "rows read:", id="SIGTERM while the job runs"),
    ],
)
def test_a_demo_that_is_stopped_leaves_nothing(demo, wait_until, number, sign):
    stopped = demo()
    wait_until(
        lambda: sign in stopped.text() or stopped.popen.poll() is not None, f"{sign!r} in the output", 240
    )
    record, seen = stopped.record(), stopped.processes()
    assert record is not None, stopped.text()
    assert len(seen) > 1

    stopped.popen.send_signal(number)

    assert stopped.popen.wait(120) == 128 + number, stopped.text()
    assert f"stopped by {number.name}" in stopped.text()
    _leaves_nothing(stopped, record, seen)


def test_a_demo_whose_airflow_is_killed_says_so_and_leaves_nothing(demo, wait_until):
    failed = demo()
    wait_until(lambda: "rows read:" in failed.text() or failed.popen.poll() is not None, "the job runs", 240)
    record, seen = failed.record(), failed.processes()
    assert record is not None, failed.text()

    os.kill(record.roots[0].pid, signal.SIGKILL)

    assert failed.popen.wait(120) == 1, failed.text()
    assert "Airflow ended with exit code -9" in failed.text()
    assert str(failed.folder / "airflow.log") in failed.text()
    _leaves_nothing(failed, record, seen)


def test_stopping_nothing_is_no_error(demo):
    nothing = demo("--stop")
    assert nothing.popen.wait(120) == 0
    assert "no demo is running" in nothing.text()
