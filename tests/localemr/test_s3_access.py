"""Which S3 is used, with which keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.config import (
    ServerConfig,
    client_environment,
    connection_uri,
    connections,
)
from airflow_provider_emrkit.localemr.s3_access import S3Access, S3AccessError, s3_access

KEYS = "[default]\naws_access_key_id = AKIA%1\naws_secret_access_key = s/e+c=ret#;%x\n"


@pytest.fixture
def access(tmp_path):
    def call(endpoint: str | None = "http://127.0.0.1:9000", keys: str | None = None) -> S3Access:
        file = tmp_path / "keys"
        if keys is not None:
            file.write_text(keys)
        return s3_access(
            ServerConfig(
                data_dir=tmp_path, s3_endpoint=endpoint, s3_credentials=None if keys is None else file
            )
        )

    return call


def test_the_built_in_s3_is_where_all_else_is(access):
    s3 = access(None)
    assert (s3.url, s3.is_external, s3.environment) == ("http://127.0.0.1:5005", False, {})


def test_an_external_s3_has_its_own_keys(access):
    s3 = access("http://[::1]:9000/", KEYS + "aws_session_token = to=ken\n[other]\naws_access_key_id = no\n")
    assert s3.environment == {
        "AWS_ENDPOINT_URL_S3": "http://[::1]:9000",
        "AWS_ACCESS_KEY_ID": "AKIA%1",
        "AWS_SECRET_ACCESS_KEY": "s/e+c=ret#;%x",
        "AWS_SESSION_TOKEN": "to=ken",
    }


def test_an_external_s3_without_a_file_gets_keys_that_are_worth_nothing(access):
    assert access().access_key == "localemr"


@pytest.mark.parametrize(
    "endpoint",
    ["127.0.0.1:9000", "ftp://x", "http://", "http://h/bucket", "http://u:p@h", "http://h:x", "http://h?a=b"],
)
def test_what_is_no_address_of_an_s3_is_refused(access, endpoint):
    with pytest.raises(S3AccessError, match=r"--s3-endpoint: .* write it like http://127\.0\.0\.1:9000"):
        access(endpoint)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("", r"has no 'default'"),
        ("[default]\naws_access_key_id = a\n", r"has no 'aws_secret_access_key' in the profile"),
        ("aws_secret_access_key = hush\n", r"is no AWS credentials file"),
        ("[default]\nhush hush\n", r"is no AWS credentials file"),
    ],
)
def test_a_file_without_keys_is_refused_and_not_repeated(access, keys, said):
    with pytest.raises(S3AccessError, match=said) as refused:
        access(keys=keys)
    assert "hush" not in str(refused.value)


def test_keys_without_their_s3_and_a_missing_file_are_refused(access, tmp_path):
    with pytest.raises(S3AccessError, match="holds the keys of --s3-endpoint"):
        access(None, KEYS)
    missing = ServerConfig(
        data_dir=tmp_path, s3_endpoint="http://127.0.0.1:9000", s3_credentials=Path("/no/such/file")
    )
    with pytest.raises(S3AccessError, match="/no/such/file can't be read"):
        s3_access(missing)


def test_secrets_are_not_in_its_text(access):
    text = repr(access(keys=KEYS + "aws_session_token = token\n"))
    assert "s/e+c" not in text
    assert "token'" not in text


def test_clients_get_that_s3_and_its_keys(access):
    s3 = access(keys=KEYS)
    environment = client_environment("http://127.0.0.1:5005", {}, s3)
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:5005"
    assert environment["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:9000"
    assert environment["AWS_ACCESS_KEY_ID"] == "AKIA%1"
    # Nothing of the built-in one's changes.
    assert client_environment("http://u", {}) == client_environment("http://u", {}, S3Access("http://u"))


def test_airflows_connections_get_it_too(access):
    from airflow.models import Connection

    found = connections("http://127.0.0.1:5005", access(keys=KEYS))
    aws = Connection(uri=connection_uri(found["aws_default"]))
    assert (aws.login, aws.password) == ("AKIA%1", "s/e+c=ret#;%x")
    assert aws.extra_dejson["service_config"] == {"s3": {"endpoint_url": "http://127.0.0.1:9000"}}
    assert aws.extra_dejson["endpoint_url"] == "http://127.0.0.1:5005"
    # An address of its own would hold for every service.
    assert "endpoint_url" not in found["emrkit_default"]["extra"]
