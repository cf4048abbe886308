"""S3: conditional writes are one act, as they are on AWS."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

import pytest
from botocore.exceptions import ClientError

THREADS = 16
ROUNDS = 12


@pytest.fixture
def s3(localemr_server):
    client = localemr_server.client("s3")
    client.create_bucket(Bucket="data")
    return client


@pytest.fixture
def _eager_threads():
    """Let the server's threads take turns between nearly any two lines."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def at_once(write):
    """Call it in many threads at the same moment; give what was refused, and what was not."""
    barrier = threading.Barrier(THREADS)

    def call(number):
        barrier.wait(20)
        try:
            return write(number)["ETag"]
        except ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(call, range(THREADS)))


@pytest.mark.usefixtures("_eager_threads")
def test_of_many_who_make_an_object_at_once_one_does(s3):
    for turn in range(ROUNDS):
        key = f"dir/key-{turn}"
        answers = at_once(
            lambda number, key=key: s3.put_object(
                Bucket="data", Key=key, Body=f"{number}".encode(), IfNoneMatch="*"
            )
        )
        assert answers.count("PreconditionFailed") == THREADS - 1
        (etag,) = set(answers) - {"PreconditionFailed"}
        assert s3.head_object(Bucket="data", Key=key)["ETag"] == etag


@pytest.mark.usefixtures("_eager_threads")
def test_of_many_who_replace_an_object_at_once_one_does(s3):
    seen = s3.put_object(Bucket="data", Key="key", Body=b"first")["ETag"]
    for turn in range(ROUNDS):
        answers = at_once(
            lambda number, turn=turn, seen=seen: s3.put_object(
                Bucket="data", Key="key", Body=f"{turn}-{number}".encode(), IfMatch=seen
            )
        )
        assert answers.count("PreconditionFailed") == THREADS - 1
        (seen,) = set(answers) - {"PreconditionFailed"}
    assert s3.head_object(Bucket="data", Key="key")["ETag"] == seen


@pytest.mark.usefixtures("_eager_threads")
def test_a_write_without_a_condition_is_not_lost_to_one_that_was_to_replace_what_was_before(s3):
    for _turn in range(ROUNDS):
        seen = s3.put_object(Bucket="data", Key="key", Body=b"before")["ETag"]

        def write(number, seen=seen):
            condition = {} if number == 0 else {"IfMatch": seen}
            return s3.put_object(Bucket="data", Key="key", Body=f"{number}".encode(), **condition)

        plain, *conditional = at_once(write)
        assert conditional.count("PreconditionFailed") >= THREADS - 2
        assert s3.head_object(Bucket="data", Key="key")["ETag"] == plain


def test_writes_of_different_objects_do_not_wait_for_each_other(s3, monkeypatch):
    from moto.s3.models import s3_backends

    both_inside = threading.Barrier(2)
    backend = s3_backends["123456789012"]["aws"]
    put = type(backend).put_object

    def put_with_another(self, *args, **names):
        both_inside.wait(10)
        return put(self, *args, **names)

    monkeypatch.setattr(type(backend), "put_object", put_with_another)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket="data", Key=key, IfNoneMatch="*"), ("one", "two")))


def test_what_is_to_be_replaced_and_is_not_there_is_not_found(s3):
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.put_object(Bucket="data", Key="key", IfMatch='"0"')


def test_the_age_of_an_object_can_be_told_by_the_servers_clock(s3):
    before = time.time()
    s3.put_object(Bucket="data", Key="key")
    answer = s3.get_object(Bucket="data", Key="key")
    after = time.time()
    date = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    # Both are whole seconds.
    assert 0 <= (date - answer["LastModified"]).total_seconds() <= after - before + 1
    assert before - 1 <= date.timestamp() <= after
