"""``emrkit local`` as users run it: real processes, free ports, directories of the test's own."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3
import pytest

from airflow_provider_emrkit import cli
from airflow_provider_emrkit.localemr.cli import printable, uptime
from airflow_provider_emrkit.localemr.cli_examples import EXAMPLES, LOCAL
from airflow_provider_emrkit.localemr.instance import running_instance
from airflow_provider_emrkit.localemr.processes import Process

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "import sys; from airflow_provider_emrkit.cli import main; sys.exit(main())"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Emrkit:
    """Runs ``emrkit local …`` in a directory of the test's own."""

    def __init__(self, base):
        self.base = base

    def environment(self, **extra):
        return {**os.environ, "PYTHONPATH": str(REPOSITORY), "XDG_DATA_HOME": str(self.base), **extra}

    def __call__(self, *arguments, **environment):
        return subprocess.run(
            [*COMMAND, "local", *map(str, arguments)],
            env=self.environment(**environment),
            cwd=self.base,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def directory(self, port):
        return self.base / "emrkit" / "localemr" / str(port)


@pytest.fixture
def emrkit(tmp_path):
    """Run the command; whatever it started is gone after the test."""
    run = Emrkit(tmp_path)
    yield run
    for status in tmp_path.glob("**/instance.json"):
        run("down", "--data-dir", status.parent)


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    """One instance for all tests that only look, started from an environment with a real AWS account."""
    run = Emrkit(tmp_path_factory.mktemp("instance"))
    port = free_port()
    up = run("up", "--port", port, **USERS_AWS)
    assert up.returncode == 0, up.stderr
    yield run, port, up
    down = run("down", "--port", port)
    assert (down.returncode, down.stdout.splitlines()[-1]) == (0, "stopped")


USERS_AWS = {
    "AWS_PROFILE": "production",
    "AWS_CONFIG_FILE": "/home/somebody/.aws/config",
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
    "AWS_SECRET_ACCESS_KEY": "real-secret",
    "AWS_SESSION_TOKEN": "real-token",
    "AWS_ENDPOINT_URL": "https://emr.real.example",
}


def pid_of(result):
    return int(re.search(r"pid (\d+)", result.stdout)[1])


def test_up_prints_how_to_point_clients_at_it(instance):
    _, port, up = instance
    assert f"export AWS_ENDPOINT_URL=http://127.0.0.1:{port}" in up.stdout
    assert f"stop it: emrkit local down --port {port}\n" in up.stdout
    assert up.stderr == ""


def test_status(instance):
    run, port, up = instance
    status = run("status", "--port", port)
    assert status.returncode == 0
    assert f"http://127.0.0.1:{port}" in status.stdout
    health = json.loads(run("status", "--port", port, "--json").stdout)
    assert (health["pid"], health["clusters"]) == (pid_of(up), {})


def test_a_second_up_leaves_it_as_it_is(instance):
    run, port, up = instance
    again = run("up", "--port", port)
    assert (again.returncode, pid_of(again)) == (0, pid_of(up))


def test_boto3_finds_the_staging_bucket(instance):
    s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{instance[1]}")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["emrkit-local"]


def test_the_server_has_nothing_of_the_users_aws_in_its_environment(instance):
    environment = Path(f"/proc/{pid_of(instance[2])}/environ").read_text().split("\0")
    names = {line.partition("=")[0] for line in environment}
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"} & names
    assert not [line for line in environment if "AKIAREAL" in line or "real-" in line or "somebody" in line]
    assert "AWS_ACCESS_KEY_ID=localemr" in environment


def test_env_takes_the_users_own_settings_out_of_the_shell(instance):
    run, port, _ = instance
    printed = run("env", "--port", port, **USERS_AWS).stdout
    shell = f"{printed}\nenv"
    after = subprocess.run(
        ["sh", "-c", shell], env=USERS_AWS, capture_output=True, text=True, check=True
    ).stdout
    assert "real" not in after.lower()
    assert "AWS_PROFILE" not in after
    assert f"AWS_ENDPOINT_URL=http://127.0.0.1:{port}" in after


def test_env_of_an_instance_that_does_not_run_keeps_the_shell_away_from_aws_all_the_same(emrkit):
    result = emrkit("env", "--port", 5999, **USERS_AWS)
    assert result.returncode == 3
    assert "does not run; start it with: emrkit local up --port 5999" in result.stderr
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:5999" in result.stdout


def test_a_port_that_another_local_emr_has_is_named_with_its_directory(instance, tmp_path):
    run, port, up = instance
    result = run("up", "--port", port, "--data-dir", tmp_path / "other")
    assert result.returncode == 1
    assert f"pid {pid_of(up)}" in result.stderr
    assert str(run.directory(port)) in result.stderr


def test_a_data_directory_that_is_in_use_is_refused(instance):
    run, port, up = instance
    result = run("up", "--port", free_port(), "--data-dir", run.directory(port))
    assert result.returncode == 1
    assert f"pid {pid_of(up)}" in result.stderr
    assert "--data-dir" in result.stderr


def test_two_instances_live_apart_and_one_can_be_started_again(emrkit):
    ports = [free_port(), free_port()]
    pids = []
    for port in ports:
        up = emrkit("up", "--port", port)
        assert up.returncode == 0, up.stderr
        pids.append(pid_of(up))
    first, second = (boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}") for port in ports)
    first.create_bucket(Bucket="only-here")
    assert "only-here" not in [bucket["Name"] for bucket in second.list_buckets()["Buckets"]]

    status_file = emrkit.directory(ports[0]) / "instance.json"
    status = json.loads(status_file.read_text())
    assert emrkit("down", "--port", ports[0]).returncode == 0
    assert Process.of(pids[0]) is None
    assert emrkit("status", "--port", ports[0]).returncode == 3
    assert second.list_buckets()["Buckets"]

    # A status file left by a crash, whose process id now is somebody else's: this test's own.
    status_file.write_text(json.dumps({**status, "pid": os.getpid()}))
    assert emrkit("down", "--port", ports[0]).returncode == 0
    assert emrkit("up", "--port", ports[0]).returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=["ctrl-c", "closed-terminal"])
