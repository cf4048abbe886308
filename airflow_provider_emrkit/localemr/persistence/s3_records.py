"""moto's S3 as records: what is written of a bucket, an object, an upload or a part, and read back."""

from __future__ import annotations

import logging
import pickle
from bisect import insort
from io import BytesIO
from typing import TYPE_CHECKING, Any

from moto.s3 import models

from airflow_provider_emrkit.localemr.persistence.contents import KeptError
from airflow_provider_emrkit.localemr.persistence.moto_s3 import (
    Attached,
    Key,
    Multipart,
    forget,
    instrument,
    part_place,
)
from airflow_provider_emrkit.localemr.persistence.pickling import pickled
from airflow_provider_emrkit.localemr.persistence.s3_store import BUCKET, OBJECT, PART, UPLOAD, Body, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_emrkit.localemr.persistence.contents import Content

log = logging.getLogger(__name__)

_PARTS = ("parts", "partlist")
_TRIAL, _TRIAL_ACCOUNT = "emrkit-trial", "000000000000"


def body_of(place: Place) -> Body | None:
    """Give the present state of a place; None when there is nothing.

    :raises KeptError: when it can't be put into words.
    """
    backend = _backend(place.bucket)
    bucket = backend and _bucket(backend, place.bucket)
    if bucket is None:
        return None
    try:
        return _BODIES[place.kind](backend, bucket, place.name)
    except Exception as error:  # pickling may raise anything
        raise KeptError(f"the {place.kind} {place.name!r} of bucket {place.bucket!r}: {error}") from error


def _backend(bucket: str) -> Any:
    owner = models.s3_backends.bucket_accounts.get(bucket)
    return models.s3_backends[owner[1]][owner[0]] if owner else None


def _bucket(backend: Any, name: str) -> Any:
    return backend.buckets.get(name) or backend.table_buckets.get(name)


def _bucket_body(backend: Any, bucket: Any, _: str) -> Body:
    is_table = bucket.name in backend.table_buckets
    owner = (backend.account_id, bucket.region_name, is_table)
    settings = {name: value for name, value in vars(bucket).items() if name not in ("keys", "multiparts")}
    tags = backend.tagger.get_tag_dict_for_resource(bucket.arn)
    # Two pickles: a bucket whose settings can't be read any more is still a bucket.
    return Body(pickled(owner) + pickled((settings, tags)))


def _object_body(backend: Any, bucket: Any, name: str) -> Body | None:
    versions = list(bucket.keys.getlist(name) or ())
    keys = [version for version in versions if isinstance(version, Key)]
    all_tags = [(key.arn, backend.tagger.get_tag_dict_for_resource(key.arn)) for key in keys]
    tags = [(arn, tags) for arn, tags in all_tags if tags]
    contents = [key.content for key in keys if key.content is not None]
    return Body(pickled((versions, tags)), contents) if versions else None


def _upload_body(_: Any, bucket: Any, name: str) -> Body | None:
    upload = bucket.multiparts.get(name)
    if upload is None:
        return None
    return Body(pickled({key: value for key, value in vars(upload).items() if key not in _PARTS}))


def _part_body(_: Any, bucket: Any, name: str) -> Body | None:
    upload_id, _slash, number = name.rpartition("/")
    upload = bucket.multiparts.get(upload_id)
    part = upload.parts.get(int(number)) if upload else None
    return Body(pickled(part), [part.content]) if part is not None and part.content is not None else None


def take_in(place: Place, body: bytes) -> Sequence[Content] | None:
    """Put a record of an earlier start into moto; None when it can't be understood.

    :return: Its contents.
    """
    try:
        return _READERS[place.kind](place, BytesIO(body))
    except Exception as error:  # unpickling may raise anything
        # One line: with another version of moto, it may be thousands of objects.
        what = f"the {place.kind} {place.name!r} of bucket {place.bucket!r}"
        log.error("%s can't be read: %s: %s", what, type(error).__name__, error)
        return None


