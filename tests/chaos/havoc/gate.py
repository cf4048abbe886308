"""A gate between the workers and what they talk to: AWS, and Airflow's own API.

Whoever watches it learns of each call before it is passed on and again when it was answered, and may end the
caller at just that moment: the call is then not passed on, or its answer not given back.
"""

from __future__ import annotations

import http.client
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

EXECUTION_API = "/execution/"
_TIMEOUT = 60
_POLL_SECONDS = 0.05
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "expect", "content-length"})
# Not asked for on this side of the gate: watchers read the answers.
_COMPRESSED = "accept-encoding"
_ESTABLISHED = "01"


@dataclass(frozen=True)
class Call:
    """A call to AWS or to Airflow's execution API.

    :param target: AWS's action, as in ``ElasticMapReduce.RunJobFlow``; empty for others.
    :param port: The caller's end of the connection.
    :param answer: What was answered; None while the call was not passed on yet.
    """

    method: str
    path: str
    target: str
    body: bytes
    port: int
    answer: bytes | None = None

    @property
    def action(self) -> str:
        """The AWS action's own name, e.g. ``RunJobFlow``."""
        return self.target.rpartition(".")[2]


class Gate:
    """A proxy on a port of its own.

    :param aws: Address of the local EMR.
    :param airflow: Address of Airflow.
    :param watcher: Called before and after each call; True to break the connection instead of going on.

    Example::

        with Gate("http://127.0.0.1:5005", "http://127.0.0.1:8080", lambda call: call.action == "RunJobFlow"):
            ...
    """

    def __init__(self, aws: str, airflow: str, watcher: Callable[[Call], bool]) -> None:
        handler = type(
            "Handler", (_Handler,), {"aws": aws, "airflow": airflow, "watcher": staticmethod(watcher)}
        )
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="gate", daemon=True
        )

    def __enter__(self) -> Gate:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def caller(self, call: Call, candidates: list[int]) -> int | None:
        """Which of some processes made a call, by its connection."""
        inode = _inode(call.port, self.port)
        found = (pid for pid in candidates if inode and _has_open(pid, f"socket:[{inode}]"))
        return next(found, None)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    aws: str
    airflow: str
    watcher: Callable[[Call], bool]

    def _pass_on(self) -> None:
        call = Call(
            self.command,
            self.path,
            self.headers.get("X-Amz-Target", ""),
            self._body(),
            self.client_address[1],
        )
        if self.watcher(call):
            self.close_connection = True
            return
        status, headers, answer = self._ask(call)
        if self.watcher(replace(call, answer=answer)):
            self.close_connection = True
            return
        with suppress(ConnectionError):  # the caller has died
            self._give(status, headers, answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _pass_on  # noqa: N815 - the base class's names

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _ask(self, call: Call) -> tuple[int, list[tuple[str, str]], bytes]:
        there = urlsplit(self.airflow if call.path.startswith(EXECUTION_API) else self.aws)
        connection = http.client.HTTPConnection(str(there.hostname), there.port, timeout=_TIMEOUT)
        try:
            headers = {
                name: value for name, value in _kept(self.headers.items()) if name.lower() != _COMPRESSED
            }
            connection.request(call.method, call.path, call.body, {**headers, "Accept-Encoding": "identity"})
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        except (OSError, http.client.HTTPException) as error:
            return 502, [("Content-Type", "text/plain")], str(error).encode()
        finally:
            connection.close()

    def _give(self, status: int, headers: list[tuple[str, str]], answer: bytes) -> None:
        self.send_response_only(status)
        for name, value in _kept(headers):
            self.send_header(name, value)
        told = {name.lower(): value for name, value in headers}.get("content-length")
        self.send_header("Content-Length", told if self.command == "HEAD" and told else str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)


def _kept(headers: object) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP]


def _inode(port: int, peer: int) -> str | None:
    """The socket that connects a port of this machine with another one."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        ports = tuple(int(address.rpartition(":")[2], 16) for address in fields[1:3])
        if ports == (port, peer) and fields[3] == _ESTABLISHED:
            return fields[9]
    return None


def _has_open(pid: int, name: str) -> bool:
    try:
        return any(str(entry.readlink()) == name for entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # it has ended
        return False
