from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from faulty_emr import aws_error, clients_of, throttled, timed_out, unreachable
from pool_rig import ALL, MEDIUM, SPEC, PoolRig, placed, waiting

from airflow_provider_emrkit import ClusterSpec
from airflow_provider_emrkit.compute.pool_mark import PoolMark
from airflow_provider_emrkit.exceptions import SubmitDeniedError, SubmitRefusedError
from airflow_provider_emrkit.logs.wishes import LogWishes
from airflow_provider_emrkit.pools.acts import PLACED_LIFE
from airflow_provider_emrkit.pools.clock import elapsed
from airflow_provider_emrkit.pools.lease import LeaseLostError
from airflow_provider_emrkit.pools.outcomes import Refused, Waits
from airflow_provider_emrkit.pools.placing import FRESH, STALE, Placing
from airflow_provider_emrkit.pools.record import CLAIM_LIFE, Claim, Waiting

PATIENCE = 1.0
ONE = replace(MEDIUM, max_clusters=1, steps_per_cluster=1)


@pytest.fixture
def rig(localemr_server):
    return PoolRig(localemr_server)


def change_record(rig, order, **changes):
    """Let another process write something into the record."""
    held = rig.lease(order.place).take(PATIENCE, rig.pause)
    held.release(replace(held.record, **changes))


def bring_up(rig, pool=MEDIUM, jobs=0):
    """Give the pool's first cluster, with some jobs on it; nothing is claimed any more."""
    orders = [rig.order(number, pool) for number in range(900, 900 + max(1, jobs))]
    outcomes = rig.placing("starter:1:a").round(orders, PATIENCE)
    [cluster] = set(placed(outcomes).values())
    if not jobs:
        rig.finish_all()
    rig.server.wait_cluster(cluster, "RUNNING" if jobs else "WAITING")
    change_record(rig, orders[0], claims=())
    rig.emr.calls.clear()
    return cluster


def has_active(rig):
    return {token: steps for token, steps in rig.steps().items() if steps[0][1] in ("PENDING", "RUNNING")}


# --- growing ----------------------------------------------------------------------------------------------


def test_an_empty_pool_grows_and_the_job_is_queued_on_its_new_cluster(rig):
    order = rig.order(1)
    run = rig.placing().round([order], PATIENCE)[str(order.token)].run
    [cluster] = rig.clusters()
    [step] = rig.emr.list_steps(ClusterId=cluster["Id"])["Steps"]
    assert (run.cluster_id, run.step_id, run.name) == (cluster["Id"], step["Id"], step["Name"])
    assert (run.kind, run.owns_cluster, run.pool, run.token) == ("step", False, "medium", str(order.token))
    assert step["ActionOnFailure"] == "CONTINUE"
    mark = PoolMark.of(cluster["Name"])
    assert (mark.pool, mark.place, mark.spec) == ("medium", order.place.key, order.spec)
    [request] = rig.emr.sent("run_job_flow")
    assert request["StepConcurrencyLevel"] == 2
    assert request["AutoTerminationPolicy"] == {"IdleTimeout": 900}


def test_many_orders_share_one_round(rig):
    outcomes = rig.placing().round(rig.orders(5), PATIENCE)
    assert Counter(placed(outcomes).values()) == {cluster["Id"]: 2 for cluster in rig.clusters()}
    assert rig.emr.calls == ["list_clusters", *["run_job_flow"] * 2, *["add_job_flow_steps"] * 2]
    [words] = waiting(outcomes).values()
    assert "has 2 of 2 clusters" in words


def test_a_decision_takes_a_list_of_clusters_and_one_of_steps_for_each(rig):
    rig.placing().round(rig.orders(4), PATIENCE)
    rig.emr.calls.clear()
    placing = rig.placing("worker-2:1:b")
    assert waiting(placing.round(rig.orders(50, first=100), PATIENCE)).keys()
    assert rig.emr.calls == ["list_clusters", "list_steps", "list_steps"]


