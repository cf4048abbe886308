"""The tests' own guard (``tests/conftest.py``): no test can see the user's AWS account or Airflow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_HOSTILE = {
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "users-key",
    "AWS_SECRET_ACCESS_KEY": "users-secret",
    "AWS_SESSION_TOKEN": "users-token",
    "AWS_ROLE_ARN": "arn:aws:iam::111111111111:role/admin",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/token",
    "AWS_ENDPOINT_URL": "https://users.invalid",
    "BOTO_CONFIG": "/boto",
    "AIRFLOW_HOME": "/users/airflow",
    "AIRFLOW_CONN_AWS_DEFAULT": "aws://users-key:users-secret@",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://users.invalid/airflow",
    "HTTPS_PROXY": "http://proxy.invalid:3128",
    "NO_PROXY": "users.invalid",
}


def test_aws_settings_are_the_tests_own() -> None:
    seen = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "BOTO"))}
    assert seen == {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": seen["AWS_CONFIG_FILE"],
        "AWS_SHARED_CREDENTIALS_FILE": seen["AWS_SHARED_CREDENTIALS_FILE"],
    }
    assert not Path(seen["AWS_CONFIG_FILE"]).exists()
    assert not Path(seen["AWS_SHARED_CREDENTIALS_FILE"]).exists()


def test_airflow_has_an_empty_home_and_no_connection_of_the_users() -> None:
    assert Path(os.environ["AIRFLOW_HOME"]).is_dir()
    assert "emrkit-tests-" in os.environ["AIRFLOW_HOME"]
    assert [name for name in os.environ if name.startswith("AIRFLOW_CONN_")] == []
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in os.environ


def test_servers_of_this_machine_are_asked_without_a_proxy() -> None:
    assert {"127.0.0.1", "localhost"} <= set(os.environ["NO_PROXY"].split(","))


@pytest.mark.skipif("EMRKIT_GUARDED" in os.environ, reason="this is the run inside")
def test_all_that_holds_with_everything_set_in_the_users_environment() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__],
        env={**os.environ, **_HOSTILE, "EMRKIT_GUARDED": "1"},
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed, 1 skipped" in done.stdout
