"""The pytest plugin as it works in somebody else's project: a pytest of its own, no other plugin of ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.processes import Process

pytest_plugins = ["pytester"]

REPOSITORY = Path(__file__).resolve().parents[2]
PLUGIN = "airflow_provider_emrkit.testing.plugin"

TELLS = """
import json, os, pathlib
def tell(localemr, **more):
    told = {"url": localemr.url, "dir": str(localemr.data_dir), "pid": localemr._kept.instance.status.pid}
    with pathlib.Path(os.environ["TOLD"]).open("a") as file:
        file.write(json.dumps({**told, **more}) + "\\n")
"""


class Project:
    """A project with tests, and what they have told of their local EMR."""

    def __init__(self, pytester, monkeypatch) -> None:
        self.pytester = pytester
        self._told = pytester.path / "told"
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
        monkeypatch.setenv("TOLD", str(self._told))
        monkeypatch.setenv("TMPDIR", str(self.temporary))
        self.temporary.mkdir()

    @property
    def temporary(self) -> Path:
        return self.pytester.path / "tmp"

    def run(self, source: str, *options: str):
        self.pytester.makepyfile(TELLS + source)
        return self.pytester.runpytest_subprocess("-p", PLUGIN, *options)

    def start(self, source: str) -> subprocess.Popen:
        file = self.pytester.makepyfile(TELLS + source)
        return subprocess.Popen([sys.executable, "-m", "pytest", "-p", PLUGIN, str(file)])

    def told(self) -> list[dict]:
        return (
            [json.loads(line) for line in self._told.read_text().splitlines()] if self._told.exists() else []
        )

    def local_emrs_left(self) -> list[str]:
        return [entry.name for entry in self.temporary.iterdir() if entry.name.startswith("localemr-")]


@pytest.fixture
def project(pytester, monkeypatch):
    return Project(pytester, monkeypatch)


def until(condition, seconds=120):
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.1)


def test_loading_it_imports_nothing_but_itself():
    code = f"""
import json, sys, pytest
before = set(sys.modules)
import {PLUGIN}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [
        "airflow_provider_emrkit",
        "airflow_provider_emrkit.testing",
        "airflow_provider_emrkit.testing.plugin",
    ]


def test_its_options_are_in_the_help(project):
    shown = project.run("", "--help").stdout.str()
    for option in ("release=LABEL", "port=PORT", "data-dir=DIR", "cache-dir=DIR", "keep"):
        assert f"--localemr-{option}" in shown
    assert "localemr_release" in shown


def test_a_run_that_does_not_ask_starts_nothing(project):
    result = project.run("import sys\ndef test_it(): assert not {'boto3', 'moto'} & set(sys.modules)")
    result.assert_outcomes(passed=1)
    assert project.local_emrs_left() == []


def test_without_the_extra_the_tests_that_ask_fail_with_the_mend(project):
    project.pytester.makeconftest("import sys\nsys.modules['moto'] = None")
    result = project.run("def test_it(localemr): pass\ndef test_other(): pass")
    result.assert_outcomes(errors=1, passed=1)
    assert 'pip install "airflow-provider-emrkit[local]"' in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_all_tests_of_a_session_have_the_same_one_and_nothing_is_left_of_it(project):
    result = project.run(
        """
def test_one(localemr):
    tell(localemr)
    localemr.client("s3").create_bucket(Bucket="made-by-one")
def test_two(localemr):
    tell(localemr)
    assert "made-by-one" in [found["Name"] for found in localemr.client("s3").list_buckets()["Buckets"]]
""",
        "-Werror",
    )
    result.assert_outcomes(passed=2)
    first, second = project.told()
    assert first == second
    assert Process.of(first["pid"]) is None
    assert project.local_emrs_left() == []


def test_after_a_reset_it_is_empty(project):
    result = project.run(
        """
def test_it(localemr):
    localemr.client("s3").create_bucket(Bucket="data")
    localemr.reset()
    assert [found["Name"] for found in localemr.client("s3").list_buckets()["Buckets"]] == ["emrkit-local"]
"""
    )
    result.assert_outcomes(passed=1)


def test_things_go_wrong_while_a_block_lasts(project):
    result = project.run(
        """
def test_it(localemr):
    with localemr.faults(throttle={"operation": "ListClusters", "times": 1}) as active:
        localemr.client("emr").list_clusters()
    assert active.struck == 1
"""
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "terminated"])
def test_nothing_is_left_of_a_session_that_dies(project, number):
    session = project.start("import time\ndef test_it(localemr):\n    tell(localemr)\n    time.sleep(600)")
    until(project.told)
    session.send_signal(number)
    session.wait(60)
    until(lambda: Process.of(project.told()[0]["pid"]) is None)
    assert project.local_emrs_left() == []