def test_a_job_goes_where_there_is_room_and_the_pool_does_not_grow(rig):
    cluster = bring_up(rig, jobs=1)
    assert list(placed(rig.placing().round(rig.orders(1), PATIENCE)).values()) == [cluster]
    assert rig.emr.calls == ["list_clusters", "list_steps", "add_job_flow_steps"]


def test_a_pool_is_brought_to_its_minimum(rig):
    rig.placing().round(rig.orders(1, replace(MEDIUM, min_clusters=2)), PATIENCE)
    assert len(rig.clusters()) == 2


def test_fifty_that_start_in_the_same_second_give_three_clusters(rig):
    """Each is a process of its own, as far as the pool can tell."""
    pool = replace(MEDIUM, max_clusters=3, steps_per_cluster=4)
    orders = rig.orders(50, pool)
    gate = threading.Barrier(50)
    told = {}

    def process(number):
        placing = Placing(rig.clients, f"worker:{number}:a", threading.Event().wait)
        gate.wait(30)
        outcome = placing.round([orders[number]], 60.0)
        told.update(outcome)

    with ThreadPoolExecutor(50) as threads:
        list(threads.map(process, range(50)))
    assert len(rig.emr.sent("run_job_flow")) == len(rig.clusters(*ALL)) == 3
    steps = rig.steps()
    assert all(len(found) == 1 for found in steps.values())
    assert len(told) == 50
    assert placed(told) == {token: found[0][0] for token, found in steps.items()}
    assert Counter(placed(told).values()) == {cluster["Id"]: 4 for cluster in rig.clusters()}
    assert len(waiting(told)) == 50 - 12
    # As far as EMR allows: nobody is placed before those that had told that they wait for longer.
    record = rig.record(orders[0].place)
    assert not record.holder
    assert sum(len(one.since) for one in record.waiting.values()) == 50 - 12


def test_a_refusal_that_can_not_pass_refuses_the_jobs_of_a_pool_without_clusters(rig):
    rig.emr.fail(
        "run_job_flow", aws_error("AccessDeniedException", "not authorized: elasticmapreduce:RunJobFlow")
    )
    outcomes = rig.placing().round(rig.orders(3, ONE), PATIENCE)
    assert {type(one) for one in outcomes.values()} == {Refused}
    [error, *_] = {one.error for one in outcomes.values()}
    assert isinstance(error, SubmitDeniedError)
    assert "elasticmapreduce:RunJobFlow" in str(error)
    record = rig.record(rig.order(0).place)
    assert (record.claims, record.waiting) == ((), {})


def test_where_a_pool_has_other_clusters_jobs_wait_for_them_and_hear_why_it_does_not_grow(rig):
    bring_up(rig, jobs=2)
    rig.emr.fail("run_job_flow", aws_error("ValidationException", "Instance type m9.tiny is not supported"))
    [words] = waiting(rig.placing().round(rig.orders(1), PATIENCE)).values()
    assert words.startswith("pool medium has 1 of 2 clusters")
    assert "pool medium could not grow" in words
    assert "m9.tiny" in words


@pytest.mark.parametrize(
    "error", [aws_error("ServiceQuotaExceededException", "quota of clusters"), throttled(), unreachable()]
)
def test_a_pool_that_can_not_grow_now_lets_its_jobs_wait(rig, error):
    rig.emr.fail("run_job_flow", error)
    [words] = waiting(rig.placing().round(rig.orders(1), PATIENCE)).values()
    assert "could not grow" in words


def test_a_start_that_was_throttled_is_reckoned_with_for_a_while(rig):
    """EMR was seen to throttle a request and to do it all the same."""
    rig.emr.fail("run_job_flow", throttled())
    placing, orders = rig.placing(), rig.orders(1, ONE)
    placing.round(orders, PATIENCE)
    assert waiting(placing.round(orders, PATIENCE))
    assert len(rig.emr.sent("run_job_flow")) == 1
    [claim] = rig.record(orders[0].place).claims
    assert 0 < claim.until - time.time() <= 31


def test_a_start_that_never_left_is_tried_again(rig):
    rig.emr.fail("run_job_flow", unreachable())
    placing, orders = rig.placing(), rig.orders(1, ONE)
    assert waiting(placing.round(orders, PATIENCE))
    assert placed(placing.round(orders, PATIENCE))


