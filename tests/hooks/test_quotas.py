from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from airflow_provider_emrkit.hooks.quotas import (
    ACCOUNT,
    DEFAULTS,
    LONGEST_WAIT,
    Quotas,
    TokenBucket,
    install,
    is_throttled,
    read_limits,
)
from airflow_provider_emrkit.validation import InvalidValueError


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


def test_a_bucket_lets_a_burst_through_and_then_its_rate(clock):
    bucket = TokenBucket(3, 0.5, clock)
    assert [bucket.take() for _ in range(5)] == [0, 0, 0, 2, 4]
    clock.seconds = 6
    assert bucket.take() == 0
    assert bucket.take() == 2


def test_a_bucket_never_holds_more_than_its_burst(clock):
    bucket = TokenBucket(2, 1, clock)
    clock.seconds = 1_000
    assert [bucket.take() for _ in range(3)] == [0, 0, 1]


def test_a_drained_bucket_makes_the_next_call_wait(clock):
    bucket = TokenBucket(10, 0.5, clock)
    bucket.drain()
    assert bucket.take() == 2


def test_nobody_waits_longer_than_it_is_any_use(clock):
    bucket = TokenBucket(1, 0.5, clock)
    assert max(bucket.take() for _ in range(1_000)) == LONGEST_WAIT


def test_many_threads_take_each_token_once(clock):
    bucket = TokenBucket(100, 1, clock)
    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(lambda _: bucket.take(), range(110)))
    assert waits.count(0) == 100
    assert sorted(waits)[100:] == list(range(1, 11))


def test_operations_have_their_own_buckets_and_emr_s_share_one(clock):
    waits: list[float] = []
    quotas = Quotas({ACCOUNT: (3, 1), "ListSteps": (2, 0.5)}, clock, waits.append)
    for operation in ("ListSteps", "ListSteps", "ListSteps", "DescribeCluster"):
        quotas.hold_back("emr", operation)
    quotas.hold_back("logs", "GetLogEvents")
    assert waits == [2, 1]


def test_what_is_spare_falls_with_each_call(clock):
    quotas = Quotas({"ListSteps": (4, 0.5)}, clock)
    quotas.hold_back("emr", "ListSteps")
    assert quotas.spare("ListSteps") == 0.75
    assert quotas.spare("Unlimited") == 1
    for _ in range(3):
        quotas.hold_back("emr", "ListSteps")
    assert (quotas.spare("ListSteps"), quotas.seconds_until("ListSteps")) == (0, 2)


def emr_client(quotas: Quotas, **config: Any) -> Any:
    client = boto3.client(
        "emr",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        endpoint_url="http://127.0.0.1:9",
        config=Config(retries={"total_max_attempts": 1}, **config),
    )
    install(client, quotas)
    return client


def test_a_client_is_held_back_before_each_call_and_before_it_is_signed(clock):
    quotas = Quotas({"ListSteps": (1, 0.5)}, clock, lambda seconds: order.append(f"wait {seconds:g}"))
    order: list[str] = []
    client = emr_client(quotas)
    client.meta.events.register("before-sign.emr", lambda **_: order.append("sign"))
    client.meta.events.register("before-send.emr", lambda **_: _answer(200, b'{"Steps": []}'))
    client.list_steps(ClusterId="j-1")
    client.list_steps(ClusterId="j-1")
    assert order == ["sign", "wait 2", "sign"]


def test_a_throttled_answer_empties_the_bucket(clock):
    quotas = Quotas({"ListSteps": (10, 0.5)}, clock)
    client = emr_client(quotas)
    body = b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'
    client.meta.events.register("before-send.emr", lambda **_: _answer(400, body))
    with pytest.raises(ClientError, match="ThrottlingException"):
        client.list_steps(ClusterId="j-1")
    assert quotas.spare("ListSteps") == 0
    assert quotas.spare("DescribeCluster") == 1


def _answer(status: int, body: bytes) -> Any:
    from botocore.awsrequest import AWSResponse

    class Raw:
        def stream(self, *_: Any, **__: Any) -> Any:
            yield body

    return AWSResponse("http://127.0.0.1:9", status, {"content-type": "application/x-amz-json-1.1"}, Raw())


@pytest.mark.parametrize(
    ("error", "throttled"),
    [
        pytest.param({"Code": "ThrottlingException", "Message": ""}, True, id="EMR"),
        pytest.param({"Code": "ValidationException", "Message": "Rate exceeded"}, True, id="by its words"),
        pytest.param({"Code": "AccessDeniedException", "Message": "no"}, False, id="something else"),
        pytest.param({}, False, id="no error"),
    ],
)
def test_throttling_is_told_from_other_refusals(error, throttled):
    assert is_throttled({"Error": error}) is throttled


def test_quotas_can_be_set():
    limits = read_limits('{"ListSteps": [20, 1], "MyOwn": [1, 0.1]}')
    assert limits["ListSteps"] == (20, 1)
    assert limits["MyOwn"] == (1, 0.1)
    assert limits["DescribeCluster"] == DEFAULTS["DescribeCluster"]
    assert read_limits("") == dict(DEFAULTS)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("ListSteps=20", "is not JSON", id="no JSON"),
        pytest.param("[1]", "is not a JSON object", id="a list"),
        pytest.param('{"ListSteps": 20}', r"api_quotas\.ListSteps: 20", id="one number"),
        pytest.param('{"ListSteps": [0, 1]}', "at least 1", id="no call at all"),
        pytest.param('{"ListSteps": [10, 0]}', "above 0", id="no refill"),
        pytest.param('{"ListSteps": [true, 1]}', "two numbers", id="no number"),
        pytest.param('{"ListSteps": [10, Infinity]}', "two numbers", id="no end"),
    ],
)
def test_quotas_that_can_t_be_right_are_named(text, named):
    with pytest.raises(InvalidValueError, match=named):
        read_limits(text)


def test_a_waiting_thread_holds_nobody_else_up(clock):
    """Only the thread that makes the call waits, and not with the bucket locked."""
    release = threading.Event()
    quotas = Quotas({"ListSteps": (1, 0.5)}, clock, lambda _: release.wait(5))
    quotas.hold_back("emr", "ListSteps")
    waiting = threading.Thread(target=quotas.hold_back, args=("emr", "ListSteps"))
    waiting.start()
    assert quotas.spare("ListSteps") == 0
    release.set()
    waiting.join(5)
    assert not waiting.is_alive()
