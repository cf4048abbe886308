"""The other services are on disk a moment after a change."""

from __future__ import annotations

import contextlib
import json
import pickle
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from moto.core.base_backend import AccountSpecificBackend
from moto.logs.models import LogEvent
from moto.s3 import models as s3_models
from moto.sts.models import sts_backends

from airflow_provider_emrkit.localemr.persistence import moto_services
from airflow_provider_emrkit.localemr.persistence.contents import KeptError
from airflow_provider_emrkit.localemr.persistence.log_events import PER_PART
from airflow_provider_emrkit.localemr.persistence.service_file import ServiceFile

TRUST = json.dumps({"Statement": []})
SCHEMA = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def saved(instances, service):
    """Let the state's thread save a service, and wait for it."""
    services = instances._running.app._state._services
    done, real = threading.Event(), services.save

    def save(name):
        real(name)
        if name == service:
            done.set()

    services.save = save
    return done


def test_every_kind_of_service_survives_a_restart(instances):
    running = instances.start()
    running.client("logs").create_log_group(logGroupName="/group")
    url = running.client("sqs").create_queue(QueueName="queue")["QueueUrl"]
    running.client("sqs").send_message(QueueUrl=url, MessageBody="hello")
    running.client("events").put_rule(Name="rule", EventPattern='{"source": ["aws.emr"]}')
    running.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=TRUST)
    running.client("dynamodb").create_table(TableName="table", **SCHEMA)
    running.client("dynamodb").put_item(TableName="table", Item={"id": {"S": "1"}})
    running.client("ecr").create_repository(repositoryName="images")
    running.client("sns").create_topic(Name="topic")
    running.client("secretsmanager").create_secret(Name="secret", SecretString="s")
    running.client("ssm").put_parameter(
        Name="parameter", Value="v", Type="String", Tags=[{"Key": "a", "Value": "b"}]
    )
    running.client("glue").create_database(DatabaseInput={"Name": "database"})
    key = running.client("kms").create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    signing = {"KeyId": key, "Message": b"m", "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    signature = running.client("kms").sign(**signing)["Signature"]
    token = running.client("sts").assume_role(
        RoleArn="arn:aws:iam::123456789012:role/role", RoleSessionName="session"
    )
    running.client("logs", "eu-west-1").create_log_group(logGroupName="/europe")

    running = instances.stop_and_start()
    assert running.client("logs").describe_log_groups()["logGroups"][0]["logGroupName"] == "/group"
    assert (
        running.client("logs", "eu-west-1").describe_log_groups()["logGroups"][0]["logGroupName"] == "/europe"
    )
    url = running.client("sqs").get_queue_url(QueueName="queue")["QueueUrl"]
    assert running.client("sqs").receive_message(QueueUrl=url)["Messages"][0]["Body"] == "hello"
    assert running.client("events").list_rules()["Rules"][0]["Name"] == "rule"
    assert running.client("iam").get_role(RoleName="role")["Role"]["RoleName"] == "role"
    assert running.client("dynamodb").scan(TableName="table")["Items"] == [{"id": {"S": "1"}}]
    assert running.client("ecr").describe_repositories()["repositories"][0]["repositoryName"] == "images"
    assert running.client("sns").list_topics()["Topics"][0]["TopicArn"].endswith(":topic")
    assert running.client("secretsmanager").get_secret_value(SecretId="secret")["SecretString"] == "s"
    assert running.client("ssm").get_parameter(Name="parameter")["Parameter"]["Value"] == "v"
    assert running.client("glue").get_database(Name="database")["Database"]["Name"] == "database"
    assert running.client("kms").verify(**signing, Signature=signature)["SignatureValid"]
    assert running.client("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId="parameter")[
        "TagList"
    ]
    assert token["Credentials"]["AccessKeyId"] in {
        role.access_key_id for role in sts_backends["123456789012"]["aws"].assumed_roles
    }


def test_a_change_survives_a_kill_a_moment_later(instances):
    sqs = instances.start().client("sqs")
    done = saved(instances, "sqs")
    sqs.create_queue(QueueName="queue")
    assert done.wait(10)
    assert len(instances.kill_and_start().client("sqs").list_queues()["QueueUrls"]) == 1


def test_a_rule_still_reaches_its_queue_after_a_restart(instances):
    running = instances.start()
    running.client("sqs").create_queue(QueueName="news")
    events = running.client("events")
    events.put_rule(Name="emr", EventPattern='{"source": ["aws.emr"]}')
    arn = "arn:aws:sqs:us-east-1:123456789012:news"
    events.put_targets(Rule="emr", Targets=[{"Id": "1", "Arn": arn}])
    running = instances.stop_and_start()
    entry = {"Source": "aws.emr", "DetailType": "EMR Step Status Change", "Detail": "{}"}
    running.client("events").put_events(Entries=[entry])
    url = running.client("sqs").get_queue_url(QueueName="news")["QueueUrl"]
    assert (
        "EMR Step Status Change" in running.client("sqs").receive_message(QueueUrl=url)["Messages"][0]["Body"]
    )


def test_what_a_request_changes_in_another_service_is_kept_too(instances):
    running = instances.start()
    running.client("sqs").create_queue(QueueName="news")
    events = running.client("events")
    events.put_rule(Name="emr", EventPattern='{"source": ["aws.emr"]}')
    arn = "arn:aws:sqs:us-east-1:123456789012:news"
    events.put_targets(Rule="emr", Targets=[{"Id": "1", "Arn": arn}])
    running = instances.stop_and_start()
    done = saved(instances, "sqs")
    running.client("events").put_events(Entries=[{"Source": "aws.emr", "DetailType": "x", "Detail": "{}"}])
    assert done.wait(10)
    sqs = instances.kill_and_start().client("sqs")
    url = sqs.get_queue_url(QueueName="news")["QueueUrl"]
    assert len(sqs.receive_message(QueueUrl=url)["Messages"]) == 1


def test_requests_that_only_read_cause_no_saving(instances, monkeypatch):
    running = instances.start()
    running.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=TRUST)
    running.client("logs").create_log_group(logGroupName="/group")
    running = instances.stop_and_start()
    marked = []
    monkeypatch.setattr(running.app._state._snapshots, "mark", marked.extend)
    running.client("logs").describe_log_groups()
    running.client("iam").get_role(RoleName="role")
    running.client("s3").list_buckets()
    running.client("s3").put_object(Bucket="emrkit-local", Key="key", Body=b"")
    assert marked == []
    running.client("iam").delete_role(RoleName="role")
    assert marked == ["iam"]


