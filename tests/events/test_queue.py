"""Reading the queue: what it tells is delivered at once, and nothing that goes wrong gets through."""

from __future__ import annotations

import heapq
import logging
import threading
import time

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from airflow_provider_emrkit.events.queue import (
    HOLD,
    MAX_RECEIVES,
    STEP_ASIDE,
    EventQueue,
    EventReader,
    ReceivedMessage,
)


def count(sqs, queue):
    """How many messages there are, seen and unseen."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def wait_empty(sqs, queue):
    deadline = time.monotonic() + 20
    while count(sqs, queue):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def step_ids(changes):
    return {change.run_id for change in changes}


# --- the queue ------------------------------------------------------------------------------------------


def test_messages_are_received_ten_at_a_time(queue, send):
    send(*(f"s-{number}" for number in range(12)))
    assert len(queue.receive(0)) == 10
    assert len(queue.receive(0)) == 2
    assert queue.receive(0) == []


def test_a_message_that_is_not_deleted_comes_again_after_a_while(queue, send, sqs, monkeypatch):
    asked = []
    monkeypatch.setattr(sqs, "receive_message", lambda **request: asked.append(request) or {})
    queue.receive()
    assert (asked[0]["VisibilityTimeout"], asked[0]["WaitTimeSeconds"]) == (HOLD, 20)


def test_what_is_given_back_comes_again_and_counts_its_receives(queue, send):
    send("s-1")
    first = queue.receive(0)
    queue.give_back(first)
    second = queue.receive(1)
    assert [message.receives for message in (*first, *second)] == [1, 2]


def test_messages_go_round_more_and_more_slowly_and_not_for_ever():
    pauses = [ReceivedMessage(None, "x", receives).return_after for receives in range(1, MAX_RECEIVES + 3)]
    assert pauses == [0, 1, 1, 2, 2, 4, 4, 8, 8, None, None, None]


# --- the reader -----------------------------------------------------------------------------------------


def test_changes_are_delivered_and_their_messages_deleted(queue, send, sqs, read, heard):
    read(heard)
    send("s-1", "s-2")
    changes = heard.wait(lambda found: len(found) >= 2)
    assert step_ids(changes) == {"s-1", "s-2"}
    wait_empty(sqs, queue)


def test_junk_is_deleted_and_delivered_to_nobody(queue, send, sqs, read, heard):
    for body in ("{", '{"detail-type": "EMR Step Status Change"}', "x" * 100_000):
        sqs.send_message(QueueUrl=queue.url, MessageBody=body)
    send("s-1")
    read(heard)
    heard.wait(lambda found: found)
    wait_empty(sqs, queue)
    assert step_ids(heard.changes) == {"s-1"}


def test_a_change_nobody_waits_for_is_dropped_in_the_end(queue, send, sqs, read, listener, monkeypatch):
    monkeypatch.setattr("airflow_provider_emrkit.events.queue.RETURN_AFTER", [0] * 9)
    nobody = listener(())
    send("s-1")
    read(nobody)
    nobody.wait(lambda found: len(found) >= MAX_RECEIVES)
    wait_empty(sqs, queue)
    assert len(nobody.changes) == MAX_RECEIVES


def test_what_a_reader_receives_at_its_end_goes_back(queue, send, heard):
    stop = threading.Event()
    reader = EventReader(queue, heard, stop, wait=5)
    reader.start()
    assert not reader.join(0)
    stop.set()
    send("s-1")
    assert reader.join(20)
    (message,) = queue.receive(1)
    assert message.change.run_id == "s-1"
    assert heard.changes == []


class QuickSqs:
    """An SQS whose calls take as long as those of AWS; the local one slows down with the messages it has.

    Its seconds of invisibility are 20 ms.
    """

    def __init__(self, bodies):
        self.waiting = [(0.0, number, body, 1) for number, body in enumerate(bodies)]
        self.taken, self.lock = {}, threading.Lock()

    def receive_message(self, **request):
        time.sleep(0.015)
        found = []
        with self.lock:
            while (
                self.waiting
                and self.waiting[0][0] <= time.monotonic()
                and len(found) < request["MaxNumberOfMessages"]
            ):
                _, number, body, receives = heapq.heappop(self.waiting)
                self.taken[str(number)] = (number, body, receives + 1)
                attributes = {"ApproximateReceiveCount": str(receives)}
                found.append({"Body": body, "ReceiptHandle": str(number), "Attributes": attributes})
        return {"Messages": found}

    def delete_message_batch(self, **request):
        time.sleep(0.015)
        ids = [entry["Id"] for entry in request["Entries"]]
        assert len(set(ids)) == len(ids) <= 10
        for entry in request["Entries"]:
            del self.taken[entry["ReceiptHandle"]]

    def change_message_visibility_batch(self, **request):
        time.sleep(0.015)
        with self.lock:
            for entry in request["Entries"]:
                visible = time.monotonic() + 0.02 * entry["VisibilityTimeout"]
                heapq.heappush(self.waiting, (visible, *self.taken.pop(entry["ReceiptHandle"])))


def test_a_thousand_changes_at_once_are_read_in_seconds(body, read, heard):
    sqs = QuickSqs(body(f"s-{number}") for number in range(1000))
    start = time.monotonic()
    read(heard, EventQueue(sqs, "https://sqs"))
    heard.wait(lambda found: len(found) == 1000)
    # 0.8 s where nothing else runs.
    assert time.monotonic() - start < 5
    assert len(step_ids(heard.changes)) == 1000


def test_of_several_readers_the_one_that_waits_for_a_run_gets_its_change(body, read, listener, monkeypatch):
    # Which reader gets a message is chance; with so many tries, it is no longer.
    monkeypatch.setattr("airflow_provider_emrkit.events.queue.RETURN_AFTER", (0, *[1] * 98))
    monkeypatch.setattr("airflow_provider_emrkit.events.queue.MAX_RECEIVES", 100)
    mine, yours = ([f"s-{who}{number}" for number in range(50)] for who in "AB")
    sqs = QuickSqs(map(body, mine + yours))
    me, you = listener(mine), listener(yours)
    read(me, EventQueue(sqs, "https://sqs"))
    read(you, EventQueue(sqs, "https://sqs"))
    me.wait(lambda found: set(mine) <= step_ids(found))
    you.wait(lambda found: set(yours) <= step_ids(found))


@pytest.mark.parametrize(("is_waited_for", "pauses"), [(True, 0), (False, 3)])
def test_who_gives_a_message_back_lets_others_go_first(body, is_waited_for, pauses):
    clock = Clock(pauses=3)
    queue = EventQueue(QuickSqs(map(body, [f"s-{number}" for number in range(30)])), "https://sqs")
    EventReader(queue, lambda _: is_waited_for, clock).run()
    assert len(clock.pauses) == pauses
    assert all(pause <= STEP_ASIDE for pause in clock.pauses)


def test_a_change_is_delivered_within_a_second_of_its_sending(send, read, listener):
    sent, delays = {}, []

    class Timed(listener):
        def __call__(self, change):
            delays.append(time.monotonic() - sent[change.run_id])
            return super().__call__(change)

    heard = Timed()
    read(heard)
    for number in range(100):
        sent[f"s-{number}"] = time.monotonic()
        send(f"s-{number}")
    heard.wait(lambda found: len(step_ids(found)) == 100)
    assert sorted(delays)[94] < 1.0


# --- trouble --------------------------------------------------------------------------------------------


class BrokenQueue(EventQueue):
    """Fails as often as there are errors, then has one message and no more."""

    def __init__(self, *errors):
        super().__init__(None, "https://sqs.us-east-1.amazonaws.com/123456789012/emrkit-events")
        self.errors = list(errors)
        self.asked = 0
        self.lock = threading.Lock()

    def receive(self, seconds=20):
        with self.lock:
            self.asked += 1
            if self.errors:
                raise self.errors.pop(0)
        return []


class Clock(threading.Event):
    """The event that ends a reader, which counts the pauses and does not make them."""

    def __init__(self, pauses):
        super().__init__()
        self.left, self.pauses = pauses, []

    def wait(self, timeout=None):
        if timeout:
            self.pauses.append(timeout)
        self.left -= 1
        if self.left < 0:
            self.set()
        return super().wait(0)


def refusal(code, message="No."):
    return ClientError({"Error": {"Code": code, "Message": message}}, "ReceiveMessage")


MISSING = refusal("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.INFO, "airflow_provider_emrkit.events.queue")
    return lambda: [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        pytest.param(MISSING, "The specified queue does not exist", id="no queue"),
        pytest.param(refusal("AccessDenied", "Not yours"), "permission is missing: Not yours", id="denied"),
        pytest.param(refusal("ThrottlingException", "Rate exceeded"), "Rate exceeded", id="throttled"),
        pytest.param(EndpointConnectionError(endpoint_url="https://sqs"), "https://sqs", id="no connection"),
        pytest.param(KeyError("ReceiptHandle"), "KeyError('ReceiptHandle')", id="a bug"),
    ],
)
def test_an_error_is_one_warning_and_growing_pauses(error, words, warnings):
    clock = Clock(pauses=12)
    reader = EventReader(BrokenQueue(*[error] * 100), lambda _: True, clock)
    reader.run()
    (warning,) = warnings()
    assert words in warning
    assert "polled for" in warning
    assert not reader.is_up
    lowest = [0.5 * min(60, 2**number) for number in range(len(clock.pauses))]
    assert len(clock.pauses) == 12
    assert all(low <= pause <= 2 * low for low, pause in zip(lowest, clock.pauses, strict=True))


def test_a_queue_that_is_not_there_is_such_a_trouble(sqs, queue, heard, warnings):
    reader = EventReader(EventQueue(sqs, queue.url + "-gone"), heard, Clock(pauses=3))
    reader.run()
    (warning,) = warnings()
    assert "does not exist" in warning
    assert not reader.is_up


def test_a_queue_that_answers_again_is_read_on(warnings, caplog):
    queue = BrokenQueue(MISSING, MISSING)
    reader = EventReader(queue, lambda _: True, Clock(pauses=5))
    reader.run()
    assert queue.asked == 5
    assert reader.is_up
    assert len(warnings()) == 1
    assert "answers again" in caplog.text


def test_a_queue_that_fails_now_and_then_is_complained_about_once(warnings):
    class Flapping(BrokenQueue):
        def receive(self, seconds=20):
            self.errors = [MISSING] if self.asked % 2 else []
            return super().receive(seconds)

    EventReader(Flapping(), lambda _: True, Clock(pauses=20)).run()
    assert len(warnings()) == 1


def test_a_listener_that_fails_stops_nothing(queue, send, read, heard, warnings, monkeypatch):
    monkeypatch.setattr("airflow_provider_emrkit.events.queue.HOLD", 1)
    failing = iter([True])

    def deliver(change):
        if next(failing, False):
            raise RuntimeError("Event loop is closed")
        return heard(change)

    read(deliver)
    send("s-1")
    heard.wait(lambda found: step_ids(found) == {"s-1"})
    assert "Event loop is closed" in warnings()[0]


def test_a_reader_is_not_up_before_the_queue_has_answered(queue, read, heard, send):
    reader = EventReader(queue, heard, threading.Event())
    assert not reader.is_up
    running = read(heard)
    send("s-1")
    heard.wait(lambda found: found)
    assert running.is_up
