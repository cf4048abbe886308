"""botocore's waiters sleep half a minute between two requests; theirs are held back until there are news."""

from __future__ import annotations

import threading
import time

import pytest

# Far below the 30 s that a waiter sleeps, far above what a slow machine needs.
SOON = 10.0


@pytest.fixture
def later():
    """Run something in a thread that the test waits for at its end."""
    threads = []

    def start(function):
        threads.append(threading.Thread(target=function))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join()


def seconds(waiter, **params):
    begun = time.monotonic()
    waiter.wait(**params)
    return time.monotonic() - begun


def test_cluster_running_returns_soon_after_the_cluster_is_up(localemr_server, later):
    localemr_server.runner.hold_starts()
    cluster_id = localemr_server.run_cluster()
    later(lambda: time.sleep(0.3) or localemr_server.runner.release_starts())
    waiter = localemr_server.client("emr").get_waiter("cluster_running")
    assert seconds(waiter, ClusterId=cluster_id) < SOON


def test_cluster_running_does_not_wait_for_a_cluster_that_is_up(localemr_server):
    cluster_id = localemr_server.run_cluster()
    localemr_server.wait_cluster(cluster_id, "WAITING")
    assert seconds(localemr_server.client("emr").get_waiter("cluster_running"), ClusterId=cluster_id) < 2


def test_step_complete_returns_soon_after_the_step(localemr_server, later):
    localemr_server.runner.script("etl", hold=True)
    cluster_id = localemr_server.run_cluster()
    step_id = localemr_server.add_step(cluster_id, "etl")
    later(lambda: time.sleep(0.3) or localemr_server.runner.finish("etl"))
    waiter = localemr_server.client("emr").get_waiter("step_complete")
    assert seconds(waiter, ClusterId=cluster_id, StepId=step_id) < SOON


def test_cluster_terminated_returns_soon_after_the_end(localemr_server, later):
    localemr_server.runner.script("stubborn", hold=True, ignores_cancel=True)
    cluster_id = localemr_server.run_cluster()
    localemr_server.add_step(cluster_id, "stubborn")
    localemr_server.runner.wait_started("stubborn")
    emr = localemr_server.client("emr")
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    later(lambda: time.sleep(0.3) or localemr_server.runner.finish("stubborn"))
    assert seconds(emr.get_waiter("cluster_terminated"), ClusterId=cluster_id) < SOON


def test_other_requests_are_answered_at_once(localemr_server):
    localemr_server.runner.script("etl", hold=True)
    cluster_id = localemr_server.run_cluster()
    step_id = localemr_server.add_step(cluster_id, "etl")
    localemr_server.runner.wait_started("etl")
    begun = time.monotonic()
    state = localemr_server.client("emr").describe_step(ClusterId=cluster_id, StepId=step_id)["Step"][
        "Status"
    ]["State"]
    assert state == "RUNNING"
    assert time.monotonic() - begun < SOON
    localemr_server.runner.finish("etl")
