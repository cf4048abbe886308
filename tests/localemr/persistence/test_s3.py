"""S3 is on disk when a request is answered."""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
import stat
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from airflow_provider_emrkit.localemr.moto_app import MotoApp
from airflow_provider_emrkit.localemr.persistence.contents import SMALL
from airflow_provider_emrkit.localemr.persistence.moto_s3 import Versions, forget
from airflow_provider_emrkit.localemr.persistence.state import KeptState

BIG = os.urandom(6_500_000)


@pytest.fixture
def s3(instances):
    client = instances.start().client("s3")
    client.create_bucket(Bucket="data")
    return client


@pytest.fixture
def killed(instances):
    """Kill the server, start it again and give a client of it."""
    return lambda service="s3": instances.kill_and_start().client(service)


def body(s3, key, bucket="data", **more):
    return s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()


def keys(s3, bucket="data"):
    return [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def content_files(instances):
    return list((instances._running.directory / "s3" / "contents").glob("*/*"))


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_an_object_that_is_sent_as_if_it_were_a_form_is_not_taken_apart(s3, kind):
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "data", "Key": "key"})
    data = b"a=b&Action=DeleteObject&c\xff"
    request = urllib.request.Request(url, data, {"Content-Type": kind}, method="PUT")
    with urllib.request.urlopen(request):
        assert body(s3, "key") == data


@pytest.mark.parametrize(
    "data",
    [b"", b"small", b"x" * SMALL, b"x" * (SMALL + 1), BIG],
    ids=["empty", "small", "limit", "file", "6MB"],
)
def test_an_object_that_was_acknowledged_is_there(s3, killed, data):
    etag = s3.put_object(Bucket="data", Key="key", Body=data)["ETag"]
    s3 = killed()
    found = s3.get_object(Bucket="data", Key="key")
    assert (found["Body"].read() == data, found["ETag"], found["ContentLength"]) == (True, etag, len(data))


def test_keys_of_any_name_are_told_apart(s3, killed):
    names = ["a", "a/b", "a/b/", "a//b", "ä/日本 ö+%25?#", "a\\b", "A", "x" * 1000]
    for name in names:
        s3.put_object(Bucket="data", Key=name, Body=name.encode())
    s3 = killed()
    assert sorted(keys(s3)) == sorted(names)
    assert [body(s3, name).decode() for name in names] == names


def test_what_belongs_to_an_object_is_there(s3, killed):
    s3.put_object(
        Bucket="data",
        Key="key",
        Body=b"x",
        Metadata={"owner": "me"},
        ContentType="text/csv",
        Tagging="a=1&b=2",
    )
    s3.put_object_acl(Bucket="data", Key="key", ACL="public-read")
    before = s3.head_object(Bucket="data", Key="key")
    s3 = killed()
    after = s3.head_object(Bucket="data", Key="key")
    seen = "Metadata", "ContentType", "LastModified", "ETag"
    assert [after[name] for name in seen] == [before[name] for name in seen]
    assert after["Metadata"] == {"owner": "me"}
    tags = s3.get_object_tagging(Bucket="data", Key="key")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"a": "1", "b": "2"}
    grants = s3.get_object_acl(Bucket="data", Key="key")["Grants"]
    assert "http://acs.amazonaws.com/groups/global/AllUsers" in [
        grant["Grantee"].get("URI") for grant in grants
    ]


def test_tags_and_acls_that_change_later_are_kept_too(s3, killed):
    s3.put_object(Bucket="data", Key="key", Body=b"x", Tagging="a=1")
    s3 = killed()
    s3.put_object_tagging(Bucket="data", Key="key", Tagging={"TagSet": [{"Key": "a", "Value": "2"}]})
    s3 = killed()
    assert s3.get_object_tagging(Bucket="data", Key="key")["TagSet"] == [{"Key": "a", "Value": "2"}]
    s3.delete_object_tagging(Bucket="data", Key="key")
    s3 = killed()
    assert s3.get_object_tagging(Bucket="data", Key="key")["TagSet"] == []
    assert body(s3, "key") == b"x"


