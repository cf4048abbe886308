"""The trigger that waits at a pool: what it is made of, what it does, what it leaves alone."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict, replace
from typing import Any

import pytest
from airflow_fixtures import cluster_state, wait_for

from airflow_provider_emrkit import ClusterPool, ClusterSpec
from airflow_provider_emrkit.compute.pool_mark import PoolPlace
from airflow_provider_emrkit.pools.awaiting import Awaited
from airflow_provider_emrkit.pools.health import HowItIs
from airflow_provider_emrkit.pools.opening import open_pool
from airflow_provider_emrkit.pools.order import PoolBounds
from airflow_provider_emrkit.pools.watching import condition_to_dict
from airflow_provider_emrkit.testing.faults import faults
from airflow_provider_emrkit.triggers.pool_care import EmrPoolTrigger

POOL = ClusterPool("medium", ClusterSpec("emr-7.11.0", size="tiny"), max_clusters=2)
PLACE = asdict(PoolPlace("medium", "data", "s3://staging/emrkit/pools/data/medium.json"))
AWAITED = condition_to_dict(Awaited(("j-1",), ("0123456789ab",), ("j-2",), all_gone=True))
QUESTION = condition_to_dict(HowItIs("has_room", "0123456789ab", (1, 2, 0), PoolBounds(3, 1, 2)))


@pytest.fixture
def pool(localemr_server, emrkit_connection):
    return open_pool(POOL, "emrkit_default")


def warm(pool, localemr_server, number=1):
    care, setup = pool
    report = care.warm_up(setup, number)
    for one in report.started:
        localemr_server.wait_cluster(one, "WAITING")
    return report


def make(pool: Any, awaited: Awaited, **kwargs: Any) -> EmrPoolTrigger:
    options = {"region_name": "us-east-1", "poll_interval": 0.05, **kwargs}
    return EmrPoolTrigger(asdict(pool[0].place), condition_to_dict(awaited), **options)


def payload_of(trigger: EmrPoolTrigger) -> dict[str, Any]:
    async def first_event() -> dict[str, Any]:
        return (await anext(trigger.run())).payload

    return asyncio.run(first_event())


@pytest.mark.parametrize(
    "trigger",
    [
        pytest.param(EmrPoolTrigger(PLACE, AWAITED), id="defaults"),
        pytest.param(
            EmrPoolTrigger(PLACE, AWAITED, "mine", "eu-west-1", 1.0, 2.0, {"pool": "medium"}),
            id="all arguments",
        ),
        pytest.param(EmrPoolTrigger(PLACE, QUESTION), id="a question"),
    ],
)
def test_it_can_be_made_again_from_what_it_serializes(trigger):
    path, kwargs = trigger.serialize()
    assert path == f"{EmrPoolTrigger.__module__}.{EmrPoolTrigger.__name__}"
    assert json.loads(json.dumps(kwargs)) == kwargs
    assert EmrPoolTrigger(**kwargs).serialize() == (path, kwargs)


def test_it_takes_what_a_newer_version_wrote():
    newer = {"awaited": {**AWAITED["awaited"], "invented_later": 1}}
    assert EmrPoolTrigger({**PLACE, "invented_later": 1}, newer).serialize()[1]["condition"] == AWAITED
    bounds = {**QUESTION["how_it_is"]["bounds"], "invented_later": 1}
    newer = {"how_it_is": {**QUESTION["how_it_is"], "bounds": bounds, "invented_later": 1}}
    assert EmrPoolTrigger(PLACE, newer).serialize()[1]["condition"] == QUESTION


def test_its_event_brings_back_what_the_task_did(pool):
    payload = payload_of(make(pool, Awaited(), report={"pool": "medium", "started": []}))
    assert payload == {
        "state": "done",
        "message": "nothing is awaited",
        "error": None,
        "report": {"pool": "medium", "started": []},
    }


def test_it_ends_clusters_whose_work_is_done_though_nobody_places_jobs(pool, localemr_server, emr):
    care, _ = pool
    (busy,) = warm(pool, localemr_server).started
    localemr_server.runner.script("load", hold=True)
    localemr_server.wait_step(busy, localemr_server.add_step(busy, "load"), "RUNNING")
    report = care.drain()
    assert report.retired == ()

    async def finish_later() -> dict[str, Any]:
        task = asyncio.ensure_future(anext(make(pool, report.awaited).run()))
        await asyncio.sleep(0.3)
        assert not task.done()
        localemr_server.runner.finish("load")
        return (await task).payload

    assert asyncio.run(finish_later())["state"] == "done"
    assert cluster_state(emr, busy).startswith("TERMINAT")


def test_it_never_ends_a_cluster_that_nobody_wants_gone(pool, localemr_server, emr):
    (cluster,) = warm(pool, localemr_server).started
    assert payload_of(make(pool, Awaited(up=(cluster,))))["state"] == "done"
    assert cluster_state(emr, cluster) == "WAITING"


def test_its_time_may_be_up(pool):
    payload = payload_of(make(pool, Awaited(up=("j-UNKNOWN",)), deadline=time.time() + 0.2))
    assert (payload["state"], payload["message"]) == (
        "timeout",
        "0 of 1 clusters came up, j-UNKNOWN is asked for",
    )


def test_an_error_wakes_the_task(pool, localemr_server):
    care, setup = pool
    with faults(localemr_server.endpoint_url, bootstrap_failure={}):
        payload = payload_of(make(pool, care.warm_up(setup, 1).awaited))
    assert (payload["state"], payload["error"]) == ("error", "BootstrapError")
    assert "did not come up" in payload["message"]


def test_a_missing_connection_wakes_the_task(pool):
    payload = payload_of(make(pool, Awaited(), emrkit_conn_id="not_there"))
    assert payload["state"] == "error"
    assert "not_there" in payload["message"]


def test_throttling_and_an_unreachable_emr_do_not_fail_it(pool, localemr_server):
    care, setup = pool
    awaited = care.warm_up(setup, 1).awaited
    trouble = {"throttle": {"operation": "ListClusters", "times": 8}}
    with faults(localemr_server.endpoint_url, **trouble):
        assert payload_of(make(pool, awaited))["state"] == "done"


def test_a_lease_that_is_taken_does_not_fail_it(pool, localemr_server, task_log, monkeypatch):
    monkeypatch.setattr("airflow_provider_emrkit.pools.care.LEASE_PATIENCE", 0.1)
    care, _ = pool
    (cluster,) = warm(pool, localemr_server).started
    held = care.lease.take(1.0, lambda seconds: False)
    held.write(replace(held.record, draining=frozenset({cluster})))

    async def give_back_when_told() -> dict[str, Any]:
        task = asyncio.ensure_future(anext(make(pool, Awaited(gone=(cluster,))).run()))
        await asyncio.to_thread(
            wait_for, lambda: task.done() or any("is held by" in line for line in task_log.lines)
        )
        held.release()
        return (await task).payload

    assert asyncio.run(give_back_when_told())["state"] == "done"


def test_ending_the_task_ends_no_cluster(pool, localemr_server, emr):
    localemr_server.runner.hold_starts()
    care, setup = pool
    report = care.warm_up(setup, 1)

    async def cancel() -> None:
        task = asyncio.ensure_future(anext(make(pool, report.awaited).run()))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    localemr_server.runner.release_starts()
    wait_for(lambda: cluster_state(emr, report.started[0]) == "WAITING")
