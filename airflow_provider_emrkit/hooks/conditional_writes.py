"""Writes an object to S3, or deletes it, only where nobody else was first, with any boto3 there is.

S3 takes a condition with PutObject since August (``If-None-Match``) and November 2024 (``If-Match``), with
DeleteObject since September 2025.
botocore knows them as parameters since then, and MWAA's Airflow 2.10 has an older one (1.35.7).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.errors import error_code

if TYPE_CHECKING:
    from collections.abc import Mapping

# The parameters, and the headers they become.
_HEADERS = {"IfMatch": "If-Match", "IfNoneMatch": "If-None-Match"}
# 409: another conditional write of the same object was under way. 404: what was to be replaced is gone.
_NOT_FIRST = frozenset(
    {"PreconditionFailed", "412", "ConditionalRequestConflict", "OperationAborted", "409", "NoSuchKey", "404"}
)
_CONTEXT = "emrkit_condition"
_EVENT = "{}.s3.{}"

_lock = threading.Lock()


class NotFirstError(Exception):
    """The object is not as the condition says: somebody else has written or deleted it, or just does."""


def put_if_unchanged(s3: Any, bucket: str, key: str, body: bytes, etag: str) -> Mapping[str, Any]:
    """Write an object, where it is still as it was seen (PutObject with a condition).

    S3 does it at once for all who read after it. Whoever gets no answer does not know whether it was done;
    when the client repeats a request that was done already, that looks as if somebody else had been first.

    :param s3: boto3 client of S3.
    :param etag: Of the object that was seen; empty where there was none.
    :return: The answer, with the new ``ETag``.
    :raises NotFirstError: when it is no more so.
    :raises ClientError: as any other call does.

    >>> put_if_unchanged(s3, "my-bucket", "lease.json", b"{}", etag="")["ETag"]  # doctest: +SKIP
    '"99914b932bd37a50b983c5e7c90ae93b"'
    """
    condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
    _teach(s3, "PutObject", *condition)
    try:
        answer: Mapping[str, Any] = s3.put_object(
            Bucket=bucket, Key=key, Body=body, ContentType="application/json", **condition
        )
    except s3.exceptions.ClientError as error:
        if error_code(error) in _NOT_FIRST:
            raise NotFirstError(str(error)) from error
        raise
    return answer


def delete_if_unchanged(s3: Any, bucket: str, key: str, etag: str) -> None:
    """Delete an object, where it is still as it was seen (DeleteObject with a condition).

    :param s3: boto3 client of S3.
    :param etag: Of the object that was seen.
    :raises NotFirstError: when it is no more so, or is gone, perhaps by an earlier request of this call.
    :raises ClientError: as any other call does.

    >>> delete_if_unchanged(s3, "my-bucket", "lease.json", '"99914b93…"')  # doctest: +SKIP
    """
    _teach(s3, "DeleteObject", "IfMatch")
    try:
        s3.delete_object(Bucket=bucket, Key=key, IfMatch=etag)
    except s3.exceptions.ClientError as error:
        if error_code(error) in _NOT_FIRST:
            raise NotFirstError(str(error)) from error
        raise


def _teach(s3: Any, operation: str, *names: str) -> None:
    """Let a client whose model does not know conditions send them all the same. Idempotent."""
    known = s3.meta.service_model.operation_model(operation).input_shape.members
    if not set(names) <= known.keys():
        with _lock:  # threads share the client
            register = s3.meta.events.register
            build, call = (
                _EVENT.format(event, operation) for event in ("before-parameter-build", "before-call")
            )
            register(build, _take_out, unique_id=f"emrkit-condition-{operation}")
            register(call, _put_in, unique_id=f"emrkit-condition-header-{operation}")


def _take_out(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    """Keep the conditions from being checked against the model; the context is this one call's."""
    context[_CONTEXT] = {_HEADERS[name]: params.pop(name) for name in _HEADERS.keys() & params.keys()}


def _put_in(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    """Add the headers to the request, before it is signed."""
    params["headers"].update(context.get(_CONTEXT) or {})