def test_nothing_is_written_when_nothing_has_changed(instances, monkeypatch):
    instances.start().client("sqs").create_queue(QueueName="queue")
    running = instances.stop_and_start()
    running.app._state._services.save("sqs")
    writes = []
    monkeypatch.setattr(ServiceFile, "write", lambda self, *_: writes.append(self.path.stem))
    running.app._state._services.save("sqs")
    assert writes == []


class TestLogEvents:
    def test_events_survive_and_are_numbered_on(self, instances):
        put(instances.start().client("logs"), "first", 3)
        # As in a new process.
        logs = instances.stop_and_start(lambda _: setattr(LogEvent, "_event_id", 0)).client("logs")
        assert messages(logs) == ["first 0", "first 1", "first 2"]
        put(logs, "second", 1)
        found = logs.filter_log_events(logGroupName="/group")["events"]
        assert len({event["eventId"] for event in found}) == 4
        logs = instances.stop_and_start().client("logs")
        assert messages(logs) == ["first 0", "first 1", "first 2", "second 0"]

    def test_of_many_only_the_last_ones_are_written_again(self, instances, monkeypatch):
        running = instances.start()
        logs, services = running.client("logs"), running.app._state._services
        put(logs, "many", 2 * PER_PART + 10)
        services.save("logs")
        pickled = []
        dumps = pickle.dumps
        monkeypatch.setattr(pickle, "dumps", lambda value, *a: pickled.append(len(value)) or dumps(value, *a))
        put(logs, "more", 5)
        services.save("logs")
        assert pickled == [15]
        logs = instances.kill_and_start().client("logs")
        assert len(messages(logs)) == 2 * PER_PART + 15

    def test_a_stream_made_anew_has_none_of_the_old_events(self, instances):
        logs = instances.start().client("logs")
        put(logs, "old", 2)
        instances._running.app._state._services.save("logs")
        logs.delete_log_group(logGroupName="/group")
        put(logs, "new", 2)
        assert messages(instances.stop_and_start().client("logs")) == ["new 0", "new 1"]