def test_the_workers_of_xdist_have_one_each(project):
    pytest.importorskip("xdist")
    result = project.run(
        """
import pytest
@pytest.mark.parametrize("number", range(2))
def test_it(localemr, worker_id, number):
    tell(localemr, worker=worker_id)
""",
        *("-p", "xdist.plugin", "-n2", "--dist=each", "--tx=2*popen"),
    )
    result.assert_outcomes(passed=4)
    assert len({(told["worker"], told["url"]) for told in project.told()}) == 2
    assert project.local_emrs_left() == []


SEES_ITS_ENVIRONMENT = """
import os, boto3
BEFORE = dict(os.environ)
boto3.setup_default_session(aws_access_key_id="users", aws_secret_access_key="users", region_name="us-east-1")

def test_without(localemr):
    assert dict(os.environ, PYTEST_CURRENT_TEST="") == dict(BEFORE, PYTEST_CURRENT_TEST="")

def test_with(localemr, localemr_env):
    assert os.environ["AWS_ENDPOINT_URL"] == localemr.url == localemr_env["AWS_ENDPOINT_URL"]
    assert "AWS_PROFILE" not in os.environ
    assert [found["Name"] for found in boto3.client("s3").list_buckets()["Buckets"]] == ["emrkit-local"]
    assert localemr.url in os.environ["AIRFLOW_CONN_AWS_DEFAULT"]

def test_after(localemr):
    assert os.environ["AWS_PROFILE"] == "production"
    assert boto3.DEFAULT_SESSION.get_credentials().access_key == "users"
"""


def test_only_a_test_that_asks_has_its_environment_pointed_at_it(project, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    credentials = project.pytester.path / "credentials"
    credentials.write_text("[production]\naws_access_key_id = users\naws_secret_access_key = users\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    project.run(SEES_ITS_ENVIRONMENT).assert_outcomes(passed=3)


def test_its_place_can_be_chosen_and_stays(project):
    result = project.run("def test_it(localemr): tell(localemr)", "--localemr-data-dir=emr")
    result.assert_outcomes(passed=1)
    (told,) = project.told()
    assert told["dir"] == str(project.pytester.path / "emr")
    assert (project.pytester.path / "emr" / "localemr.log").exists()
    assert not (project.pytester.path / "emr" / "instance.lock").exists()


@pytest.mark.parametrize("options", [(), ("-p", "xdist.plugin", "-n1")], ids=["here", "xdist"])
def test_its_temporary_place_can_be_kept_and_is_said(project, options):
    if options:
        pytest.importorskip("xdist")
    result = project.run("def test_it(localemr): tell(localemr)", "--localemr-keep", *options)
    (told,) = project.told()
    assert f"the local EMR's files are left in {told['dir']}" in result.stdout.str()
    assert (Path(told["dir"]) / "localemr.log").exists()


def test_the_ini_file_sets_what_the_command_line_does_not(project):
    project.pytester.makeini("[pytest]\nlocalemr_data_dir = below\nlocalemr_release = emr-6.15.0\n")
    source = "def test_it(localemr): tell(localemr, release=localemr.release)"
    project.run(source).assert_outcomes(passed=1)
    project.run(source, "--localemr-release=emr-7.1.0").assert_outcomes(passed=1)
    assert [told["release"] for told in project.told()] == ["emr-6.15.0", "emr-7.1.0"]
    assert {told["dir"] for told in project.told()} == {str(project.pytester.path / "below")}


@pytest.mark.parametrize("port", ["http", "70000", "0"])
def test_a_port_that_is_none_is_refused(project, port):
    result = project.run("def test_it(localemr): pass", f"--localemr-port={port}")
    result.assert_outcomes(errors=1)
    assert f"'{port}' is no port" in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_a_directory_in_use_is_not_touched(project):
    result = project.run(
        """
import pytest
from airflow_provider_emrkit.testing import LocalEmr
def test_it(localemr):
    with pytest.raises(Exception, match="is used by the local EMR at"):
        LocalEmr.start(data_dir=localemr.data_dir)
    assert localemr.client("s3").list_buckets()["Buckets"]
""",
    )
    result.assert_outcomes(passed=1)