def test_copies_overwrites_and_deletes_are_kept(s3, killed):
    for name in ("old", "moved", "gone", "one", "two"):
        s3.put_object(Bucket="data", Key=name, Body=BIG)
    s3.put_object(Bucket="data", Key="old", Body=b"new")
    s3.copy_object(Bucket="data", Key="there", CopySource={"Bucket": "data", "Key": "moved"})
    s3.delete_object(Bucket="data", Key="moved")
    s3.delete_object(Bucket="data", Key="gone")
    s3.delete_objects(Bucket="data", Delete={"Objects": [{"Key": "one"}, {"Key": "two"}]})
    s3 = killed()
    assert keys(s3) == ["old", "there"]
    assert (body(s3, "old"), body(s3, "there") == BIG) == (b"new", True)


def test_versions_and_delete_markers_are_kept(s3, killed):
    s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    versions = [s3.put_object(Bucket="data", Key="key", Body=b"%d" % n)["VersionId"] for n in range(3)]
    s3.delete_object(Bucket="data", Key="key", VersionId=versions[1])
    marker = s3.delete_object(Bucket="data", Key="key")["VersionId"]
    s3 = killed()
    with pytest.raises(ClientError, match="NoSuchKey"):
        body(s3, "key")
    assert [body(s3, "key", VersionId=version) for version in (versions[0], versions[2])] == [b"0", b"2"]
    s3.delete_object(Bucket="data", Key="key", VersionId=marker)
    s3 = killed()
    assert body(s3, "key") == b"2"
    assert len(s3.list_object_versions(Bucket="data")["Versions"]) == 2


def test_buckets_and_their_settings_are_kept(s3, killed):
    eu = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket="europe", CreateBucketConfiguration=eu)
    s3.put_bucket_tagging(Bucket="data", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket="data", LifecycleConfiguration={"Rules": [rule]})
    s3.put_bucket_policy(Bucket="data", Policy=json.dumps({"Statement": []}))
    s3.create_bucket(Bucket="gone")
    s3.delete_bucket(Bucket="gone")
    s3 = killed()
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["data", "emrkit-local", "europe"]
    assert s3.get_bucket_location(Bucket="europe")["LocationConstraint"] == "eu-west-1"
    assert s3.get_bucket_tagging(Bucket="data")["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert s3.get_bucket_lifecycle_configuration(Bucket="data")["Rules"][0]["Expiration"] == {"Days": 1}
    assert json.loads(s3.get_bucket_policy(Bucket="data")["Policy"]) == {"Statement": []}
    with pytest.raises(ClientError, match="BucketAlready"):
        s3.create_bucket(Bucket="europe", CreateBucketConfiguration=eu)


def test_notifications_still_reach_their_queue(instances, s3, killed):
    sqs = instances._running.client("sqs")
    sqs.create_queue(QueueName="news")
    queue = {"QueueArn": "arn:aws:sqs:us-east-1:123456789012:news", "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="data", NotificationConfiguration={"QueueConfigurations": [queue]}
    )
    instances.stop_and_start()
    s3, sqs = instances._running.client("s3"), instances._running.client("sqs")
    s3.put_object(Bucket="data", Key="key", Body=b"x")
    url = sqs.get_queue_url(QueueName="news")["QueueUrl"]
    bodies = [
        json.loads(found["Body"])
        for found in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    ]
    assert "key" in [record["s3"]["object"]["key"] for found in bodies for record in found.get("Records", [])]


def test_an_upload_goes_on_after_a_kill(s3, killed):
    parts = [os.urandom(5 * 1024 * 1024), os.urandom(5 * 1024 * 1024), b"end"]
    upload = s3.create_multipart_upload(Bucket="data", Key="big", Metadata={"a": "b"})["UploadId"]
    place = {"Bucket": "data", "Key": "big", "UploadId": upload}
    etags = {2: s3.upload_part(**place, PartNumber=2, Body=parts[1])["ETag"]}
    s3.upload_part(**place, PartNumber=1, Body=b"replaced")
    etags[1] = s3.upload_part(**place, PartNumber=1, Body=parts[0])["ETag"]
    s3 = killed()
    assert [part["PartNumber"] for part in s3.list_parts(**place)["Parts"]] == [1, 2]
    etags[3] = s3.upload_part(**place, PartNumber=3, Body=parts[2])["ETag"]
    listed = [{"PartNumber": number, "ETag": etags[number]} for number in (1, 2, 3)]
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": listed})
    s3 = killed()
    assert body(s3, "big") == b"".join(parts)
    assert s3.head_object(Bucket="data", Key="big")["Metadata"] == {"a": "b"}
    assert s3.list_multipart_uploads(Bucket="data").get("Uploads", []) == []


def test_an_upload_that_was_given_up_leaves_nothing(instances, s3):
    upload = s3.create_multipart_upload(Bucket="data", Key="big")["UploadId"]
    s3.upload_part(Bucket="data", Key="big", UploadId=upload, PartNumber=1, Body=BIG)
    s3.abort_multipart_upload(Bucket="data", Key="big", UploadId=upload)
    s3.put_object(Bucket="data", Key="next", Body=b"")
    assert content_files(instances) == []


def test_the_bytes_of_a_completed_upload_are_there_once(instances, s3):
    upload = s3.create_multipart_upload(Bucket="data", Key="big")["UploadId"]
    place = {"Bucket": "data", "Key": "big", "UploadId": upload}
    etag = s3.upload_part(**place, PartNumber=1, Body=BIG)["ETag"]
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    s3.put_object(Bucket="data", Key="next", Body=b"")
    assert [path.stat().st_size for path in content_files(instances)] == [len(BIG)]
    assert body(s3, "big") == BIG


def test_an_object_that_is_read_while_it_is_replaced_is_read_to_its_end(instances, s3):
    s3.put_object(Bucket="data", Key="key", Body=BIG)
    from moto.s3.models import s3_backends

    held = s3_backends["123456789012"]["aws"].get_object("data", "key")
    s3.delete_object(Bucket="data", Key="key")
    s3.put_object(Bucket="data", Key="next", Body=b"")
    assert held.value == BIG
    del held
    s3.put_object(Bucket="data", Key="next", Body=b"")
    assert content_files(instances) == []


def test_many_clients_at_once_lose_nothing(s3, killed):
    s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})

    def work(number):
        found = [
            s3.put_object(Bucket="data", Key="same", Body=b"%d" % number)["VersionId"] for _ in range(20)
        ]
        s3.delete_object(Bucket="data", Key="same", VersionId=found[0])
        s3.put_object(Bucket="data", Key=f"own-{number}", Body=b"x" * number)
        return found[1:]

    with ThreadPoolExecutor(11) as pool:
        acknowledged = {version for found in pool.map(work, range(11)) for version in found}
    s3 = killed()
    listed = s3.list_object_versions(Bucket="data", Prefix="same")["Versions"]
    assert {version["VersionId"] for version in listed} == acknowledged
    assert len(keys(s3)) == 12


