"""What people do to a pool as a whole, against a real local EMR."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import boto3
import pytest
from airflow_fixtures import wait_for
from faulty_emr import FaultyEmr, aws_error, clients_of

from airflow_provider_emrkit.compute.cluster_spec import ClusterSpec
from airflow_provider_emrkit.compute.pool import ClusterPool
from airflow_provider_emrkit.exceptions import (
    AccessDeniedError,
    BootstrapError,
    EmrKitError,
    LeaseError,
    SubmitRefusedError,
)
from airflow_provider_emrkit.hooks.clients import AwsClients
from airflow_provider_emrkit.hooks.settings import EmrKitSettings
from airflow_provider_emrkit.pools import care as care_module
from airflow_provider_emrkit.pools import care_round
from airflow_provider_emrkit.pools.care import PoolCare
from airflow_provider_emrkit.pools.health import HowItIs
from airflow_provider_emrkit.pools.lease import PoolLease
from airflow_provider_emrkit.pools.pool_setup import PoolSetup
from airflow_provider_emrkit.pools.record import Claim, Waiting
from airflow_provider_emrkit.pools.watching import PoolWatch, wait_for_pool
from airflow_provider_emrkit.runs.step_compiling import StepCompiling
from airflow_provider_emrkit.runs.tolerance import REFUSALS
from airflow_provider_emrkit.testing.faults import faults

POOL = ClusterPool(
    "medium", ClusterSpec("emr-7.11.0", size="tiny"), min_clusters=2, max_clusters=3, steps_per_cluster=2
)
BUCKET = "pools-test"


def never(seconds: float) -> bool:
    threading.Event().wait(min(seconds, 0.05))
    return False


class Pool:
    """A pool on a local EMR, and what there is of it."""

    def __init__(self, server) -> None:
        self.server = server
        self.emr = server.client("emr")
        self.s3 = server.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        session = boto3.Session("localemr", "localemr", region_name="us-east-1")
        self.clients = AwsClients(session, "us-east-1", lambda service: server.endpoint_url)
        self.setup = self.setup_of(POOL)
        self.care = self.another()

    def setup_of(self, pool: ClusterPool) -> PoolSetup:
        compiling = StepCompiling(self.clients, never)
        return PoolSetup.of(pool, EmrKitSettings(staging_uri=f"s3://{BUCKET}/emrkit"), compiling)

    def another(self, holder: str = "test:1:1") -> PoolCare:
        return PoolCare(self.clients, self.setup.place, holder, never)

    @property
    def there(self) -> list[str]:
        return sorted(one.id for one in self.care.look().clusters if one.state != "TERMINATING")

    @property
    def record(self):
        return self.care.lease.read()

    def warm(self, clusters: int | None = None):
        report = self.care.warm_up(self.setup, clusters)
        for one in report.started:
            self.server.wait_cluster(one, "WAITING")
        return report

    def claim(self, *claims: Claim) -> None:
        """Let these be what may be under way."""
        held = self.care.lease.take(1.0, never)
        held.release(replace(held.record, claims=claims))

    def work(self, cluster: str, name: str, state: str = "RUNNING") -> str:
        self.server.runner.script(name, hold=True)
        step = self.server.add_step(cluster, name)
        self.server.wait_step(cluster, step, state)
        return step

    def step_state(self, cluster: str, step: str) -> str:
        return self.emr.describe_step(ClusterId=cluster, StepId=step)["Step"]["Status"]["State"]


@pytest.fixture
def pool(localemr_server):
    return Pool(localemr_server)


def settled(pool, awaited, seconds=20.0):
    """Wait until it is so."""
    told = []
    watch = PoolWatch(pool.care, awaited, 0.02)
    last = wait_for_pool(watch, never, lambda level, text: told.append(text), time.time() + seconds)
    return last.done, told


# --- warm up ----------------------------------------------------------------------------------------------


def test_a_pool_is_warmed_up_to_its_minimum(pool):
    report = pool.care.warm_up(pool.setup)
    assert sorted(report.started) == pool.there
    assert len(report.started) == 2
    assert settled(pool, report.awaited)[0]
    names = {one.name.rpartition("/")[0] for one in pool.care.look().clusters}
    assert len(names) == 1
    assert names.pop().startswith("medium emrkit-pool:medium/")


def test_clusters_of_the_pool_count_those_that_start_too(pool):
    pool.server.runner.hold_starts()
    first = pool.care.warm_up(pool.setup, 1)
    second = pool.another("test:2:2").warm_up(pool.setup)
    pool.server.runner.release_starts()
    assert len(first.started) == len(second.started) == 1
    assert set(second.serving) == {*first.started, *second.started}
    assert pool.another("test:3:3").warm_up(pool.setup).started == ()


def test_a_start_that_may_be_under_way_counts(pool):
    pool.claim(Claim("start", "0123456789ab", "", time.time() + 300))
    report = pool.care.warm_up(pool.setup)
    assert len(report.started) == 1
    assert report.starts == ("0123456789ab",)


def test_a_pool_is_never_warmed_up_beyond_its_maximum(pool):
    report = pool.care.warm_up(pool.setup, 5)
    assert (len(report.started), report.missing) == (3, 2)


def test_clusters_of_another_spec_that_have_no_work_leave_their_places(pool):
    old = pool.setup_of(replace(POOL, spec=ClusterSpec("emr-7.10.0", size="tiny")))
    for one in (before := pool.care.warm_up(old, 3).started):
        pool.server.wait_cluster(one, "WAITING")
    report = pool.care.warm_up(pool.setup)
    assert len(report.started) == 2
    assert set(report.retired) < set(before)
    assert len(report.retired) == 2
    assert len(pool.there) == 3


def test_what_emr_refuses_is_an_error_and_leaves_no_claim(pool):
    bad = replace(pool.setup, cluster={**pool.setup.cluster, "ReleaseLabel": "emr-99.0.0"})
    with pytest.raises(SubmitRefusedError, match=r"no cluster of pool medium was started .*release_label"):
        pool.care.warm_up(bad)
    assert pool.record.claims == ()


def test_clusters_that_do_not_come_up_are_an_error_with_emrs_reason(pool):
    with faults(pool.server.endpoint_url, bootstrap_failure={}):
        report = pool.care.warm_up(pool.setup)
        with pytest.raises(BootstrapError, match="pool medium has clusters that did not come up: cluster j-"):
            settled(pool, report.awaited)


def test_a_cluster_that_came_up_and_ended_for_want_of_work_has_come_up(pool):
    report = pool.warm()
    pool.emr.terminate_job_flows(JobFlowIds=[report.started[0]])
    pool.server.wait_cluster(report.started[0], "TERMINATED")
    assert settled(pool, report.awaited)[0]


def test_a_cluster_whose_start_was_not_answered_is_found_and_not_started_twice(pool):
    with faults(pool.server.endpoint_url, lost_answer={"operation": "RunJobFlow", "times": 1}):
        report = pool.care.warm_up(pool.setup)
    assert (len(report.started), len(report.starts)) == (1, 1)
    again = pool.care.warm_up(pool.setup)
    assert again.started == ()
    assert settled(pool, report.awaited)[0]
    assert len(pool.there) == 2


def test_a_start_that_came_to_nothing_is_an_error_when_it_can_t_come_any_more(pool):
    pool.claim(Claim("start", "0123456789ab", "", time.time() + 300))
    report = pool.care.warm_up(pool.setup, 1)
    assert settled(pool, report.awaited, seconds=0.1)[0] is False
    pool.claim()
    with pytest.raises(
        EmrKitError, match=r"lacks clusters that were being started \(0123456789ab\): EMR has refused"
    ):
        settled(pool, report.awaited)


# --- resize -----------------------------------------------------------------------------------------------


def test_a_pool_grows_to_a_size(pool):
    pool.warm()
    report = pool.care.resize(pool.setup, 3)
    assert len(report.started) == 1
    assert len(pool.there) == 3


def test_of_too_many_clusters_the_idle_ones_end_first(pool):
    busy, idle = pool.warm().started
    pool.work(busy, "load")
    report = pool.care.resize(pool.setup, 1)
    assert (report.retired, report.draining, report.serving) == ((idle,), (), (busy,))
    assert pool.there == [busy]


def test_one_that_is_at_work_drains_and_ends_when_it_has_none(pool):
    (busy,) = pool.warm(1).started
    pool.work(busy, "load")
    report = pool.care.resize(pool.setup, 0)
    assert (report.retired, report.draining) == ((), (busy,))
    told = settled(pool, report.awaited, seconds=0.1)
    assert told == (False, [f"Pool medium: still to end: {busy} (1 step)"])
    assert pool.there == [busy]
    pool.server.runner.finish("load")
    assert settled(pool, report.awaited)[0]
    assert pool.there == []


# --- drain ------------------------------------------------------------------------------------------------


def test_a_drained_cluster_is_written_down_before_it_ends(pool, monkeypatch):
    (cluster,) = pool.warm(1).started
    seen = []
    monkeypatch.setattr(
        "airflow_provider_emrkit.pools.care_round.retire_clusters",
        lambda held, clients, ids, must: seen.append((ids, set(pool.record.draining))),
    )
    pool.care.drain()
    assert seen == [([cluster], {cluster})]


def test_one_cluster_alone_is_drained(pool):
    one, other = pool.warm().started
    report = pool.care.drain([one])
    assert (report.retired, report.serving) == ((one,), (other,))


def test_a_cluster_of_somebody_else_is_not_drained(pool):
    pool.warm(1)
    stranger = pool.server.run_cluster(Name="somebody's")
    assert pool.care.drain([stranger]).retired == ()
    assert stranger not in pool.record.draining


def test_a_cluster_with_a_job_on_its_way_is_not_idle(pool):
    (cluster,) = pool.warm(1).started
    pool.claim(Claim("place", "c66c9179a54ad449-0-1", cluster, time.time() + 300))
    assert pool.care.drain().draining == (cluster,)
    assert pool.there == [cluster]


def test_a_protected_cluster_is_told_of_and_not_waited_for(pool):
    (cluster,) = pool.warm(1).started
    pool.emr.set_termination_protection(JobFlowIds=[cluster], TerminationProtected=True)
    with pytest.raises(
        EmrKitError, match=f"protected clusters of pool medium against termination: {cluster}"
    ):
        settled(pool, pool.care.drain().awaited)
    assert pool.there == [cluster]


def denied_termination(pool, times):
    emr = FaultyEmr(pool.emr)
    refusal = aws_error(
        "AccessDeniedException", "not authorized to perform: elasticmapreduce:TerminateJobFlows"
    )
    emr.fail("terminate_job_flows", *[refusal] * times)
    return PoolCare(clients_of(emr, s3=pool.s3), pool.setup.place, "test:1:2", never)


@pytest.mark.parametrize("work", ["drain", "delete"])
def test_clusters_that_may_not_be_ended_are_an_error_with_emrs_reason(pool, work):
    pool.warm(1)
    with pytest.raises(AccessDeniedError, match="elasticmapreduce:TerminateJobFlows"):
        getattr(denied_termination(pool, 1), work)()


def test_clusters_that_may_not_be_ended_when_their_work_is_done_are_not_waited_for(pool):
    (busy,) = pool.warm(1).started
    pool.work(busy, "load")
    care = denied_termination(pool, 2 * REFUSALS)
    watch = PoolWatch(care, care.drain().awaited, 0.02)
    pool.server.runner.finish("load")
    pool.server.wait_cluster(busy, "WAITING")
    ticks = []
    with pytest.raises(AccessDeniedError, match="elasticmapreduce:TerminateJobFlows"):
        wait_for_pool(watch, never, lambda level, text: ticks.append(text), time.time() + 20.0)
    assert len([text for text in ticks if "asking again" in text]) == REFUSALS - 1


def test_credentials_that_are_renewed_meanwhile_end_what_is_waited_for(pool):
    (busy,) = pool.warm(1).started
    pool.work(busy, "load")
    care = denied_termination(pool, REFUSALS - 1)
    watch = PoolWatch(care, care.drain().awaited, 0.02)
    pool.server.runner.finish("load")
    assert wait_for_pool(watch, never, lambda level, text: None, time.time() + 20.0).done


# --- delete -----------------------------------------------------------------------------------------------


def test_a_deleted_pool_waits_for_its_work(pool):
    busy, idle = pool.warm().started
    step = pool.work(busy, "load")
    report = pool.care.delete()
    assert report.retired == (idle,)
    assert not pool.care.forget()
    pool.server.runner.finish("load")
    assert settled(pool, report.awaited)[0]
    assert pool.step_state(busy, step) == "COMPLETED"
    assert pool.care.forget()
    assert "Contents" not in pool.s3.list_objects_v2(Bucket=BUCKET)


def test_what_is_started_meanwhile_is_deleted_too(pool):
    (busy,) = pool.warm(1).started
    pool.work(busy, "load")
    report = pool.care.delete()
    pool.warm(1)
    pool.server.runner.finish("load")
    assert settled(pool, report.awaited)[0]
    assert pool.there == []


def test_by_force_steps_are_cancelled_before_their_clusters_end(pool):
    (busy,) = pool.warm(1).started
    pool.emr.modify_cluster(ClusterId=busy, StepConcurrencyLevel=1)
    running = pool.work(busy, "load")
    waiting = pool.work(busy, "later", "PENDING")
    report = pool.care.delete(force=True)
    assert report.retired == (busy,)
    assert settled(pool, report.awaited)[0]
    steps = {one["Id"]: one["Status"] for one in pool.emr.list_steps(ClusterId=busy)["Steps"]}
    assert {steps[one]["State"] for one in (running, waiting)} == {"CANCELLED"}
    assert "user" in steps[waiting]["StateChangeReason"]["Message"].lower()
    assert pool.care.forget()


def test_by_force_the_steps_of_all_clusters_are_cancelled(pool):
    clusters = pool.warm().started
    steps = {cluster: pool.work(cluster, f"load-{cluster}") for cluster in clusters}
    cancelled = []
    pool.clients.client("emr").meta.events.register(
        "provide-client-params.emr.CancelSteps", lambda params, **_: cancelled.append(params["ClusterId"])
    )
    pool.care.delete(force=True)
    assert set(cancelled) == set(clusters) == set(steps)


def test_by_force_protection_is_taken_off(pool):
    (cluster,) = pool.warm(1).started
    pool.emr.set_termination_protection(JobFlowIds=[cluster], TerminationProtected=True)
    report = pool.care.delete(force=True)
    assert settled(pool, report.awaited)[0]
    assert pool.there == []


def test_a_pool_that_is_not_there_is_deleted(pool):
    report = pool.care.delete(force=True)
    assert settled(pool, report.awaited)[0]
    assert pool.care.forget()
    assert pool.care.forget()


def test_a_start_that_may_be_under_way_is_waited_for(pool):
    pool.claim(Claim("start", "0123456789ab", "", time.time() + 300))
    report = pool.care.delete()
    done, told = settled(pool, report.awaited, seconds=0.2)
    assert not done
    assert told == ["Pool medium: still to end: what start 0123456789ab may still bring"]
    assert not pool.care.forget()


# --- the lease --------------------------------------------------------------------------------------------


def test_a_lease_that_is_lost_on_the_way_is_taken_again(pool, monkeypatch):
    really = care_round.look
    stolen = []

    def slow_look(emr, place, steps_enough):
        found = really(emr, place, steps_enough=steps_enough)
        if not stolen:
            stolen.append(True)
            pool.s3.delete_object(Bucket=BUCKET, Key="emrkit/pools/medium.json")
            thief = PoolLease(pool.s3, pool.setup.place, "thief")
            thief.take(1.0, never).release()
        return found

    monkeypatch.setattr(care_round, "look", slow_look)
    assert len(pool.care.warm_up(pool.setup).started) == 2
    assert len(pool.there) == 2


def test_a_lease_that_stays_taken_is_an_error(pool, monkeypatch):
    monkeypatch.setattr(care_module, "LEASE_PATIENCE", 0.2)
    PoolLease(pool.s3, pool.setup.place, "somebody").take(1.0, never)
    with pytest.raises(LeaseError, match="held by somebody"):
        pool.care.drain()


def test_the_lease_is_given_back_whatever_happens(pool):
    pool.care.warm_up(pool.setup, 0)
    assert pool.record.holder == ""
    bad = replace(pool.setup, cluster={**pool.setup.cluster, "ReleaseLabel": "emr-99.0.0"})
    with pytest.raises(SubmitRefusedError):
        pool.care.warm_up(bad)
    assert pool.record.holder == ""


def test_throttling_is_waited_for(pool):
    report = pool.warm(1)
    with faults(pool.server.endpoint_url, throttle={"operation": "ListClusters", "times": 3}):
        assert settled(pool, report.awaited)[0]
    wait_for(lambda: len(pool.there) == 1)


# --- questions --------------------------------------------------------------------------------------------


def found(pool, question, setup=None):
    """Whether it is so, and in which words."""
    tick = PoolWatch(pool.care, HowItIs.of(question, setup or pool.setup), 1.0).tick()
    return tick.done, tick.words


def test_an_empty_pool_has_room_as_it_may_grow(pool):
    assert found(pool, "has_room")[0]
    assert pool.there == []


def test_a_pool_has_room_until_its_clusters_are_full_and_no_more_may_start(pool):
    small = pool.setup_of(replace(POOL, min_clusters=0, max_clusters=1))
    (cluster,) = pool.warm(1).started
    pool.work(cluster, "one")
    assert found(pool, "has_room", small)[0]
    pool.work(cluster, "two")
    has_room, words = found(pool, "has_room", small)
    assert not has_room
    assert words.startswith("has no room; pool medium has 1 of 1 cluster; 2 steps are on them")
    pool.server.runner.finish("one")
    wait_for(lambda: found(pool, "has_room", small)[0])


def test_room_that_older_jobs_of_others_wait_for_is_not_there(pool):
    small = pool.setup_of(replace(POOL, min_clusters=0, max_clusters=1, steps_per_cluster=1))
    pool.warm(1)
    held = pool.care.lease.take(1.0, never)
    held.release(replace(held.record, waiting={"other:1:1": Waiting(held.now, (held.now - 60.0,))}))
    assert not found(pool, "has_room", small)[0]


def test_a_draining_cluster_has_no_room(pool):
    small = pool.setup_of(replace(POOL, min_clusters=0, max_clusters=1))
    (cluster,) = pool.warm(1).started
    pool.work(cluster, "one")
    pool.care.drain()
    assert not found(pool, "has_room", small)[0]


def test_a_pool_is_healthy_when_its_minimum_is_there(pool):
    healthy, words = found(pool, "is_healthy")
    assert not healthy
    assert words == "is not healthy; 0 of at least 2 clusters are up or start"
    pool.warm()
    assert found(pool, "is_healthy")[0]


def test_a_pool_is_not_healthy_when_a_cluster_of_its_spec_did_not_come_up(pool):
    pool.warm()
    with faults(pool.server.endpoint_url, bootstrap_failure={}):
        (failed,) = pool.care.warm_up(pool.setup, 3).started
        pool.server.wait_cluster(failed, "TERMINATED_WITH_ERRORS")
    healthy, words = found(pool, "is_healthy")
    assert not healthy
    assert f"did not come up in the last hour: {failed} is TERMINATED_WITH_ERRORS" in words
    other = pool.setup_of(replace(POOL, min_clusters=0, spec=ClusterSpec("emr-7.10.0", size="tiny")))
    assert found(pool, "is_healthy", other)[0]


def test_a_cluster_that_came_up_and_was_ended_does_no_harm_to_health(pool):
    lone = pool.setup_of(replace(POOL, min_clusters=0))
    (cluster,) = pool.warm(1).started
    pool.emr.terminate_job_flows(JobFlowIds=[cluster])
    pool.server.wait_cluster(cluster, "TERMINATED")
    assert found(pool, "is_healthy", lone)[0]