# --- answers that are lost --------------------------------------------------------------------------------


def test_a_cluster_whose_start_was_not_answered_is_found_and_used(rig):
    rig.emr.fail("run_job_flow", timed_out(), done=True)
    placing, orders = rig.placing(), rig.orders(1, ONE)
    assert waiting(placing.round(orders, PATIENCE))
    [cluster] = rig.clusters()
    assert list(placed(placing.round(orders, PATIENCE)).values()) == [cluster["Id"]]
    assert len(rig.emr.sent("run_job_flow")) == 1


def test_a_start_that_was_not_answered_counts_while_it_is_not_listed(rig):
    rig.emr.fail("run_job_flow", timed_out(), done=True)
    orders = rig.orders(1, ONE)
    rig.placing().round(orders, PATIENCE)
    rig.emr.hide("list_clusters", 1)
    assert waiting(rig.placing("worker-2:1:b").round(orders, PATIENCE))
    assert len(rig.clusters(*ALL)) == 1


def test_a_job_whose_placing_was_not_answered_is_found_and_not_placed_again(rig):
    cluster = bring_up(rig)
    rig.emr.fail("add_job_flow_steps", timed_out(), done=True)
    placing, orders = rig.placing(), rig.orders(2)
    assert len(waiting(placing.round(orders, PATIENCE))) == 2
    assert placed(placing.round(orders, PATIENCE)) == {str(order.token): cluster for order in orders}
    assert {len(rig.steps()[str(order.token)]) for order in orders} == {1}


def test_a_job_that_was_placed_without_an_answer_and_is_done_already_is_found(rig):
    bring_up(rig)
    rig.emr.fail("add_job_flow_steps", timed_out(), done=True)
    placing, [order] = rig.placing(), rig.orders(1)
    placing.round([order], PATIENCE)
    rig.finish_all()
    assert placed(placing.round([order], PATIENCE))
    assert rig.steps()[str(order.token)][0][1] == "COMPLETED"
    assert len(rig.steps()[str(order.token)]) == 1
    assert not [claim for claim in rig.record(order.place).claims if claim.id == str(order.token)]


def test_a_job_that_may_be_on_its_way_waits_until_that_is_sure(rig):
    cluster = bring_up(rig)
    rig.emr.fail("add_job_flow_steps", timed_out())
    placing, [order] = rig.placing(), rig.orders(1)
    placing.round([order], PATIENCE)
    [words] = waiting(placing.round([order], PATIENCE)).values()
    assert "EMR has not told" in words
    assert str(order.token) not in rig.steps()
    change_record(rig, order, claims=(Claim("place", str(order.token), cluster, time.time() - 1),))
    assert placed(placing.round([order], PATIENCE)) == {str(order.token): cluster}


def test_a_job_that_may_be_on_its_way_needs_no_room_besides(rig):
    bring_up(rig)
    rig.emr.fail("add_job_flow_steps", timed_out())
    [order] = rig.orders(1)
    rig.placing().round([order], PATIENCE)
    record = rig.record(order.place)
    assert [claim.id for claim in record.claims] == [str(order.token)]
    assert record.waiting == {}


def test_a_job_that_two_processes_wait_with_is_placed_by_one_of_them(rig):
    """A triggerer that was taken for dead was not; the other one's step is over before it looks again."""
    cluster = bring_up(rig, ONE, jobs=1)
    [order] = rig.orders(1, ONE)
    one, other = rig.placing("triggerer-1:1:a"), rig.placing("triggerer-2:1:b")
    assert waiting(one.round([order], PATIENCE))
    assert waiting(other.round([order], PATIENCE))
    rig.finish_all()
    assert placed(one.round([order], PATIENCE)) == {str(order.token): cluster}
    # Whoever looks next sees it listed, and drops the claim.
    assert waiting(rig.placing("worker-2:1:b").round([rig.order(3, ONE)], PATIENCE))
    assert not [claim for claim in rig.record(order.place).claims if claim.deed == "place"]
    rig.finish_all()
    assert placed(other.round([order], PATIENCE)) == {str(order.token): cluster}
    assert len(rig.steps()[str(order.token)]) == 1


