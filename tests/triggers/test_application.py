"""The trigger that waits for an application: when it fires, what it bears, and that it changes nothing."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from airflow_fixtures import payload_of
from virtual_time import run_virtually

from airflow_provider_emrkit.applications.awaited import Awaited, mark_of
from airflow_provider_emrkit.testing.faults import faults
from airflow_provider_emrkit.triggers import application as module
from airflow_provider_emrkit.triggers.application import EmrApplicationTrigger
from airflow_provider_emrkit.triggers.application_looks import Look

USUAL = {name: getattr(module, name) for name in ("GATHER", "FIRST_PAUSE", "LONGEST_PAUSE")}
ROLE = "arn:aws:iam::123456789012:role/job"
DENIED = {"code": "AccessDeniedException", "status": 403, "message": "not now"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(module, "GATHER", 0.05)
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE", "LONGEST_BUSY_PAUSE"):
        monkeypatch.setattr(module, name, 0.05)
    for name in ("FRESH", "FRESH_WITH_RUNS"):
        monkeypatch.setattr(f"airflow_provider_emrkit.triggers.application_looks.{name}", 0.02)


@pytest.fixture
def serverless(localemr_server, emrkit_connection):
    return localemr_server.client("emr-serverless")


@pytest.fixture
def jobs(localemr_server):
    return localemr_server.jobs


@pytest.fixture
def application_id(serverless):
    answer = serverless.create_application(name="team", releaseLabel="emr-7.11.0", type="SPARK")
    return answer["applicationId"]


@pytest.fixture
def starting(serverless, jobs, application_id):
    """An application that starts until ``jobs.release_prepares()``."""
    jobs.hold_prepares()
    serverless.start_application(applicationId=application_id)
    yield awaited(serverless, application_id)
    jobs.release_prepares()


@pytest.fixture
def busy(serverless, jobs, application_id):
    """An application with a job run until ``jobs.finish("theirs")``."""
    jobs.script("theirs", hold=True)
    serverless.start_job_run(
        applicationId=application_id,
        clientToken="theirs",
        executionRoleArn=ROLE,
        jobDriver={"sparkSubmit": {"entryPoint": "s3://code/theirs.py"}},
    )
    jobs.wait_started("theirs")
    return awaited(serverless, application_id, busy=True)


def awaited(serverless, application_id, **fields: Any) -> Awaited:
    """What a task waits for that sees the application as it is now."""
    seen = serverless.get_application(applicationId=application_id)["application"]
    told = {"wait": "start", "what": f"application {application_id} is {seen['state']}", **fields}
    return Awaited(application_id, state=seen["state"], mark=mark_of(seen), until=time.time() + 60, **told)


def make(awaited: Awaited, **kwargs: Any) -> EmrApplicationTrigger:
    return EmrApplicationTrigger(awaited.to_dict(), region_name="us-east-1", **kwargs)


def fires_after(trigger: EmrApplicationTrigger, act: Any) -> dict[str, Any]:
    """What the trigger tells, when it has waited for a while in vain and then something is done."""

    async def first_event() -> dict[str, Any]:
        task = asyncio.ensure_future(anext(trigger.run()))
        await asyncio.sleep(0.4)
        assert not task.done()
        await asyncio.to_thread(act)
        return (await asyncio.wait_for(task, 20)).payload

    return asyncio.run(first_event())


@pytest.mark.parametrize(
    "trigger",
    [
        pytest.param(EmrApplicationTrigger({"application_id": "00f1abcdefgh2i0j"}), id="defaults"),
        pytest.param(
            EmrApplicationTrigger(
                Awaited("00f1", "start", "STARTING", "0f", True, "…", 1.0, {"start": 0.5}, 2.0).to_dict(),
                "mine",
                "eu-west-1",
            ),
            id="all arguments",
        ),
    ],
)
def test_it_can_be_made_again_from_what_it_serializes(trigger):
    path, kwargs = trigger.serialize()
    assert path == f"{EmrApplicationTrigger.__module__}.{EmrApplicationTrigger.__name__}"
    assert json.loads(json.dumps(kwargs)) == kwargs
    assert EmrApplicationTrigger(**kwargs).serialize() == (path, kwargs)


def test_it_fires_when_the_application_has_started(jobs, starting):
    payload = fires_after(make(starting), jobs.release_prepares)
    assert payload == {
        "state": "changed",
        "awaited": starting.to_dict(),
        "seen": "STARTED",
        "message": starting.what,
        "error": None,
    }


def test_it_fires_when_the_job_runs_have_ended(jobs, busy):
    payload = fires_after(make(busy), lambda: jobs.finish("theirs"))
    assert (payload["state"], payload["seen"]) == ("changed", "STARTED")


def test_it_fires_when_others_have_done_what_the_wait_is_for(serverless, busy):
    arn = serverless.get_application(applicationId=busy.application_id)["application"]["arn"]
    tags = {"emrkit:spec": "as it is wanted"}
    payload = fires_after(make(busy), lambda: serverless.tag_resource(resourceArn=arn, tags=tags))
    assert payload["state"] == "changed"


def test_it_fires_at_once_for_what_has_changed_before_it_began(jobs, starting):
    jobs.release_prepares()
    assert payload_of(make(starting))["state"] == "changed"


def test_it_fires_for_one_that_is_gone(serverless, starting):
    assert payload_of(make(replace(starting, application_id="00nothing")))["state"] == "changed"


def test_the_wait_s_time_and_the_task_s_time_end_it(starting):
    soon = time.time() + 0.2
    assert payload_of(make(replace(starting, until=soon)))["state"] == "up"
    assert payload_of(make(replace(starting, deadline=soon)))["state"] == "timeout"
    assert payload_of(make(replace(starting, until=0.0)))["state"] == "up"  # no triggerer was there


def test_a_missing_connection_wakes_the_task(starting):
    payload = payload_of(make(starting, emrkit_conn_id="not_there"))
    assert payload["state"] == "error"
    assert "not_there" in payload["message"]


@pytest.mark.parametrize(
    "trouble",
    [
        {"throttle": {"operation": "GetApplication", "times": 4}},
        {"lost_answer": {"operation": "GetApplication", "times": 2}},
        {"error": {"operation": "GetApplication", "times": 4}},
    ],
    ids=["throttled", "lost", "an internal error"],
)
def test_trouble_that_passes_does_not_fail_it(localemr_server, jobs, starting, trouble):
    jobs.release_prepares()
    with faults(localemr_server.endpoint_url, **trouble) as active:
        assert payload_of(make(starting))["state"] == "changed"
        assert active.struck == next(iter(trouble.values()))["times"]


def test_a_refusal_is_believed_when_it_stays(localemr_server, jobs, starting, monkeypatch, task_log):
    monkeypatch.setattr("airflow_provider_emrkit.runs.tolerance.REFUSAL_PAUSE", 0.05)
    jobs.release_prepares()
    denied = {**DENIED, "operation": "GetApplication"}
    with faults(localemr_server.endpoint_url, error={**denied, "times": 2}):
        assert payload_of(make(starting))["state"] == "changed"
    with faults(localemr_server.endpoint_url, error=denied) as active:
        payload = payload_of(make(starting))
        assert active.struck == 4
    assert (payload["state"], payload["error"]) == ("error", "SubmitDeniedError")
    assert "permission is missing" in payload["message"]


@pytest.mark.parametrize("end", ["cancelled", "killed"])
def test_ending_the_task_touches_nothing(serverless, jobs, busy, end):
    trigger = make(busy)

    async def end_it() -> None:
        task = asyncio.ensure_future(anext(trigger.run()))
        await asyncio.sleep(0.3)
        if end == "killed" and hasattr(trigger, "on_kill"):
            await trigger.on_kill()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await trigger.cleanup()

    asyncio.run(end_it())
    (run,) = serverless.list_job_runs(applicationId=busy.application_id)["jobRuns"]
    application = serverless.get_application(applicationId=busy.application_id)["application"]
    assert (run["state"], application["state"]) == ("RUNNING", "STARTED")


def test_many_that_wait_for_one_application_share_their_looks(localemr_server, busy, monkeypatch):
    for name in ("FRESH", "FRESH_WITH_RUNS"):
        monkeypatch.setattr(f"airflow_provider_emrkit.triggers.application_looks.{name}", 0.5)

    async def all_of_them() -> list[dict[str, Any]]:
        now = asyncio.get_running_loop().time
        monkeypatch.setattr(module, "time", SimpleNamespace(time=now))
        triggers = [make(replace(busy, until=now() + 1.0)) for _ in range(50)]
        return [event.payload for event in await asyncio.gather(*(anext(one.run()) for one in triggers))]

    counter = {"operation": "ListJobRuns", "seconds": 0.001}
    with faults(localemr_server.endpoint_url, latency=counter) as counted:
        assert {one["state"] for one in run_virtually(all_of_them())} == {"up"}
        assert 2 <= counted.struck <= 4


class StillStarting:
    """Looks at an application that takes its time, in virtual time."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.at: list[float] = []

    async def look(self, application_id: str, *, with_runs: bool) -> Look:
        self.at.append(self.loop.time())
        return Look({"state": "STARTING"}, with_runs)

    async def renew(self, log: Any, *, refused: bool = False) -> None:
        """Keep what there is."""


def test_it_looks_less_and_less_often_and_says_now_and_then_what_it_waits_for(monkeypatch, caplog):
    for name, value in USUAL.items():
        monkeypatch.setattr(module, name, value)
    caplog.set_level(logging.INFO)
    awaited = Awaited("00f1abcdefgh2i0j", what="application 00f1abcdefgh2i0j is STARTING")

    async def ten_minutes() -> list[float]:
        looks = StillStarting()
        rhythm = module._Rhythm(looks, awaited, logging.getLogger("tests.rhythm"))
        until = looks.loop.time() + 630.0
        while not rhythm.is_last:
            rhythm.say()
            await rhythm.look(until - looks.loop.time())
        return looks.at

    at = run_virtually(ten_minutes())
    pauses = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert pauses[0] < 2.5 < 7.9 < min(pauses[6:-1])
    assert max(pauses) <= 12.0
    assert len(set(pauses[6:])) > 10  # those who wait together do not come together
    # Threads of a local EMR that an earlier test has used may log, too.
    lines = [record.getMessage() for record in caplog.records if record.name == "tests.rhythm"]
    assert lines == ["Waiting in the triggerer: application 00f1abcdefgh2i0j is STARTING"] * 3
