"""The queue and the rule in an account: made once, mended, removed, and nobody else's touched."""

from __future__ import annotations

import json

import pytest

from airflow_provider_emrkit.events.provision import EventsSetup, EventsSetupError
from airflow_provider_emrkit.events.resources import event_pattern, queue_policy, reader_policy, template


def attributes(sqs, url):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def test_the_queue_keeps_little_and_is_encrypted_and_takes_from_the_rule_only(setup, sqs):
    made = setup.create()
    found = attributes(sqs, made.queue_url)
    assert found["MessageRetentionPeriod"] == "300"
    assert found["SqsManagedSseEnabled"] == "true"
    assert found["ReceiveMessageWaitTimeSeconds"] == "20"
    assert json.loads(found["Policy"]) == queue_policy(made.queue_arn, made.rule_arn)
    allowed, denied = queue_policy(made.queue_arn, made.rule_arn)["Statement"]
    assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
    assert allowed["Action"] == "sqs:SendMessage"
    assert allowed["Condition"] == {"ArnEquals": {"aws:SourceArn": made.rule_arn}}
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_the_rule_sends_to_the_queue(setup, localemr_server):
    made = setup.create()
    events = localemr_server.client("events")
    rule = events.describe_rule(Name="emrkit-events")
    assert (rule["Arn"], rule["State"]) == (made.rule_arn, "ENABLED")
    assert json.loads(rule["EventPattern"]) == event_pattern()
    assert [x["Arn"] for x in events.list_targets_by_rule(Rule="emrkit-events")["Targets"]] == [
        made.queue_arn
    ]


def test_making_it_again_mends_what_was_changed(setup, sqs, localemr_server):
    made = setup.create()
    changed = {"MessageRetentionPeriod": "60", "Policy": ""}
    sqs.set_queue_attributes(QueueUrl=made.queue_url, Attributes=changed)
    events = localemr_server.client("events")
    events.disable_rule(Name="emrkit-events")
    assert setup.create() == made
    assert attributes(sqs, made.queue_url)["MessageRetentionPeriod"] == "300"
    assert json.loads(attributes(sqs, made.queue_url)["Policy"])["Statement"]
    assert events.describe_rule(Name="emrkit-events")["State"] == "ENABLED"
    assert len(events.list_targets_by_rule(Rule="emrkit-events")["Targets"]) == 1


def test_it_is_removed_and_then_there_is_nothing_to_remove(setup, sqs, localemr_server):
    made = setup.create()
    assert setup.delete() == ["rule emrkit-events", f"queue {made.queue_url}"]
    assert localemr_server.client("events").list_rules()["Rules"] == []
    assert sqs.list_queues().get("QueueUrls", []) == []
    assert setup.delete() == []


@pytest.mark.parametrize("action", ["create", "delete"])
def test_a_queue_of_somebody_else_is_left_alone(setup, sqs, action):
    url = sqs.create_queue(QueueName="emrkit-events")["QueueUrl"]
    with pytest.raises(
        EventsSetupError, match=r"was not made by emrkit events-setup.* choose another --name"
    ):
        getattr(setup, action)()
    assert "Policy" not in attributes(sqs, url)


@pytest.mark.parametrize("action", ["create", "delete"])
def test_a_rule_of_somebody_else_is_left_alone_and_no_queue_made(setup, sqs, localemr_server, action):
    events = localemr_server.client("events")
    events.put_rule(Name="emrkit-events", EventPattern='{"source": ["theirs"]}')
    with pytest.raises(EventsSetupError, match=r"the rule arn:aws:events:.* was not made by emrkit"):
        getattr(setup, action)()
    assert events.describe_rule(Name="emrkit-events")["EventPattern"] == '{"source": ["theirs"]}'
    assert sqs.list_queues().get("QueueUrls", []) == []