def test_a_request_that_was_carried_out_late_takes_up_room_at_once(rig):
    """It came between the look at the cluster's steps and the look for the job."""
    pool = replace(MEDIUM, max_clusters=1)
    cluster = bring_up(rig, pool)
    rig.emr.fail("add_job_flow_steps", timed_out())
    placing, [late, *others] = rig.placing(), rig.orders(3, pool)
    placing.round([late], PATIENCE)
    add = lambda: rig.server.client("emr").add_job_flow_steps(JobFlowId=cluster, Steps=[late.step])  # noqa: E731

    looks = []
    listing = rig.emr.list_steps

    def list_steps(**request):
        if "StepStates" not in request and not looks:
            looks.append(add())
        return listing(**request)

    rig.emr.list_steps = list_steps
    outcomes = placing.round([late, *others], PATIENCE)
    assert list(placed(outcomes)) == [str(late.token), str(others[0].token)]
    assert list(waiting(outcomes)) == [str(others[1].token)]


def test_who_had_no_round_for_long_looks_for_what_is_placed(rig, monkeypatch):
    cluster = bring_up(rig, ONE, jobs=1)
    placing, order = rig.placing(), rig.order(1, ONE, since=time.time() - FRESH - 1)
    assert waiting(placing.round([order], PATIENCE))
    rig.finish_all()
    rig.placing("triggerer-2:1:b").round([order], PATIENCE)
    rig.finish_all()
    change_record(rig, order, claims=(), placed=())
    now = elapsed()
    monkeypatch.setattr("airflow_provider_emrkit.pools.placing.elapsed", lambda: now + STALE + 1)
    assert placed(placing.round([order], PATIENCE)) == {str(order.token): cluster}
    assert len(rig.steps()[str(order.token)]) == 1


def test_a_placing_that_was_throttled_is_tried_again_after_a_while(rig):
    bring_up(rig)
    rig.emr.fail("add_job_flow_steps", throttled())
    placing, [order] = rig.placing(), rig.orders(1)
    assert waiting(placing.round([order], PATIENCE))
    assert waiting(placing.round([order], PATIENCE))
    [claim] = rig.record(order.place).claims
    assert 0 < claim.until - time.time() <= 31
    change_record(rig, order, claims=(replace(claim, until=time.time() - 1),))
    assert placed(placing.round([order], PATIENCE))
    assert len(rig.steps()[str(order.token)]) == 1


def test_what_was_placed_and_is_not_listed_takes_up_its_room_for_some_seconds(rig):
    bring_up(rig, ONE)
    [first, second] = rig.orders(2, ONE)
    rig.placing().round([first], PATIENCE)
    rig.emr.hide("list_steps", 1)
    assert waiting(rig.placing("worker-2:1:b").round([second], PATIENCE))
    claims = [claim for claim in rig.record(first.place).claims if claim.deed == "place"]
    assert 0 < claims[0].until - time.time() <= PLACED_LIFE + 1


def test_an_order_that_is_new_here_and_old_is_looked_for_first(rig):
    """A triggerer has died that had placed the job, which is done meanwhile."""
    cluster = bring_up(rig)
    old = rig.order(1, since=time.time() - FRESH - 1)
    rig.placing().round([old], PATIENCE)
    rig.finish_all()
    change_record(rig, old, claims=())
    successor = rig.placing("triggerer-2:1:b")
    outcome = successor.round([old], PATIENCE)
    assert placed(outcome) == {str(old.token): cluster}
    assert outcome[str(old.token)].run.pool == "medium"
    assert len(rig.steps()[str(old.token)]) == 1


def test_such_an_order_is_looked_for_once(rig):
    bring_up(rig, ONE, jobs=1)
    placing, old = rig.placing(), rig.order(1, ONE, since=time.time() - FRESH - 1)
    placing.round([old], PATIENCE)
    rig.emr.calls.clear()
    placing.round([old], PATIENCE)
    assert rig.emr.calls == ["list_clusters", "list_steps"]


