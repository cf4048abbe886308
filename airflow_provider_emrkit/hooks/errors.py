"""What botocore's exceptions mean: worth another try, or a refusal to put into words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.exceptions import EmrKitError

# An encoded authorization message takes kilobytes.
MAX_MESSAGE = 1_000

_THROTTLING_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_TRANSIENT_CODES = _THROTTLING_CODES | {
    "InternalFailure",
    "InternalServerError",
    "InternalServerException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "TransactionInProgressException",
}
_DENIED_CODES = frozenset(
    {"AccessDenied", "AccessDeniedException", "403", "UnauthorizedOperation", "NotAuthorized", "Forbidden"}
)
_NOT_FOUND_CODES = frozenset(
    {"ResourceNotFoundException", "NoSuchBucket", "NoSuchKey", "NoSuchEntity", "NotFound", "404"}
    | {"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"}
)
# EMR has no codes of its own for these, only ValidationException and InvalidRequestException.
_NOT_FOUND_WORDS = re.compile(
    r"(?:cluster id|job ?flow id|step id).{0,60}(?:not valid|invalid|does not exist|not found)", re.IGNORECASE
)
_QUOTA_CODES = frozenset(
    {"ServiceQuotaExceededException", "InstanceLimitExceeded", "VcpuLimitExceeded", "QuotaExceededException"}
)
_QUOTA_WORDS = re.compile(
    r"maximum number of (?:active )?(?:steps|clusters|instances|job flows)|service quota|quota .{0,40}exceed"
    r"|exceed\w* .{0,40}quota",
    re.IGNORECASE,
)
_BAD_CREDENTIALS = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidSignatureException"}
    | {"SignatureDoesNotMatch", "UnrecognizedClientException", "InvalidAccessKeyId"}
)
# An action of IAM, e.g. iam:PassRole.
_ACTION = re.compile(r"\b[a-z][a-z0-9-]{1,40}:[A-Z]\w")


def error_code(error: BaseException) -> str:
    """Give the code of an AWS error, e.g. ``ThrottlingException``; empty for any other exception."""
    return str(_error(error).get("Code") or "")


def is_transient(error: BaseException) -> bool:
    """Tell whether a call failed for a reason that passes: throttling, AWS's fault, a broken connection."""
    from botocore.exceptions import ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as BotoConnectionError

    if isinstance(error, ClientError):
        return (
            is_throttled(error)
            or error_code(error) in _TRANSIENT_CODES
            or _status(error) in (500, 502, 503, 504)
        )
    return isinstance(error, (HTTPClientError, BotoConnectionError, ConnectionError))


def is_timeout(error: BaseException) -> bool:
    """Tell whether a call failed because nobody answered for long."""
    from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

    return isinstance(error, (ConnectTimeoutError, ReadTimeoutError))


def is_throttled(error: BaseException) -> bool:
    """Tell whether AWS refused a call for its rate alone."""
    return (
        error_code(error) in _THROTTLING_CODES
        or _status(error) == 429
        or (bool(_error(error)) and "rate exceeded" in str(error).lower())
    )


def is_denied(error: BaseException) -> bool:
    """Tell whether the credentials lack a permission, or are not valid at all."""
    from botocore.exceptions import NoCredentialsError

    return error_code(error) in _DENIED_CODES | _BAD_CREDENTIALS or isinstance(error, NoCredentialsError)


def is_not_found(error: BaseException) -> bool:
    """Tell whether what a call named does not exist, as far as this account and region know."""
    return error_code(error) in _NOT_FOUND_CODES or bool(_NOT_FOUND_WORDS.search(_message(error)))


def is_quota(error: BaseException) -> bool:
    """Tell whether a limit was reached that is not one of rate: of steps, clusters, instances."""
    if is_throttled(error):
        return False
    return error_code(error) in _QUOTA_CODES or bool(_QUOTA_WORDS.search(_message(error)))


def is_aws_error(error: BaseException) -> bool:
    """Tell whether an exception came from botocore."""
    from botocore.exceptions import BotoCoreError, ClientError

    return isinstance(error, (BotoCoreError, ClientError))


def typed(what: str, error: BaseException, region: str | None) -> EmrKitError:
    """Give the error of emrkit's own for an AWS error.

    :param what: What did not work, e.g. ``cluster j-1 could not be described``.
    :param error: A botocore exception.
    :param region: Region that was asked.

    >>> raise typed("cluster j-1 could not be described", error, "us-east-1") from error  # doctest: +SKIP
    """
    # What only asks what an error means is also used where there is no Airflow.
    from airflow_provider_emrkit import exceptions

    text = f"{what}: {explain(error, region)}"
    if is_denied(error):
        return exceptions.AccessDeniedError(text)
    if is_not_found(error):
        return exceptions.NotFoundError(
            f"{text}; check its name or id, and the region of the connection ({region})"
        )
    if is_throttled(error):
        return exceptions.ThrottledError(f"{text}; AWS limits the rate of such calls, try again later")
    if is_quota(error):
        return exceptions.QuotaError(f"{text}; wait for other work to end, or have the limit raised")
    return exceptions.EmrKitError(text)


def explain(error: BaseException, region: str | None) -> str:
    """Put an AWS error into one sentence with the mend, where there is one.

    :param error: A botocore exception.
    :param region: Region that was asked.
    """
    from botocore.exceptions import EndpointConnectionError, NoCredentialsError, NoRegionError

    code, message = error_code(error), _message(error)
    if code in _DENIED_CODES:
        # S3 does not say which action; what others name need not be the call's own, as iam:PassRole.
        call = "" if _ACTION.search(message) else getattr(error, "operation_name", "")
        what = f"{message} ({call})" if call else message
        return f"permission is missing: {what}; allow the action to the role of the AWS connection"
    if code in _BAD_CREDENTIALS or isinstance(error, NoCredentialsError):
        return f"the credentials are not valid: {message}; check the AWS connection"
    if isinstance(error, NoRegionError):
        return "no AWS region is set; put region_name into the emrkit or the AWS connection"
    if isinstance(error, EndpointConnectionError):
        return f"{message}; check endpoint_url and region_name ({region}) of the connections"
    return message


def _message(error: BaseException) -> str:
    """Give AWS's words in one line; botocore's own checks of the input write one line for each problem."""
    said = " ".join(str(_error(error).get("Message") or error).split()).rstrip(".")
    return said if len(said) <= MAX_MESSAGE else f"{said[:MAX_MESSAGE]} …"


def _status(error: BaseException) -> int:
    response = getattr(error, "response", None)
    metadata = response.get("ResponseMetadata") if isinstance(response, dict) else None
    return int((metadata or {}).get("HTTPStatusCode") or 0)


def _error(error: BaseException) -> Mapping[str, Any]:
    response = getattr(error, "response", None)
    found = response.get("Error") if isinstance(response, dict) else None
    return found if isinstance(found, dict) else {}
