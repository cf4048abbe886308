"""Reading state changes from the SQS queue that EventBridge fills.

Several triggerers share one queue, and a message goes to one of them at random. One that nobody here waits
for is given back, soon at first, then more slowly, and is dropped when it has come round often enough.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.events.state_change import StateChange, read_state_change
from airflow_provider_emrkit.hooks.errors import explain, is_aws_error

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

Deliver = Callable[[StateChange], bool]

# The limits of SQS: seconds of one long poll, messages of one call.
LONG_POLL = 20
BATCH = 10

# Seconds for which a received message is kept from other readers. It is dealt with in far less; one whose
# reader dies comes back after this time.
HOLD = 10

# Seconds after which a message that nobody here waits for may be received again, by the number of times it
# was received. The first time at once, since the reader that gets it next is most likely another triggerer's.
# By chance, one in a thousand never comes to the right one of two triggerers, and one in eighteen of four.
RETURN_AFTER = (0, 1, 1, 2, 2, 4, 4, 8, 8)
MAX_RECEIVES = len(RETURN_AFTER) + 1

# Longest pause (seconds) of a thread that has given messages back, so that other readers get at them first.
STEP_ASIDE = 0.25

# Threads. A call takes some 15 ms, and each ten messages take two: these read a thousand within a second.
READERS = 4

# Seconds between two calls after a call failed: doubled each time, up to the longest.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0

# Seconds in which a queue that fails again and again is complained about once.
WARN_EVERY = 900.0


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message of the queue.

    :param change: What it tells; None for nothing that can be read.
    :param receipt: What SQS wants for deleting it or giving it back.
    :param receives: How often it was received, this time included.
    """

    change: StateChange | None
    receipt: str
    receives: int

    @property
    def return_after(self) -> int | None:
        """Seconds after which another reader may have it; None when it has come round often enough."""
        return RETURN_AFTER[self.receives - 1] if self.receives < MAX_RECEIVES else None


class EventQueue:
    """The SQS queue that EventBridge's rule feeds; see ``emrkit events-setup``.

    :param sqs: boto3 client of SQS.
    :param url: The queue's URL.

    >>> queue = EventQueue(boto3.client("sqs"), "https://sqs.…/emrkit-events")  # doctest: +SKIP
    >>> messages = queue.receive()  # doctest: +SKIP
    >>> queue.delete(messages)  # doctest: +SKIP
    """

    def __init__(self, sqs: Any, url: str) -> None:
        self.url = url
        self._sqs = sqs

    def receive(self, seconds: int = LONG_POLL) -> list[ReceivedMessage]:
        """Wait for messages and take at most ten (SQS ReceiveMessage).

        :param seconds: How long to wait for the first, at most 20 seconds.
        """
        answer = self._sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=BATCH,
            WaitTimeSeconds=seconds,
            VisibilityTimeout=HOLD,
            # Its newer name, MessageSystemAttributeNames, is not known to every boto3 that is supported.
            AttributeNames=["ApproximateReceiveCount"],
        )
        return [_message(found) for found in answer.get("Messages", [])]

    def delete(self, messages: Sequence[ReceivedMessage]) -> None:
        """Delete messages (SQS DeleteMessageBatch); one that is not deleted just comes again.

        :param messages: Of one receive.
        """
        entries = [
            {"Id": str(number), "ReceiptHandle": found.receipt} for number, found in enumerate(messages)
        ]
        if entries:
            self._sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)

    def give_back(self, messages: Sequence[ReceivedMessage], *, now: bool = False) -> None:
        """Leave messages to other readers (SQS ChangeMessageVisibilityBatch).

        :param messages: Of one receive.
        :param now: At once, for a reader that ends; otherwise after each one's ``return_after``.
        """
        entries = [
            {
                "Id": str(number),
                "ReceiptHandle": found.receipt,
                "VisibilityTimeout": 0 if now else found.return_after or 0,
            }
            for number, found in enumerate(messages)
        ]
        if entries:
            self._sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)