def test_what_can_not_be_looked_for_waits(rig):
    rig.emr.fail("list_clusters", *[timed_out()] * 20)
    old = rig.order(1, since=time.time() - FRESH - 1)
    outcomes = rig.placing().round([old], PATIENCE)
    assert waiting(outcomes)
    assert not rig.emr.sent("run_job_flow")


def test_what_a_round_did_not_even_try_is_claimed_by_nobody_afterwards(rig, monkeypatch):
    """It loses the lease while it ends a cluster, before it starts one."""
    cluster = bring_up(rig)
    placing, [order] = rig.placing(), rig.orders(1)
    change_record(rig, order, draining=frozenset({cluster}))

    def another_takes_over(*_):
        taken = replace(rig.record(order.place), holder="", nonce="theirs")
        key = order.place.uri.removeprefix("s3://staging/")
        rig.server.client("s3").put_object(Bucket="staging", Key=key, Body=taken.to_json().encode())
        raise LeaseLostError("the lease was lost")

    with monkeypatch.context() as patched:
        patched.setattr("airflow_provider_emrkit.pools.rounds.retire_clusters", another_takes_over)
        assert waiting(placing.round([order], PATIENCE)) == {str(order.token): "the lease was lost"}
    assert {claim.deed for claim in rig.record(order.place).claims} == {"start", "place"}
    assert placed(placing.round([order], PATIENCE))
    assert len(rig.clusters()) == len(rig.emr.sent("run_job_flow")) - 1 == 1


def test_a_record_that_can_not_be_written_after_a_start_does_no_harm(rig):
    [order] = rig.orders(1)
    failures = []

    class Failing:
        def put_object(self, **request):
            if b'"cluster_id":"j-' in request["Body"] and len(failures) < 1:
                failures.append(1)
                raise aws_error("AccessDenied", "not now", 403)
            return rig.s3.put_object(**request)

        def __getattr__(self, name):
            return getattr(rig.s3, name)

    placing = rig.placing(clients=clients_of(rig.emr, s3=Failing()))
    assert placed(placing.round([order], PATIENCE))
    assert failures
    assert len(rig.clusters()) == len(rig.steps()) == 1


def test_a_start_that_was_done_counts_though_the_lease_was_lost_and_it_is_not_listed_yet(rig):
    [order, *others] = rig.orders(3, replace(MEDIUM, max_clusters=1, steps_per_cluster=1))

    class Failing:
        broken = False

        def put_object(self, **request):
            if b'"cluster_id":"j-' in request["Body"]:
                self.broken = True
            if self.broken:
                raise aws_error("AccessDenied", "not now", 403)
            return rig.s3.put_object(**request)

        def __getattr__(self, name):
            return getattr(rig.s3, name)

    failing = Failing()
    placing = rig.placing(clients=clients_of(rig.emr, s3=failing))
    assert placed(placing.round([order], PATIENCE))
    held = rig.record(order.place)
    assert held.holder
    failing.put_object = rig.s3.put_object
    rig.emr.list_clusters = lambda **_: {"Clusters": []}
    assert waiting(placing.round(others, PATIENCE))
    assert len(rig.clusters()) == 1


def test_a_job_that_was_placed_too_late_to_be_reckoned_with_is_ended_where_another_has_placed_it(rig):
    cluster = bring_up(rig)
    placing, [order] = rig.placing(), rig.orders(1)
    stalled = []

    def stall():
        """Another process sees the claim end, and places the job."""
        if not stalled:
            stalled.append(rig.server.client("emr").add_job_flow_steps(JobFlowId=cluster, Steps=[order.step]))
            rig.server.wait_step(cluster, *stalled[0]["StepIds"], "RUNNING")
            placing._leases[order.place].clock = lambda: elapsed() + CLAIM_LIFE + 1

    rig.emr.before["add_job_flow_steps"] = stall
    outcome = placing.round([order], PATIENCE)[str(order.token)]
    [theirs] = stalled[0]["StepIds"]
    assert outcome.run.step_id == theirs
    assert sorted(state for _, state in rig.steps()[str(order.token)]) == ["CANCELLED", "RUNNING"]