def test_two_versions_that_are_written_at_the_same_moment_are_both_there(instances, s3, monkeypatch):
    from moto.s3.models import s3_backends

    s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    backend = s3_backends["123456789012"]["aws"]
    first_has_read, second_has_written = threading.Event(), threading.Event()
    getlist = Versions.getlist

    def slow_getlist(self, *given):
        found = getlist(self, *given)
        if not first_has_read.is_set():
            first_has_read.set()
            # In vain, when the second one has to wait for the first.
            second_has_written.wait(0.2)
        return found

    monkeypatch.setattr(Versions, "getlist", slow_getlist)
    first = threading.Thread(target=backend.put_object, args=("data", "key", b"1"))
    first.start()
    assert first_has_read.wait(10)
    backend.put_object("data", "key", b"2")
    second_has_written.set()
    first.join()
    assert len(s3.list_object_versions(Bucket="data")["Versions"]) == 2


def test_the_end_of_the_process_removes_nothing(tmp_path):
    program = """
import sys
from pathlib import Path
from werkzeug.test import Client
from airflow_provider_emrkit.localemr.moto_app import MotoApp
from airflow_provider_emrkit.localemr.persistence.state import KeptState

client = Client(MotoApp("data", KeptState(Path(sys.argv[1]))))
assert client.put("/data/key", data=b"x" * 1_000_000).status_code == 200
"""
    subprocess.run([sys.executable, "-c", program, tmp_path], check=True, timeout=60)
    assert [path.stat().st_size for path in (tmp_path / "s3" / "contents").glob("*/*")] == [1_000_000]


