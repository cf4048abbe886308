"""No trigger has an event before the worker that deferred its task is known to be done."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from virtual_time import run_virtually

from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.triggers import settling
from airflow_provider_emrkit.triggers.application import EmrApplicationTrigger
from airflow_provider_emrkit.triggers.job_run import EmrJobRunTrigger
from airflow_provider_emrkit.triggers.pool_care import EmrPoolTrigger

RUN = JobRun("step", "j-1", "s-1", "t-1", "sales", "us-east-1").to_dict()
PLACE = {"name": "flights", "team": "sales", "uri": "s3://pools/sales"}
WITHIN = 8.0


@pytest.fixture(autouse=True)
def worker_ends(monkeypatch):
    monkeypatch.setattr(settling, "WORKER_ENDS_WITHIN", WITHIN)


def make_job_run() -> tuple[Any, str]:
    return EmrJobRunTrigger(RUN), "_to_the_end"


def make_application() -> tuple[Any, str]:
    return EmrApplicationTrigger({"application_id": "00f1"}), "_watch"


def make_pool() -> tuple[Any, str]:
    return EmrPoolTrigger(PLACE, {"awaited": {}}), "_watch"


@pytest.fixture(params=[make_job_run, make_application, make_pool])
def watched(request):
    """A trigger, and the name of what watches in it."""
    return request.param()


def event_after(trigger: Any) -> float:
    """Seconds from a trigger's start to its event."""

    async def first_event() -> float:
        begun = settling.now()
        await anext(trigger.run())
        return settling.now() - begun

    return float(run_virtually(first_event()))


def watches(trigger: Any, name: str, seconds: float, error: Exception | None = None) -> Any:
    async def watch() -> Any:
        await asyncio.sleep(seconds)
        if error is not None:
            raise error
        return {}

    setattr(trigger, name, watch)
    return trigger


@pytest.mark.parametrize("error", [None, OSError("no way")], ids=["ends", "fails"])
def test_what_is_over_at_once_is_told_when_the_worker_is_done(watched, error):
    assert event_after(watches(*watched, seconds=0.5, error=error)) == pytest.approx(WITHIN)


def test_what_takes_longer_is_told_at_once(watched):
    assert event_after(watches(*watched, seconds=60.0)) == pytest.approx(60.0)


def test_a_job_whose_watch_failed_is_ended_by_a_user_meanwhile(monkeypatch):
    trigger = watches(*make_job_run(), seconds=0.5, error=OSError("no way"))
    monkeypatch.setattr("airflow_provider_emrkit.triggers.job_run.AIRFLOW_V_3_3_PLUS", False)
    ended = []

    async def end() -> None:
        ended.append(trigger.job_run.step_id)

    monkeypatch.setattr(trigger, "_end_if_released", end)

    async def cancelled() -> None:
        task = asyncio.ensure_future(anext(trigger.run()))
        await asyncio.sleep(WITHIN / 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtually(cancelled())
    assert ended == ["s-1"]