# --- clusters that go -------------------------------------------------------------------------------------


def test_a_job_whose_cluster_ends_while_it_is_placed_goes_to_another_one(rig):
    cluster = bring_up(rig)
    ends = lambda: rig.server.client("emr").terminate_job_flows(JobFlowIds=[cluster])  # noqa: E731
    rig.emr.before["add_job_flow_steps"] = lambda: (ends(), rig.server.wait_cluster(cluster, "TERMINATED"))
    outcomes = rig.placing().round(rig.orders(1, replace(MEDIUM, max_clusters=1)), PATIENCE)
    [other] = rig.clusters()
    assert list(placed(outcomes).values()) == [other["Id"]]
    assert other["Id"] != cluster


def test_a_cluster_that_is_full_all_the_same_lets_the_job_wait(rig):
    bring_up(rig)
    full = "Maximum number of active steps(State = 'Running', 'Pending') for cluster exceeded."
    rig.emr.fail("add_job_flow_steps", aws_error("ValidationException", full))
    placing, orders = rig.placing(), rig.orders(1)
    assert waiting(placing.round(orders, PATIENCE))
    assert placed(placing.round(orders, PATIENCE))


def test_of_many_jobs_only_the_one_that_emr_does_not_take_is_refused(rig):
    bring_up(rig)
    good, bad = rig.orders(2)
    bad = replace(
        bad, step={**bad.step, "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["x" * 20_000]}}
    )
    outcomes = rig.placing().round([good, bad], PATIENCE)
    assert list(placed(outcomes)) == [str(good.token)]
    assert isinstance(outcomes[str(bad.token)], Refused)
    assert type(outcomes[str(bad.token)].error) is SubmitRefusedError
    assert len(rig.steps()[str(good.token)]) == 1


# --- several definitions ----------------------------------------------------------------------------------


def test_a_changed_spec_gets_a_cluster_of_its_own_and_the_idle_old_one_makes_place(rig):
    old = bring_up(rig, replace(MEDIUM, max_clusters=1))
    changed = replace(MEDIUM, spec=replace(SPEC, release_label="emr-7.10.0"), max_clusters=1)
    outcomes = rig.placing().round(rig.orders(1, changed), PATIENCE)
    [new] = rig.clusters()
    assert new["Id"] != old
    assert list(placed(outcomes).values()) == [new["Id"]]
    assert len(rig.emr.sent("run_job_flow")) == 2


def test_two_specs_that_wait_in_one_process_after_a_quiet_time_do_not_end_each_others_clusters(rig):
    other = replace(MEDIUM, spec=ClusterSpec("emr-7.10.0", size="tiny"), steps_per_cluster=1)
    mine, theirs = rig.order(1), rig.order(2, other)
    rig.placing().round([mine, theirs], PATIENCE)
    rig.finish_all()
    long_ago = time.time() - 1_000.0
    change_record(rig, mine, claims=(), specs={})
    listing = rig.emr.list_clusters

    def of_long_ago(**request):
        answer = listing(**request)
        for cluster in answer["Clusters"]:
            timeline = cluster["Status"]["Timeline"]
            timeline["CreationDateTime"] = datetime.fromtimestamp(long_ago, timezone.utc)
        return answer

    rig.emr.list_clusters = of_long_ago
    outcomes = rig.placing("triggerer-1:1:b").round([rig.order(3), rig.order(4, other)], PATIENCE)
    assert len(set(placed(outcomes).values())) == 2
    assert rig.record(mine.place).draining == frozenset()
    assert not rig.emr.sent("terminate_job_flows")


def test_a_busy_cluster_of_another_spec_gets_no_more_jobs_and_is_not_ended(rig):
    old = bring_up(rig, replace(MEDIUM, max_clusters=1), jobs=1)
    changed = replace(MEDIUM, spec=replace(SPEC, release_label="emr-7.10.0"), max_clusters=1)
    placing, orders = rig.placing(), rig.orders(1, changed)
    assert waiting(placing.round(orders, PATIENCE))
    assert rig.record(orders[0].place).draining == {old}
    assert [cluster["Id"] for cluster in rig.clusters()] == [old]
    rig.finish_all()
    [cluster] = placed(placing.round(orders, PATIENCE)).values()
    assert cluster != old
    assert [one["Id"] for one in rig.clusters()] == [cluster]


def test_a_cluster_that_is_at_least_as_big_does(rig):
    big = replace(MEDIUM, spec=ClusterSpec("emr-7.11.0", size="medium"))
    small_order, big_order = rig.order(1, big), rig.order(2, big)
    primary, core, task = big_order.capacity
    wants_less = replace(small_order, capacity=(primary, core - 1, task))
    wants_more = replace(rig.order(3, replace(big, max_clusters=1)), capacity=(primary, core + 1, task))
    placing = rig.placing()
    [there] = placed(placing.round([big_order], PATIENCE)).values()
    assert list(placed(placing.round([wants_less], PATIENCE)).values()) == [there]
    assert waiting(placing.round([wants_more], PATIENCE))


# --- the others -------------------------------------------------------------------------------------------


def test_older_jobs_of_another_process_go_first(rig):
    bring_up(rig, ONE)
    ours, theirs = rig.order(2, ONE), rig.order(1, ONE)
    change_record(rig, ours, waiting={"worker-2:1:b": Waiting(time.time(), (theirs.since,))})
    outcome = rig.placing().round([ours], PATIENCE)[str(ours.token)]
    assert isinstance(outcome, Waits)
    assert outcome.ahead == 1
    assert placed(rig.placing("worker-2:1:b").round([theirs], PATIENCE))


def test_of_two_jobs_that_came_at_nearly_the_same_time_one_is_placed(rig):
    """The record rounds; each would take the other one for older."""
    bring_up(rig, ONE)
    one, other = (rig.order(number, ONE, since=1_000.0003 + number / 10_000) for number in (0, 1))
    change_record(rig, one, waiting={"worker-2:1:b": Waiting(time.time(), (other.since,))})
    assert placed(rig.placing().round([one], PATIENCE))


def test_those_of_a_process_that_is_gone_are_not_waited_for(rig):
    bring_up(rig, ONE)
    ours, theirs = rig.order(2, ONE), rig.order(1, ONE)
    change_record(rig, ours, waiting={"worker-2:1:b": Waiting(time.time() - 61, (theirs.since,))})
    assert placed(rig.placing().round([ours], PATIENCE))
    assert rig.record(ours.place).waiting == {}


def test_the_record_tells_what_waits_here_until_it_is_placed(rig):
    bring_up(rig, ONE, jobs=1)
    placing, orders = rig.placing(), rig.orders(3, ONE)
    placing.round(orders, PATIENCE)
    waits = rig.record(orders[0].place).waiting
    assert waits["worker-1:1:a"].since == pytest.approx(tuple(order.since for order in orders), abs=0.001)
    rig.finish_all()
    placing.round(orders, PATIENCE)
    assert len(rig.record(orders[0].place).waiting["worker-1:1:a"].since) == 2
    placing.leave(orders[0].place)
    assert rig.record(orders[0].place).waiting == {}


def test_a_lease_that_another_process_holds_lets_all_wait(rig):
    held = rig.lease(rig.order(1).place, "worker-9:1:x").take(PATIENCE, rig.pause)
    outcomes = rig.placing().round(rig.orders(2), 0.0)
    assert len(waiting(outcomes)) == 2
    assert "worker-9:1:x" in next(iter(waiting(outcomes).values()))
    assert rig.emr.calls == []
    held.release()


def test_leaving_while_another_process_holds_the_lease_does_no_harm(rig):
    place = rig.order(1).place
    rig.lease(place, "worker-9:1:x").take(PATIENCE, rig.pause)
    placing = Placing(rig.clients, "worker-1:1:a", lambda seconds: True)
    placing.leave(place)
    assert rig.record(place).holder == "worker-9:1:x"


# --- trouble ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["list_clusters", "list_steps"])
def test_looking_is_tried_again_while_aws_throttles(rig, call):
    bring_up(rig)
    rig.emr.fail(call, throttled(), timed_out())
    assert placed(rig.placing().round(rig.orders(1), PATIENCE))


def test_trouble_that_lasts_lets_all_wait_and_gives_the_lease_back(rig):
    bring_up(rig)
    rig.emr.fail("list_clusters", *[throttled()] * 20)
    [order] = rig.orders(1)
    [words] = waiting(rig.placing().round([order], PATIENCE)).values()
    assert "Rate exceeded" in words
    assert rig.record(order.place).holder == ""
    assert rig.record(order.place).waiting


def test_who_may_not_look_is_refused(rig):
    rig.emr.fail("list_clusters", aws_error("AccessDeniedException", "not authorized"))
    [outcome] = rig.placing().round(rig.orders(1), PATIENCE).values()
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, SubmitDeniedError)


