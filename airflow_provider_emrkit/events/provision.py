"""Making and removing the queue and the rule in an AWS account."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.account import AccountError, explained
from airflow_provider_emrkit.events.resources import (
    DESCRIPTION,
    OWNER_TAG,
    STACK_TAG,
    event_pattern,
    queue_attributes,
    queue_policy,
    target,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class EventsSetupError(AccountError):
    """The queue or the rule can't be made or removed; the message says why and how to mend it."""


@dataclass(frozen=True)
class MadeEvents:
    """What was made.

    :param queue_url: What Airflow reads from.
    :param queue_arn: What the triggerer's role must be allowed to read.
    :param rule_arn: What feeds it.
    """

    queue_url: str
    queue_arn: str
    rule_arn: str


class EventsSetup:
    """The queue and the rule of one account and region.

    Making them again mends what was changed meanwhile. A queue or rule of the name that was not made here is
    not touched.

    :param sqs: boto3 client of SQS.
    :param events: boto3 client of EventBridge, of the same region.
    :param name: Name of both.

    >>> EventsSetup(boto3.client("sqs"), boto3.client("events"), "emrkit-events").create()  # doctest: +SKIP
    """

    def __init__(self, sqs: Any, events: Any, name: str) -> None:
        self.name = name
        self._sqs = sqs
        self._events = events

    def create(self) -> MadeEvents:
        """Make what is not there, and set what is there as it should be.

        :raises EventsSetupError: when AWS refuses, or the name belongs to somebody else.
        """
        with explained(EventsSetupError):
            url = self._own_queue()
            self._own_rule()
            url = self._make_queue() if url is None else self._reset_queue(url)
            queue_arn = self._queue_arn(url)
            rule_arn = self._put_rule()
            policy = json.dumps(queue_policy(queue_arn, rule_arn))
            self._sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
            self._put_target(queue_arn)
            return MadeEvents(url, queue_arn, rule_arn)

    def delete(self) -> list[str]:
        """Remove the rule, then the queue.

        :return: What was removed, in words; empty when nothing was there.
        :raises EventsSetupError: when AWS refuses, or the name belongs to somebody else.
        """
        with explained(EventsSetupError):
            url, rule = self._own_queue(), self._own_rule()
            if rule is not None:
                self._delete_rule()
            if url is not None:
                self._sqs.delete_queue(QueueUrl=url)
            removed = {f"rule {self.name}": rule, f"queue {url}": url}
            return [words for words, found in removed.items() if found is not None]

    # --- the queue --------------------------------------------------------------------------------------

    def _own_queue(self) -> str | None:
        try:
            url = str(self._sqs.get_queue_url(QueueName=self.name)["QueueUrl"])
        except self._sqs.exceptions.QueueDoesNotExist:
            return None
        self._check_owner(f"the queue {url}", self._sqs.list_queue_tags(QueueUrl=url).get("Tags", {}))
        return url

    def _make_queue(self) -> str:
        tags = {OWNER_TAG: self.name}
        try:
            made = self._sqs.create_queue(QueueName=self.name, Attributes=_attributes(), tags=tags)
        except self._sqs.exceptions.QueueDeletedRecently as error:
            raise EventsSetupError(
                f"a queue {self.name} was deleted a moment ago; wait 60 seconds, or choose another --name"
            ) from error
        return str(made["QueueUrl"])

    def _reset_queue(self, url: str) -> str:
        self._sqs.set_queue_attributes(QueueUrl=url, Attributes=_attributes())
        return url

    def _queue_arn(self, url: str) -> str:
        answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])

    # --- the rule ---------------------------------------------------------------------------------------

    def _own_rule(self) -> str | None:
        try:
            arn = str(self._events.describe_rule(Name=self.name)["Arn"])
        except self._events.exceptions.ResourceNotFoundException:
            return None
        tags = self._events.list_tags_for_resource(ResourceARN=arn).get("Tags", [])
        self._check_owner(f"the rule {arn}", {tag["Key"]: tag["Value"] for tag in tags})
        return arn

    def _put_rule(self) -> str:
        rule = {
            "Name": self.name,
            "Description": DESCRIPTION,
            "State": "ENABLED",
            "EventPattern": json.dumps(event_pattern()),
            # Ignored for a rule that is there, which has it.
            "Tags": [{"Key": OWNER_TAG, "Value": self.name}],
        }
        return str(self._events.put_rule(**rule)["RuleArn"])

    def _put_target(self, queue_arn: str) -> None:
        answer = self._events.put_targets(Rule=self.name, Targets=[target(queue_arn)])
        for failed in answer.get("FailedEntries", []):
            raise EventsSetupError(
                f"EventBridge does not send to {queue_arn}: {failed.get('ErrorMessage')} "
                f"({failed.get('ErrorCode')}); run the command again"
            )

    def _delete_rule(self) -> None:
        # A rule has five targets at most.
        targets = self._events.list_targets_by_rule(Rule=self.name)["Targets"]
        if targets:
            self._events.remove_targets(Rule=self.name, Ids=[target["Id"] for target in targets])
        self._events.delete_rule(Name=self.name)

    def _check_owner(self, what: str, tags: Mapping[str, str]) -> None:
        if STACK_TAG in tags:
            raise EventsSetupError(
                f"{what} belongs to the CloudFormation stack {tags[STACK_TAG]}; update or delete the stack"
            )
        if OWNER_TAG not in tags:
            raise EventsSetupError(
                f"{what} was not made by emrkit events-setup (it has no tag {OWNER_TAG}); "
                "choose another --name"
            )


def _attributes() -> dict[str, str]:
    return {name: json.dumps(value) for name, value in queue_attributes().items()}
