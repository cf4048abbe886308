"""An SQS queue that an EventBridge rule fills with EMR's state changes."""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import itertools
import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from benchmarks.endpoint.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.schedule import Job

Answer = dict[str, Any]

# Seconds from a change of state until EventBridge has put it into the queue: what AWS calls typical.
DELIVERY = 0.5
LONGEST_POLL = 20.0
AT_ONCE = 10

_MOMENT = 0.05


@dataclass
class _Message:
    body: str
    handle: str
    received: int = 0
    deleted: bool = False


class Queue:
    """Answers as SQS would: long polls, batches of ten, messages that come back when they are not deleted.

    :param jobs: The schedule, whose changes of state come :data:`DELIVERY` seconds after they happened.
    :param started: When its second 0 was, in seconds since 1970.
    :param clock: Seconds since then.
    """

    def __init__(self, jobs: Sequence[Job], started: float, clock: Callable[[], float]) -> None:
        self._started = started
        self._clock = clock
        self._count = itertools.count()
        self._by_handle: dict[str, _Message] = {}
        self._hidden: list[tuple[float, int, _Message]] = []
        for job in jobs:
            for at, state in ((job.deferred, "PENDING"), (job.starts, "RUNNING"), (job.ends, "COMPLETED")):
                self._hide(self._message(job, state, at), at + DELIVERY)

    async def answer(self, operation: str, request: Mapping[str, Any]) -> Answer:
        """Answer one call.

        :raises RefusedError: when this queue does not know the operation.
        """
        if operation == "ReceiveMessage":
            return await self._receive(request)
        if operation in ("DeleteMessage", "ChangeMessageVisibility"):
            self._change(operation, request)
            return {}
        if operation in ("DeleteMessageBatch", "ChangeMessageVisibilityBatch"):
            for entry in request["Entries"]:
                self._change(operation.removesuffix("Batch"), entry)
            return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]], "Failed": []}
        raise RefusedError("InvalidAction", f"The action {operation} is not valid for this endpoint.")

    async def _receive(self, request: Mapping[str, Any]) -> Answer:
        most = min(AT_ONCE, int(request.get("MaxNumberOfMessages", 1)))
        until = self._clock() + min(LONGEST_POLL, float(request.get("WaitTimeSeconds", 0)))
        while not (found := self._take(most, float(request.get("VisibilityTimeout", 30)))):
            left = until - self._clock()
            if left <= 0:
                return {}
            due = self._hidden[0][0] - self._clock() if self._hidden else left
            # Not longer than a moment: another call may make a message visible earlier.
            await asyncio.sleep(max(0.0, min(due, left, _MOMENT)))
        return {"Messages": [self._as_json(message) for message in found]}

    def _take(self, most: int, visibility: float) -> list[_Message]:
        return [self._lend(message, visibility) for message in itertools.islice(self._visible(), most)]

    def _visible(self) -> Iterator[_Message]:
        while self._hidden and self._hidden[0][0] <= self._clock():
            message = heapq.heappop(self._hidden)[2]
            if not message.deleted:
                yield message

    def _lend(self, message: _Message, visibility: float) -> _Message:
        message.received += 1
        self._hide(message, self._clock() + visibility)
        return message

    def _hide(self, message: _Message, until: float) -> None:
        heapq.heappush(self._hidden, (until, next(self._count), message))

    def _change(self, operation: str, entry: Mapping[str, Any]) -> None:
        message = self._by_handle.get(entry["ReceiptHandle"])
        if message is None:
            raise RefusedError("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
        message.deleted = True
        if operation == "ChangeMessageVisibility":
            # The one that waits in the heap is dropped; the same message comes back at another time.
            again = _Message(message.body, message.handle, message.received)
            self._by_handle[again.handle] = again
            self._hide(again, self._clock() + float(entry["VisibilityTimeout"]))

    def _message(self, job: Job, state: str, at: float) -> _Message:
        message = _Message(json.dumps(self._event(job, state, at)), str(uuid.uuid4()))
        self._by_handle[message.handle] = message
        return message

    def _event(self, job: Job, state: str, at: float) -> Answer:
        when = datetime.fromtimestamp(self._started + at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "EMR Step Status Change",
            "source": "aws.emr",
            "account": "123456789012",
            "time": when,
            "region": "us-east-1",
            "resources": [],
            "detail": {
                "severity": "INFO",
                "actionOnFailure": "CONTINUE",
                "stepId": job.step_id,
                "name": job.name,
                "clusterId": job.cluster_id,
                "state": state,
                "message": f"Step {job.step_id} ({job.name}) in Amazon EMR cluster {job.cluster_id} (bench) "
                f"is {state} since {when}.",
            },
        }

    def _as_json(self, message: _Message) -> Answer:
        return {
            "MessageId": message.handle,
            "ReceiptHandle": message.handle,
            "MD5OfBody": hashlib.md5(message.body.encode(), usedforsecurity=False).hexdigest(),
            "Body": message.body,
            "Attributes": {"ApproximateReceiveCount": str(message.received)},
        }