def test_a_bucket_that_is_not_there_refuses(rig):
    [order] = rig.orders(1)
    order = replace(order, place=replace(order.place, uri="s3://nowhere/pools/medium.json"))
    [outcome] = rig.placing().round([order], PATIENCE).values()
    assert isinstance(outcome, Refused)
    assert "no bucket nowhere" in str(outcome.error)


def test_a_selection_that_fails_refuses_and_says_why(rig):
    bring_up(rig, replace(MEDIUM, selection="json:loads"))
    [outcome] = rig.placing().round(rig.orders(1, replace(MEDIUM, selection="json:loads")), PATIENCE).values()
    assert isinstance(outcome, Refused)
    assert "json:loads" in str(outcome.error)


@pytest.mark.parametrize("selection", ["json:loads", "no_such_module:choose"])
def test_a_selection_that_fails_refuses_no_job_of_a_definition_without_it(rig, selection):
    bring_up(rig)
    broken, sound = rig.order(1, replace(MEDIUM, selection=selection)), rig.order(2)
    outcomes = rig.placing().round([broken, sound], PATIENCE)
    assert isinstance(outcomes[str(broken.token)], Refused)
    assert list(placed(outcomes)) == [str(sound.token)]


def test_an_error_of_ones_own_is_not_swallowed_and_the_lease_is_given_back(rig, monkeypatch):
    monkeypatch.setattr("airflow_provider_emrkit.pools.rounds.decide", lambda *_, **__: 1 / 0)
    [order] = rig.orders(1)
    with pytest.raises(ZeroDivisionError):
        rig.placing().round([order], PATIENCE)
    assert rig.record(order.place).holder == ""


