from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_emrkit.events.queue import ReceivedMessage
from airflow_provider_emrkit.events.state_change import StateChange
from airflow_provider_emrkit.runs.states import RunState
from airflow_provider_emrkit.triggers.pushed import Pushes, told


@dataclass
class FakeQueue:
    """Gives its messages once, then waits."""

    messages: list[ReceivedMessage]
    url: str = "https://sqs/q"
    deleted: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    dealt_with: threading.Event = field(default_factory=threading.Event)

    def receive(self, seconds: int = 20) -> list[ReceivedMessage]:
        if not self.messages:
            self.over.wait(10)
            return []
        taken, self.messages = self.messages, []
        return taken

    def delete(self, messages: Any) -> None:
        self.deleted += [message.receipt for message in messages]

    def give_back(self, messages: Any, *, now: bool = False) -> None:
        self.returned += [message.receipt for message in messages]
        if self.deleted or self.returned:
            self.dealt_with.set()


def change(run: str, state: str = "COMPLETED") -> StateChange:
    return StateChange("step", "j-1", run, state, 60.0)


def message(run: str) -> ReceivedMessage:
    return ReceivedMessage(change(run), f"receipt of {run}", 1)


async def follow(queue: FakeQueue) -> tuple[list[Any], bool]:
    """Follow a queue until its messages are dealt with; gives what was hinted, and what was proven."""
    hints: list[Any] = []
    pushes = Pushes(
        asyncio.get_running_loop(),
        lambda found, status: hints.append((found.run_id, status and status.state, threading.get_ident())),
        lambda found: found.run_id == "s-MINE",
    )
    before = pushes.are_proven("step")
    pushes.follow(queue)  # type: ignore[arg-type]
    await asyncio.to_thread(queue.dealt_with.wait, 10)
    await asyncio.sleep(0)
    proven = pushes.are_proven("step")
    pushes._end()
    queue.over.set()
    assert before is False
    return hints, proven


def test_events_come_into_the_loop_and_those_of_others_go_back():
    queue = FakeQueue([message("s-MINE"), message("s-YOURS")])
    hints, proven = asyncio.run(follow(queue))
    assert hints == [("s-MINE", RunState.SUCCEEDED, threading.get_ident())]
    assert (queue.deleted, queue.returned) == (["receipt of s-MINE"], ["receipt of s-YOURS"])
    assert proven


def test_events_for_others_prove_nothing():
    _, proven = asyncio.run(follow(FakeQueue([message("s-YOURS")])))
    assert not proven


def test_a_queue_is_read_once_and_no_longer_than_somebody_waits(monkeypatch):
    started: list[Any] = []

    class Reader:
        is_up = True

        def __init__(self, queue: Any, deliver: Any, stop: threading.Event) -> None:
            self.stop = stop
            started.append(self)

        def start(self) -> None:
            pass

    monkeypatch.setattr("airflow_provider_emrkit.events.queue.EventReader", Reader)
    monkeypatch.setattr("airflow_provider_emrkit.triggers.pushed.IDLE", 0.01)

    async def watch() -> None:
        pushes = Pushes(asyncio.get_running_loop(), lambda *_: None, lambda _: True)
        queue: Any = FakeQueue([])
        pushes.follow(None)
        assert started == []
        pushes.follow(queue)
        pushes.follow(queue)
        assert len(started) == 1
        pushes.rest()
        pushes.follow(queue)  # somebody came in time
        await asyncio.sleep(0.05)
        assert not started[0].stop.is_set()
        pushes.rest()
        await asyncio.sleep(0.05)
        assert started[0].stop.is_set()
        pushes.follow(queue)
        assert len(started) == 2
        pushes.follow(FakeQueue([]))  # type: ignore[arg-type]
        assert started[1].stop.is_set()
        assert len(started) == 3

    asyncio.run(watch())


@pytest.mark.parametrize(
    ("state", "told_state", "started_at", "ended_at"),
    [
        pytest.param("RUNNING", RunState.RUNNING, 60.0, None, id="runs"),
        pytest.param("FAILED", RunState.FAILED, None, 60.0, id="failed"),
        pytest.param("CANCEL_PENDING", RunState.CANCELLING, None, None, id="is being cancelled"),
    ],
)
def test_what_an_event_tells_is_marked_as_such(state, told_state, started_at, ended_at):
    status = told(change("s-1", state))
    assert status is not None
    assert (status.state, status.started_at, status.ended_at) == (told_state, started_at, ended_at)
    assert status.by_event


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(change("s-1", "PENDING"), id="nothing new"),
        pytest.param(change("s-1", "INVENTED_LATER"), id="unknown"),
        pytest.param(StateChange("cluster", "j-1", "", "TERMINATED", 1.0), id="of a cluster"),
    ],
)
def test_what_says_too_little_is_only_a_reason_to_look(found):
    assert told(found) is None
