"""A registry of images on this machine: as much of the distribution API as pushes and pulls need."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Registry:
    """The registry, from ``with`` to its end; docker takes 127.0.0.1 without TLS.

    :param login: ``user:password`` that it asks for; none when it is empty.
    :param immutable: Whether it lets no tag be moved, as a repository of ECR may.
    :param address: Where it listens.
    :param tls: The context of its TLS; None for none.
    """

    def __init__(self, login="", immutable=False, address=("127.0.0.1", 0), tls=None):
        self.blobs = {}
        self.manifests = {}
        self.uploads = {}
        self.refused = 0
        self.expected = f"Basic {base64.b64encode(login.encode()).decode()}" if login else ""
        self.immutable = immutable
        # Why nothing may be pushed, in the words of the answer; empty where it may.
        self.denied = ""
        # Called with name, reference, media type and content of each manifest that is taken in.
        self.on_manifest = lambda *_: None
        # Cleared, uploads wait: a push that is under way.
        self.open = threading.Event()
        self.open.set()
        self.waiting = threading.Event()
        self._server = ThreadingHTTPServer(address, type("Bound", (_Handler,), {"registry": self}))
        self._server.daemon_threads = True
        if tls is not None:
            # The handshake is the matter of the connection's own thread.
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )

    @property
    def host(self):
        return f"127.0.0.1:{self._server.server_port}"

    def digest(self, name, tag):
        """What a tag means here."""
        return _digest(self.manifests[name, tag][1])

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.open.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry: Registry

    def log_message(self, *_):
        pass

    def _handle(self):
        body = self._body()
        if self.registry.expected not in ("", self.headers.get("Authorization")):
            self.registry.refused += 1
            return self._answer(401, {"WWW-Authenticate": 'Basic realm="tests"'}, _errors("UNAUTHORIZED"))
        parts = urlsplit(self.path)
        path = parts.path.removeprefix("/v2/").rstrip("/")
        if not path:
            return self._answer(200)
        if self.registry.denied and self.command not in ("GET", "HEAD"):
            return self._answer(403, {}, _errors("DENIED", self.registry.denied))
        if "/blobs/uploads" in path:
            return self._upload(*path.split("/blobs/uploads"), parse_qs(parts.query), body)
        kind = "/blobs/" if "/blobs/" in path else "/manifests/"
        name, _, reference = path.partition(kind)
        if self.command == "PUT":
            return self._put_manifest(name, reference, body)
        return self._get(name, reference, kind)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = _handle  # noqa: N815

    def _get(self, name, reference, kind):
        if kind == "/blobs/":
            found = self.registry.blobs.get(reference)
            found = found if found is None else ("application/octet-stream", found)
        else:
            found = self.registry.manifests.get((name, reference))
        if found is None:
            return self._answer(404, {}, _errors("MANIFEST_UNKNOWN"))
        media_type, content = found
        return self._answer(200, {"Content-Type": media_type, **_digested(content)}, content)

    def _upload(self, name, upload, query, body):
        """Take a blob in, in as many pieces as it comes."""
        if not self.registry.open.is_set():
            self.registry.waiting.set()
            self.registry.open.wait(60)
        if query.get("mount", [""])[0] in self.registry.blobs:
            # Another repository has it.
            (digest,) = query["mount"]
            return self._answer(
                201, {"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": digest}
            )
        if self.command == "POST":
            upload = f"/{uuid.uuid4()}"
            self.registry.uploads[upload] = b""
        self.registry.uploads[upload] += body
        content = self.registry.uploads[upload]
        if self.command == "PUT":
            digest = query["digest"][0]
            if digest != _digest(content):
                return self._answer(400, {}, _errors("DIGEST_INVALID"))
            self.registry.blobs[digest] = content
            return self._answer(201, {"Location": f"/v2/{name}/blobs/{digest}", **_digested(content)})
        there = {"Location": f"/v2/{name}/blobs/uploads{upload}", "Range": f"0-{max(0, len(content) - 1)}"}
        return self._answer(202, {**there, "Docker-Upload-UUID": upload[1:]})

    def _put_manifest(self, name, reference, body):
        if self.registry.immutable and (name, reference) in self.registry.manifests:
            return self._answer(400, {}, _errors("TAG_INVALID"))
        kept = (self.headers["Content-Type"], body)
        self.registry.manifests[name, reference] = self.registry.manifests[name, _digest(body)] = kept
        self.registry.on_manifest(name, reference, *kept)
        return self._answer(201, {"Location": self.path, **_digested(body)})

    def _body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _answer(self, code, headers=None, content=b""):
        with contextlib.suppress(ConnectionError):
            self.send_response(code)
            everything = {"Content-Length": str(len(content)), **(headers or {})}
            for name, value in {"Docker-Distribution-Api-Version": "registry/2.0", **everything}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)


def _digest(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _digested(content):
    return {"Docker-Content-Digest": _digest(content)}


def _errors(code, message=""):
    return json.dumps({"errors": [{"code": code, "message": message or f"refused: {code}"}]}).encode()
