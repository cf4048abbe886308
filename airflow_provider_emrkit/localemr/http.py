"""Requests and responses of localemr's own services, as WSGI has them.

AWS requests say their service in the credential scope of the signature
(``…/us-east-1/elasticmapreduce/aws4_request``), in a header or, presigned, in the query; signatures
themselves are not checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs

from airflow_provider_emrkit.localemr.aws_json import CONTENT_TYPE, ApiError
from airflow_provider_emrkit.localemr.config import REGION

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MAX_BODY = 16 * 1024 * 1024

_CREDENTIAL = re.compile(r"Credential=[^,\s]*?/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
_SCOPE = re.compile(r".*/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
# botocore lists the features a request uses as m/A,B,…; B is the waiter.
_FEATURES = re.compile(r"(?:^|\s)m/([^\s]+)")
_WAITER_FEATURE = "B"


class Scope(NamedTuple):
    """Region and service a request was signed for; the service is empty when it was not signed."""

    region: str
    service: str


@dataclass(frozen=True)
class Response:
    """One answer.

    >>> Response(b"{}").status
    200
    """

    body: bytes
    status: int = 200
    content_type: str = CONTENT_TYPE
    headers: tuple[tuple[str, str], ...] = ()

    def with_header(self, name: str, value: str) -> Response:
        """Give the same answer with one more header."""
        return replace(self, headers=(*self.headers, (name, value)))

    def send(self, start_response: StartResponse) -> list[bytes]:
        """Send it the way WSGI does."""
        own = [("Content-Type", self.content_type), ("Content-Length", str(len(self.body)))]
        start_response(f"{self.status} {HTTPStatus(self.status).phrase}", [*own, *self.headers])
        return [self.body]


def request_body(environ: WSGIEnvironment) -> bytes:
    """Read a request's body.

    :raises ApiError: ``SerializationException`` for one of more than 16 MiB, or one that breaks off.
    """
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdecimal() and int(length) > MAX_BODY:
        raise ApiError("SerializationException", f"The request has {length} bytes; the limit is {MAX_BODY}.")
    # Without a length, the server ends the stream itself, or there is no body.
    unknown = MAX_BODY + 1 if environ.get("wsgi.input_terminated") else 0
    try:
        body: bytes = environ["wsgi.input"].read(int(length) if length.isdecimal() else unknown)
    except OSError as error:
        raise ApiError("SerializationException", f"The request could not be read: {error}") from error
    if len(body) > MAX_BODY:
        raise ApiError("SerializationException", f"The request has more than {MAX_BODY} bytes.")
    return body


def request_scope(environ: WSGIEnvironment) -> Scope:
    """Read region and service from a request's credential scope."""
    found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if found is None and "X-Amz-Credential" in environ.get("QUERY_STRING", ""):
        query = parse_qs(environ["QUERY_STRING"])
        found = _SCOPE.fullmatch(query.get("X-Amz-Credential", [""])[0])
    return Scope(found[1], found[2]) if found else Scope(REGION, "")


def is_waiter(user_agent: str) -> bool:
    """Tell whether a request comes from one of botocore's waiters."""
    return any(_WAITER_FEATURE in found[1].split(",") for found in _FEATURES.finditer(user_agent))
