"""An S3 that answers only requests signed with its own keys: botocore's signer is the judge."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/s3/aws4_request,\s*"
    r"SignedHeaders=(?P<names>[^,]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_MUST_BE_SIGNED = {"host", "x-amz-date", "x-amz-content-sha256"}


class SignedS3:
    """A WSGI application before another one.

    :param inner: Answers what is signed well.
    :param access_key: The only access key that is known.
    :param secret_key: Its secret.
    """

    def __init__(self, inner: Callable[..., Iterable[bytes]], access_key: str, secret_key: str) -> None:
        self._inner = inner
        self._keys = Credentials(access_key, secret_key)
        self.refused: list[str] = []
        self.paths: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        self.paths.append(environ["RAW_URI"])
        why = self._refusal(environ)
        if why is None:
            return self._inner(environ, start_response)
        self.refused.append(f"{environ['REQUEST_METHOD']} {environ['RAW_URI']}: {why}")
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = f"<Error><Code>{why}</Code><Message>{environ['RAW_URI']}</Message></Error>".encode()
        start_response("403 Forbidden", [("Content-Length", str(len(body)))])
        return [body]

    def _refusal(self, environ: dict[str, Any]) -> str | None:
        if "X-Amz-Signature" in parse_qs(environ["QUERY_STRING"]):
            return None
        found = _AUTHORIZATION.fullmatch(environ.get("HTTP_AUTHORIZATION", ""))
        if found is None:
            return "AccessDenied"
        if found["key"] != self._keys.access_key:
            return "InvalidAccessKeyId"
        names = found["names"].split(";")
        if not set(names) >= {
            *_MUST_BE_SIGNED,
            *(name for name in _headers(environ) if name.startswith("x-amz-")),
        }:
            return "HeadersNotSigned"
        return (
            None
            if self._signature(environ, found["region"], names) == found["signature"]
            else "SignatureDoesNotMatch"
        )

    def _signature(self, environ: dict[str, Any], region: str, names: list[str]) -> str:
        headers = _headers(environ)
        sent = {
            "X-Amz-Content-SHA256" if name == "x-amz-content-sha256" else name: headers.get(name, "")
            for name in names
        }
        request = AWSRequest(
            environ["REQUEST_METHOD"], f"http://{environ['HTTP_HOST']}{environ['RAW_URI']}", headers=sent
        )
        request.context["timestamp"] = headers["x-amz-date"]
        signer = _Signer(self._keys, "s3", region)
        return str(
            signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
        )


class _Signer(S3SigV4Auth):
    """Signs all headers it is given; botocore's own clients leave some out that others sign."""

    def headers_to_sign(self, request: Any) -> HTTPHeaders:
        return HTTPHeaders.from_dict({name.lower(): value for name, value in request.headers.items()})


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    # WSGI gives Latin-1 texts; a signer takes the words as UTF-8.
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value.encode("latin-1").decode(
            "utf-8", "replace"
        )
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    also = {"content-type": environ.get("CONTENT_TYPE"), "content-length": environ.get("CONTENT_LENGTH")}
    return {**headers, **{name: value for name, value in also.items() if value}}