def test_a_restart_removes_what_a_kill_left_behind(instances, s3):
    s3.put_object(Bucket="data", Key="key", Body=BIG)
    directory = instances._running.directory
    left = directory / "s3" / "contents" / "ab" / "ab00000001"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"half an obj")
    instances.kill_and_start()
    assert [path.stat().st_size for path in content_files(instances)] == [len(BIG)]


def test_an_object_that_cant_be_kept_is_an_error_and_is_kept_later(instances, s3, caplog):
    database = instances._running.app._state._s3._store._database
    database.execute("pragma query_only = on")
    for _ in range(2):
        with pytest.raises(ClientError, match="InternalError") as caught:
            s3.put_object(Bucket="data", Key="key", Body=b"x")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1
    assert keys(s3) == ["key"]
    database.execute("pragma query_only = off")
    s3.put_object(Bucket="data", Key="other", Body=b"x")
    instances.stop_and_start()
    assert keys(instances._running.client("s3")) == ["key", "other"]


def test_a_large_object_for_which_there_is_no_room_is_an_error(instances, s3, monkeypatch):
    def no_room(*_):
        raise OSError(28, "No space left on device")

    s3.put_object(Bucket="data", Key="key", Body=b"old")
    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.write_bytes", no_room)
        with pytest.raises(ClientError, match="InternalError"):
            s3.put_object(Bucket="data", Key="key", Body=BIG)
    assert body(s3, "key") == b"old"


def test_an_upload_for_which_there_is_no_room_can_be_completed_later(s3, monkeypatch):
    def no_room(*_):
        raise OSError(28, "No space left on device")

    upload = s3.create_multipart_upload(Bucket="data", Key="big")["UploadId"]
    place = {"Bucket": "data", "Key": "big", "UploadId": upload}
    etag = s3.upload_part(**place, PartNumber=1, Body=BIG)["ETag"]
    complete = {**place, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}}
    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.write_bytes", no_room)
        with pytest.raises(ClientError, match="InternalError"):
            s3.complete_multipart_upload(**complete)
    s3.complete_multipart_upload(**complete)
    assert body(s3, "big") == BIG


def test_a_file_that_is_no_database_is_put_aside(instances, s3, caplog):
    def spoil(directory):
        (directory / "s3" / "s3.db").write_bytes(b"no database" * 1000)

    s3 = instances.stop_and_start(spoil).client("s3")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["emrkit-local"]
    assert (instances._running.directory / "s3.unreadable").is_dir()
    assert "put aside" in caplog.text


def test_a_database_that_turns_out_to_be_damaged_is_put_aside(instances, s3, caplog):
    for number in range(300):
        s3.put_object(Bucket="data", Key=f"{number}", Body=b"")

    def spoil(directory):
        with (directory / "s3" / "s3.db").open("r+b") as file:
            file.seek(8192)
            file.write(b"\xff" * 60_000)

    s3 = instances.stop_and_start(spoil).client("s3")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["emrkit-local"]
    assert (instances._running.directory / "s3.unreadable" / "s3.db").is_file()
    s3.put_object(Bucket="emrkit-local", Key="key", Body=b"x")
    assert body(instances.kill_and_start().client("s3"), "key", "emrkit-local") == b"x"


def test_what_cant_be_pickled_hinders_no_other_object(instances, s3):
    from moto.s3.models import s3_backends

    s3.put_object(Bucket="data", Key="bad", Body=b"x")
    key = s3_backends["123456789012"]["aws"].buckets["data"].keys["bad"]
    key.strange = threading.current_thread()
    with pytest.raises(ClientError, match="InternalError"):
        s3.put_object_acl(Bucket="data", Key="bad", ACL="public-read")
    s3.put_object(Bucket="data", Key="good", Body=b"x")
    instances._running.app._state._s3.keep_others()
    assert keys(instances.kill_and_start().client("s3")) == ["bad", "good"]


def test_a_record_that_cant_be_read_costs_that_object_only(instances, s3, caplog):
    for key in ("bad", "good"):
        s3.put_object(Bucket="data", Key=key, Body=BIG)

    def spoil(directory):
        with sqlite3.connect(directory / "s3" / "s3.db") as database:
            database.execute("update records set body = 'x' where name = 'bad'")

    s3 = instances.stop_and_start(spoil).client("s3")
    assert keys(s3) == ["good"]
    assert body(s3, "good") == BIG
    assert len(content_files(instances)) == 2
    assert "bad" in caplog.text
    # There may be thousands of them.
    assert len([line for line in caplog.text.splitlines() if "bad" in line]) == 1
    assert "Traceback" not in caplog.text