# --- what a run knows -------------------------------------------------------------------------------------


def test_a_run_knows_where_its_logs_go_without_another_call(rig):
    spec = ClusterSpec(
        "emr-7.11.0", size="tiny", log_uri="s3://logs/emr/", log_group="/all", log_stream_prefix="x"
    )
    order = rig.order(1, replace(MEDIUM, spec=spec), wishes=LogWishes(False, (("/team", "driver"),)))
    run = rig.placing().round([order], PATIENCE)[str(order.token)].run
    assert (run.log_group, run.log_prefix, run.log_uri) == ("/all", "x/", "s3://logs/emr/")
    assert (run.log_streams, run.driver_apart) == ((("/team", "driver"),), True)
    assert "describe_cluster" not in rig.emr.calls


def test_who_wants_executors_logs_gets_to_know_whether_the_cluster_sends_them(rig):
    """It is the one thing in which clusters of a pool differ: it does not count in their spec."""
    plain, wishes = rig.order(1), LogWishes(executor_logs=True)
    placing = rig.placing()
    placing.round([plain], PATIENCE)
    run = placing.round([rig.order(2, wishes=wishes)], PATIENCE)[str(rig.order(2).token)].run
    assert (run.executor_logs, run.executors_sent) == (True, False)
    assert rig.emr.calls.count("describe_cluster") == 1
    more = placing.round([rig.order(3, wishes=wishes)], PATIENCE)[str(rig.order(3).token)].run
    assert more.cluster_id != run.cluster_id
    assert more.executors_sent is True
    assert rig.emr.calls.count("describe_cluster") == 1
