"""The queue and the rule that bring EMR's events to Airflow, as documents. Pure."""

from __future__ import annotations

from typing import Any

from airflow_provider_emrkit.events.state_change import CLUSTER_EVENT, STEP_EVENT
from airflow_provider_emrkit.runs.token import MARK

DEFAULT_NAME = "emrkit-events"

# Whoever made a queue or rule of the name says so here; what lacks it is left alone.
OWNER_TAG = "emrkit:events"
# CloudFormation puts this one on the queues of its stacks.
STACK_TAG = "aws:cloudformation:stack-name"

TARGET_ID = "emrkit-events-queue"
DESCRIPTION = "State changes of emrkit's steps and clusters, for Airflow"

# Seconds. News that are older help nobody: Airflow has polled meanwhile.
RETENTION = 300
VISIBILITY = 30
LONG_POLL = 20

READER_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility")


def queue_attributes() -> dict[str, int | bool]:
    """Give the queue's attributes (SQS CreateQueue), without its policy."""
    return {
        "MessageRetentionPeriod": RETENTION,
        "VisibilityTimeout": VISIBILITY,
        "ReceiveMessageWaitTimeSeconds": LONG_POLL,
        "SqsManagedSseEnabled": True,
    }


def event_pattern() -> dict[str, Any]:
    """Give the rule's pattern: what carries a run token in its name, and nothing else of the account.

    That is every step of emrkit's, wherever it runs, and every cluster that was made for one run. Their first
    states are left out: nobody waits for a run yet while it is being submitted.
    """
    return {
        "source": ["aws.emr"],
        "detail-type": [STEP_EVENT, CLUSTER_EVENT],
        "detail": {
            "name": [{"wildcard": f"*{MARK}*"}],
            "state": [{"anything-but": ["PENDING", "STARTING"]}],
        },
    }


def target(queue_arn: Any) -> dict[str, Any]:
    """Give the rule's target (EventBridge PutTargets): the queue, for as long as news are news.

    :param queue_arn: ARN, or what stands for it in a template.
    """
    return {"Id": TARGET_ID, "Arn": queue_arn, "RetryPolicy": {"MaximumEventAgeInSeconds": RETENTION}}


def queue_policy(queue_arn: Any, rule_arn: Any) -> dict[str, Any]:
    """Give the queue's policy: only EventBridge may send, for this one rule, and nobody without TLS.

    :param queue_arn: ARN, or what stands for it in a template.
    :param rule_arn: The same of the rule.
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "EventBridgeSends",
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue_arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
            },
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sqs:*",
                "Resource": queue_arn,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ],
    }


def reader_policy(queue_arn: str) -> dict[str, Any]:
    """Give the IAM policy that the triggerer's role needs, and no more."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ReadEmrKitEvents",
                "Effect": "Allow",
                "Action": list(READER_ACTIONS),
                "Resource": queue_arn,
            }
        ],
    }


def template(name: str) -> dict[str, Any]:
    """Give a CloudFormation template of the queue and the rule.

    :param name: Name of both.
    """
    tags = [{"Key": OWNER_TAG, "Value": name}]
    queue_arn = {"Fn::GetAtt": ["EventsQueue", "Arn"]}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": DESCRIPTION,
        "Resources": {
            "EventsQueue": {
                "Type": "AWS::SQS::Queue",
                "Properties": {"QueueName": name, **queue_attributes(), "Tags": tags},
            },
            "EventsRule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "Name": name,
                    "Description": DESCRIPTION,
                    "State": "ENABLED",
                    "EventPattern": event_pattern(),
                    "Targets": [target(queue_arn)],
                },
            },
            "EventsQueuePolicy": {
                "Type": "AWS::SQS::QueuePolicy",
                "Properties": {
                    "Queues": [{"Ref": "EventsQueue"}],
                    "PolicyDocument": queue_policy(queue_arn, {"Fn::GetAtt": ["EventsRule", "Arn"]}),
                },
            },
        },
        "Outputs": {
            "EventsQueueUrl": {
                "Description": "Field events_queue_url of Airflow's emrkit connection",
                "Value": {"Ref": "EventsQueue"},
            },
            "EventsQueueArn": {"Description": "What the triggerer's role may read", "Value": queue_arn},
        },
    }
