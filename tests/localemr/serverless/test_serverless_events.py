"""The EventBridge events of applications and job runs, in EMR Serverless' shapes."""

from __future__ import annotations

import json

import pytest

from airflow_provider_emrkit.localemr.serverless.events import ServerlessEvents


class Bus:
    def __init__(self):
        self.regions, self.sent = [], []

    def client(self, region):
        self.regions.append(region)
        return self

    def put_events(self, **request):
        self.sent += request["Entries"]


@pytest.fixture
def bus(emr):
    bus = Bus()
    emr.store.changes.subscribe(ServerlessEvents(bus.client, emr.clock))
    return bus


@pytest.fixture
def told(emr, bus):
    def told(kind):
        assert emr.store.changes.settle(10)
        return [json.loads(event["Detail"]) for event in bus.sent if event["DetailType"] == kind]

    return told


APPLICATION = "EMR Serverless Application State Change"
RUN = "EMR Serverless Job Run State Change"
RETRY = "EMR Serverless Job Run Retry"
USAGE = "EMR Serverless Job Resource Utilization Update"


def test_every_state_of_an_application_is_told(emr, told, bus):
    application_id = emr.create(name="etl")
    emr("StartApplication", applicationId=application_id)
    emr.application(application_id, "STARTED")
    emr("StopApplication", applicationId=application_id)
    emr.application(application_id, "STOPPED")
    emr("DeleteApplication", applicationId=application_id)
    details = told(APPLICATION)
    assert [detail["state"] for detail in details] == [
        "CREATING",
        "CREATED",
        "STARTING",
        "STARTED",
        "STOPPING",
        "STOPPED",
        "TERMINATED",
    ]
    assert details[0] == {
        "applicationId": application_id,
        "applicationName": "etl",
        "arn": f"arn:aws:emr-serverless:us-east-1:123456789012:/applications/{application_id}",
        "releaseLabel": "emr-7.11.0",
        "state": "CREATING",
        "type": "SPARK",
        "createdAt": "2026-11-28T09:30:00.000000Z",
        "updatedAt": "2026-11-28T09:30:00.000000Z",
        "autoStopConfig": {"enabled": True, "idleTimeout": 15},
        "autoStartConfig": {"enabled": True},
    }
    assert {event["Source"] for event in bus.sent} == {"aws.emr-serverless"}
    assert set(bus.regions) == {"us-east-1"}


def test_a_state_of_a_job_run_comes_with_the_one_before(emr, told):
    application_id = emr.create()
    emr.run(application_id, emr.start(application_id), "SUCCESS")
    details = told(RUN)
    assert [(detail.get("previousState"), detail["state"]) for detail in details] == [
        (None, "SUBMITTED"),
        ("SUBMITTED", "PENDING"),
        ("PENDING", "SCHEDULED"),
        ("SCHEDULED", "RUNNING"),
        ("RUNNING", "SUCCESS"),
    ]
    assert set(details[-1]) == {
        "jobRunId",
        "applicationId",
        "arn",
        "releaseLabel",
        "createdBy",
        "updatedAt",
        "createdAt",
        "state",
        "previousState",
    }


def test_a_retry_is_told(emr, told):
    application_id = emr.create()
    emr.jobs.script("flaky", fails="no", times=1)
    run_id = emr.start(application_id, "flaky", retryPolicy={"maxAttempts": 2})
    emr.run(application_id, run_id, "SUCCESS")
    (detail,) = told(RETRY)
    assert (detail["jobRunId"], detail["previousAttempt"], detail["newAttempt"]) == (run_id, 1, 2)
    assert detail["previousAttemptState"] == "FAILED"
    states = [detail["state"] for detail in told(RUN)]
    assert states[-4:] == ["PENDING", "SCHEDULED", "RUNNING", "SUCCESS"]


def test_what_a_job_run_has_used_is_told_at_its_end(emr, told, bus):
    application_id = emr.create()
    run_id = emr.start(application_id)
    run = emr.run(application_id, run_id, "SUCCESS")
    (detail,) = told(USAGE)
    assert (detail["jobRunId"], detail["resourceUtilizationFinal"]) == (run_id, True)
    assert set(detail["totalBilledResourceUtilization"]) == {"vCPUHour", "memoryGBHour", "storageGBHour"}
    (event,) = (event for event in bus.sent if event["DetailType"] == USAGE)
    assert event["Resources"] == [
        f"arn:aws:emr-serverless:us-east-1:123456789012:/applications/{application_id}/jobruns/{run.id}"
    ]


def test_a_listener_sees_the_attempts_of_its_moment(emr):
    seen = []
    emr.store.changes.subscribe(lambda change: seen.append(change))
    application_id = emr.create()
    emr.run(application_id, emr.start(application_id), "SUCCESS")
    assert emr.store.changes.settle(10)
    attempts = [(c.record.state, c.record.attempts[-1].state) for c in seen if hasattr(c.record, "attempts")]
    assert all(run == attempt for run, attempt in attempts)


def test_changes_that_are_no_news_are_not_told(emr, told):
    application_id = emr.create()
    arn = emr("GetApplication", applicationId=application_id)["application"]["arn"]
    emr("TagResource", resourceArn=arn, tags={"a": "b"})
    assert len(told(APPLICATION)) == 2


def test_nothing_is_told_again_after_a_restart(make_emr, tmp_path):
    path = tmp_path / "state.db"
    application_id = make_emr(path).create()
    again, bus = make_emr(path), Bus()
    again.store.changes.subscribe(ServerlessEvents(bus.client, again.clock))
    again("UpdateApplication", applicationId=application_id, clientToken="x", releaseLabel="emr-7.2.0")
    assert again.store.changes.settle(10)
    assert bus.sent == []


def test_a_rule_of_the_default_bus_gets_them(localemr_server):
    sqs, events = localemr_server.client("sqs"), localemr_server.client("events")
    url = sqs.create_queue(QueueName="all")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="all", EventPattern='{"source": ["aws.emr-serverless"]}')
    events.put_targets(Rule="all", Targets=[{"Id": "1", "Arn": arn}])
    client = localemr_server.client("emr-serverless")
    application_id = client.create_application(releaseLabel="emr-7.11.0", type="SPARK")["applicationId"]
    assert localemr_server.server.serverless.store.changes.settle(20)
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    bodies = [json.loads(message["Body"]) for message in messages]
    assert {body["detail"]["applicationId"] for body in bodies} == {application_id}
    assert {body["detail"]["state"] for body in bodies} == {"CREATING", "CREATED"}
