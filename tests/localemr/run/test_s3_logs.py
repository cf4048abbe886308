"""Gzipped logs below the LogUri."""

from __future__ import annotations

import gzip

import boto3
import pytest
from moto import mock_aws

from airflow_provider_emrkit.localemr.run.s3_logs import S3Logs, log_location


@pytest.mark.parametrize(
    ("log_uri", "uri"),
    [
        ("s3://logs/", "s3://logs/j-1/x"),
        ("s3://logs", "s3://logs/j-1/x"),
        ("s3n://logs/emr", "s3://logs/emr/j-1/x"),
        ("s3a://logs/emr/", "s3://logs/emr/j-1/x"),
    ],
)
def test_every_form_of_a_log_uri_means_the_same(log_uri, uri):
    assert log_location(log_uri, "j-1").uri("x") == uri


@pytest.mark.parametrize("log_uri", [None, "", "s3://", "hdfs:///logs", "/logs"])
def test_no_s3_no_logs(log_uri):
    assert log_location(log_uri, "j-1") is None


def read(client, key: str) -> bytes:
    return gzip.decompress(client.get_object(Bucket="emr-logs", Key=key)["Body"].read())


@mock_aws
def test_files_are_uploaded_at_the_end_and_now_and_then(tmp_path):
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="emr-logs")
    file = tmp_path / "stderr"
    file.write_text("one\n")
    logs = S3Logs(client, log_location("s3://emr-logs", "j-1"), {"steps/s-1/stderr": file}, 0.05)
    client.get_waiter("object_exists").wait(
        Bucket="emr-logs", Key="j-1/steps/s-1/stderr.gz", WaiterConfig={"Delay": 0.05, "MaxAttempts": 100}
    )
    file.write_text("one\ntwo\n")
    logs.close()
    assert read(client, "j-1/steps/s-1/stderr.gz") == b"one\ntwo\n"


@mock_aws
def test_a_bucket_that_is_not_there_is_a_warning(tmp_path, caplog):
    file = tmp_path / "stderr"
    file.touch()
    client = boto3.client("s3", region_name="us-east-1")
    S3Logs(client, log_location("s3://absent", "j-1"), {"stderr": file}).close()
    assert "s3://absent/j-1/" in caplog.text
    assert "NoSuchBucket" in caplog.text
