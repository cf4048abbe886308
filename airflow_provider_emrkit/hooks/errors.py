"""What botocore's exceptions mean: worth another try, or a refusal to put into words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRANSIENT_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "InternalFailure",
        "InternalServerError",
        "InternalServerException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_DENIED_CODES = frozenset(
    {"AccessDenied", "AccessDeniedException", "403", "UnauthorizedOperation", "NotAuthorized"}
)
_BAD_CREDENTIALS = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidSignatureException"}
    | {"SignatureDoesNotMatch", "UnrecognizedClientException", "InvalidAccessKeyId"}
)


def error_code(error: BaseException) -> str:
    """Give the code of an AWS error, e.g. ``ThrottlingException``; empty for any other exception."""
    return str(_error(error).get("Code") or "")


def is_transient(error: BaseException) -> bool:
    """Tell whether a call failed for a reason that passes: throttling, AWS's fault, a broken connection."""
    from botocore.exceptions import ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as BotoConnectionError

    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0
        return (
            error_code(error) in _TRANSIENT_CODES
            or status in (429, 500, 502, 503, 504)
            or "rate exceeded" in str(error).lower()
        )
    return isinstance(error, (HTTPClientError, BotoConnectionError, ConnectionError))


def is_aws_error(error: BaseException) -> bool:
    """Tell whether an exception came from botocore."""
    from botocore.exceptions import BotoCoreError, ClientError

    return isinstance(error, (BotoCoreError, ClientError))


def explain(error: BaseException, region: str | None) -> str:
    """Put an AWS error into one sentence with the mend, where there is one.

    :param error: A botocore exception.
    :param region: Region that was asked.
    """
    from botocore.exceptions import EndpointConnectionError, NoCredentialsError, NoRegionError

    code, message = error_code(error), str(_error(error).get("Message") or error).rstrip(".")
    if code in _DENIED_CODES:
        return f"permission is missing: {message}; allow the action to the role of the AWS connection"
    if code in _BAD_CREDENTIALS or isinstance(error, NoCredentialsError):
        return f"the credentials are not valid: {message}; check the AWS connection"
    if isinstance(error, NoRegionError):
        return "no AWS region is set; put region_name into the emrkit or the AWS connection"
    if isinstance(error, EndpointConnectionError):
        return f"{message}; check endpoint_url and region_name ({region}) of the connections"
    return message


def _error(error: BaseException) -> Mapping[str, Any]:
    response = getattr(error, "response", None)
    found = response.get("Error") if isinstance(response, dict) else None
    return found if isinstance(found, dict) else {}
