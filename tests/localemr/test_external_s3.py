"""``emrkit local up --s3-endpoint``: the built-in S3 is not used, and says so."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from signed_s3 import external_s3

from airflow_provider_emrkit.localemr.config import STAGING_BUCKET
from airflow_provider_emrkit.localemr.external_s3 import ExternalS3
from airflow_provider_emrkit.localemr.http import Scope
from airflow_provider_emrkit.localemr.s3_access import S3Access

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "import sys; from airflow_provider_emrkit.cli import main; sys.exit(main())"]


@pytest.fixture(scope="module")
def external():
    with external_s3() as running:
        yield running


@pytest.fixture(scope="module")
def local(external, tmp_path_factory):
    """Run ``emrkit local`` with a server that uses it."""
    folder = tmp_path_factory.mktemp("external")
    keys = folder / "keys"
    names = ("aws_access_key_id", "aws_secret_access_key")
    pairs = "".join(f"{name} = {value}\n" for name, value in zip(names, external.keys, strict=True))
    keys.write_text(f"[default]\n{pairs}")

    def run(action, *arguments):
        argv = [*COMMAND, "local", action, "--data-dir", str(folder / "data"), *arguments]
        return subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, timeout=90, check=True)

    chosen = ("--s3-endpoint", external.url, "--s3-credentials", str(keys))
    run.up = run("up", "--port", "0", "--ephemeral", *chosen).stdout
    yield run
    run("down")


@pytest.fixture
def environment(local):
    lines = local("env", "--format", "dotenv").stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_starting_it_prints_no_key(local, external):
    assert f"S3 is the one at {external.url}" in local.up
    assert external.keys[1] not in local.up


def test_clients_are_pointed_at_it(environment, external):
    assert environment["AWS_ENDPOINT_URL_S3"] == external.url
    assert environment["AWS_SECRET_ACCESS_KEY"] == external.keys[1]
    assert environment["AWS_ENDPOINT_URL"] != external.url


def test_the_staging_bucket_is_there(local, external):
    deadline = time.monotonic() + 30
    while STAGING_BUCKET not in [bucket["Name"] for bucket in external.client().list_buckets()["Buckets"]]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert external.refused() == []


def client_of(environment, service):
    return boto3.client(
        service,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


def test_s3_requests_to_the_local_emr_are_told_where_to_go(environment, external):
    lost = client_of(environment, "s3")
    with pytest.raises(ClientError, match=f"set AWS_ENDPOINT_URL_S3={external.url}"):
        lost.put_object(Bucket=STAGING_BUCKET, Key="lost", Body=b"")
    with pytest.raises(ClientError, match="400"):
        lost.head_object(Bucket=STAGING_BUCKET, Key="lost")


def test_everything_else_takes_those_keys(environment):
    assert client_of(environment, "emr").list_clusters()["Clusters"] == []
    assert client_of(environment, "sts").get_caller_identity()["Account"] == "123456789012"


def test_a_bucket_is_made_as_soon_as_that_s3_answers(monkeypatch):
    from airflow_provider_emrkit.localemr import external_s3 as module

    tries = []

    def make(client, bucket):
        tries.append(bucket)
        return ConnectionError("not yet") if len(tries) < 3 else None

    monkeypatch.setattr(module, "_make_bucket", make)
    monkeypatch.setattr(module, "TRY_EVERY", 0.01)
    service = ExternalS3(S3Access("http://127.0.0.1:9", is_external=True), "bucket")
    service.start()
    service.join()
    assert tries == ["bucket"] * 3


def test_only_s3_is_refused():
    service = ExternalS3(S3Access("http://127.0.0.1:9000", is_external=True))
    assert service.claims(Scope("us-east-1", "s3"), {})
    assert not service.claims(Scope("us-east-1", "sqs"), {})
