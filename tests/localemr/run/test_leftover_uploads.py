"""Multipart uploads of jobs that were killed."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.cluster import UPLOADS, sweep
from airflow_provider_emrkit.localemr.run.contract import StepRequest
from airflow_provider_emrkit.localemr.run.leftover_uploads import abort_leftover_uploads

KEY = "out/part 1%é"


@pytest.fixture
def s3(endpoint):
    return aws_client("s3", endpoint, "us-east-1")


@pytest.fixture
def upload(s3):
    """An upload that is under way, as the record of one says it."""
    upload_id = s3.create_multipart_upload(Bucket="emr-logs", Key=KEY)["UploadId"]
    s3.upload_part(Bucket="emr-logs", Key=KEY, UploadId=upload_id, PartNumber=1, Body=b"part")
    yield f"emr-logs\n{upload_id}\n{KEY}\n"
    for left in uploads(s3):
        s3.abort_multipart_upload(Bucket="emr-logs", Key=left["Key"], UploadId=left["UploadId"])


def uploads(s3):
    return s3.list_multipart_uploads(Bucket="emr-logs").get("Uploads", [])


def test_what_a_record_names_is_aborted_and_the_record_goes(s3, upload, tmp_path):
    (tmp_path / "emrkit-s3-1.upload").write_text(upload)
    abort_leftover_uploads(s3, tmp_path)
    assert uploads(s3) == []
    assert list(tmp_path.iterdir()) == []


def test_an_upload_that_is_gone_is_no_trouble(s3, upload, tmp_path, caplog):
    for name in ("emrkit-s3-1.upload", "emrkit-s3-2.upload"):
        (tmp_path / name).write_text(upload)
    with caplog.at_level(logging.WARNING):
        abort_leftover_uploads(s3, tmp_path)
    assert (caplog.text, list(tmp_path.iterdir())) == ("", [])


@pytest.mark.parametrize("text", ["", "emr-logs", "emr-logs\nid", "no/bucket\nid\nkey\n"])
def test_a_record_that_is_none_is_left_and_said(s3, tmp_path, caplog, text):
    (tmp_path / "emrkit-s3-1.upload").write_text(text)
    abort_leftover_uploads(s3, tmp_path)
    assert "emrkit-s3-1.upload can't be aborted" in caplog.text


def test_a_step_that_was_killed_leaves_no_upload(start, s3, upload):
    # What the file system does before it sends the first part.
    script = "printf '%s' \"$0\" > $TMPDIR/emrkit-s3-1.upload; kill -9 $$"
    written = StepRequest("s-1", "killed", "command-runner.jar", ["bash", "-c", script, upload])
    assert not start().start_step(written).wait().succeeded
    assert uploads(s3) == []


def test_what_a_killed_local_emr_left_goes_when_the_next_cluster_starts(start, s3, upload, server_config):
    clusters = server_config.data_dir / "clusters"
    temporary = clusters / "j-OLD" / "steps" / "s-1" / "work" / "tmp"
    temporary.mkdir(parents=True)
    (temporary / "emrkit-s3-1.upload").write_text(upload)
    sweep(clusters)
    assert not (clusters / "j-OLD").exists()
    assert len(uploads(s3)) == 1
    start()
    assert uploads(s3) == []
    assert list((server_config.data_dir / UPLOADS).iterdir()) == []
