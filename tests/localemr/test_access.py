"""Web pages must not reach the local EMR by way of the user's browser."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.localemr.access import refusal


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:5005",
        "localhost:5005",
        "LOCALHOST",
        "[::1]:5005",
        "192.168.1.7:5005",
        "bucket.localhost:5005",
        "bucket.s3.eu-west-1.amazonaws.com",
        "host.docker.internal:5005",
        "localemr:5005",
    ],
)
def test_hosts_of_this_machine_are_let_in(host):
    assert refusal(host, None) is None


@pytest.mark.parametrize(
    "host", ["evil.example:5005", "localhost.evil.example", "amazonaws.com.evil.example", "", None]
)
def test_other_hosts_are_refused(host):
    assert "--allow-host" in refusal(host, None)


def test_a_host_can_be_allowed():
    assert refusal("emr.corp.example:5005", None, ("emr.corp.example",)) is None
    assert refusal("bucket.emr.corp.example", None, ("emr.corp.example",)) is None


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:5005", "https://[::1]:8080"])
def test_local_pages_are_let_in(origin):
    assert refusal("127.0.0.1:5005", origin) is None


def test_pages_of_the_server_itself_are_let_in():
    assert refusal("192.168.1.7:5005", "http://192.168.1.7:5005") is None


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://evil.example:5005",
        "http://localhost.evil.example",
        # Anybody can have a page at an address or in a bucket.
        "http://203.0.113.5",
        "https://evil.s3.amazonaws.com",
        "null",
        "",
        "file://",
        "http://[",
    ],
)
def test_other_pages_are_refused(origin):
    assert "may not use" in refusal("127.0.0.1:5005", origin)