def _message(found: dict[str, Any]) -> ReceivedMessage:
    receives = int(found.get("Attributes", {}).get("ApproximateReceiveCount", 1))
    return ReceivedMessage(read_state_change(found.get("Body")), found["ReceiptHandle"], max(1, receives))


class EventReader:
    """Reads a queue in threads of its own and hands on what it tells. Whatever fails, it only tries again.

    :param queue: The queue.
    :param deliver: Takes a change and tells whether somebody in this process waits for it. It is called in
        several threads and must not block.
    :param stop: Set to end the reader; what it receives afterwards goes back to the queue.
    :param wait: Seconds of one long poll, which a reader's end may take.

    >>> stop = threading.Event()
    >>> EventReader(queue, lambda change: change.run_id in watched, stop).start()  # doctest: +SKIP
    """

    def __init__(
        self, queue: EventQueue, deliver: Deliver, stop: threading.Event, *, wait: int = LONG_POLL
    ) -> None:
        self._queue = queue
        self._wait = wait
        self._deliver = deliver
        self._stop = stop
        self._trouble = _Trouble(queue.url)
        self._threads = [
            threading.Thread(target=self.run, name=f"emrkit-events-{number}", daemon=True)
            for number in range(READERS)
        ]

    @property
    def is_up(self) -> bool:
        """Whether the queue answered when it was last asked."""
        return self._trouble.is_over

    def start(self) -> None:
        """Read in threads that end soon after ``stop`` was set: a long poll can't be interrupted."""
        for thread in self._threads:
            thread.start()

    def join(self, seconds: float = LONG_POLL + 5.0) -> bool:
        """Wait for the end of the threads, after ``stop`` was set.

        :return: False when one did not end in time.
        """
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def run(self) -> None:
        """Read in this thread until ``stop`` is set."""
        pause = 0.0
        while not self._stop.wait(pause):
            pause = self._attempt()

    def _attempt(self) -> float:
        """Read once; give the seconds to wait before the next time."""
        try:
            given_back = self._read_once()
        except Exception as error:  # events only make things faster: nothing may fail for one
            return self._trouble.note(error)
        return random.uniform(0, STEP_ASIDE) if given_back else 0.0

    def _read_once(self) -> bool:
        """Receive, deliver and settle at most ten messages; tell whether some were given back."""
        messages = self._queue.receive(self._wait)
        self._trouble.end()
        if self._stop.is_set():
            self._queue.give_back(messages, now=True)
            return False
        done: list[ReceivedMessage] = []
        foreign: list[ReceivedMessage] = []
        for message in messages:
            goes_on = not self._is_taken(message) and message.return_after is not None
            (foreign if goes_on else done).append(message)
        self._queue.delete(done)
        self._queue.give_back(foreign)
        return bool(foreign)

    def _is_taken(self, message: ReceivedMessage) -> bool:
        return message.change is None or self._deliver(message.change)


class _Trouble:
    """How it goes with the queue: one warning for a trouble, and growing pauses. Thread-safe."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._failures = 0
        self._answered = False
        self._warned_at: float | None = None
        self._is_told = False

    @property
    def is_over(self) -> bool:
        return self._answered and not self._failures

    def note(self, error: Exception) -> float:
        """Give the seconds to wait after an error."""
        with self._lock:
            self._failures += 1
            now = time.monotonic()
            if not self._is_told and (self._warned_at is None or now - self._warned_at >= WARN_EVERY):
                self._warned_at, self._is_told = now, True
                self._warn(error)
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures - 1, 16))
        return pause * random.uniform(0.5, 1.0)

    def _warn(self, error: Exception) -> None:
        known = is_aws_error(error)
        log.warning(
            "State changes can't be read from the events queue %s: %s. Runs are polled for until they can.",
            self._url,
            explain(error, None) if known else repr(error),
            exc_info=None if known else error,
        )

    def end(self) -> None:
        """Note that the queue answers."""
        with self._lock:
            if self._is_told:
                log.info("The events queue %s answers again.", self._url)
            self._failures, self._answered, self._is_told = 0, True, False
