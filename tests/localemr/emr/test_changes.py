"""Listeners hear of every new state, in order, without a lock being held."""

from __future__ import annotations

import threading
from datetime import datetime, timezone

import pytest

from airflow_provider_emrkit.localemr.emr.model import ClusterRecord, StepRecord
from airflow_provider_emrkit.localemr.emr.store import Store

NOW = datetime(2026, 11, 21, tzinfo=timezone.utc)


@pytest.fixture
def heard():
    return []


@pytest.fixture
def store(heard):
    store = Store()
    store.changes.subscribe(
        lambda cluster, step: heard.append((cluster.id, step.id if step else None, (step or cluster).state))
    )
    return store


@pytest.fixture
def cluster():
    steps = {name: StepRecord(name, name, "command-runner.jar", NOW) for name in ("s-1", "s-2")}
    return ClusterRecord("j-1", "us-east-1", "x", {"ReleaseLabel": "emr-7.11.0"}, NOW, [], steps=steps)


def test_every_new_state_is_told_once_and_in_order(store, cluster, heard):
    store.add_cluster(cluster)
    store.commit(cluster)
    cluster.state, cluster.steps["s-1"].state = "RUNNING", "RUNNING"
    store.commit(cluster)
    cluster.name = "no news"
    store.commit(cluster)
    cluster.steps["s-1"].state = "COMPLETED"
    store.commit(cluster)
    assert store.changes.settle(10)
    assert heard == [
        ("j-1", None, "STARTING"),
        ("j-1", "s-1", "PENDING"),
        ("j-1", "s-2", "PENDING"),
        ("j-1", None, "RUNNING"),
        ("j-1", "s-1", "RUNNING"),
        ("j-1", "s-1", "COMPLETED"),
    ]


def test_a_listener_sees_the_state_of_its_moment_however_late_it_is(store, cluster):
    go_on, seen = threading.Event(), []

    def slow(_, step):
        assert go_on.wait(10)
        seen.append(step.state if step else None)

    store.changes.subscribe(slow)
    store.add_cluster(cluster)
    cluster.steps["s-1"].state = "RUNNING"
    store.commit(cluster)
    go_on.set()
    assert store.changes.settle(10)
    assert seen == [None, "PENDING", "PENDING", "RUNNING"]


def test_a_listener_may_use_the_store_and_others_go_on_when_it_fails(store, cluster, heard, caplog):
    asked = []

    def curious(*_):
        thread = threading.Thread(target=lambda: asked.append(store.count()))
        thread.start()
        thread.join(10)
        raise ValueError("no")

    store.changes.subscribe(curious)
    store.changes.subscribe(lambda *_: heard.append("last"))
    with store.lock:
        store.add_cluster(cluster)
    assert store.changes.settle(10)
    assert len(asked) == 3
    assert heard.count("last") == 3
    assert "a listener failed" in caplog.text
