"""moto's S3 in this process, with faults on demand: ``GET /_faults?kind=status&times=2&method=PUT``.

It checks signatures, as S3 does and moto alone does not.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from signed_s3 import SignedS3
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Handler(MotoRequestHandler):
    """HTTP/1.1, as localemr's own server speaks it."""

    protocol_version = "HTTP/1.1"

    def connection_dropped(self, error: BaseException, environ: dict[str, Any] | None = None) -> None:
        """Really drop the connection: werkzeug would wait for its next request."""
        self.close_connection = True

    def log_request(self, *_: Any) -> None:
        """Log nothing."""

    def log(self, *_: Any) -> None:
        """Log nothing."""


class Fault:
    """What happens to the next requests.

    :param kind: ``status`` answers with a status of its own; ``cut`` sends half of the answer's body;
        ``lost`` does what was asked for and drops the connection instead of answering.
    """

    def __init__(
        self,
        kind: str,
        times: str = "1",
        method: str = "",
        match: str = "",
        status: str = "503",
        code: str = "Injected",
    ) -> None:
        self.kind, self.times, self.method, self.match = kind, int(times), method, match
        self.status, self.code = status, code

    def hits(self, environ: dict[str, Any]) -> bool:
        """Whether the request is meant; counts it then."""
        meant = self.method in ("", environ["REQUEST_METHOD"]) and self.match in environ["RAW_URI"]
        if not meant or self.times == 0:
            return False
        self.times -= 1
        return True


class FaultyS3:
    """The WSGI application, and its server.

    :param access_key: Signs the requests that are answered.
    :param secret_key: Its secret.
    """

    def __init__(self, access_key: str, secret_key: str) -> None:
        self.signed = SignedS3(DomainDispatcherApplication(create_backend_app), access_key, secret_key)
        self._fault: Fault | None = None
        self._lock = threading.Lock()
        self.requests = 0
        self._server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def start(self) -> FaultyS3:
        """Serve from a thread."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._thread.join()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/_faults":
            asked = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
            self._fault = Fault(**asked) if asked else None
            start_response("200 OK", [("Content-Length", "0")])
            return [b""]
        with self._lock:
            self.requests += 1
            fault = self._fault if self._fault and self._fault.hits(environ) else None
        if fault is None:
            return self.signed(environ, start_response)
        return self._faulty(fault, environ, start_response)

    def _faulty(
        self, fault: Fault, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if fault.kind == "status":
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            text = f"<Error><Code>{fault.code}</Code><Message>as the test asked</Message></Error>"
            body = text.encode()
            start_response(f"{fault.status} Injected", [("Content-Length", str(len(body)))])
            return [body]
        body = b"".join(self.signed(environ, start_response))
        return _half(body) if fault.kind == "cut" else _dropped()


def _half(body: bytes) -> Iterable[bytes]:
    yield body[: len(body) // 2]
    raise ConnectionAbortedError("the test cuts the answer here")


def _dropped() -> Iterable[bytes]:
    raise ConnectionAbortedError("the test loses the answer")
    yield b""
