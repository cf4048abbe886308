from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from airflow_provider_emrkit.events.state_change import read_state_change
from benchmarks.endpoint.queue import DELIVERY, Queue
from benchmarks.endpoint.refusal import RefusedError
from benchmarks.schedule import Job

JOB = Job(1, "j-2AXXXXXXGAPLF", "s-1XXXXXXXXXXXX", "etl", "token", 1.0, 10.0, 20.0)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> Queue:
    return Queue([JOB], 1_700_000_000.0, clock)


def ask(queue: Queue, operation: str, **request: Any) -> dict[str, Any]:
    return asyncio.run(queue.answer(operation, request))


def receive(queue: Queue) -> list[dict[str, Any]]:
    answer = ask(queue, "ReceiveMessage", MaxNumberOfMessages=10, VisibilityTimeout=5)
    return answer.get("Messages", [])


def states(messages: list[dict[str, Any]]) -> list[str]:
    return [json.loads(message["Body"])["detail"]["state"] for message in messages]


def test_a_change_arrives_a_little_after_it_happened(queue: Queue, clock: Clock) -> None:
    clock.now = JOB.deferred + DELIVERY - 0.01
    assert receive(queue) == []
    clock.now = JOB.deferred + DELIVERY
    assert states(receive(queue)) == ["PENDING"]


def test_emrkit_can_read_the_messages(queue: Queue, clock: Clock) -> None:
    clock.now = JOB.ends + DELIVERY
    bodies = [message["Body"] for message in receive(queue)]
    changes = [read_state_change(body) for body in bodies]
    assert [(change.run_id, change.state) for change in changes if change] == [
        (JOB.step_id, "PENDING"),
        (JOB.step_id, "RUNNING"),
        (JOB.step_id, "COMPLETED"),
    ]


def test_a_message_that_is_not_deleted_comes_back(queue: Queue, clock: Clock) -> None:
    clock.now = 2.0
    (message,) = receive(queue)
    assert receive(queue) == []
    clock.now = 7.1
    (again,) = receive(queue)
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
    assert again["MessageId"] == message["MessageId"]


def test_a_deleted_message_does_not_come_back(queue: Queue, clock: Clock) -> None:
    clock.now = 2.0
    (message,) = receive(queue)
    entry = {"Id": "0", "ReceiptHandle": message["ReceiptHandle"]}
    ask(queue, "DeleteMessageBatch", Entries=[entry])
    clock.now = 9.0
    assert receive(queue) == []


def test_a_message_that_is_given_back_comes_once_at_the_time_that_was_said(
    queue: Queue, clock: Clock
) -> None:
    clock.now = 2.0
    (message,) = receive(queue)
    ask(queue, "ChangeMessageVisibility", ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=1)
    assert receive(queue) == []
    clock.now = 3.0
    assert states(receive(queue)) == ["PENDING"]
    clock.now = 7.5
    assert receive(queue) == []
    clock.now = 8.0
    assert states(receive(queue)) == ["PENDING"]


def test_a_long_poll_waits_for_a_message(queue: Queue, clock: Clock) -> None:
    async def scene() -> list[str]:
        waiting = asyncio.create_task(
            queue.answer("ReceiveMessage", {"WaitTimeSeconds": 20, "MaxNumberOfMessages": 10})
        )
        await asyncio.sleep(0)
        assert not waiting.done()
        clock.now = 2.0
        return states((await waiting)["Messages"])

    assert asyncio.run(scene()) == ["PENDING"]


def test_other_operations_are_refused(queue: Queue) -> None:
    with pytest.raises(RefusedError):
        ask(queue, "PurgeQueue")
