"""An S3 in memory, with conditional writes and clocks of whole seconds, as documented."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import formatdate
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from pool_world.errors import refused

if TYPE_CHECKING:
    from pool_world.scheduler import World


@dataclass(frozen=True)
class Stored:
    """One object.

    :param modified: When it was written.
    """

    body: bytes
    etag: str
    modified: float


_date = lru_cache(maxsize=64)(partial(formatdate, usegmt=True))


class VirtualS3:
    """Carries out the requests that reach S3."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.objects: dict[tuple[str, str], Stored] = {}

    @property
    def date(self) -> str:
        """The ``Date`` of an answer: whole seconds."""
        return _date(int(self._world.now))

    def get_object(self, *, Bucket: str, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        """Read an object."""
        found = self.objects.get((Bucket, Key))
        if found is None:
            raise refused("NoSuchKey", "The specified key does not exist.", self.date)
        return {**self._about(found), "Body": io.BytesIO(found.body), "ContentLength": len(found.body)}

    def head_object(self, *, Bucket: str, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        """Describe an object."""
        found = self.objects.get((Bucket, Key))
        if found is None:
            raise refused("NoSuchKey", "Not Found", self.date)
        return self._about(found)

    def put_object(self, *, Bucket: str, Key: str, Body: Any, **request: Any) -> dict[str, Any]:  # noqa: N803
        """Write an object, if what is asked for holds."""
        found = self.objects.get((Bucket, Key))
        wanted = request.get("IfMatch")
        if wanted is not None and found is None:
            raise refused("NoSuchKey", "The specified key does not exist.", self.date)
        if (wanted is not None and found and found.etag.strip('"') != wanted.strip('"')) or (
            request.get("IfNoneMatch") == "*" and found
        ):
            raise refused("PreconditionFailed", "At least one of the pre-conditions did not hold", self.date)
        body = Body.encode() if isinstance(Body, str) else bytes(Body)
        stored = Stored(body, f'"{hashlib.md5(body).hexdigest()}"', self._world.now)
        self.objects[Bucket, Key] = stored
        return {"ETag": stored.etag, "ResponseMetadata": self._metadata(200)}

    def _about(self, found: Stored) -> dict[str, Any]:
        return {
            "ETag": found.etag,
            "LastModified": datetime.fromtimestamp(int(found.modified), timezone.utc),
            "ResponseMetadata": self._metadata(200),
        }

    def _metadata(self, status: int) -> dict[str, Any]:
        return {"HTTPStatusCode": status, "HTTPHeaders": {"date": self.date}, "RetryAttempts": 0}
