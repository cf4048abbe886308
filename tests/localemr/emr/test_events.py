"""The EventBridge events of clusters and steps: EMR's shape, for the states that EMR tells."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from typing import get_args

import pytest

from airflow_provider_emrkit.localemr.emr.events import StateEvents, cluster_event, step_event
from airflow_provider_emrkit.localemr.emr.model import ClusterRecord, ClusterState, StepRecord, StepState

NOW = datetime(2026, 11, 21, 10, tzinfo=timezone.utc)
STEP = StepRecord("s-1", "daily", "command-runner.jar", NOW, action_on_failure="CONTINUE")
CLUSTER = ClusterRecord("j-1", "eu-west-1", "etl", {"ReleaseLabel": "emr-7.11.0"}, NOW, [])


def detail(event):
    return json.loads(event["Detail"])


def test_the_event_of_a_step():
    event = step_event(CLUSTER, replace(STEP, state="FAILED"))
    assert (event["Source"], event["DetailType"]) == ("aws.emr", "EMR Step Status Change")
    found = detail(event)
    assert found.pop("message").startswith("Step s-1 (daily) in Amazon EMR cluster j-1 (etl) ")
    assert found == {
        "severity": "ERROR",
        "actionOnFailure": "CONTINUE",
        "stepId": "s-1",
        "name": "daily",
        "clusterId": "j-1",
        "state": "FAILED",
    }


def test_the_event_of_a_cluster():
    lost = replace(
        CLUSTER, state="TERMINATED_WITH_ERRORS", reason_code="BOOTSTRAP_FAILURE", reason_message="exit code 1"
    )
    event = cluster_event(lost)
    assert (event["Source"], event["DetailType"]) == ("aws.emr", "EMR Cluster State Change")
    found = detail(event)
    reason = json.loads(found.pop("stateChangeReason"))
    assert reason == {"code": "BOOTSTRAP_FAILURE", "message": "exit code 1"}
    assert found.pop("message").startswith("Amazon EMR cluster j-1 (etl) ")
    assert found == {
        "severity": "CRITICAL",
        "name": "etl",
        "clusterId": "j-1",
        "state": "TERMINATED_WITH_ERRORS",
    }


def test_a_cluster_that_is_well_has_no_reason():
    reason = detail(cluster_event(replace(CLUSTER, reason_message="Cluster ready to run steps.")))
    assert reason["stateChangeReason"] == '{"code": ""}'


def test_emr_tells_of_these_states_only():
    told = {state for state in get_args(StepState) if step_event(CLUSTER, replace(STEP, state=state))}
    assert set(get_args(StepState)) - told == {"INTERRUPTED"}
    told = {state for state in get_args(ClusterState) if cluster_event(replace(CLUSTER, state=state))}
    assert set(get_args(ClusterState)) - told == {"BOOTSTRAPPING", "TERMINATING"}


class Bus:
    def __init__(self):
        self.regions, self.sent = [], []

    def client(self, region):
        self.regions.append(region)
        return self

    def put_events(self, **request):
        self.sent.append(request)


@pytest.fixture
def bus():
    return Bus()


def test_events_go_to_the_bus_of_the_clusters_region(bus):
    tell = StateEvents(bus.client, lambda: NOW)
    tell(CLUSTER, None)
    tell(CLUSTER, STEP)
    assert bus.regions == ["eu-west-1", "eu-west-1"]
    assert [request["Entries"][0]["DetailType"] for request in bus.sent] == [
        "EMR Cluster State Change",
        "EMR Step Status Change",
    ]
    assert {request["Entries"][0]["Time"] for request in bus.sent} == {NOW}


def test_nothing_is_sent_of_the_other_states(bus):
    StateEvents(bus.client, lambda: NOW)(replace(CLUSTER, state="TERMINATING"), None)
    assert bus.sent == []


def test_a_rule_of_the_default_bus_gets_them(localemr_server):
    sqs, events = localemr_server.client("sqs"), localemr_server.client("events")
    url = sqs.create_queue(QueueName="all")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="all", EventPattern='{"source": ["aws.emr"]}')
    events.put_targets(Rule="all", Targets=[{"Id": "1", "Arn": arn}])
    cluster_id = localemr_server.run_cluster()
    localemr_server.wait_cluster(cluster_id, "WAITING")
    assert localemr_server.server.emr.store.changes.settle(20)
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    bodies = [json.loads(message["Body"]) for message in messages]
    assert [(body["source"], body["detail"]["clusterId"]) for body in bodies] == [
        ("aws.emr", cluster_id)
    ] * len(bodies)
    assert {body["detail"]["state"] for body in bodies} >= {"STARTING", "WAITING"}