def put(logs, text, count):
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName="/group")
        logs.create_log_stream(logGroupName="/group", logStreamName="stream")
    events = [{"timestamp": 1_795_000_000_000 + n, "message": f"{text} {n}"} for n in range(count)]
    logs.put_log_events(logGroupName="/group", logStreamName="stream", logEvents=events)


def messages(logs):
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/group")
    return sorted(event["message"] for page in pages for event in page["events"])


def test_a_file_that_cant_be_read_is_put_aside_and_the_others_are_read(instances, caplog):
    running = instances.start()
    running.client("sqs").create_queue(QueueName="queue")
    running.client("sns").create_topic(Name="topic")

    def spoil(directory):
        (directory / "services" / "sqs.db").write_bytes(b"no database" * 1000)

    running = instances.stop_and_start(spoil)
    assert running.client("sqs").list_queues().get("QueueUrls") is None
    assert len(running.client("sns").list_topics()["Topics"]) == 1
    assert (running.directory / "services" / "sqs.db.unreadable").is_file()
    assert "sqs" in caplog.text
    running.client("sqs").create_queue(QueueName="queue")
    assert len(instances.stop_and_start().client("sqs").list_queues()["QueueUrls"]) == 1


def test_a_pickle_that_cant_be_read_changes_nothing_of_the_service(instances, caplog):
    instances.start().client("sqs").create_queue(QueueName="queue")

    def spoil(directory):
        file = ServiceFile(directory / "services" / "sqs.db")
        file.write(b"\x80\x05cno.such.module\nThing\n.", "5.0.0", {})

    running = instances.stop_and_start(spoil)
    assert running.client("sqs").list_queues().get("QueueUrls") is None
    assert "no" in caplog.text


def test_what_cant_be_pickled_is_said_once_and_breaks_nothing(instances, caplog):
    running = instances.start()
    running.client("sqs").create_queue(QueueName="queue")
    from moto.sqs.models import sqs_backends

    sqs_backends["123456789012"]["us-east-1"].thread = threading.current_thread()
    for _ in range(3):
        running.app._state._services.save("sqs")
    assert [
        record.getMessage().split(" ")[0] for record in caplog.records if record.levelname == "ERROR"
    ] == ["sqs"]
    assert len(running.client("sqs").list_queues()["QueueUrls"]) == 1
    del sqs_backends["123456789012"]["us-east-1"].thread


def test_what_could_not_be_written_is_written_when_it_can(instances, monkeypatch, caplog):
    running = instances.start()
    saves, write = [], ServiceFile.write

    def no_room(self, *given):
        saves.append(self.path.stem)
        if len(saves) < 3:
            raise KeptError("disk full")
        write(self, *given)
        written.set()

    written = threading.Event()
    monkeypatch.setattr(ServiceFile, "write", no_room)
    monkeypatch.setattr(running.app._state._snapshots, "_delay", 0.01)
    running.client("sqs").create_queue(QueueName="queue")
    assert written.wait(10)
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1
    assert len(instances.kill_and_start().client("sqs").list_queues()["QueueUrls"]) == 1


def test_a_service_that_was_only_looked_at_is_not_kept(instances):
    running = instances.start()
    running.client("sns").list_topics()
    instances.stop_and_start()
    assert not list((running.directory / "services").glob("sns*"))


def test_a_backend_refers_to_itself_and_to_others_after_a_restart(instances):
    instances.start().client("sqs").create_queue(QueueName="queue")
    from moto.sns.models import sns_backends
    from moto.sqs.models import sqs_backends

    sqs = sqs_backends["123456789012"]["us-east-1"]
    sqs.me, sqs.other = sqs, sns_backends["123456789012"]["us-east-1"]
    instances.stop_and_start()
    again = sqs_backends["123456789012"]["us-east-1"]
    assert again is not sqs
    assert again.me is again
    assert again.other is sns_backends["123456789012"]["us-east-1"]


