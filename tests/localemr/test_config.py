"""Directories, and environments that lead nowhere near a real AWS account."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr import serve
from airflow_provider_emrkit.localemr.config import (
    ServerConfig,
    client_environment,
    connection_uri,
    connections,
    default_cache_dir,
    default_data_dir,
    directed_environment,
    server_environment,
)

USERS = {
    "PATH": "/bin",
    "LANG": "C.UTF-8",
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
    "AWS_SECRET_ACCESS_KEY": "real-secret",
    "AWS_SESSION_TOKEN": "real-token",
    "AWS_ENDPOINT_URL_S3": "https://s3.real.example",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/creds",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/token",
    "AWS_CONFIG_FILE": "/home/user/.aws/config",
    "BOTO_CONFIG": "/home/user/.boto",
    "MOTO_ACCOUNT_ID": "999999999999",
    "AIRFLOW_CONN_AWS_DEFAULT": "aws://AKIAREAL:real-secret@",
    "HTTPS_PROXY": "http://proxy.example:3128",
    "NO_PROXY": "corp.example",
}


def test_the_servers_environment_has_nothing_of_the_users_aws():
    scrubbed = server_environment(USERS)
    assert not any("real" in value.lower() for value in scrubbed.values())
    assert "AWS_PROFILE" not in scrubbed
    assert "MOTO_ACCOUNT_ID" not in scrubbed
    assert (scrubbed["AWS_CONFIG_FILE"], scrubbed["AWS_SHARED_CREDENTIALS_FILE"]) == (os.devnull, os.devnull)
    assert scrubbed["AWS_EC2_METADATA_DISABLED"] == "true"
    assert (scrubbed["PATH"], scrubbed["LANG"]) == ("/bin", "C.UTF-8")


def test_downloads_keep_the_users_proxy_but_this_machine_is_reached_directly():
    scrubbed = server_environment(USERS)
    assert scrubbed["HTTPS_PROXY"] == "http://proxy.example:3128"
    assert scrubbed["NO_PROXY"] == "corp.example,127.0.0.1,localhost,::1"
    assert scrubbed["no_proxy"] == scrubbed["NO_PROXY"]


def test_a_clients_environment_keeps_all_but_what_leads_elsewhere():
    directed = directed_environment("http://127.0.0.1:5005", {**USERS, "AWS_PAGER": ""})
    kept = {"PATH": "/bin", "LANG": "C.UTF-8", "AWS_PAGER": "", "HTTPS_PROXY": "http://proxy.example:3128"}
    assert kept.items() <= directed.items()
    leading = {name: value for name, value in directed.items() if name.startswith(("AWS_", "AIRFLOW_CONN_"))}
    assert leading == {**client_environment("http://127.0.0.1:5005"), "AWS_PAGER": ""}


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_client_behind_a_proxy_reaches_the_local_address_directly(name):
    environment = client_environment(
        "http://127.0.0.1:5005", {name: "http://proxy", "NO_PROXY": "corp.example"}
    )
    assert environment["NO_PROXY"] == "corp.example,127.0.0.1,localhost,::1"
    assert "NO_PROXY" not in client_environment("http://127.0.0.1:5005", {"NO_PROXY": "corp.example"})


def test_airflow_reads_a_connections_uri_as_the_connection_itself():
    models = pytest.importorskip("airflow.models")
    for conn_id, one in connections("http://127.0.0.1:5005").items():
        read = models.Connection(conn_id=conn_id, uri=connection_uri(one))
        assert (read.conn_type, read.extra_dejson) == (one["conn_type"], one["extra"])
        assert (read.login, read.password) == (one.get("login"), one.get("password"))


def test_clients_are_pointed_at_the_local_address():
    environment = client_environment("http://127.0.0.1:5005")
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:5005"
    aws = json.loads(environment["AIRFLOW_CONN_AWS_DEFAULT"])
    emrkit = json.loads(environment["AIRFLOW_CONN_EMRKIT_DEFAULT"])
    assert aws["extra"]["endpoint_url"] == emrkit["extra"]["endpoint_url"] == "http://127.0.0.1:5005"
    assert (aws["conn_type"], emrkit["conn_type"]) == ("aws", "emrkit")


def test_directories_follow_the_users_wishes():
    assert default_data_dir(5005, {"HOME": "/h"}) == Path("/h/.local/share/emrkit/localemr/5005")
    assert default_data_dir(5006, {"HOME": "/h", "XDG_DATA_HOME": "/d"}) == Path("/d/emrkit/localemr/5006")
    assert default_cache_dir({"HOME": "/h"}) == Path("/h/.cache/emrkit")
    assert default_cache_dir({"HOME": "/h", "XDG_CACHE_HOME": "/c"}) == Path("/c/emrkit")
    assert default_cache_dir({"HOME": "/h", "EMRKIT_CACHE_DIR": "/x"}) == Path("/x")


@pytest.mark.parametrize(
    "config",
    [
        ServerConfig(data_dir=Path("/d")),
        ServerConfig(
            data_dir=Path("/d e"),
            host="::1",
            port=0,
            cache_dir=Path("/c"),
            allowed_hosts=("a", "b"),
            ephemeral=True,
            jvm_profile="full",
            executors="processes",
            engine="podman",
            s3_filesystem="s3a",
            s3_endpoint="http://127.0.0.1:9000",
            s3_credentials=Path(__file__),
            faults=Path(__file__),
        ),
    ],
    ids=["plain", "everything"],
)
def test_a_server_is_started_with_the_configuration_it_was_asked_for(config, monkeypatch):
    served = []
    monkeypatch.setattr(serve, "serve", lambda given, **_: served.append(given) or 0)
    assert serve.main(serve.arguments(config)) == 0
    assert served == [config]


def test_the_address_is_one_that_clients_on_this_machine_can_use():
    def url(host):
        return ServerConfig(data_dir=Path("/d"), host=host, port=1).url

    assert url("0.0.0.0") == "http://127.0.0.1:1"
    assert url("::1") == "http://[::1]:1"
    assert url("192.168.1.7") == "http://192.168.1.7:1"
