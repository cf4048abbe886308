"""The errors that AWS's clients raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUS: Mapping[str, int] = {
    "ConditionalRequestConflict": 409,
    "InternalError": 500,
    "InternalFailure": 500,
    "NoSuchKey": 404,
    "PreconditionFailed": 412,
    "SlowDown": 503,
}


def refused(code: str, message: str, date: str) -> ClientError:
    """Make an error that AWS answers with."""
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {
            "HTTPStatusCode": STATUS.get(code, 400),
            "HTTPHeaders": {"date": date},
            "RetryAttempts": 0,
        },
    }
    return ClientError(response, "Call")


def timed_out() -> ReadTimeoutError:
    """Make the error of an answer that did not come."""
    return ReadTimeoutError(endpoint_url="https://aws")


def cut_off() -> ConnectionClosedError:
    """Make the error of a connection that broke."""
    return ConnectionClosedError(endpoint_url="https://aws")