def test_a_reset_empties_what_is_kept(instances):
    import urllib.request

    running = instances.start()
    running.client("sqs").create_queue(QueueName="queue")
    running.client("s3").create_bucket(Bucket="data")
    running.client("s3").put_object(Bucket="data", Key="key", Body=b"x" * 100_000)
    running = instances.stop_and_start()
    request = urllib.request.Request(f"{running.url}/moto-api/reset", method="POST")
    with urllib.request.urlopen(request, timeout=30):
        pass
    running.client("sns").create_topic(Name="after")
    running.client("s3").put_object(Bucket="emrkit-local", Key="after", Body=b"x")
    assert list((running.directory / "s3" / "contents").glob("*/*")) == []
    running = instances.kill_and_start()
    assert running.client("sqs").list_queues().get("QueueUrls") is None
    s3 = running.client("s3")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["emrkit-local"]
    assert s3.get_object(Bucket="emrkit-local", Key="after")["Body"].read() == b"x"


def test_asking_for_the_reset_page_resets_nothing(instances):
    import urllib.error
    import urllib.request

    running = instances.start()
    running.client("s3").create_bucket(Bucket="data")
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{running.url}/moto-api/reset", timeout=30)
    assert len(instances.kill_and_start().client("s3").list_buckets()["Buckets"]) == 2


class TestAnotherMoto:
    """S3 of a moto that is not as expected is kept like the other services."""

    @pytest.fixture
    def strange(self, monkeypatch):
        original = s3_models.S3Backend.put_object

        def elsewhere(self, bucket_name, key_name, value, *args, **names):
            # A version that does not write through the bucket's keys as this one does.
            key = original(self, bucket_name, key_name, value, *args, **names)
            versions = self.get_bucket(bucket_name).keys
            dict.__setitem__(versions, key_name, [key])
            return key

        monkeypatch.setattr("moto.s3.utils._VersionedKeyStore.setlist", dict.__setitem__)
        monkeypatch.setattr(s3_models.S3Backend, "put_object", elsewhere)
        monkeypatch.setattr(
            "airflow_provider_emrkit.localemr.persistence.moto_s3.Versions.setlist", dict.__setitem__
        )

    @pytest.mark.usefixtures("strange")
    def test_says_so_and_survives_a_clean_restart(self, instances, caplog):
        running = instances.start()
        assert "lost when the process is killed" in caplog.text
        running.client("s3").put_object(Bucket="emrkit-local", Key="key", Body=b"x")
        s3 = instances.stop_and_start().client("s3")
        assert s3.get_object(Bucket="emrkit-local", Key="key")["Body"].read() == b"x"

    @pytest.mark.usefixtures("strange")
    def test_survives_a_kill_a_moment_later(self, instances):
        s3 = instances.start().client("s3")
        done = saved(instances, "s3")
        s3.put_object(Bucket="emrkit-local", Key="key", Body=b"x")
        assert done.wait(10)
        s3 = instances.kill_and_start().client("s3")
        assert s3.get_object(Bucket="emrkit-local", Key="key")["Body"].read() == b"x"


def test_moto_is_left_as_it_was(instances):
    before = s3_models.FakeKey, s3_models.FakeMultipart, s3_models.s3_backends.backend
    reach = AccountSpecificBackend.__getitem__
    instances.start()
    assert s3_models.FakeKey is not before[0]
    instances.end()
    assert (s3_models.FakeKey, s3_models.FakeMultipart, s3_models.s3_backends.backend) == before
    assert AccountSpecificBackend.__getitem__ is reach


def test_s3_is_not_pickled_with_the_services(instances):
    instances.start().client("s3").create_bucket(Bucket="data")
    assert "s3" not in moto_services.in_use()


def test_requests_that_come_during_a_reset_find_the_services_whole(instances, monkeypatch):
    running = instances.start()
    prepare = running.app._prepare

    def prepare_late(app):
        threading.Event().wait(0.1)
        prepare(app)

    monkeypatch.setattr(running.app, "_prepare", prepare_late)
    reset = urllib.request.Request(f"{running.url}/moto-api/reset", method="POST")
    is_over, answers = threading.Event(), []

    def ask():
        s3, sqs = running.client("s3"), running.client("sqs")
        while not is_over.is_set():
            answers.append(s3.list_buckets()["Buckets"][0]["Name"])
            sqs.create_queue(QueueName="queue")

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask) for _ in range(2)]
        try:
            for _ in range(3):
                with urllib.request.urlopen(reset):
                    pass
        finally:
            is_over.set()
        for one in asking:
            one.result()
    assert set(answers) == {"emrkit-local"}
