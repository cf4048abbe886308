"""S3: who reads an object while it is replaced gets the old one or the new one, as on AWS."""

from __future__ import annotations

import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

READERS = 4
WRITES = 30


@pytest.fixture
def s3(localemr_server):
    client = localemr_server.client("s3")
    client.create_bucket(Bucket="data")
    return client


@pytest.fixture(autouse=True)
def _eager_threads():
    """Let the server's threads take turns between nearly any two lines."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def read_once(s3):
    try:
        answer = s3.get_object(Bucket="data", Key="key")
    except s3.exceptions.NoSuchKey:
        return None
    body = answer["Body"].read()
    assert answer["ETag"] == f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    return body


def read_while(s3, change):
    """Read an object over and over in some threads, until its changes are made; give what was seen."""
    seen, is_over = [], []

    def read():
        while not is_over:
            seen.append(read_once(s3))

    with ThreadPoolExecutor(READERS) as pool:
        readers = [pool.submit(read) for _ in range(READERS)]
        try:
            change()
        finally:
            is_over.append(True)
    for reader in readers:
        reader.result()
    return seen


def test_an_object_that_is_replaced_is_read_whole(s3):
    bodies = [f"{number} ".encode() * (1 + 997 * number) for number in range(WRITES)]
    s3.put_object(Bucket="data", Key="key", Body=bodies[0])
    seen = read_while(s3, lambda: [s3.put_object(Bucket="data", Key="key", Body=body) for body in bodies])
    assert len(seen) > READERS
    assert set(seen) <= set(bodies)


def test_an_object_that_is_deleted_is_read_whole_or_not_there(s3):
    body = b"all of it " * 1_000
    s3.put_object(Bucket="data", Key="key", Body=body)

    def change():
        for _ in range(WRITES):
            s3.delete_object(Bucket="data", Key="key")
            s3.put_object(Bucket="data", Key="key", Body=body)

    assert set(read_while(s3, change)) <= {body, None}
