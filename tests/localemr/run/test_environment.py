"""The environment of a cluster's commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from airflow_provider_emrkit.localemr.config import ACCESS_KEY, SECRET_KEY
from airflow_provider_emrkit.localemr.run.environment import (
    FAST_COLLECTOR,
    Place,
    command_environment,
    package_index_environment,
    write_own_programs,
    write_shims,
)
from airflow_provider_emrkit.localemr.run.submit_program import write_settings
from airflow_provider_emrkit.localemr.run.yarn_wire import YarnAddress
from airflow_provider_emrkit.localemr.spark.submit import Machine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> Place:
    spark, java = tmp_path / "spark home", tmp_path / "java"
    for program in (spark / "bin" / "spark-submit", java / "bin" / "java"):
        program.parent.mkdir(parents=True)
        program.write_text('#!/bin/sh\necho "$DAY" "$SPARK_SUBMIT_OPTS" >&2\nprintf \'%s\\n\' "$@"\n')
        program.chmod(0o755)
    place = Place(tmp_path / "j 1", spark, java, "http://127.0.0.1:5005", "eu-west-1", ("/s3.jar",))
    (place.venv / "bin").mkdir(parents=True)
    place.python.symlink_to(sys.executable)
    write_shims(place, "/bin/echo")
    write_own_programs(place)
    return place


def run(place: Place, *argv: str) -> list[str]:
    env = command_environment(place, place.directory)
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize(
    "name",
    [
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "BOTO_CONFIG",
        "MY_SECRET",
    ],
)
def test_nothing_of_the_users_reaches_a_job(place, monkeypatch, name):
    monkeypatch.setenv(name, "real")
    assert name not in command_environment(place, place.directory)


def test_aws_clients_get_the_local_endpoint_and_worthless_credentials(place, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://real")
    env = command_environment(place, place.directory)
    assert (env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]) == (ACCESS_KEY, SECRET_KEY)
    assert env["AWS_ENDPOINT_URL"] == "http://127.0.0.1:5005"
    assert env["AWS_REGION"] == env["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert env["AWS_CONFIG_FILE"] == env["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull


def test_a_proxy_is_kept_and_never_used_for_this_machine(place, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://proxy:1")
    monkeypatch.setenv("no_proxy", "intern")
    env = command_environment(place, place.directory)
    assert env["https_proxy"] == "http://proxy:1"
    assert env["no_proxy"] == env["NO_PROXY"] == "intern,127.0.0.1,localhost"


def test_package_indexes_may_hold_a_password_and_go_to_bootstrap_actions_only(place, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:secret@host/")
    assert "secret" not in str(command_environment(place, place.directory))
    found = package_index_environment(os.environ)
    assert found["UV_DEFAULT_INDEX"] == "https://user:secret@host/"
    assert not [name for name in found if name.startswith("AWS_")]


def test_temporary_files_stay_in_the_commands_directory(place, tmp_path):
    env = command_environment(place, tmp_path / "a b")
    assert env["TMPDIR"] == env["SPARK_LOCAL_DIRS"] == str(tmp_path / "a b" / "tmp")
    assert f'"-Djava.io.tmpdir={tmp_path}/a b/tmp"' in env["SPARK_SUBMIT_OPTS"]


def test_a_job_with_its_own_collector_gets_no_second_one(place):
    assert FAST_COLLECTOR in command_environment(place, place.directory)["SPARK_SUBMIT_OPTS"]
    env = command_environment(place, place.directory, own_collector=True)
    assert FAST_COLLECTOR not in env["SPARK_SUBMIT_OPTS"]


def test_python_is_the_clusters(place):
    code = "import sys; print(sys.argv[1:], sys.executable)"
    assert run(place, "python3", "-c", code, "a b") == [f"['a b'] {place.python}"]


@pytest.mark.parametrize(
    ("argv", "printed"),
    [
        (["pip3", "install", "a b"], "pip install --python {python} a b"),
        (["python3", "-m", "pip", "install", "x"], "pip install --python {python} x"),
        (["sudo", "-H", "-u", "hadoop", "pip", "list"], "pip list --python {python}"),
        (["sudo", "X=1", "pip", "list"], "pip list --python {python}"),
        (["pip", "uninstall", "-y", "x"], "pip uninstall --python {python} x"),
    ],
)
def test_pip_fills_the_clusters_environment(place, argv, printed):
    assert run(place, *argv) == [printed.format(python=place.python)]


def test_hadoop_fs_is_java(place):
    assert run(place, "hdfs", "dfs", "-ls", "s3://b/")[-3:] == [
        "org.apache.hadoop.fs.FsShell",
        "-ls",
        "s3://b/",
    ]


def write(place, machine, defaults):
    yarn = YarnAddress(1, "secret")
    write_settings(place.settings, machine, defaults, fast_collector=FAST_COLLECTOR, yarn=yarn)


def test_a_scripts_spark_submit_is_translated(place):
    write(place, Machine(2, 4096, ("/s3.jar",)), {})
    args = ["--master", "yarn", "--num-executors", "9", "job.py", "", "a\nb", "é"]
    env = command_environment(place, place.directory)
    done = subprocess.run(["spark-submit", *args], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[:2] == ["--master", "local[2]"]
    assert done.stdout.endswith("job.py\n\na\nb\né\n")
    assert env["SPARK_SUBMIT_OPTS"] in done.stderr


def test_a_scripts_spark_submit_with_its_own_collector(place):
    write(place, Machine(2, 4096), {})
    env = command_environment(place, place.directory)
    argv = ["spark-submit", "--conf", "spark.driver.extraJavaOptions=-XX:+UseG1GC", "job.py"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    assert FAST_COLLECTOR not in done.stderr


def test_settings_are_plain_json(place):
    write(place, Machine(2, 4096), {"a": "b"})
    assert place.settings.stat().st_mode & 0o777 == 0o600
    assert json.loads(place.settings.read_text())["defaults"] == {"a": "b"}