def test_in_the_foreground_it_ends_in_good_order(emrkit, number):
    port = free_port()
    command = [*COMMAND, "local", "up", "--foreground", "--port", str(port)]
    with subprocess.Popen(
        command, env=emrkit.environment(), stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as server:
        assert f"listens at http://127.0.0.1:{port}" in server.stderr.readline()
        server.send_signal(number)
        assert server.wait(30) == 0
    assert running_instance(emrkit.directory(port)) is None


def test_a_port_that_another_program_has_is_named(emrkit):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = emrkit("up", "--port", port)
    assert result.returncode == 1
    assert f"port {port} is taken by another program; choose another one with --port" in result.stderr


@pytest.mark.parametrize("options", [[], ["--foreground"]], ids=["background", "foreground"])
def test_a_data_directory_that_cannot_be_made_is_named(emrkit, tmp_path, options):
    (tmp_path / "file").write_text("")
    result = emrkit("up", "--port", 0, "--data-dir", tmp_path / "file" / "d", *options)
    assert result.returncode == 1
    assert str(tmp_path / "file" / "d") in result.stderr
    assert "Traceback" not in result.stderr


def test_two_that_start_it_at_the_same_moment_find_the_same_one(emrkit):
    port = free_port()
    with ThreadPoolExecutor() as pool:
        ups = list(pool.map(lambda _: emrkit("up", "--port", port), range(3)))
    assert [up.returncode for up in ups] == [0, 0, 0], [up.stderr for up in ups]
    assert len({pid_of(up) for up in ups}) == 1
    assert f"listens at http://127.0.0.1:{port}" in (emrkit.directory(port) / "localemr.log").read_text()


def test_what_a_killed_server_knew_is_known_to_the_next(emrkit):
    port = free_port()
    first = emrkit("up", "--port", port)
    emr = boto3.client("emr", endpoint_url=f"http://127.0.0.1:{port}")
    emr.create_security_configuration(Name="kept", SecurityConfiguration="{}")
    server = Process.of(pid_of(first))
    server.send(signal.SIGKILL)
    assert server.wait_gone(10)
    assert emrkit("up", "--port", port).returncode == 0
    assert [found["Name"] for found in emr.list_security_configurations()["SecurityConfigurations"]] == [
        "kept"
    ]


def test_a_state_that_cannot_be_kept_is_named_with_the_way_out(emrkit, tmp_path):
    (tmp_path / "data" / "state.db").mkdir(parents=True)
    port = free_port()
    refused = emrkit("up", "--port", port, "--data-dir", tmp_path / "data")
    assert refused.returncode == 1
    assert f"{tmp_path}/data/state.db can't be written" in refused.stderr
    assert "--ephemeral" in refused.stderr
    assert emrkit("up", "--port", port, "--data-dir", tmp_path / "data", "--ephemeral").returncode == 0


def test_an_address_that_is_not_this_machines_is_not_taken_for_a_taken_port(emrkit):
    result = emrkit("up", "--port", free_port(), "--host", "192.0.2.1")
    assert result.returncode == 1
    assert "can't listen on 192.0.2.1" in result.stderr
    assert "taken" not in result.stderr


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}', '{"unknown": 1}'])
def test_a_broken_status_file_is_no_instance(tmp_path, content):
    (tmp_path / "instance.json").write_text(content)
    assert running_instance(tmp_path) is None


