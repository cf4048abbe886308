"""An S3 that answers only requests signed with its own keys: botocore's signer is the judge.

As a program, it is moto's S3 in a process of its own: ``python signed_s3.py KEY SECRET`` prints its address
and serves until its standard input ends.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import threading
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/s3/aws4_request,\s*"
    r"SignedHeaders=(?P<names>[^,]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
SEEN_PATH = "/_seen"
"""Path of a page that lists what was asked for, and what was refused."""

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
        if environ["PATH_INFO"] == SEEN_PATH:
            body = json.dumps({"paths": self.paths, "refused": self.refused}).encode()
            start_response("200 OK", [("Content-Length", str(len(body)))])
            return [body]
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


class ExternalS3:
    """Such an S3 in a process of its own, seen from outside.

    :param url: Its address.
    :param keys: Its access key and secret key.
    """

    def __init__(self, url: str, keys: tuple[str, str]) -> None:
        self.url, self.keys = url, keys

    def client(self) -> Any:
        """A boto3 client with its keys."""
        import boto3

        names = dict(zip(("aws_access_key_id", "aws_secret_access_key"), self.keys, strict=True))
        return boto3.client("s3", endpoint_url=self.url, region_name="us-east-1", **names)

    def keys_in(self, bucket: str) -> list[str]:
        """The keys in a bucket."""
        return [item["Key"] for item in self.client().list_objects_v2(Bucket=bucket).get("Contents", ())]

    def refused(self) -> list[str]:
        """The requests that were not signed as they should be."""
        with urllib.request.urlopen(self.url + SEEN_PATH, timeout=10) as response:
            return list(json.load(response)["refused"])


@contextlib.contextmanager
def external_s3(access_key: str = "AKIAEXTERNAL", secret_key: str = "its/secret+key") -> Iterator[ExternalS3]:
    """Run one."""
    argv = [sys.executable, __file__, access_key, secret_key]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield ExternalS3(process.stdout.readline().strip(), (access_key, secret_key))
        finally:
            process.stdin.close()


def _serve(access_key: str, secret_key: str) -> None:
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    class Handler(MotoRequestHandler):
        def log(self, *_: Any) -> None:
            """Log nothing."""

    app = SignedS3(DomainDispatcherApplication(create_backend_app), access_key, secret_key)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