def test_a_stack_is_changed_through_cloudformation_only(setup, sqs):
    tags = {"emrkit:events": "emrkit-events", "aws:cloudformation:stack-name": "platform"}
    sqs.create_queue(QueueName="emrkit-events", tags=tags)
    with pytest.raises(EventsSetupError, match="CloudFormation stack platform"):
        setup.delete()


@pytest.mark.filterwarnings("ignore:.*AWS..SQS..QueuePolicy:UserWarning")
def test_the_template_makes_the_same(setup, sqs, localemr_server):
    """Deployed by CloudFormation, and compared with what the command makes."""
    made = setup.create()
    queue, rule = attributes(sqs, made.queue_url), described(localemr_server)
    setup.delete()
    stack = localemr_server.client("cloudformation")
    stack.create_stack(StackName="events", TemplateBody=json.dumps(template("emrkit-events")))
    outputs = {
        output["OutputKey"]: output["OutputValue"]
        for output in stack.describe_stacks(StackName="events")["Stacks"][0]["Outputs"]
    }
    assert outputs["EventsQueueUrl"].endswith("/123456789012/emrkit-events")
    assert outputs["EventsQueueArn"] == made.queue_arn
    # moto's CloudFormation knows no queue policies; the next test looks at that part.
    other = ("CreatedTimestamp", "LastModifiedTimestamp", "Policy")
    deployed = attributes(sqs, made.queue_url)
    assert {name: deployed[name] for name in queue if name not in other} == {
        name: queue[name] for name in queue if name not in other
    }
    assert sqs.list_queue_tags(QueueUrl=made.queue_url)["Tags"] == {"emrkit:events": "emrkit-events"}
    assert described(localemr_server) == rule


def test_the_templates_policy_is_the_commands():
    properties = template("x")["Resources"]["EventsQueuePolicy"]["Properties"]
    text = json.dumps(properties["PolicyDocument"])
    for resource, arn in (("EventsQueue", "QUEUE"), ("EventsRule", "RULE")):
        text = text.replace(json.dumps({"Fn::GetAtt": [resource, "Arn"]}), json.dumps(arn))
    assert json.loads(text) == queue_policy("QUEUE", "RULE")
    assert properties["Queues"] == [{"Ref": "EventsQueue"}]


def test_cloudformation_would_take_the_template():
    lint = pytest.importorskip("cfnlint.api")
    found = lint.lint(json.dumps(template("emrkit-events")), config=lint.ManualArgs(regions=["us-east-1"]))
    assert found == []


def described(localemr_server):
    events = localemr_server.client("events")
    (rule,) = events.list_rules()["Rules"]
    rule["EventPattern"] = json.loads(rule["EventPattern"])
    return rule, events.list_targets_by_rule(Rule=rule["Name"])["Targets"]


def test_the_triggerers_role_may_read_this_queue_and_nothing_else():
    (statement,) = reader_policy("arn:aws:sqs:us-east-1:123456789012:emrkit-events")["Statement"]
    assert statement["Resource"] == "arn:aws:sqs:us-east-1:123456789012:emrkit-events"
    assert sorted(statement["Action"]) == [
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:ReceiveMessage",
    ]


def test_a_refusal_is_one_sentence(sqs, localemr_server):
    from botocore.stub import Stubber

    with Stubber(sqs) as stubbed:
        stubbed.add_client_error("get_queue_url", "AccessDenied", "User x may not do this.", 403)
        with pytest.raises(EventsSetupError) as refused:
            EventsSetup(sqs, localemr_server.client("events"), "emrkit-events").create()
    assert str(refused.value) == "GetQueueUrl was refused: User x may not do this. (AccessDenied)"


def test_a_target_that_is_not_taken_is_told(setup, monkeypatch):
    failed = {"ErrorCode": "ConcurrentModificationException", "ErrorMessage": "Somebody else changes it"}
    monkeypatch.setattr(
        setup._events, "put_targets", lambda **_: {"FailedEntryCount": 1, "FailedEntries": [failed]}
    )
    with pytest.raises(EventsSetupError, match=r"Somebody else changes it .*run the command again"):
        setup.create()
