"""What S3 does about single objects, with its conditions on writes (GetObject, PutObject)."""

from __future__ import annotations

import hashlib
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{0}</Code><Message>{0}</Message></Error>'


class S3Answer(NamedTuple):
    """What is sent back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class S3:
    """Objects by their paths.

    >>> S3().get("/bucket/key").status
    404
    """

    def __init__(self) -> None:
        self._objects: dict[str, tuple[bytes, str, float]] = {}

    def get(self, path: str) -> S3Answer:
        """Answer a GetObject."""
        if path not in self._objects:
            return _refusal(404, "NoSuchKey")
        content, etag, written = self._objects[path]
        return S3Answer(200, {"ETag": etag, "Last-Modified": formatdate(written, usegmt=True)}, content)

    def put(self, path: str, headers: Mapping[str, str], body: bytes) -> S3Answer:
        """Answer a PutObject."""
        here = self._objects[path][1] if path in self._objects else None
        if headers.get("If-None-Match") == "*" and here is not None:
            return _refusal(412, "PreconditionFailed")
        if "If-Match" in headers and headers["If-Match"] != here:
            return _refusal(412 if here else 404, "PreconditionFailed" if here else "NoSuchKey")
        content = _unpacked(body) if "aws-chunked" in headers.get("Content-Encoding", "") else body
        etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        self._objects[path] = content, etag, time.time()
        return S3Answer(200, {"ETag": etag}, b"")


def _refusal(status: int, code: str) -> S3Answer:
    return S3Answer(status, {"Content-Type": "application/xml"}, _ERROR.format(code).encode())


def _unpacked(body: bytes) -> bytes:
    """Take what botocore sends with a checksum behind it out of its pieces."""
    content = b""
    while True:
        head, _, body = body.partition(b"\r\n")
        size = int(head.partition(b";")[0], 16)
        if not size:
            return content
        content, body = content + body[:size], body[size + 2 :]
