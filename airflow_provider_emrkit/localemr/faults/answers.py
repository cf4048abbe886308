"""Errors in the form of the service that is asked: AWS's protocols write them in different ways."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from airflow_provider_emrkit.localemr.http import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_S3 = "s3"
_XML = "application/xml"


def error_answer(service: str, environ: WSGIEnvironment, code: str, message: str, status: int) -> Response:
    """Give an error as a service's clients expect it.

    :param service: botocore's name of the service.
    :param environ: The request, whose form tells the protocol.
    """
    request_id = str(uuid.uuid4())
    headers = (("x-amzn-RequestId", request_id),)
    if environ.get("HTTP_X_AMZ_TARGET"):
        body = json.dumps({"__type": code, "message": message}).encode()
        return Response(body, status, headers=headers)
    if environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor":
        body = b"\xa2" + b"".join(map(_cbor_text, ("__type", code, "message", message)))
        return Response(body, status, "application/cbor", (*headers, ("smithy-protocol", "rpc-v2-cbor")))
    told = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if service == _S3:
        text = f"<Error>{told}<RequestId>{request_id}</RequestId></Error>"
        return Response(_xml(text), status, _XML, (("x-amz-request-id", request_id),))
    if _is_query(environ):
        text = f"<ErrorResponse><Error>{told}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        return Response(_xml(text), status, "text/xml", headers)
    body = json.dumps({"message": message}).encode()
    return Response(body, status, "application/json", (*headers, ("x-amzn-ErrorType", code)))


def throttled(service: str, environ: WSGIEnvironment) -> Response:
    """Refuse a request for its rate, in the service's own words."""
    if service == _S3:
        return error_answer(service, environ, "SlowDown", "Please reduce your request rate.", 503)
    # EMR's own protocol has only status 400 for it, the REST services have 429.
    is_rest = not (environ.get("HTTP_X_AMZ_TARGET") or _is_query(environ))
    code = "Throttling" if _is_query(environ) else "ThrottlingException"
    return error_answer(service, environ, code, "Rate exceeded", 429 if is_rest else 400)


def _is_query(environ: WSGIEnvironment) -> bool:
    form = str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded")
    return form or "Action=" in str(environ.get("QUERY_STRING", ""))


def _xml(text: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


def _cbor_text(text: str) -> bytes:
    data = text.encode()
    return b"\x79" + len(data).to_bytes(2, "big") + data