def test_nobody_else_may_read_the_objects(instances, s3):
    s3.put_object(Bucket="data", Key="key", Body=BIG)
    directory = instances._running.directory
    assert [stat.S_IMODE((directory / name).stat().st_mode) for name in ("s3", "services")] == [0o700, 0o700]


def test_objects_that_are_written_by_no_request_are_kept_soon(instances, s3, monkeypatch):
    from moto.s3.models import s3_backends

    kept = threading.Event()
    state = instances._running.app._state
    real = state._s3.keep_others
    monkeypatch.setattr(state._s3, "keep_others", lambda: (real(), kept.set()))
    s3_backends["123456789012"]["aws"].put_object("data", "export", b"x")
    assert kept.wait(10)
    assert keys(instances.kill_and_start().client("s3")) == ["export"]


def test_of_two_in_one_process_the_first_keeps_the_state(instances, s3, tmp_path, caplog):
    second = KeptState(tmp_path / "second")
    second.attach()
    assert "keeps none" in caplog.text
    second.close()
    s3.put_object(Bucket="data", Key="key", Body=b"x")
    assert keys(instances.kill_and_start().client("s3")) == ["key"]


def test_an_object_of_an_older_moto_has_what_that_did_not_know(instances, s3, monkeypatch):
    s3.put_object(Bucket="data", Key="key", Body=b"x")

    def make_older(directory):
        with sqlite3.connect(directory / "s3" / "s3.db") as database:
            ((body,),) = database.execute("select body from records where name = 'key'").fetchall()
            database.execute("update records set body = ? where name = 'key'", [older(body)])

    def older(body):
        versions, tags = pickle.loads(body)
        for name in ("website_redirect_location", "checksum_parts"):
            del vars(versions[0])[name]
        return pickle.dumps((versions, tags))

    s3 = instances.stop_and_start(make_older).client("s3")
    assert body(s3, "key") == b"x"
    s3.copy_object(Bucket="data", Key="copy", CopySource={"Bucket": "data", "Key": "key"})


def test_what_is_written_during_a_reset_and_acknowledged_is_kept(instances, s3):
    s3.put_object(Bucket="data", Key="old", Body=BIG)
    state = instances._running.app._state
    forget()
    s3.create_bucket(Bucket="new")
    s3.put_object(Bucket="new", Key="small", Body=b"new")
    s3.put_object(Bucket="new", Key="big", Body=BIG)
    underway = state._s3._store.contents.add(BIG)
    state.clear()
    assert underway.read() == BIG
    s3 = instances.kill_and_start().client("s3")
    assert {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} == {"emrkit-local", "new"}
    assert (body(s3, "small", "new"), body(s3, "big", "new") == BIG) == (b"new", True)
    assert len(content_files(instances)) == 1


def test_a_reset_gives_the_room_back(instances, s3):
    for number in range(200):
        s3.put_object(Bucket="data", Key=f"{number}", Body=b"x" * 30_000)
    size = sum(path.stat().st_size for path in (instances._running.directory / "s3").glob("*"))
    forget()
    instances._running.app._state.clear()
    assert sum(path.stat().st_size for path in (instances._running.directory / "s3").glob("*")) < size / 10


def test_a_server_that_ends_before_it_has_begun_lets_the_next_one_begin(tmp_path):
    app = MotoApp("emrkit-local", KeptState(tmp_path / "first"))
    app.close()
    app.warm_up()
    state = KeptState(tmp_path / "second")
    state.attach()
    assert state._s3 is not None
    state.close()


def test_what_was_seen_before_a_restart_can_be_replaced_after_it(s3, killed):
    seen = s3.put_object(Bucket="data", Key="lease", Body=b"1")["ETag"]
    before = s3.head_object(Bucket="data", Key="lease")["LastModified"]
    s3 = killed()
    found = s3.head_object(Bucket="data", Key="lease")
    assert (found["ETag"], found["LastModified"]) == (seen, before)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket="data", Key="lease", Body=b"2", IfNoneMatch="*")
    s3.put_object(Bucket="data", Key="lease", Body=b"2", IfMatch=seen)
