"""Writes that S3 does only where nobody else was first, with boto3 of today and of MWAA's Airflow 2.10."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.stub import Stubber

from airflow_provider_emrkit.hooks.conditional_writes import (
    NotFirstError,
    delete_if_unchanged,
    put_if_unchanged,
)


class OldLoader(Loader):
    """Loads S3's model as botocore had it before there were conditions."""

    def load_service_model(self, service_name, type_name, api_version=None):
        model = super().load_service_model(service_name, type_name, api_version)
        if (service_name, type_name) == ("s3", "service-2"):
            members = model["shapes"]["PutObjectRequest"]["members"]
            del members["IfMatch"], members["IfNoneMatch"]
            del model["shapes"]["DeleteObjectRequest"]["members"]["IfMatch"]
        return model


def old_client(server):
    session = boto3.Session()
    session._session.register_component("data_loader", OldLoader())
    return session.client(
        "s3",
        endpoint_url=server.endpoint_url,
        config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
    )


@pytest.fixture(params=["today", "old"])
def s3(request, localemr_server):
    client = localemr_server.client("s3") if request.param == "today" else old_client(localemr_server)
    client.create_bucket(Bucket="data")
    return client


def put(s3, body, etag):
    return put_if_unchanged(s3, "data", "key", body, etag)["ETag"]


def body(s3):
    return s3.get_object(Bucket="data", Key="key")["Body"].read()


def test_an_old_model_knows_no_conditions(localemr_server):
    known = old_client(localemr_server).meta.service_model.operation_model("PutObject").input_shape.members
    assert not {"IfMatch", "IfNoneMatch"} & known.keys()


def test_an_object_is_made_where_there_is_none(s3):
    put(s3, b"first", "")
    with pytest.raises(NotFirstError):
        put(s3, b"second", "")
    assert body(s3) == b"first"


def test_an_object_is_replaced_where_it_is_as_it_was_seen(s3):
    seen = put(s3, b"first", "")
    put(s3, b"second", seen)
    with pytest.raises(NotFirstError):
        put(s3, b"third", seen)
    assert body(s3) == b"second"


def test_an_object_that_was_deleted_meanwhile_is_not_made_again(s3):
    seen = put(s3, b"first", "")
    s3.delete_object(Bucket="data", Key="key")
    with pytest.raises(NotFirstError):
        put(s3, b"second", seen)


def test_an_object_is_deleted_where_it_is_as_it_was_seen(s3):
    seen = put(s3, b"first", "")
    last = put(s3, b"second", seen)
    with pytest.raises(NotFirstError):
        delete_if_unchanged(s3, "data", "key", seen)
    assert body(s3) == b"second"
    delete_if_unchanged(s3, "data", "key", last)
    with pytest.raises(NotFirstError):
        delete_if_unchanged(s3, "data", "key", last)


def test_the_client_is_as_it_was_for_all_other_calls(s3):
    put(s3, b"first", "")
    s3.put_object(Bucket="data", Key="key", Body=b"second")
    assert body(s3) == b"second"


def test_threads_that_share_a_client_keep_their_conditions_apart(s3):
    seen = put(s3, b"first", "")

    def write(number):
        try:
            return put(s3, f"{number}".encode(), seen if number % 2 else "")
        except NotFirstError:
            return None

    with ThreadPoolExecutor(8) as pool:
        assert len([etag for etag in pool.map(write, range(40)) if etag]) == 1


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "OperationAborted"])
def test_a_write_at_the_same_time_counts_as_somebody_else(s3, code):
    stub = Stubber(s3)
    stub.add_client_error("put_object", code, http_status_code=409)
    with stub, pytest.raises(NotFirstError):
        put(s3, b"first", "")


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucket", "SlowDown", "InternalError"])
def test_any_other_error_comes_as_it_is(s3, code):
    stub = Stubber(s3)
    stub.add_client_error("put_object", code)
    with stub, pytest.raises(ClientError, match=code):
        put(s3, b"first", "")


def test_the_header_is_part_of_what_is_signed(s3):
    sent = []
    s3.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.append(request))
    put(s3, b"first", "")
    (request,) = sent
    assert request.headers["If-None-Match"] in ("*", b"*")
    assert "if-none-match" in str(request.headers["Authorization"]).lower()
