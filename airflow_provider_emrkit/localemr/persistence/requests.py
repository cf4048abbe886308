"""What is to be known of a request before moto answers it."""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from airflow_provider_emrkit.localemr.http import Response, request_scope

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# Names of actions that change nothing, in all services.
_READS = re.compile(
    r"(BatchGet|Describe|Filter|Get|Head|List|Lookup|Query|Scan|Search|Select|TestEvent)[A-Z_]?"
)
_CHANGE_IAM = ("", "iam", "sts", "cloudformation")
_FORM_LIMIT = 1024 * 1024


def only_reads(environ: WSGIEnvironment) -> bool:
    """Tell whether a request changes nothing, by its method or by the name of its action."""
    if environ.get("REQUEST_METHOD") in ("GET", "HEAD", "OPTIONS"):
        return True
    target: str = environ.get("HTTP_X_AMZ_TARGET", "")
    action = target.rpartition(".")[2] if target else _form_action(environ)
    return _READS.match(action) is not None


def _form_action(environ: WSGIEnvironment) -> str:
    length = environ.get("CONTENT_LENGTH") or ""
    is_form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    if not is_form or not length.isdecimal() or int(length) > _FORM_LIMIT:
        return ""
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = BytesIO(body)
    return parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]


def looks_up_only(environ: WSGIEnvironment) -> set[str]:
    """Give the services that a request has looked into without changing them.

    moto asks IAM for the account of every request.
    """
    return set() if request_scope(environ).service in _CHANGE_IAM else {"iam"}


def is_s3(environ: WSGIEnvironment) -> bool:
    """Tell whether a request is for S3: signed for it, or not signed at all."""
    return request_scope(environ).service in ("s3", "")


def internal_error(why: str) -> Response:
    """Give S3's answer to a request that can't be kept; the client may try it again."""
    text = f"We encountered an internal error. Please try again. ({escape(why)})"
    error = f"<Error><Code>InternalError</Code><Message>{text}</Message></Error>"
    body = f"<?xml version='1.0' encoding='UTF-8'?>{error}"
    return Response(body.encode(), 500, "application/xml")
