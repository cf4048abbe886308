"""Who may change a pool: taken, kept, lost, given back, whatever becomes of the calls to S3."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, IncompleteReadError
from botocore.httpsession import URLLib3Session
from botocore.stub import Stubber
from faulty_emr import aws_error, throttled, timed_out, unreachable
from faulty_s3 import START, FaultyS3, VirtualTime

from airflow_provider_emrkit.compute.pool_mark import PoolPlace
from airflow_provider_emrkit.exceptions import AccessDeniedError, LeaseError, NotFoundError
from airflow_provider_emrkit.pools.lease import TRIES, LeaseLostError, PoolLease
from airflow_provider_emrkit.pools.record import Claim, PoolRecord, Waiting

PLACE = PoolPlace("medium", "", "s3://data/emrkit/pools/medium.json")


@pytest.fixture
def time():
    return VirtualTime()


@pytest.fixture
def client(localemr_server):
    client = localemr_server.client("s3")
    client.create_bucket(Bucket="data")
    return client


@pytest.fixture
def s3(client, time):
    return FaultyS3(client, time)


@pytest.fixture
def lease_of(s3, time):
    """Give the lease of the pool for a process."""
    return lambda holder="a", **more: PoolLease(s3, PLACE, holder, clock=time, pause=time.wait, **more)


@pytest.fixture
def lease(lease_of):
    return lease_of("a")


@pytest.fixture
def other(lease_of):
    return lease_of("b")


def drains(record, *ids):
    return replace(record, draining=frozenset({*record.draining, *ids}))


# --- taking and giving back -----------------------------------------------------------------------------


def test_a_pool_that_was_never_used_has_an_empty_record(lease):
    assert lease.read() == PoolRecord()


def test_who_takes_the_lease_holds_it_until_it_is_given_back(lease, other):
    held = lease.try_take()
    assert lease.read().holder == "a"
    assert other.try_take() is None
    held.release()
    assert lease.read().holder == ""
    assert other.try_take() is not None


def test_a_process_that_holds_the_lease_does_not_get_it_twice(lease):
    held = lease.try_take()
    assert lease.try_take() is None
    held.check()


def test_each_time_it_is_taken_is_counted(lease, other):
    for number, taker in enumerate((lease, other, lease), start=1):
        held = taker.try_take()
        assert held.record.fence == number
        held.release()


def test_what_one_writes_the_next_one_reads(lease, other):
    held = lease.try_take()
    written = PoolRecord(
        claims=(Claim("start", "0123456789ab", "", START),),
        draining=frozenset({"j-1"}),
        waiting={"a": Waiting(START, (START - 1, START))},
        specs={"0123456789ab": START},
    )
    held.write(written)
    assert held.record == replace(written, holder="a", fence=1)
    held.release()
    assert other.try_take().record == replace(written, holder="b", fence=2)


def test_a_last_state_can_be_written_as_it_is_given_back(lease):
    held = lease.try_take()
    held.release(drains(held.record, "j-1"))
    assert lease.read() == PoolRecord(fence=1, draining=frozenset({"j-1"}))


def test_a_lease_that_was_given_back_is_of_no_use_any_more(lease, other):
    held = lease.try_take()
    held.release()
    assert held.remaining() == 0
    with pytest.raises(LeaseLostError, match="was given back"):
        held.write(held.record)
    taken = other.try_take()
    held.release()
    taken.check()
    assert lease.read().holder == "b"


def test_what_is_lost_or_was_given_back_is_not_given_back_again(late, lease, s3):
    with pytest.raises(LeaseLostError):
        late.write(late.record)
    s3.calls.clear()
    late.release()
    assert s3.calls == []


def test_a_release_costs_one_call_and_taking_two(lease, s3):
    lease.try_take().release()
    assert s3.calls == ["get_object", "put_object", "put_object"]


# --- time -----------------------------------------------------------------------------------------------


def test_the_lease_of_a_process_that_died_is_taken_over(lease, other, time):
    lease.try_take()
    time.now += 31
    assert other.try_take() is None, "S3's times are right to a second"
    time.now += 2
    assert other.try_take().record.fence == 2


def test_a_holder_stops_before_anybody_can_take_over(lease, other, time):
    held = lease.try_take()
    while held.remaining() > 0:
        held.check()
        assert other.try_take() is None
        time.now += 0.25
    with pytest.raises(LeaseLostError, match="its 30 seconds are up"):
        held.check()
    assert other.try_take() is None


def test_each_write_makes_it_last_longer(lease, other, time):
    held = lease.try_take()
    for _ in range(5):
        time.now += 20
        held.write(held.record)
        assert other.try_take() is None
    assert held.remaining() > 20


def test_the_holders_time_begins_before_a_request_is_sent(lease, s3, time):
    s3.before["put_object"] = lambda: time.wait(20)
    assert 0 < lease.try_take().remaining() <= 10


def test_a_lease_whose_time_was_up_as_the_answer_came_is_not_taken(lease, s3, time):
    s3.before["put_object"] = lambda: time.wait(29)
    assert lease.try_take() is None
    assert lease.try_take() is not None, "nobody in this process holds it"


def test_a_lease_is_waited_for_as_long_as_its_holder_wanted(lease_of, other, time):
    lease_of("a", seconds=90).try_take()
    time.now += 60
    assert other.try_take() is None
    time.now += 33
    assert other.try_take() is not None


def test_now_is_the_time_of_s3(lease, time):
    held = lease.try_take()
    assert held.now == pytest.approx(time.now, abs=1)
    time.now += 10
    assert held.now == pytest.approx(time.now, abs=1)


def test_the_clocks_of_machines_do_not_matter(s3, time, lease):
    slow = PoolLease(s3, PLACE, "b", clock=lambda: time.now - 5_000, pause=time.wait)
    held = lease.try_take()
    assert slow.try_take() is None
    held.release()
    held = slow.try_take()
    assert held.now == pytest.approx(time.now, abs=1)
    assert 20 < held.remaining() <= 30


# --- late holders ---------------------------------------------------------------------------------------


@pytest.fixture
def late(lease, other, time, s3):
    """A holder whose lease was taken over while it was held up on the way to S3."""
    held = lease.try_take()

    def take_over():
        s3.before.clear()
        time.now += 40
        taken = other.try_take()
        taken.write(drains(taken.record, "j-2"))

    s3.before["put_object"] = s3.before["delete_object"] = take_over
    return held


def test_what_a_late_holder_writes_does_nothing(late, lease):
    with pytest.raises(LeaseLostError, match="b has taken it"):
        late.write(drains(late.record, "j-1"))
    assert (lease.read().draining, lease.read().holder) == ({"j-2"}, "b")


def test_a_late_holder_does_not_remove_what_another_one_needs(late, lease):
    with pytest.raises(LeaseLostError, match="somebody else has written it"):
        late.remove()
    assert (lease.read().draining, lease.read().holder) == ({"j-2"}, "b")


def test_a_lease_that_was_removed_is_given_back_with_all_that_was_in_it(lease, other):
    held = lease.try_take()
    held.write(drains(held.record, "j-1"))
    held.remove()
    held.release()
    assert (other.read().draining, other.try_take().record.fence) == (frozenset(), 1)


def test_a_late_holder_is_told_at_each_further_step(late):
    for _ in range(2):
        with pytest.raises(LeaseLostError):
            late.write(late.record)
        with pytest.raises(LeaseLostError):
            late.check()
    assert late.remaining() == 0


def test_a_late_holder_gives_back_nothing(late, lease):
    late.release(drains(late.record, "j-1"))
    assert (lease.read().draining, lease.read().holder) == ({"j-2"}, "b")


def test_a_holder_that_is_late_while_nobody_wanted_the_lease_still_tells_what_it_knows(lease, other, time):
    held = lease.try_take()
    time.now += 1_000
    held.release(drains(held.record, "j-1"))
    assert other.try_take().record.draining == {"j-1"}


def test_a_lease_whose_record_was_deleted_is_lost(lease, client, other):
    held = lease.try_take()
    client.delete_object(Bucket="data", Key="emrkit/pools/medium.json")
    with pytest.raises(LeaseLostError, match="somebody else"):
        held.write(held.record)
    assert other.try_take().record.fence == 1


# --- answers that do not come ---------------------------------------------------------------------------

UNKNOWN = [timed_out(), unreachable(), aws_error("InternalError", "", 500), throttled()]


@pytest.mark.parametrize("error", UNKNOWN, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("done", [True, False])
def test_whether_the_lease_was_taken_is_found_out(lease, other, s3, error, done):
    s3.fail("put_object", error, done=done)
    held = lease.try_take()
    assert (held.record.holder, held.record.fence) == ("a", 1)
    held.check()
    assert other.try_take() is None
    held.write(drains(held.record, "j-1"))
    assert other.read().draining == {"j-1"}


@pytest.mark.parametrize("done", [True, False])
def test_whether_a_record_was_written_is_found_out(lease, s3, done):
    held = lease.try_take()
    s3.fail("put_object", timed_out(), timed_out(), done=done)
    s3.fail("get_object", unreachable())
    held.write(drains(held.record, "j-1"))
    held.write(drains(held.record, "j-2"))
    assert lease.read() == PoolRecord(holder="a", fence=1, draining=frozenset({"j-1", "j-2"}))


def test_a_request_that_the_client_repeats_is_not_taken_for_somebody_elses(lease, s3):
    held = lease.try_take()
    refusal = aws_error("PreconditionFailed", status=412)
    s3.fail("put_object", refusal, done=True)
    held.write(drains(held.record, "j-1"))
    s3.fail("put_object", refusal, done=True)
    held.release()
    assert lease.read() == PoolRecord(fence=1, draining=frozenset({"j-1"}))


def test_boto3_may_repeat_requests_of_its_own_accord(localemr_server, client):
    options = Config(retries={"mode": "standard", "total_max_attempts": 3}, s3={"addressing_style": "path"})
    repeating = boto3.client("s3", endpoint_url=localemr_server.endpoint_url, config=options)
    sent = []

    def lose_the_answer(request, **_):
        sent.append(request)
        if len(sent) % 2:
            URLLib3Session().send(request)
            raise ConnectionClosedError(endpoint_url=request.url)

    repeating.meta.events.register("before-send.s3.PutObject", lose_the_answer)
    held = PoolLease(repeating, PLACE, "a").try_take()
    held.write(drains(held.record, "j-1"))
    held.release()
    assert len(sent) == 6
    assert PoolLease(client, PLACE, "b").try_take().record == PoolRecord(
        holder="b", fence=2, draining=frozenset({"j-1"})
    )


def test_a_request_that_is_repeated_and_arrives_late_does_nothing(lease, s3):
    held = lease.try_take()
    s3.fail("put_object", timed_out(), late=True)
    held.write(drains(held.record, "j-1"))
    held.write(drains(held.record, "j-2"))
    s3.arrive()
    held.write(drains(held.record, "j-3"))
    assert lease.read().draining == {"j-1", "j-2", "j-3"}


def test_a_write_whose_outcome_stays_unknown_loses_the_lease(lease, s3):
    held = lease.try_take()
    s3.fail("put_object", *[timed_out()] * TRIES)
    s3.fail("get_object", *[timed_out()] * TRIES)
    with pytest.raises(LeaseLostError, match="does not tell what became"):
        held.write(held.record)
    assert s3.calls.count("put_object") == 1 + TRIES
    with pytest.raises(LeaseLostError):
        held.check()


def test_the_process_that_lost_track_of_its_own_lease_need_not_wait_for_it(lease, other, s3):
    s3.fail("put_object", *[timed_out()] * TRIES, done=True)
    s3.before["put_object"] = lambda: s3.fail("get_object", *[timed_out()] * TRIES)
    with pytest.raises(LeaseError, match="does not tell what became of the write"):
        lease.try_take()
    assert other.try_take() is None
    assert lease.try_take().record.fence == 2


def test_a_lease_that_can_not_be_given_back_ends_by_itself(lease, other, s3, time, caplog):
    held = lease.try_take()
    s3.fail("put_object", *[timed_out()] * TRIES)
    held.release()
    assert other.try_take() is None
    time.now += 33
    assert other.try_take() is not None


def test_a_refusal_as_the_lease_is_given_back_is_told_in_the_log_only(lease, s3, caplog):
    held = lease.try_take()
    s3.fail("put_object", aws_error("ExpiredToken", "The token has expired"))
    held.release()
    assert "The token has expired" in caplog.text


def test_a_write_that_s3_refuses_leaves_the_lease_held(lease, s3):
    held = lease.try_take()
    s3.fail("put_object", aws_error("InvalidRequest", "No"))
    with pytest.raises(LeaseError, match="could not be written: No"):
        held.write(held.record)
    held.write(drains(held.record, "j-1"))
    assert lease.read().draining == {"j-1"}


# --- waiting for it -------------------------------------------------------------------------------------


def test_a_lease_that_is_held_is_tried_again_with_longer_pauses(lease, other, time, s3):
    pauses = []
    lease.try_take()

    def pause(seconds):
        pauses.append(seconds)
        return time.wait(seconds)

    assert other.take(60.0, pause).record.fence == 2
    assert pauses[0] <= 0.2
    assert 1.0 <= max(pauses) <= 2.0
    assert 15 < len(pauses) < 40


def test_who_waits_in_vain_is_told_who_has_the_lease_and_since_when(lease, other, time):
    held = lease.try_take()
    time.now += 10
    held.write(held.record)
    began = time.now
    with pytest.raises(LeaseError) as told:
        other.take(5.0, time.wait)
    assert time.now - began == pytest.approx(5.0)
    message = str(told.value)
    assert "the lease of pool medium (s3://data/emrkit/pools/medium.json) is held by a since " in message
    assert "2027-01-15 08:00:00 UTC" in message
    assert "last written 5 s ago" in message
    assert told.value.retryable


def test_with_no_patience_there_is_one_try(lease, other, time, s3):
    lease.try_take()
    s3.calls.clear()
    with pytest.raises(LeaseError):
        other.take(0.0, time.wait)
    assert s3.calls == ["get_object"]


def test_who_is_to_stop_waits_no_longer(lease, other, s3):
    lease.try_take()
    s3.calls.clear()
    with pytest.raises(LeaseError, match="is held by a"):
        other.take(60.0, lambda seconds: True)
    assert s3.calls == ["get_object"]


def test_an_s3_that_does_not_answer_is_asked_again(lease, s3, time):
    s3.fail("get_object", unreachable(), throttled(), timed_out())
    assert lease.take(10.0, time.wait).record.holder == "a"


def test_an_s3_that_never_answers_is_told(lease, s3, time):
    s3.fail("get_object", *[unreachable()] * 100)
    with pytest.raises(LeaseError, match="could not be taken: Could not connect"):
        lease.take(10.0, time.wait)


def test_a_name_of_a_holder_that_is_no_name_is_shown_safely(lease, other, client, time):
    record = PoolRecord(holder="x" * 150, nonce="n").to_json()
    client.put_object(Bucket="data", Key="emrkit/pools/medium.json", Body=record)
    other._is_held = lambda seen: True
    with pytest.raises(LeaseError, match=r"held by x{100} … \(50 more characters\)"):
        other.take(0.0, time.wait)


# --- refusals -------------------------------------------------------------------------------------------

DENIED = aws_error("AccessDenied", "Access Denied", 403)


@pytest.mark.parametrize("call", ["get_object", "put_object"])
def test_a_permission_that_is_missing_is_named_at_once(lease, s3, time, call):
    lease.try_take().release()
    s3.fail(call, *[DENIED] * 5)
    with pytest.raises(AccessDeniedError) as told:
        lease.take(60.0, time.wait)
    assert "s3:GetObject and s3:PutObject on s3://data/emrkit/pools/medium.json" in str(told.value)
    assert isinstance(told.value, LeaseError)
    assert not told.value.retryable
    assert time.now < START + 1


def test_without_the_permission_to_list_the_first_lease_can_be_taken(lease, s3, other):
    s3.fail("get_object", DENIED)
    assert lease.try_take().record.fence == 1
    assert other.try_take() is None


def test_a_refusal_that_is_not_dated_is_told_as_it_is(client, time):
    stub = Stubber(client)
    stub.add_client_error("get_object", "AccessDenied", "The proxy says no", 403)
    with stub, pytest.raises(AccessDeniedError, match="The proxy says no"):
        PoolLease(client, PLACE, "a", clock=time).try_take()


def test_an_s3_without_a_clock_is_told(client, time):
    stub = Stubber(client)
    stub.add_client_error("get_object", "NoSuchKey", "", 404)
    with stub, pytest.raises(LeaseError, match="without the header Date"):
        PoolLease(client, PLACE, "a", clock=time).try_take()


def test_an_answer_that_breaks_off_is_asked_for_again(lease, s3, time):
    lease.try_take().release()
    s3.fail("get_object", IncompleteReadError(actual_bytes=1, expected_bytes=2))
    assert lease.take(10.0, time.wait).record.fence == 2


def test_a_write_at_the_same_moment_is_tried_again_where_it_came_to_nothing(lease, s3):
    held = lease.try_take()
    s3.fail("put_object", aws_error("ConditionalRequestConflict", status=409))
    held.write(drains(held.record, "j-1"))
    assert lease.read().draining == {"j-1"}


def test_a_bucket_that_does_not_exist_is_named_at_once(s3, time):
    lease = PoolLease(s3, PoolPlace("medium", "", "s3://nowhere/medium.json"), "a", clock=time)
    with pytest.raises(NotFoundError, match="there is no bucket nowhere; create it, or correct staging_uri"):
        lease.take(60.0, time.wait)
    with pytest.raises(NotFoundError, match="no bucket nowhere"):
        lease.read()


def test_an_s3_without_conditional_writes_is_told(lease, s3, time):
    s3.fail("put_object", aws_error("NotImplemented", "A header is not implemented", 501))
    with pytest.raises(LeaseError, match="knows no conditional writes"):
        lease.take(60.0, time.wait)


def test_a_record_that_is_garbage_does_not_stop_the_pool(lease, client, caplog):
    client.put_object(Bucket="data", Key="emrkit/pools/medium.json", Body=b"\xff{")
    held = lease.try_take()
    assert held.record == PoolRecord(holder="a", fence=1)
    assert "counts as empty" in caplog.text
    held.release()


def test_what_a_later_version_has_written_is_kept(lease, client):
    later = b'{"version": 2, "fence": 7, "hopes": {"j-1": [1, 2]}}'
    client.put_object(Bucket="data", Key="emrkit/pools/medium.json", Body=later)
    held = lease.try_take()
    held.write(PoolRecord())
    held.release()
    assert lease.read().fence == 8
    assert lease.read().others == {"version": 2, "hopes": {"j-1": [1, 2]}}


# --- many -----------------------------------------------------------------------------------------------


def test_of_twenty_threads_that_count_none_is_lost(client):
    counted = []

    def count(number):
        lease = PoolLease(client, PLACE, f"process-{number}")
        held = lease.take(60.0, threading.Event().wait)
        held.write(replace(held.record, specs={"count": held.record.specs.get("count", 0) + 1}))
        counted.append(held.record.specs["count"])
        held.release()

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(count, range(20)))
    record = PoolLease(client, PLACE, "reader").read()
    assert (record.specs["count"], record.fence, record.holder) == (20, 20, "")
    assert counted == list(range(1, 21))
