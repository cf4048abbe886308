"""Sends each request where it belongs: our EMR, our own pages, or moto.

AWS requests say their service in the credential scope of the signature
(``…/us-east-1/elasticmapreduce/aws4_request``), in a header or, presigned, in the query; signatures
themselves are not checked.
"""

from __future__ import annotations

import json
import logging
import re
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

from airflow_provider_emrkit.localemr.access import refusal
from airflow_provider_emrkit.localemr.aws_json import CONTENT_TYPE, ApiError, error_body
from airflow_provider_emrkit.localemr.config import HEALTH_PATH, REGION
from airflow_provider_emrkit.localemr.emr.service import SIGNING_NAME, TARGET_PREFIX, EmrApi

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

RESET_PATH = "/moto-api/reset"
MAX_EMR_BODY = 16 * 1024 * 1024

_CREDENTIAL = re.compile(r"Credential=[^,\s]*?/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
_SCOPE = re.compile(r".*/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
# botocore lists the features a request uses as m/A,B,…; B is the waiter.
_FEATURES = re.compile(r"(?:^|\s)m/([^\s]+)")
_WAITER_FEATURE = "B"

_STATUS = {
    200: "200 OK",
    400: "400 Bad Request",
    403: "403 Forbidden",
    404: "404 Not Found",
    405: "405 Not Allowed",
}


class Scope(NamedTuple):
    """Region and service a request was signed for; the service is empty when it was not signed."""

    region: str
    service: str


class Router:
    """The WSGI application of a local EMR.

    :param emr: Answers EMR's requests.
    :param others: Answers all other AWS requests.
    :param health: Gives what ``/_emrkit/health`` shows.
    :param allowed_hosts: See :func:`airflow_provider_emrkit.localemr.access.refusal`.

    >>> Router(EmrApi(Emr(runner)), MotoApp(), dict)  # doctest: +SKIP
    """

    def __init__(
        self,
        emr: EmrApi,
        others: WSGIApplication,
        health: Callable[[], Mapping[str, Any]],
        allowed_hosts: Collection[str] = (),
    ) -> None:
        self._emr = emr
        self._others = others
        self._health = health
        self._allowed_hosts = allowed_hosts

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        why = refusal(environ.get("HTTP_HOST"), environ.get("HTTP_ORIGIN"), self._allowed_hosts)
        if why is not None:
            error = ApiError("AccessDeniedException", f"Refused: {why}", 403)
            return _respond(start_response, error_body(error), status=403)
        path = environ.get("PATH_INFO", "")
        if path.startswith("/_emrkit/"):
            return self._own_page(path, environ, start_response)
        scope = request_scope(environ)
        if scope.service == SIGNING_NAME or environ.get("HTTP_X_AMZ_TARGET", "").startswith(TARGET_PREFIX):
            return self._answer_emr(scope.region, environ, start_response)
        if path == RESET_PATH and environ.get("REQUEST_METHOD") == "POST":
            self._emr.emr.reset()
        return self._others(environ, start_response)

    def _own_page(
        self, path: str, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        if path != HEALTH_PATH:
            return _respond(
                start_response, error_body(ApiError("NotFound", f"There is no page {path!r}.")), status=404
            )
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            return _respond(start_response, error_body(ApiError("MethodNotAllowed", "Use GET.")), status=405)
        return _respond(start_response, json.dumps(self._health()).encode(), content_type="application/json")

    def _answer_emr(
        self, region: str, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        request_id = str(uuid.uuid4())
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        try:
            body = self._emr.answer(
                target.removeprefix(TARGET_PREFIX),
                _body(environ),
                region=region,
                is_waiter=is_waiter(environ.get("HTTP_USER_AGENT", "")),
            )
            status = 200
        except ApiError as error:
            body, status = error_body(error), error.status
        except Exception:
            log.exception("request %s (%r) failed", request_id, target[:100])
            # Not status 500: clients would repeat the request, which for RunJobFlow means one more cluster.
            text = f"localemr failed to answer; its log holds the traceback of request {request_id}."
            body, status = error_body(ApiError("InternalServerException", text)), 400
        return _respond(start_response, body, status=status, request_id=request_id)


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


def _body(environ: WSGIEnvironment) -> bytes:
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdecimal():
        limit = int(length)
    else:
        limit = MAX_EMR_BODY + 1 if environ.get("wsgi.input_terminated") else 0
    if limit > MAX_EMR_BODY and length:
        raise ApiError(
            "SerializationException", f"The request has {limit} bytes; the limit is {MAX_EMR_BODY}."
        )
    body: bytes = environ["wsgi.input"].read(limit)
    if len(body) > MAX_EMR_BODY:
        raise ApiError("SerializationException", f"The request has more than {MAX_EMR_BODY} bytes.")
    return body


def _respond(
    start_response: StartResponse,
    body: bytes,
    *,
    status: int = 200,
    content_type: str = CONTENT_TYPE,
    request_id: str | None = None,
) -> list[bytes]:
    headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    if request_id is not None:
        headers.append(("x-amzn-RequestId", request_id))
    start_response(_STATUS[status], headers)
    return [body]
