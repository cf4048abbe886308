from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from airflow_provider_emrkit.exceptions import (
    AccessDeniedError,
    EmrKitError,
    NotFoundError,
    QuotaError,
    ThrottledError,
)
from airflow_provider_emrkit.hooks.errors import (
    MAX_MESSAGE,
    error_code,
    explain,
    is_aws_error,
    is_denied,
    is_not_found,
    is_quota,
    is_throttled,
    is_transient,
    typed,
)


def aws_error(code: str, message: str = "", status: int = 400) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "ListSteps")


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        pytest.param(aws_error("ThrottlingException"), True, id="throttling"),
        pytest.param(aws_error("Anything", "Rate exceeded"), True, id="rate exceeded"),
        pytest.param(aws_error("InternalServerException", status=500), True, id="500"),
        pytest.param(aws_error("Strange", status=503), True, id="503"),
        pytest.param(ReadTimeoutError(endpoint_url="x"), True, id="timeout"),
        pytest.param(EndpointConnectionError(endpoint_url="x"), True, id="refused"),
        pytest.param(aws_error("InvalidRequestException"), False, id="invalid"),
        pytest.param(aws_error("AccessDeniedException"), False, id="denied"),
        pytest.param(NoCredentialsError(), False, id="no credentials"),
        pytest.param(KeyError("x"), False, id="a bug"),
    ],
)
def test_what_passes_by_itself(error, passes):
    assert is_transient(error) is passes


@pytest.mark.parametrize(
    ("error", "words"),
    [
        pytest.param(
            aws_error("AccessDeniedException", "not authorized to perform: elasticmapreduce:RunJobFlow"),
            ["permission is missing", "elasticmapreduce:RunJobFlow", "role of the AWS connection"],
            id="denied",
        ),
        pytest.param(aws_error("AccessDenied", "Access Denied"), ["Access Denied (ListSteps)"], id="S3"),
        pytest.param(
            aws_error("AccessDeniedException", "not authorized to perform: iam:PassRole"),
            ["missing: not authorized to perform: iam:PassRole; allow the action"],
            id="another action",
        ),
        pytest.param(aws_error("ExpiredTokenException"), ["credentials are not valid"], id="expired"),
        pytest.param(
            NoCredentialsError(), ["credentials are not valid", "check the AWS connection"], id="none"
        ),
        pytest.param(
            EndpointConnectionError(endpoint_url="http://x"), ["http://x", "endpoint_url"], id="address"
        ),
        pytest.param(
            aws_error("InvalidRequestException", "Cluster id 'j-1' is not valid."), ["j-1"], id="other"
        ),
    ],
)
def test_errors_in_words(error, words):
    text = explain(error, "us-east-1")
    assert all(word in text for word in words)


def test_codes():
    assert error_code(aws_error("Throttling")) == "Throttling"
    assert error_code(ValueError("x")) == ""
    assert is_aws_error(NoCredentialsError())
    assert not is_aws_error(ValueError("x"))


STEPS = (
    "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') for cluster exceeded."
)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        pytest.param(
            aws_error("AccessDeniedException", "not authorized to perform: elasticmapreduce:ListSteps"),
            AccessDeniedError,
            "allow the action to the role",
            id="denied",
        ),
        pytest.param(aws_error("AccessDenied", status=403), AccessDeniedError, "permission", id="S3 denies"),
        pytest.param(
            NoCredentialsError(), AccessDeniedError, "check the AWS connection", id="no credentials"
        ),
        pytest.param(
            aws_error("UnrecognizedClientException"), AccessDeniedError, "not valid", id="bad credentials"
        ),
        pytest.param(
            aws_error("InvalidRequestException", "Cluster id 'j-1' is not valid."),
            NotFoundError,
            "region of the connection (us-east-1)",
            id="no such cluster",
        ),
        pytest.param(
            aws_error("ValidationException", "Specified job flow ID does not exist."),
            NotFoundError,
            "region",
            id="no such job flow",
        ),
        pytest.param(aws_error("ResourceNotFoundException"), NotFoundError, "name", id="no log group"),
        pytest.param(aws_error("NoSuchBucket", status=404), NotFoundError, "name", id="no bucket"),
        pytest.param(aws_error("ThrottlingException"), ThrottledError, "try again later", id="throttled"),
        pytest.param(aws_error("Strange", "Rate exceeded"), ThrottledError, "rate", id="rate exceeded"),
        pytest.param(
            aws_error("ThrottlingException", "API quota exceeded"), ThrottledError, "rate", id="quota of rate"
        ),
        pytest.param(aws_error("Strange", status=429), ThrottledError, "rate", id="429"),
        pytest.param(aws_error("ValidationException", STEPS), QuotaError, "wait for other work", id="steps"),
        pytest.param(
            aws_error("ServiceQuotaExceededException", status=402), QuotaError, "limit raised", id="quota"
        ),
        pytest.param(aws_error("InvalidRequestException", "no"), EmrKitError, "no", id="anything else"),
        pytest.param(aws_error("InternalServerError", status=500), EmrKitError, "", id="AWS's fault"),
    ],
)
def test_the_error_of_emrkit_for_an_aws_error(error, kind, words):
    raised = typed("cluster j-1 could not be described", error, "us-east-1")
    assert type(raised) is kind
    assert words in str(raised)
    assert str(raised).startswith("cluster j-1 could not be described: ")
    told = {
        AccessDeniedError: is_denied(error),
        NotFoundError: is_not_found(error),
        ThrottledError: is_throttled(error),
        QuotaError: is_quota(error),
    }
    assert [name for name, true in told.items() if true] == ([] if kind is EmrKitError else [kind])


def test_what_is_no_aws_error_is_none_of_them():
    error = ValueError("Rate exceeded")
    assert not any(judge(error) for judge in (is_denied, is_throttled, is_not_found, is_transient))


def test_an_error_is_one_line_of_bearable_length():
    error = ParamValidationError(report="Unknown parameter A\nMissing required parameter B")
    assert explain(error, None) == (
        "Parameter validation failed: Unknown parameter A Missing required parameter B"
    )
    encoded = aws_error("AccessDenied", "Encoded authorization failure message: " + "x" * 9_000)
    assert len(explain(encoded, None)) < MAX_MESSAGE + 200