def _take_bucket(place: Place, body: BytesIO) -> Sequence[Content]:
    account, region, is_table = pickle.load(body)  # noqa: S301 - our own, see state.py
    make: Any = models.FakeTableStorageBucket if is_table else models.FakeBucket
    bucket = make(name=place.bucket, account_id=account, region_name=region)
    instrument(bucket)
    backend: Any = models.s3_backends[account][bucket.partition]
    (backend.table_buckets if is_table else backend.buckets)[place.bucket] = bucket
    settings, tags = pickle.load(body)  # noqa: S301 - our own, see state.py
    vars(bucket).update(settings)
    _tag(backend, bucket.arn, tags)
    return ()


def _take_object(place: Place, body: BytesIO) -> Sequence[Content]:
    backend = _backend(place.bucket)
    versions, tags = pickle.load(body)  # noqa: S301 - our own, see state.py
    _bucket(backend, place.bucket).keys.load(place.name, versions)
    for arn, key_tags in tags:
        _tag(backend, arn, key_tags)
    keys = [version for version in versions if isinstance(version, Key)]
    return [key.content for key in keys if key.content is not None]


def _take_upload(place: Place, body: BytesIO) -> Sequence[Content]:
    no_metadata: Any = {}
    upload = Multipart("", no_metadata, "", "us-east-1")
    vars(upload).update(pickle.load(body), parts={}, partlist=[])  # noqa: S301 - our own, see state.py
    dict.__setitem__(_bucket(_backend(place.bucket), place.bucket).multiparts, place.name, upload)
    return ()


def _take_part(place: Place, body: BytesIO) -> Sequence[Content]:
    upload_id, _, number = place.name.rpartition("/")
    upload = _bucket(_backend(place.bucket), place.bucket).multiparts[upload_id]
    part = pickle.load(body)  # noqa: S301 - our own, see state.py
    upload.parts[int(number)] = part
    insort(upload.partlist, int(number))
    return [part.content]


def _tag(backend: Any, arn: str, tags: dict[str, str]) -> None:
    if tags:
        backend.tagger.tag_resource(arn, [{"Key": key, "Value": value} for key, value in tags.items()])


_BODIES: dict[str, Callable[[Any, Any, str], Body | None]] = {
    BUCKET: _bucket_body, OBJECT: _object_body, UPLOAD: _upload_body, PART: _part_body
}  # fmt: skip
_READERS = {BUCKET: _take_bucket, OBJECT: _take_object, UPLOAD: _take_upload, PART: _take_part}


def misfit() -> str | None:
    """Try out, on a bucket that is gone afterwards, whether this moto does what is expected here.

    :return: What it does not; None when all is well. A store must be attached.
    """
    try:
        return _misfit()
    except Exception as error:  # another moto may fail in any way
        return f"{type(error).__name__}: {error}"
    finally:
        models.s3_backends.bucket_accounts.pop(_TRIAL, None)
        forget()


def _misfit() -> str | None:
    backend: Any = models.s3_backends[_TRIAL_ACCOUNT]["aws"]
    with Attached.marks.of_request(reads_only=False) as noted:
        backend.create_bucket(_TRIAL, "us-east-1")
        key = backend.put_object(_TRIAL, "key", b"value")
        upload = backend.create_multipart_upload(_TRIAL, "key", {}, "STANDARD", {}, None, "", "")
        backend.upload_part(_TRIAL, upload.id, 1, b"part")
    expected = {
        Place(BUCKET, _TRIAL), Place(OBJECT, _TRIAL, "key"), Place(UPLOAD, _TRIAL, upload.id),
        part_place(_TRIAL, upload.id, 1)
    }  # fmt: skip
    if set(noted.written) != expected:
        return f"changes are not seen: {sorted(expected ^ set(noted.written))}"
    if not isinstance(key, Key) or key.value != b"value":
        return "objects are made in another way"
    bodies = {place: body_of(place) for place in expected}
    forget()
    for place in sorted(bodies, key=lambda place: list(_READERS).index(place.kind)):
        body = bodies[place]
        if body is None or _READERS[place.kind](place, BytesIO(body.data)) is None:
            return f"the {place.kind} of a bucket can't be kept"
    return None