def test_another_address_than_loopback_is_warned_about(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("airflow_provider_emrkit.localemr.cli._start", lambda config: 0)
    assert cli.main(["local", "up", "--host", "0.0.0.0", "--data-dir", str(tmp_path)]) == 0
    assert "run commands on it" in capsys.readouterr().err


def test_without_the_extra_the_mend_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.main(["local", "up", "--data-dir", str(tmp_path)]) == 1
    assert 'pip install "airflow-provider-emrkit[local]"' in capsys.readouterr().err


def test_prefetch_refuses_an_unknown_label(capsys):
    assert cli.main(["local", "prefetch", "emr-99.0.0"]) == 1
    assert "emr-99.0.0" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "65536", "http", "\u0661"])
def test_a_port_must_be_one(port, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["local", "status", f"--port={port}"])
    assert "is no port" in capsys.readouterr().err


def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["local", "--help"])
    assert 'eval "$(emrkit local env)"' in capsys.readouterr().out


@pytest.mark.parametrize("command", ["up", "status", "down", "reset", "env", "faults", "prefetch"])
def test_each_commands_help_shows_examples_of_it(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["local", command, "--help"])
    shown = capsys.readouterr().out
    examples = re.findall(rf"emrkit local {command}\b.*", shown.partition("examples:")[2])
    assert len(examples) >= 2


def test_every_example_is_one_that_can_be_run():
    lines = [line for text in (LOCAL, *EXAMPLES.values()) for line in text.splitlines()]
    commands = [
        found[1] for line in lines if (found := re.search(r"emrkit (local [^|>&)#]*?)(?:  |[|>&)#]|$)", line))
    ]
    assert len(commands) > 20
    for command in commands:
        cli._parser().parse_args(
            shlex.split(command.replace("minio.ini", __file__).replace("faults --help", "faults"))
        )


def test_env_as_json(instance):
    run, port, _ = instance
    printed = json.loads(run("env", "--port", port, "--format", "json").stdout)
    assert printed["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{port}"


def test_env_as_an_env_file_needs_no_quotes_and_can_be_for_another_container(emrkit):
    result = emrkit("env", "--format", "dotenv", "--url", "http://localemr:5005")
    assert result.returncode == 0
    for line in result.stdout.splitlines():
        name, _, value = line.partition("=")
        assert name.isupper()
        assert re.fullmatch(r"[\w:/.?&=%@-]+", value), value
    assert "endpoint_url=http%3A%2F%2Flocalemr%3A5005" in result.stdout


def test_env_as_airflows_connections(instance):
    run, port, _ = instance
    printed = json.loads(run("env", "--port", port, "--format", "airflow").stdout)
    assert {conn_id: one["conn_type"] for conn_id, one in printed.items()} == {
        "aws_default": "aws",
        "emrkit_default": "emrkit",
    }


def test_a_server_whose_directory_is_removed_ends_and_leaves_the_next_one_alone(emrkit, tmp_path):
    data = tmp_path / "data"
    here = ("--port", "0", "--data-dir", str(data))
    pid = pid_of(emrkit("up", *here))
    first = Process.of(pid)
    shutil.rmtree(data)
    again = emrkit("up", *here)
    assert pid_of(again) != pid
    assert first.wait_gone(20)
    assert emrkit("status", *here).returncode == 0
    assert (data / "instance.lock").exists()
    assert "stopped" in emrkit("down", *here).stdout


def test_down_ends_what_a_killed_server_has_left(emrkit):
    port = free_port()
    up = emrkit("up", "--port", port)
    server = Process.of(pid_of(up))
    server.send(signal.SIGKILL)
    assert server.wait_gone(10)
    directory = emrkit.directory(port)
    assert (directory / "instance.json").exists()
    assert emrkit("down", "--port", port).returncode == 0
    assert {entry.name for entry in directory.iterdir()} & {
        "instance.json",
        "instance.lock",
        "process.json",
        "tmp",
    } == set()


def test_terminal_commands_in_text_are_escaped():
    assert printable("a\x1b]0;x\x07b\u202ec\r") == "a\\x1b]0;x\\x07b\\u202ec\\r"
    assert printable("two\nlines\té") == "two\nlines\té"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (61, "1 min 1 s"), (2 * 3600 + 300, "2 h 5 min"), (-5, "0 s")]
)
def test_uptime(seconds, text):
    started = datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert uptime(started.isoformat(), started + timedelta(seconds=seconds)) == text


def imported_by(code):
    script = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


def test_the_server_imports_neither_airflow_nor_the_provider():
    loaded = imported_by(
        "import airflow_provider_emrkit.localemr.serve, airflow_provider_emrkit.localemr.server\n"
        "import airflow_provider_emrkit.localemr.run.runner"
    )
    ours = {name.split(".")[1] for name in loaded if name.startswith("airflow_provider_emrkit.")}
    assert "airflow" not in loaded
    assert ours <= {"localemr", "releases", "validation", "frozen", "templating"}


def test_the_command_line_starts_fast_because_it_imports_little():
    loaded = imported_by("import airflow_provider_emrkit.cli")
    assert not {"boto3", "botocore", "moto", "airflow", "werkzeug", "rich"} & loaded
