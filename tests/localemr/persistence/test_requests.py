"""What is known of a request before it is answered."""

from __future__ import annotations

from io import BytesIO

import pytest

from airflow_provider_emrkit.localemr.persistence.requests import internal_error, looks_up_only, only_reads


def form(body, **more):
    return {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "application/x-www-form-urlencoded; charset=utf-8",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        **more,
    }


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"REQUEST_METHOD": "GET"}, True),
        ({"REQUEST_METHOD": "HEAD"}, True),
        ({"REQUEST_METHOD": "PUT"}, False),
        ({"REQUEST_METHOD": "POST", "HTTP_X_AMZ_TARGET": "Logs_20140328.GetLogEvents"}, True),
        ({"REQUEST_METHOD": "POST", "HTTP_X_AMZ_TARGET": "Logs_20140328.PutLogEvents"}, False),
        ({"REQUEST_METHOD": "POST", "HTTP_X_AMZ_TARGET": "DynamoDB_20120810.Query"}, True),
        ({"REQUEST_METHOD": "POST", "HTTP_X_AMZ_TARGET": "AmazonSQS.ReceiveMessage"}, False),
        (form(b"Action=ListRoles&Version=2010-05-08"), True),
        (form(b"Version=2010-05-08&Action=CreateRole"), False),
        (form(b"\xff\xfe&Action"), False),
        (form(b"Action=GetRole", CONTENT_LENGTH="99999999"), False),
        (form(b"Action=GetRole", CONTENT_LENGTH=""), False),
    ],
)
def test_reading_is_known_by_the_method_or_the_action(environ, expected):
    assert only_reads(environ) is expected


def test_a_form_can_still_be_read_afterwards():
    environ = form(b"Action=ListRoles")
    only_reads(environ)
    assert environ["wsgi.input"].read() == b"Action=ListRoles"


@pytest.mark.parametrize(("service", "expected"), [("s3", {"iam"}), ("iam", set()), ("sts", set())])
def test_every_request_looks_into_iam_for_its_account(service, expected):
    scope = f"AKID/20260102/us-east-1/{service}/aws4_request"
    environ = {"HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={scope}, Signature=0"}
    assert looks_up_only(environ) == expected


def test_the_reason_of_an_error_is_no_markup():
    assert b"&lt;b&gt;" in internal_error("<b>").body
