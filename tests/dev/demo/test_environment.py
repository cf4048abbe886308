"""The demo's processes get an allow-list of the user's environment, and a local EMR for AWS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demo.environment import MARKER, Places, airflow_connections, environment

USER = {
    "PATH": "/usr/bin",
    "HOME": "/home/ann",
    "LC_ALL": "C.UTF-8",
    "HTTPS_PROXY": "http://proxy:3128",
    "NO_PROXY": "intranet",
    "UV_DEFAULT_INDEX": "http://index/simple",
    "UV_SYSTEM_CERTS": "1",
    "PIP_FIND_LINKS": "/wheels",
    "LD_LIBRARY_PATH": "/opt/python/lib",
    "DOCKER_HOST": "unix:///run/user/1000/docker.sock",
    "DOCKER_AUTH_CONFIG": "the user's logins",
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIAREALLOOKING",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_CONFIG_FILE": "/home/ann/.aws/config",
    "AWS_ROLE_ARN": "arn:aws:iam::1:role/admin",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/token",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/",
    "BOTO_CONFIG": "/home/ann/.boto",
    "AIRFLOW_HOME": "/home/ann/airflow",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://production",
    "AIRFLOW_CONN_AWS_DEFAULT": "aws://AKIAREALLOOKING:secret@",
    "PYTHONPATH": "/home/ann/lib",
    "GITHUB_TOKEN": "token",
}


@pytest.fixture
def places(tmp_path):
    return Places(
        root=tmp_path,
        folder=tmp_path / ".local" / "demo",
        airflow_env=tmp_path / "airflow",
        localemr_env=tmp_path / "localemr",
        data_env=tmp_path / "data",
        airflow_port=8080,
        localemr_port=5005,
    )


@pytest.fixture
def made(places):
    return environment(USER, places, "m1")


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "HOME", "LC_ALL", "LD_LIBRARY_PATH", "HTTPS_PROXY"),
        "DOCKER_HOST",
        *("UV_DEFAULT_INDEX", "UV_SYSTEM_CERTS", "PIP_FIND_LINKS"),
    ],
)
def test_what_a_program_needs_is_passed_on(made, name):
    assert made[name] == USER[name]


@pytest.mark.parametrize(
    "name",
    [name for name in USER if name.startswith(("AIRFLOW", "BOTO", "PYTHONPATH", "GITHUB", "DOCKER_AUTH"))],
)
def test_what_is_not_on_the_list_is_dropped(made, name):
    assert name not in made


def test_no_value_of_the_users_aws_set_up_is_left(made):
    users = {value for name, value in USER.items() if name.startswith(("AWS_", "AIRFLOW_", "BOTO"))}
    assert not users & set(made.values())


def test_aws_is_the_local_endpoint(made):
    assert {name: value for name, value in made.items() if name.startswith("AWS_")} == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:5005",
        "AWS_ACCESS_KEY_ID": "localemr",
        "AWS_SECRET_ACCESS_KEY": "localemr",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": made["AWS_CONFIG_FILE"],
        "AWS_SHARED_CREDENTIALS_FILE": made["AWS_SHARED_CREDENTIALS_FILE"],
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    assert not Path(made["AWS_CONFIG_FILE"]).exists()
    assert not Path(made["AWS_SHARED_CREDENTIALS_FILE"]).exists()


def test_a_proxy_is_not_asked_for_this_machine(made):
    assert made["NO_PROXY"] == made["no_proxy"] == "intranet,127.0.0.1,localhost"


def test_spark_is_cached_in_the_repository_unless_the_user_says_where(places):
    assert environment({}, places, "m")["EMRKIT_CACHE_DIR"] == str(places.root / ".cache" / "emrkit")
    assert environment({"EMRKIT_CACHE_DIR": "/c"}, places, "m")["EMRKIT_CACHE_DIR"] == "/c"


def test_every_process_carries_the_marker(made):
    assert made[MARKER] == "m1"


def test_both_connections_name_the_local_endpoint():
    connections = {
        name: json.loads(text) for name, text in airflow_connections("http://127.0.0.1:5005").items()
    }
    assert sorted(connections) == ["AIRFLOW_CONN_AWS_DEFAULT", "AIRFLOW_CONN_EMRKIT_DEFAULT"]
    for connection in connections.values():
        assert connection["extra"]["endpoint_url"] == "http://127.0.0.1:5005"
    assert connections["AIRFLOW_CONN_EMRKIT_DEFAULT"]["extra"]["staging_uri"] == "s3://emrkit-demo/staging"
