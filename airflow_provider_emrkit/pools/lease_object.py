"""The S3 object of a lease: looked at, and written where nobody else was first."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_emrkit.hooks.conditional_writes import (
    NotFirstError,
    delete_if_unchanged,
    put_if_unchanged,
)
from airflow_provider_emrkit.hooks.errors import error_code, is_transient
from airflow_provider_emrkit.pools.record import MAX_BYTES, PoolRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class UnknownOutcomeError(Exception):
    """A write got no answer, and what became of it could not be found out."""


@dataclass(frozen=True)
class Seen:
    """The object as it was at a moment.

    :param etag: Of this content; empty where there is no object.
    :param at: The moment, in seconds since 1970 by S3's clock.
    :param age: Seconds since it was written, by S3's clock: right to one second.
    :param record: What is in it.

    >>> Seen("", 1_700_000_000.0).record.holder
    ''
    """

    etag: str
    at: float
    age: float = 0.0
    record: PoolRecord = field(default_factory=PoolRecord)


class LeaseObject:
    """Where a pool's record is kept.

    :param s3: boto3 client of S3.
    :param uri: ``s3://bucket/key``

    >>> LeaseObject(s3, "s3://my-bucket/pools/medium.json").look().etag  # doctest: +SKIP
    ''
    """

    def __init__(self, s3: Any, uri: str) -> None:
        self._s3 = s3
        self.uri = uri
        parts = urlsplit(uri)
        self.bucket, self.key = parts.netloc, parts.path.lstrip("/")

    def look(self) -> Seen:
        """Read it (GetObject). Botocore's exceptions come as they are."""
        try:
            answer = self._s3.get_object(Bucket=self.bucket, Key=self.key)
        except self._s3.exceptions.ClientError as error:
            if error_code(error) in ("NoSuchKey", "404"):
                return Seen("", time_of(error.response))
            raise
        at = time_of(answer)
        # One that is too long to be a record counts as a damaged one.
        content = answer["Body"].read() if answer["ContentLength"] <= MAX_BYTES else b""
        age = at - answer["LastModified"].timestamp()
        return Seen(answer["ETag"], at, age, PoolRecord.from_json(content))

    def put(self, record: PoolRecord, etag: str) -> Seen:
        """Write it, where it is as it was seen (PutObject).

        :raises NotFirstError: when it is not.
        """
        content = record.to_json().encode()
        answer = put_if_unchanged(self._s3, self.bucket, self.key, content, etag)
        return Seen(answer["ETag"], time_of(answer), 0.0, record)

    def remove(self, etag: str) -> None:
        """Delete it, where it is as it was seen (DeleteObject).

        :raises NotFirstError: when it is not, or is gone.
        """
        delete_if_unchanged(self._s3, self.bucket, self.key, etag)

    def put_surely(self, record: PoolRecord, etag: str, once_more: Callable[[], bool]) -> Seen:
        """Write it, and find out what became of that whatever is answered: it is told by the nonce.

        It is sent again only while the object is unchanged, so that at most one of the requests takes effect.

        :param record: With a nonce that was never used.
        :param once_more: Waits a little; False when it is not to be tried any longer.
        :raises NotFirstError: when somebody else has written or deleted it; it is not ours then.
        :raises UnknownOutcomeError: when that can't be found out; it may still take effect.
        """
        while True:
            try:
                return self.put(record, etag)
            except NotFirstError as error:
                # Or a request of ours took effect that the client has repeated.
                trouble: Exception = error
            except Exception as error:
                if not passes(error):
                    raise
                trouble = error
            seen = self._look_if_possible()
            if seen and seen.record.nonce == record.nonce:
                return seen
            if seen and seen.etag != etag:
                raise NotFirstError(seen.record.holder) from trouble
            if not once_more():
                raise UnknownOutcomeError(str(trouble)) from trouble

    def _look_if_possible(self) -> Seen | None:
        try:
            return self.look()
        except Exception as error:
            if not passes(error):
                raise
            return None


def passes(error: BaseException) -> bool:
    """Tell whether a call failed for a reason that passes; what it was to do may be done."""
    from botocore.exceptions import IncompleteReadError

    return is_transient(error) or isinstance(error, IncompleteReadError)


def time_of(answer: Mapping[str, Any]) -> float:
    """Give when S3 has answered, by its own clock.

    :raises LeaseError: when it does not say so, as each HTTP server with a clock does.
    """
    date = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    if not date:
        # Records are also read where there is no Airflow.
        from airflow_provider_emrkit.exceptions import LeaseError

        raise LeaseError("S3 answers without the header Date, by which the age of a lease is judged")
    return parsedate_to_datetime(date).timestamp()
