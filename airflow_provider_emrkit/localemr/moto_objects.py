"""moto's S3 objects that are read whole while they are replaced or deleted.

moto closes the buffer of an object that is replaced, though another thread may be about to read it; it moves
that buffer's position to make the ETag, while another thread reads; and it looks whether there is an object
before it gets it. On S3 a reader gets the old object, the new one or none.
"""

from __future__ import annotations

from typing import Any

from moto.s3.models import FakeKey, S3Backend

_moto_dispose = FakeKey.dispose
_moto_etag: Any = vars(FakeKey)["etag"].fget
_moto_get_object = S3Backend.get_object


def use() -> None:
    """Let moto's objects be like this from now on. Idempotent."""
    for kind, name, value in (
        (FakeKey, "dispose", _dispose),
        (FakeKey, "etag", property(_etag)),
        (S3Backend, "get_object", _get_object),
    ):
        setattr(kind, name, value)


def _dispose(self: FakeKey, garbage: bool = False) -> None:
    # The buffer goes with the last reference: as long as somebody reads it, there is one.
    if garbage:
        self.disposed = True  # moto would complain that nobody did
        _moto_dispose(self)


def _etag(self: FakeKey) -> str:
    with self.lock:  # as for the value: both move the buffer's position
        etag: str = _moto_etag(self)
    return etag


def _get_object(self: S3Backend, bucket_name: str, key_name: str, *args: Any, **names: Any) -> FakeKey | None:
    try:
        return _moto_get_object(self, bucket_name, key_name, *args, **names)
    except KeyError as error:
        if error.args != (key_name,):
            raise
        return None  # deleted just now
