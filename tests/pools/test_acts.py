from __future__ import annotations

import time
from dataclasses import replace

import pytest
from faulty_emr import aws_error, throttled, timed_out, unreachable
from pool_rig import ALL, PoolRig

from airflow_provider_emrkit.compute.pool_mark import PoolMark
from airflow_provider_emrkit.exceptions import LeaseError
from airflow_provider_emrkit.pools.acts import (
    KEEP,
    PLACED_LIFE,
    STARTED_LIFE,
    THROTTLED_LIFE,
    Effect,
    after,
    keep,
    place_claims,
    place_steps,
    retire_clusters,
    start_clusters,
)
from airflow_provider_emrkit.pools.lease import LeaseLostError
from airflow_provider_emrkit.pools.record import CLAIM_LIFE, Claim, PoolRecord

START, OTHER = "aaaaaaaaaaaa", "bbbbbbbbbbbb"


class Clock:
    """Seconds that go on when they are told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def pass_by(self, seconds):
        self.now += seconds


class Holder(PoolRig):
    """A process that holds the lease of a pool."""

    def __init__(self, server):
        super().__init__(server)
        self.clock = Clock()
        self.place = self.order(1).place
        self.held = self.take("worker-1:1:a")

    def take(self, holder):
        return self.lease(self.place, holder, clock=self.clock).take(1.0, self.pause)

    def request(self, start):
        order = self.order(1)
        mark = PoolMark(self.place.name, self.place.key, order.spec, order.capacity, start)
        return {**order.cluster, "Name": mark.marked()}

    def start(self, *starts):
        requests = {start: self.request(start) for start in starts}
        return start_clusters(self.held, self.clients, self.place, requests)

    def place_on(self, cluster, *numbers):
        steps = {str(order.token): order.step for order in map(self.order, numbers)}
        return place_steps(self.held, self.clients, {cluster: steps})

    def lasts(self, claim):
        """Give the seconds a claim lasts, at least and at most: it was made since the test began."""
        return claim.until - time.time() - 1, claim.until - self.began + 2  # S3's times are right to a second

    def claims(self):
        return {claim.id: claim for claim in self.record(self.place).claims}

    def replaced_by_another(self, **changes):
        """Let another process take over the lease, as S3 sees it."""
        record = replace(self.record(self.place), holder="worker-2:1:b", nonce="theirs", **changes)
        key = self.place.uri.removeprefix("s3://staging/")
        self.server.client("s3").put_object(Bucket="staging", Key=key, Body=record.to_json().encode())


@pytest.fixture
def holder(localemr_server):
    return Holder(localemr_server)


@pytest.fixture
def cluster(holder):
    there = holder.server.run_cluster(Name="a cluster of the pool")
    holder.server.wait_cluster(there, "WAITING")
    return there


# --- claims -----------------------------------------------------------------------------------------------


def test_a_start_is_claimed_before_it_is_sent(holder):
    seen = []
    holder.emr.before["run_job_flow"] = lambda: seen.append(holder.claims())
    effects = holder.start(START)
    [claim] = seen[0].values()
    assert (claim.deed, claim.id, claim.cluster_id) == ("start", START, "")
    least, most = holder.lasts(claim)
    assert least <= CLAIM_LIFE <= most
    [cluster] = holder.clusters()
    assert effects[START].id == cluster["Id"]


def test_several_starts_are_claimed_by_one_write(holder):
    written = []
    holder.s3.written = [lambda: written.append(len(holder.claims()))] * 10
    holder.start(START, OTHER)
    assert written == [2, 2]


def test_what_is_claimed_already_is_not_claimed_again(holder, cluster):
    tokens = [str(holder.order(number).token) for number in (1, 2)]
    claims = place_claims([(token, cluster) for token in tokens], holder.held.now)
    holder.held.write(replace(holder.held.record, claims=claims))
    written = []
    holder.s3.written = [lambda: written.append(1)]
    holder.place_on(cluster, 1, 2)
    assert written == []


def test_steps_of_a_cluster_are_claimed_and_added_at_once(holder, cluster):
    seen = []
    holder.emr.before["add_job_flow_steps"] = lambda: seen.append(holder.claims())
    effects = holder.place_on(cluster, 1, 2, 3)
    assert {(claim.deed, claim.cluster_id) for claim in seen[0].values()} == {("place", cluster)}
    assert holder.emr.calls == ["add_job_flow_steps"]
    steps = {step["Id"]: step["Name"] for step in holder.emr.list_steps(ClusterId=cluster)["Steps"]}
    assert {token: steps[effect.id] for token, effect in effects.items()} == {
        str(order.token): order.token.marked() for order in map(holder.order, (1, 2, 3))
    }


@pytest.mark.parametrize(
    ("error", "fate", "life"),
    [
        (unreachable(), "not_sent", None),
        (aws_error("ValidationException", "no"), "refused", None),
        (aws_error("AccessDeniedException", "no"), "refused", None),
        (throttled(), "throttled", THROTTLED_LIFE),
        (timed_out(), "unknown", CLAIM_LIFE),
        (aws_error("InternalServerError", "oh", 500), "unknown", CLAIM_LIFE),
        (aws_error("ServiceUnavailable", "oh", 503), "unknown", CLAIM_LIFE),
    ],
)
def test_what_may_have_been_done_stays_claimed(holder, error, fate, life):
    holder.emr.fail("run_job_flow", error)
    effects = holder.start(START)
    assert (effects[START].fate, effects[START].id) == (fate, "")
    assert len(holder.emr.sent("run_job_flow")) == 1
    claim = holder.claims().get(START)
    if life is None:
        assert claim is None
    else:
        least, most = holder.lasts(claim)
        assert least <= life <= most


def test_what_is_known_to_be_done_is_claimed_until_it_is_listed_at_the_latest(holder, cluster):
    effects = holder.start(START)
    claim = holder.claims()[START]
    assert claim.cluster_id == effects[START].id
    least, most = holder.lasts(claim)
    assert least <= STARTED_LIFE <= most
    placed = holder.place_on(cluster, 1)
    record = after(holder.held.record, "place", placed, holder.held.now)
    [claim] = [claim for claim in record.claims if claim.deed == "place"]
    least, most = holder.lasts(claim)
    assert least <= PLACED_LIFE <= most


def test_a_job_that_is_claimed_for_a_start_is_claimed_for_its_cluster_then(holder):
    holder.held.write(PoolRecord(claims=(Claim("start", START, "", 9e9), Claim("place", "t", START, 9e9))))
    effects = holder.start(START)
    assert holder.claims()["t"] == Claim("place", "t", effects[START].id, 9e9)


def test_a_claim_is_never_made_to_last_longer():
    record = PoolRecord(claims=(Claim("place", "t", "j-1", 100.0),))
    assert after(record, "place", {"t": Effect("throttled")}, 90.0).claims == record.claims
    assert after(record, "start", {"t": Effect("refused")}, 90.0).claims == record.claims


# --- a lease that is lost ---------------------------------------------------------------------------------


def test_nothing_is_sent_when_the_lease_ran_out_after_the_claim(holder):
    holder.s3.written = [lambda: holder.clock.pass_by(31.0)]
    effects = holder.start(START, OTHER)
    assert {effect.fate for effect in effects.values()} == {"not_sent"}
    assert holder.emr.calls == []


def test_no_step_is_added_when_the_lease_ran_out_after_the_claim(holder, cluster):
    holder.s3.written = [lambda: holder.clock.pass_by(31.0)]
    assert holder.place_on(cluster, 1)[str(holder.order(1).token)].fate == "not_sent"
    assert holder.emr.calls == []


def test_a_holder_that_was_replaced_can_not_even_claim(holder):
    holder.replaced_by_another()
    with pytest.raises(LeaseLostError):
        holder.start(START)
    assert holder.emr.calls == []


def test_after_the_first_call_took_too_long_the_next_one_is_not_made(holder):
    holder.emr.before["run_job_flow"] = lambda: holder.clock.pass_by(31.0)
    effects = holder.start(START, OTHER)
    assert [effect.fate for effect in effects.values()] == ["done", "not_sent"]
    assert len(holder.emr.sent("run_job_flow")) == 1


def test_a_cluster_that_was_started_in_time_stays_though_the_lease_was_lost(holder):
    """Whoever has the lease now reckons with it, as it is claimed."""
    holder.emr.before["run_job_flow"] = holder.replaced_by_another
    effects = holder.start(START)
    assert effects[START].id
    assert len(holder.clusters()) == 1
    assert START in holder.claims()


def test_a_cluster_that_was_started_when_nobody_reckoned_with_it_any_more_is_ended(holder):
    def stall():
        holder.clock.pass_by(CLAIM_LIFE + 1)
        holder.replaced_by_another(claims=())

    holder.emr.before["run_job_flow"] = stall
    effects = holder.start(START)
    assert effects[START].late
    assert holder.clusters() == []


def test_one_that_others_have_found_meanwhile_and_given_work_is_not(holder):
    def stall():
        holder.clock.pass_by(CLAIM_LIFE + 1)
        holder.replaced_by_another(claims=())

    holder.emr.before["run_job_flow"] = stall
    request = {**holder.request(START), "Steps": [holder.order(1).step]}
    start_clusters(holder.held, holder.clients, holder.place, {START: request})
    assert len(holder.clusters()) == 1


def test_a_lease_of_which_little_is_left_is_renewed_before_a_call(holder):
    holder.clock.pass_by(28.0 - KEEP + 1)
    assert holder.held.remaining() < KEEP
    keep(holder.held)
    assert holder.held.remaining() > KEEP
    written = []
    holder.s3.written = [lambda: written.append(1)]
    keep(holder.held)
    assert written == []


# --- ending -----------------------------------------------------------------------------------------------


def test_a_cluster_is_marked_before_it_is_ended(holder, cluster):
    seen = []
    holder.emr.before["terminate_job_flows"] = lambda: seen.append(holder.record(holder.place).draining)
    assert retire_clusters(holder.held, holder.clients, [cluster]) == (cluster,)
    assert seen == [{cluster}]
    assert holder.clusters() == []


def test_what_can_not_be_ended_stays_marked(holder, cluster, caplog):
    holder.emr.fail("terminate_job_flows", throttled())
    assert retire_clusters(holder.held, holder.clients, [cluster]) == ()
    assert holder.record(holder.place).draining == {cluster}
    assert "could not be ended yet" in caplog.text


def test_a_holder_whose_lease_ran_out_ends_nothing(holder, cluster):
    holder.s3.written = [lambda: holder.clock.pass_by(31.0)]
    with pytest.raises(LeaseError):
        retire_clusters(holder.held, holder.clients, [cluster])
    assert [one["Id"] for one in holder.clusters()] == [cluster]


def test_ending_nothing_takes_no_call_and_no_write(holder):
    written = []
    holder.s3.written = [lambda: written.append(1)]
    assert retire_clusters(holder.held, holder.clients, []) == ()
    assert (holder.emr.calls, written) == ([], [])


def test_many_are_ended_ten_at_a_time(holder):
    ids = [f"j-{number}" for number in range(25)]
    for _ in range(3):
        holder.emr.fail("terminate_job_flows", throttled())
    retire_clusters(holder.held, holder.clients, ids)
    assert [len(request["JobFlowIds"]) for request in holder.emr.sent("terminate_job_flows")] == [10, 10, 5]


def test_nothing_is_left_of_clusters_when_a_start_is_refused(holder):
    holder.emr.fail("run_job_flow", aws_error("ValidationException", "no"))
    holder.start(START)
    assert holder.clusters(*ALL) == []
