from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from airflow_provider_emrkit.hooks.errors import error_code, explain, is_aws_error, is_transient


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
