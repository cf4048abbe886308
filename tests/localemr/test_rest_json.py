"""The REST-JSON protocol: which operation is meant, what is read, what is refused, what is written."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from urllib.parse import quote

import botocore.session
import pytest
from botocore.serialize import create_serializer

from airflow_provider_emrkit.localemr.aws_json import ApiError
from airflow_provider_emrkit.localemr.rest_json import RestJson, RestRequest, error_body

WIRE = RestJson("emr-serverless")
ARN = "arn:aws:emr-serverless:us-east-1:123456789012:/applications/00app/jobruns/00run"
ROLE = "arn:aws:iam::123456789012:role/job"


def refused(method, path, query="", body=b""):
    with pytest.raises(ApiError) as caught:
        WIRE.read(RestRequest(method, path, query, body))
    return caught.value


def sent(operation, **params):
    """Give a request as botocore sends it."""
    model = botocore.session.get_session().get_service_model("emr-serverless").operation_model(operation)
    wire = create_serializer("rest-json").serialize_to_request(params, model)
    pairs = wire["query_string"].items()
    words = [
        (key, str(item)) for key, value in pairs for item in (value if isinstance(value, list) else [value])
    ]
    query = "&".join(f"{quote(key)}={quote(item, safe='')}" for key, item in words)
    return RestRequest(wire["method"], wire["url_path"], query, wire["body"] or b"")


@pytest.mark.parametrize("operation", WIRE.model.operation_names)
def test_botocores_own_request_is_read_as_the_operation_it_is(operation):
    shape = WIRE.operation(operation).input_shape
    given = {"resourceArn": ARN, "tags": {"a": "b"}, "tagKeys": ["a"], "executionRoleArn": ROLE}
    given |= {"releaseLabel": "emr-7.11.0", "type": "SPARK", "resourceType": "SESSION", "clientToken": "t"}
    params = {name: given.get(name, "00a") for name in shape.required_members}
    assert WIRE.read(sent(operation, **params)) == (operation, params)


def test_an_arn_in_a_path_keeps_its_slashes():
    assert WIRE.read(RestRequest("GET", f"/tags/{quote(ARN, safe='')}"))[1] == {"resourceArn": ARN}


def test_values_of_the_query_have_the_models_types():
    after = datetime(2026, 11, 28, 9, 30, tzinfo=timezone.utc)
    request = sent(
        "ListJobRuns", applicationId="00a", maxResults=5, states=["RUNNING", "QUEUED"], createdAtAfter=after
    )
    assert WIRE.read(request)[1] == {
        "applicationId": "00a",
        "maxResults": 5,
        "states": ["RUNNING", "QUEUED"],
        "createdAtAfter": after,
    }


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False)])
def test_a_boolean_of_the_query(text, value):
    path = "/applications/00a/jobruns/00b/dashboard"
    read = WIRE.read(RestRequest("GET", path, f"attempt=2&accessSystemProfileLogs={text}"))[1]
    assert (read["attempt"], read["accessSystemProfileLogs"]) == (2, value)


@pytest.mark.parametrize("text", ["2026-11-28T09:30:00", "2026-11-28T09:30:00Z", "1795858200"])
def test_a_time_of_the_query(text):
    read = WIRE.read(RestRequest("GET", "/applications/00a/jobruns", f"createdAtBefore={text}"))[1]
    assert read["createdAtBefore"] == datetime(2026, 11, 28, 9, 30, tzinfo=timezone.utc)


def test_nulls_and_unknown_members_are_left_out():
    body = json.dumps(
        {"clientToken": "t", "imageConfiguration": None, "new": 1, "applicationId": "00z"}
    ).encode()
    read = WIRE.read(RestRequest("PATCH", "/applications/00a", "alsoNew=1", body))[1]
    # The path says which application it is, not the body.
    assert read == {"applicationId": "00a", "clientToken": "t"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("PUT", "/applications"),
        ("GET", "/applications/00a/jobruns/00b/more"),
        ("GET", f"/tags/{ARN}"),
        ("POST", "/nothing"),
    ],
)
def test_a_path_that_is_none_is_an_unknown_operation(method, path):
    error = refused(method, path)
    assert (error.code, error.status) == ("UnknownOperationException", 404)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("maxResults=many", "maxResults"),
        ("createdAtAfter=yesterday", "createdAtAfter"),
        pytest.param("createdAtAfter=1e30", "createdAtAfter", id="later-than-any-clock"),
        pytest.param("createdAtAfter=inf", "createdAtAfter", id="never"),
        pytest.param("createdAtAfter=9999-12-31T23:59:59-23:59", "createdAtAfter", id="later-than-utc"),
    ],
)
def test_a_value_of_the_query_that_cannot_be_read_is_a_serialization_error(query, shown):
    error = refused("GET", "/applications/00a/jobruns", query)
    assert error.code == "SerializationException"
    assert shown in error.message


@pytest.mark.parametrize("body", [b"<xml/>", b"[]", b'{"name": "\\ud800"}', b"[" * 100_000])
def test_a_body_that_cannot_be_read_is_a_serialization_error(body):
    assert refused("POST", "/applications", body=body).code == "SerializationException"


CREATE = {"clientToken": "t", "releaseLabel": "emr-7.11.0", "type": "SPARK"}


@pytest.mark.parametrize(
    ("member", "value", "shown"),
    [
        pytest.param("clientToken", "a b", "regular expression", id="pattern"),
        pytest.param("clientToken", "x" * 65, "less than or equal to 64", id="length"),
        pytest.param("architecture", "MIPS", "enum value set", id="enum"),
        pytest.param("tags", {"ä": ""}, "tags.key", id="pattern-of-a-key"),
        pytest.param("tags", {str(n): "" for n in range(201)}, "less than or equal to 200", id="many"),
        pytest.param("autoStopConfiguration", {"idleTimeoutMinutes": 10_081}, "10080", id="large"),
        pytest.param("autoStopConfiguration", {"idleTimeoutMinutes": 0}, "valid min value", id="small"),
        pytest.param("maximumCapacity", {"cpu": "4 vCPU"}, "memory", id="missing"),
        pytest.param("releaseLabel", 7, "type", id="type"),
    ],
)
def test_what_breaks_the_model_is_a_validation_error(member, value, shown):
    error = refused("POST", "/applications", body=json.dumps({**CREATE, member: value}).encode())
    assert (error.code, error.status) == ("ValidationException", 400)
    assert shown in error.message


def test_the_value_of_a_path_is_checked_too():
    assert refused("GET", "/applications/NOT-AN-ID").code == "ValidationException"
    assert "less than or equal to 50" in refused("GET", "/applications", "maxResults=51").message


def test_parameters_of_more_than_one_line_are_parameters():
    spark = {"entryPoint": "s3://b/j.py", "sparkSubmitParameters": "--conf a=b\n--conf c=d"}
    body = {"clientToken": "t", "executionRoleArn": ROLE, "jobDriver": {"sparkSubmit": spark}}
    request = RestRequest("POST", "/applications/00a/jobruns", body=json.dumps(body).encode())
    assert WIRE.read(request)[1]["jobDriver"]["sparkSubmit"] == spark


def test_an_answer_has_only_what_the_model_knows():
    when = datetime(2026, 11, 28, 9, 30, 0, 500_000, tzinfo=timezone.utc)
    output = {"application": {"createdAt": when, "name": None, "secret": 1}}
    assert json.loads(WIRE.write("GetApplication", output)) == {"application": {"createdAt": 1795858200.5}}


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ValidationException", 400),
        ("ServiceQuotaExceededException", 402),
        ("ResourceNotFoundException", 404),
        ("ConflictException", 409),
        ("InternalServerException", 500),
        ("UnsupportedOperationException", 400),
    ],
)
def test_an_error_has_the_models_status(code, status):
    assert WIRE.status(ApiError(code, "no")) == status


def test_an_errors_body_is_its_message():
    assert json.loads(error_body(ApiError("ValidationException", "n\u00f6"))) == {"message": "n\u00f6"}
