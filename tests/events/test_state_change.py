"""What is read out of EventBridge's events, and what is not."""

from __future__ import annotations

import json

import pytest

from airflow_provider_emrkit.events.state_change import MAX_BODY, StateChange, read_state_change

AT = 1481921589.0  # 2016-12-16T20:53:09Z
REMOVED = object()


def event(detail_type="EMR Step Status Change", source="aws.emr", detail=None, **members):
    """An event as EventBridge puts it into the queue; ``members`` replace or, REMOVED, leave out."""
    whole = {
        "version": "0",
        "id": "999cccaa-eaaa-0000-1111-123456789012",
        "detail-type": detail_type,
        "source": source,
        "account": "123456789012",
        "time": "2016-12-16T20:53:09Z",
        "region": "us-east-1",
        "resources": [],
        "detail": STEP if detail is None else detail,
        **members,
    }
    return json.dumps({name: value for name, value in whole.items() if value is not REMOVED})


STEP = {
    "severity": "ERROR",
    "actionOnFailure": "CONTINUE",
    "stepId": "s-ZYXWVUTSRQPON",
    "name": "sales.load emrkit:c66c9179a54ad449-0-1",
    "clusterId": "j-123456789ABCD",
    "state": "FAILED",
    "message": "Step s-ZYXWVUTSRQPON in Amazon EMR cluster j-123456789ABCD failed at 2016-12-16 20:53 UTC.",
}
CLUSTER = {
    "severity": "CRITICAL",
    "stateChangeReason": '{"code":"BOOTSTRAP_FAILURE","message":""}',
    "name": "sales.load emrkit:c66c9179a54ad449-0-1",
    "clusterId": "j-123456789ABCD",
    "state": "TERMINATED_WITH_ERRORS",
    "message": "",
}
JOB_RUN = {
    "jobRunId": "00f1cb5c6anuij25",
    "applicationId": "3965ad00-8fba-4932-a6c8-ded32786fd42",
    "arn": "arn:aws:emr-serverless:us-east-1:123456789012:/applications/a/jobruns/00f1cb5c6anuij25",
    "state": "SUCCESS",
    "previousState": "RUNNING",
}


@pytest.mark.parametrize(
    ("body", "change"),
    [
        pytest.param(
            event(),
            StateChange("step", "j-123456789ABCD", "s-ZYXWVUTSRQPON", "FAILED", AT),
            id="step",
        ),
        pytest.param(
            event("EMR Cluster State Change", detail=CLUSTER),
            StateChange("cluster", "j-123456789ABCD", "", "TERMINATED_WITH_ERRORS", AT),
            id="cluster",
        ),
        pytest.param(
            event("EMR Serverless Job Run State Change", "aws.emr-serverless", JOB_RUN),
            StateChange("job_run", "3965ad00-8fba-4932-a6c8-ded32786fd42", "00f1cb5c6anuij25", "SUCCESS", AT),
            id="serverless job run",
        ),
        pytest.param(
            event(time="2016-12-16T20:53:09.250000+00:00"),
            StateChange("step", "j-123456789ABCD", "s-ZYXWVUTSRQPON", "FAILED", AT + 0.25),
            id="with a fraction of a second",
        ),
        pytest.param(
            event(time="2016-12-16T20:53:09"),
            StateChange("step", "j-123456789ABCD", "s-ZYXWVUTSRQPON", "FAILED", AT),
            id="without a zone: UTC",
        ),
    ],
)
def test_a_state_change_is_read(body, change):
    assert read_state_change(body) == change


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(None, id="no body"),
        pytest.param(17, id="a number"),
        pytest.param(event().encode(), id="bytes"),
        pytest.param("", id="empty"),
        pytest.param("{", id="no JSON"),
        pytest.param("[]", id="a list"),
        pytest.param("null", id="null"),
        pytest.param("[" * 100_000, id="too deep"),
        pytest.param("9" * 100_000, id="a long number"),
        pytest.param(event() + " " * MAX_BODY, id="too long"),
        pytest.param(event("EMR Instance Group State Change"), id="another sort of event"),
        pytest.param(event(source="my.own"), id="somebody else's event"),
        pytest.param(event(source="aws.emr-serverless"), id="another service's event"),
        pytest.param(event(**{"detail-type": ["EMR Step Status Change"]}), id="type is a list"),
        pytest.param(event(detail=[]), id="detail is a list"),
        pytest.param(event(detail=REMOVED), id="no detail"),
        pytest.param(event(time=REMOVED), id="no time"),
        pytest.param(event(time=1481921589), id="time is a number"),
        pytest.param(event(time="yesterday"), id="time is none"),
        pytest.param(event(detail={**STEP, "state": None}), id="no state"),
        pytest.param(event(detail={**STEP, "state": "FAILED\n"}), id="state with a line break"),
        pytest.param(event(detail={**STEP, "state": "A" * 41}), id="long state"),
        pytest.param(event(detail={**STEP, "stepId": "s-"}), id="empty step id"),
        pytest.param(event(detail={**STEP, "stepId": {"s-1": 1}}), id="step id is an object"),
        pytest.param(event(detail={**STEP, "stepId": "s-1/../j-2"}), id="step id with a path"),
        pytest.param(event(detail={**STEP, "clusterId": "j-" + "1" * 65}), id="long cluster id"),
        pytest.param(event(detail={**STEP, "clusterId": "j-١٢٣"}), id="digits of another script"),
    ],
)
def test_what_is_no_state_change_is_passed_over(body):
    assert read_state_change(body) is None


def test_what_else_an_event_carries_does_not_matter():
    more = {**STEP, "stateChangeReason": {"nested": [1, 2]}, "": "x"}
    assert read_state_change(event(detail=more, **{"replay-name": "again"})) is not None
