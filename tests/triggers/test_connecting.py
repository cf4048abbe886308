from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from airflow_provider_emrkit.exceptions import ConnectionFieldError
from airflow_provider_emrkit.hooks.clients import forget_clients
from airflow_provider_emrkit.hooks.emrkit import EmrKitHook
from airflow_provider_emrkit.hooks.quotas import Quotas
from airflow_provider_emrkit.triggers import connecting
from airflow_provider_emrkit.triggers.connecting import Connected, Connecting

log = logging.getLogger("tests.connecting")


@pytest.fixture
def answers(monkeypatch):
    """What opening the connection gives, one after the other: exceptions are raised, the last one stays."""
    given: list[Any] = []
    asked: list[tuple[str, str]] = []

    def connect(conn_id: str, region: str) -> Any:
        asked.append((conn_id, region))
        answer = given.pop(0) if len(given) > 1 else given[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(connecting, "connect", connect)
    monkeypatch.setattr(connecting, "PAUSES", (0.01,))
    given.append(Connected(None, Quotas({})))  # type: ignore[arg-type]
    return given, asked


def test_many_triggers_open_a_connection_once(answers):
    async def open_all() -> set[int]:
        shared = Connecting("mine", "us-east-1")
        found = await asyncio.gather(*(shared.connected(log) for _ in range(200)))
        return {id(one) for one in found}

    assert len(asyncio.run(open_all())) == 1
    assert answers[1] == [("mine", "us-east-1")]


def test_a_trigger_that_is_cancelled_while_it_opens_leaves_that_to_the_next(answers):
    async def open_all() -> Any:
        shared = Connecting("mine", "us-east-1")
        first, second = (asyncio.create_task(shared.connected(log)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        return await second

    assert asyncio.run(open_all()) is answers[0][-1]


def test_a_connection_that_can_t_be_right_is_an_error_at_once(answers):
    answers[0][:] = [ConnectionFieldError("connection mine, field region_name: …")]
    with pytest.raises(ConnectionFieldError):
        asyncio.run(Connecting("mine", "us-east-1").connected(log))
    assert len(answers[1]) == 1


def test_a_secrets_backend_that_is_down_for_a_moment_ends_no_job(answers, caplog):
    answers[0][:0] = [ConnectionError("no secrets"), ConnectionError("no secrets")]
    assert asyncio.run(Connecting("mine", "us-east-1").connected(log)) is answers[0][-1]
    # Threads of a local EMR that an earlier test has used may log, too.
    assert [record.getMessage() for record in caplog.records if record.name == log.name] == [
        "Connection mine could not be read (ConnectionError: no secrets); the job goes on, trying again."
    ]


def test_patience_has_an_end(answers, monkeypatch):
    monkeypatch.setattr(connecting, "PATIENCE", 0.05)
    answers[0][:] = [ConnectionError("no secrets")]
    with pytest.raises(ConnectionError):
        asyncio.run(Connecting("mine", "us-east-1").connected(log))


def test_a_connection_that_can_t_be_renewed_is_kept(answers, caplog):
    async def renew() -> bool:
        shared = Connecting("mine", "us-east-1")
        before = await shared.connected(log)
        answers[0][:] = [ConnectionError("no secrets")]
        await shared.renew(log)
        return shared.now is before

    assert asyncio.run(renew())
    assert "could not be read again" in caplog.text


@pytest.mark.parametrize("refused", [False, True])
def test_credentials_that_aws_refuses_are_not_kept(emrkit_connection, refused):
    async def renew() -> bool:
        shared = Connecting("emrkit_default", "us-east-1")
        await shared.connected(log)
        before = EmrKitHook("emrkit_default", "us-east-1").clients
        await shared.renew(log, refused=refused)
        return EmrKitHook("emrkit_default", "us-east-1").clients is not before

    forget_clients()
    assert asyncio.run(renew()) is refused


def test_a_queue_of_the_connection_is_opened_with_it(emrkit_connection, monkeypatch):
    import json

    def connection(**extra: str) -> None:
        value = {"conn_type": "emrkit", "extra": {**emrkit_connection, **extra}}
        monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(value))

    connection()
    assert connecting.connect("mine", "us-east-1").queue is None
    connection(events_queue_url="https://sqs.us-east-1.amazonaws.com/1/q")
    queue = connecting.connect("mine", "us-east-1").queue
    assert queue is not None
    assert queue.url == "https://sqs.us-east-1.amazonaws.com/1/q"
