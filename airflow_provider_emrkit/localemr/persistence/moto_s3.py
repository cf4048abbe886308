"""moto's S3 with our storage below it: the one place that knows moto's S3 from inside.

moto makes its objects through names of the module ``moto.s3.models``; while a store is :func:`attached`,
those names lead to the classes below. What they rely on is tried out by ``s3_records.misfit``.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import threading
from typing import TYPE_CHECKING, Any

from moto.s3 import models
from moto.s3.utils import _VersionedKeyStore

from airflow_provider_emrkit.localemr.persistence.contents import Content, Contents, KeptError
from airflow_provider_emrkit.localemr.persistence.marks import Marks
from airflow_provider_emrkit.localemr.persistence.s3_store import (
    BUCKET,
    OBJECT,
    PART,
    UPLOAD,
    Place,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OWN_STATE = ("_value_buffer", "lock", "_tick", "_time_progressed")
_MOTO_CLASSES = models.FakeKey, models.FakeMultipart, models.S3Backend


class Attached:
    """What the classes below write to: they are made by moto, and can't be told."""

    marks = Marks()
    add: Callable[[bytes], Content]


class Key(models.FakeKey):
    """An object, or a part of an upload, whose bytes are not in memory."""

    _content: Content | None

    @property
    def value(self) -> bytes:
        """Its bytes."""
        if self._content is None:
            raise KeptError("the parts of a completed upload are gone")
        return self._content.read()

    @value.setter
    def value(self, value: bytes | str) -> None:
        data = value.encode() if isinstance(value, str) else value
        self._content = Attached.add(data)
        self.contentsize = len(data)
        self._value_buffer = None  # type: ignore[assignment]
        if self._etag is None:
            self._etag = hashlib.md5(data, usedforsecurity=False).hexdigest()

    @property
    def content(self) -> Content | None:
        """Where its bytes are."""
        return self._content

    def drop_content(self) -> None:
        """Let go of the bytes."""
        self._content = None

    def dispose(self, garbage: bool = False) -> None:
        """Do nothing: the bytes go with the last reference, and another thread may be reading them."""

    def __del__(self) -> None:
        """Do nothing, either."""

    def __getstate__(self) -> dict[str, Any]:
        usual = _usual()
        return {
            name: value
            for name, value in vars(self).items()
            if name not in _OWN_STATE and not (name in usual and _is_same(value, usual[name]))
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        # One by one, in the order of a new object: that way Python shares the names among all objects.
        for name, value in _usual().items():
            setattr(self, name, state.get(name, value))
        for name in state.keys() - _usual().keys():
            setattr(self, name, state[name])
        self.lock = threading.Lock()


@functools.cache
def _usual() -> dict[str, Any]:
    """Give the attributes of an object that is just made: most have few others."""
    key = vars(Key("", b"", "", "us-east-1"))
    return {name: value for name, value in key.items() if name not in ("lock", "_content", "_metadata")}


def _is_same(value: object, usual: object) -> bool:
    """Tell whether a value, which is not changed in place, need not be written."""
    if type(value) is not type(usual):
        return False
    return value == usual or (isinstance(value, models.FakeAcl) and repr(value) == repr(usual))


class Multipart(models.FakeMultipart):
    """An upload in progress, or the parts' list of one that is complete."""

    bucket_name: str | None = None

    def set_part(self, part_id: int, value: bytes) -> models.FakeKey:
        """Take a part in."""
        key = super().set_part(part_id, value)
        if self.bucket_name is not None:
            Attached.marks.wrote(part_place(self.bucket_name, self.id, part_id))
        return key

    def dispose(self) -> None:
        """Do nothing: the parts' bytes go when the object is complete."""

    def drop_contents(self) -> None:
        """Let go of the parts' bytes."""
        for part in self.parts.values():
            if isinstance(part, Key):
                part.drop_content()


class Versions(_VersionedKeyStore):
    """The keys of a bucket, each with its versions; notes which were written."""

    def __init__(self, bucket: str) -> None:
        super().__init__()
        self._bucket = bucket

    def load(self, key: str, versions: list[Any]) -> None:
        """Put versions of an earlier start in."""
        dict.__setitem__(self, key, versions)

    def pop(self, key: str) -> None:  # type: ignore[override]
        """Remove all versions of a key."""
        Attached.marks.wrote(Place(OBJECT, self._bucket, key))
        super().pop(key)

    def __setitem__(self, key: str, value: Any) -> None:
        Attached.marks.wrote(Place(OBJECT, self._bucket, key))
        super().__setitem__(key, value)

    def setlist(self, key: str, list_: Any) -> None:
        """Replace the versions of a key."""
        Attached.marks.wrote(Place(OBJECT, self._bucket, key))
        super().setlist(key, list_)


class _Uploads(models.MultipartDict):
    """The uploads of a bucket; notes which came and went."""

    def __init__(self, bucket: str) -> None:
        super().__init__()
        self._bucket = bucket

    def __setitem__(self, key: str, upload: models.FakeMultipart) -> None:
        Attached.marks.wrote(Place(UPLOAD, self._bucket, key))
        vars(upload)["bucket_name"] = self._bucket
        super().__setitem__(key, upload)

    def __delitem__(self, key: str) -> None:
        Attached.marks.wrote(Place(UPLOAD, self._bucket, key))
        for number in self[key].parts if key in self else ():
            Attached.marks.wrote(part_place(self._bucket, key, number))
        super().__delitem__(key)


class Backend(models.S3Backend):
    """All buckets of an account."""

    # moto reads the versions of a key and then writes them: two threads must not do that at once.
    _one_at_a_time = threading.RLock()

    def create_bucket(self, *args: Any, **names: Any) -> models.FakeBucket:
        """Make a bucket."""
        bucket = super().create_bucket(*args, **names)
        instrument(bucket)
        return bucket

    def create_table_storage_bucket(self, *args: Any, **names: Any) -> models.FakeTableStorageBucket:
        """Make the bucket of an S3 table."""
        bucket = super().create_table_storage_bucket(*args, **names)
        instrument(bucket)
        return bucket

    def get_bucket(self, bucket_name: str) -> models.FakeBucket:
        """Give a bucket; whoever asked may change its settings."""
        bucket = super().get_bucket(bucket_name)
        Attached.marks.looked_at(Place(BUCKET, bucket.name))
        return bucket

    def get_object(self, bucket_name: str, key_name: str, *args: Any, **names: Any) -> models.FakeKey | None:
        """Give an object; whoever asked may change it."""
        Attached.marks.looked_at(Place(OBJECT, bucket_name, key_name))
        return super().get_object(bucket_name, key_name, *args, **names)

    def delete_bucket(self, bucket_name: str) -> models.FakeBucket | None:
        """Delete an empty bucket, with the uploads in it."""
        bucket = super().delete_bucket(bucket_name)
        if bucket is not None:
            for upload_id in list(bucket.multiparts):
                del bucket.multiparts[upload_id]
            Attached.marks.wrote(Place(BUCKET, bucket_name))
        return bucket

    def delete_table_storage_bucket(self, bucket_name: str) -> models.FakeBucket | None:
        """Delete the bucket of an S3 table, with all that is in it."""
        Attached.marks.wrote(Place(BUCKET, bucket_name))
        return super().delete_table_storage_bucket(bucket_name)

    def put_object(self, bucket_name: str, *args: Any, **names: Any) -> models.FakeKey:
        """Write an object."""
        with self._undisturbed(bucket_name):
            return super().put_object(bucket_name, *args, **names)

    def delete_object(self, bucket_name: str, *args: Any, **names: Any) -> tuple[bool, dict[str, Any]]:
        """Delete an object or a version of it."""
        with self._undisturbed(bucket_name):
            deleted: tuple[bool, dict[str, Any]] = super().delete_object(bucket_name, *args, **names)
            return deleted

    def complete_multipart_upload(self, bucket_name: str, multipart_id: str, body: Any) -> Any:
        """Make an object of an upload's parts; an upload that fails can be completed again."""
        bucket = self.get_bucket(bucket_name)
        upload = bucket.multiparts.get(multipart_id)
        try:
            key = super().complete_multipart_upload(bucket_name, multipart_id, body)
        except KeptError:
            if upload is not None:
                bucket.multiparts[multipart_id] = upload
            raise
        if key is not None and isinstance(upload, Multipart):
            upload.drop_contents()
        return key

    def untag_resource(self, arn: str, tag_keys: list[str]) -> None:
        """Remove tags of a bucket."""
        super().untag_resource(arn, tag_keys)
        Attached.marks.looked_at(Place(BUCKET, arn.split(":")[-1]))

    def _undisturbed(self, bucket_name: str) -> contextlib.AbstractContextManager[Any]:
        bucket = self.get_bucket(bucket_name)
        # A notification runs what it notifies, which may well write to S3.
        return self._one_at_a_time if bucket.notification_configuration is None else contextlib.nullcontext()


def instrument(bucket: models.FakeBucket) -> None:
    """Give a bucket that is just made keys and uploads that note changes."""
    bucket.keys = Versions(bucket.name)
    bucket.multiparts = _Uploads(bucket.name)
    Attached.marks.wrote(Place(BUCKET, bucket.name))


def part_place(bucket: str, upload: str, number: int) -> Place:
    """Give the place of an upload's part."""
    return Place(PART, bucket, f"{upload}/{number}")


@contextlib.contextmanager
def attached(marks: Marks, contents: Contents) -> Iterator[None]:
    """Let moto's S3 note its changes and put the bytes of objects away.

    It begins with nothing, and ends with nothing.
    """
    Attached.marks, Attached.add = marks, contents.add
    _use(Key, Multipart, Backend)
    forget()
    try:
        yield
    finally:
        _use(*_MOTO_CLASSES)
        forget()


def _use(key: type, multipart: type, backend: type) -> None:
    # Through vars: these names are types to a type checker, and not to be assigned.
    vars(models).update(FakeKey=key, FakeMultipart=multipart)
    models.s3_backends.backend = backend


def forget() -> None:
    """Let moto have no buckets."""
    models.s3_backends.clear()
    models.s3_backends.bucket_accounts.clear()
