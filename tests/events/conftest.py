from __future__ import annotations

import json
import threading

import pytest

from airflow_provider_emrkit.events.provision import EventsSetup
from airflow_provider_emrkit.events.queue import EventQueue, EventReader


class Heard:
    """What a reader delivered, to wait for.

    :param watched: Ids of the runs that somebody waits for; None for all.
    """

    def __init__(self, watched=None):
        self.watched = watched
        self.changes = []
        self._news = threading.Condition()

    def __call__(self, change):
        with self._news:
            self.changes.append(change)
            self._news.notify_all()
        return self.watched is None or change.run_id in self.watched

    def wait(self, is_so, seconds=20):
        """Wait until ``is_so`` holds of the list of changes."""
        with self._news:
            assert self._news.wait_for(lambda: is_so(self.changes), seconds), self.changes
            return list(self.changes)


@pytest.fixture
def listener():
    """Make what a reader delivers to."""
    return Heard


@pytest.fixture
def heard(listener):
    return listener()


@pytest.fixture
def sqs(localemr_server):
    return localemr_server.client("sqs")


@pytest.fixture
def setup(localemr_server, sqs):
    return EventsSetup(sqs, localemr_server.client("events"), "emrkit-events")


@pytest.fixture
def queue(sqs):
    """A queue that only this test writes to."""
    return EventQueue(sqs, sqs.create_queue(QueueName="events")["QueueUrl"])


@pytest.fixture
def read(queue):
    """Start readers with ``read(deliver)``; they end with the test."""
    stop = threading.Event()
    readers = []

    def start(deliver, of=queue):
        reader = EventReader(of, deliver, stop, wait=1)
        reader.start()
        readers.append(reader)
        return reader

    yield start
    stop.set()
    assert all(reader.join(20) for reader in readers)


def step_body(step_id, state="COMPLETED"):
    """An event as EventBridge sends it."""
    detail = {"clusterId": "j-1", "stepId": step_id, "name": "x emrkit:1", "state": state}
    return json.dumps(
        {
            "detail-type": "EMR Step Status Change",
            "source": "aws.emr",
            "time": "2026-11-21T10:00:00Z",
            "detail": detail,
        }
    )


@pytest.fixture
def body():
    """Make the body of a message."""
    return step_body


@pytest.fixture
def send(sqs, queue):
    """Send events of steps with ``send("S-1", "S-2")``."""

    def send(*step_ids):
        for start in range(0, len(step_ids), 10):
            entries = [
                {"Id": str(number), "MessageBody": step_body(step_id)}
                for number, step_id in enumerate(step_ids[start : start + 10])
            ]
            sqs.send_message_batch(QueueUrl=queue.url, Entries=entries)

    return send
