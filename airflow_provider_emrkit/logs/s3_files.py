"""Logs that EMR archives on S3."""

from __future__ import annotations

import gzip
import time
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.console import object_link
from airflow_provider_emrkit.hooks.errors import error_code
from airflow_provider_emrkit.logs.line_times import line_time
from airflow_provider_emrkit.logs.sources import LogLine, Read
from airflow_provider_emrkit.logs.text import clean_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Bytes of an unpacked log that are kept; the end of it is what tells.
MAX_KEPT = 8 * 1024 * 1024
# Bytes that are unpacked at all, however much an archive claims to hold.
MAX_UNPACKED = 1024 * 1024 * 1024
BLOCK = 1024 * 1024
# Bytes at the start of a file that tell it from the one that took its place.
HEAD = 4_096
# Milliseconds that a line may be ahead of this machine's clock; a later time is not its own.
AHEAD = 3_600_000

_GONE = frozenset({"NoSuchKey", "404", "NoSuchBucket"})
_UNCHANGED = frozenset({"304", "NotModified"})


@dataclass(frozen=True)
class S3Position:
    """How far a log was read.

    :param etag: Which version of the object was read last.
    :param offset: Bytes of it, unpacked, that were read.
    :param head: Its first bytes.
    :param parts: Keys of the parts before it that were read.
    :param moved: The first bytes of the last of these, which a late copy of it begins with.
    :param waited: Whether the object was new and the part that it had become was not there.
    :param timestamp: The time of the last line that had one.

    >>> S3Position().offset
    0
    """

    etag: str = ""
    offset: int = 0
    head: bytes = b""
    parts: frozenset[str] = frozenset()
    moved: bytes = b""
    waited: bool = False
    timestamp: int | None = None


@dataclass(frozen=True)
class S3LogFile:
    """A gzipped log that EMR archives on S3, rewritten as a whole every few minutes.

    What has grown long may have been put aside in parts, with the object starting anew; all of it is one log.

    :param s3: boto3 client of S3.
    :param bucket: Bucket.
    :param key: Key, ending in ``.gz``.
    :param label: What its lines are marked with.
    :param older: Keys of the parts before it, the oldest first.
    :param etag: The object's ETag, where it was listed: what has been read already is not asked for.

    >>> S3LogFile(boto3.client("s3"), "logs", "j-1/steps/s-1/stderr.gz", "stderr")  # doctest: +SKIP
    """

    s3: Any = field(repr=False)
    bucket: str
    key: str
    label: str
    older: tuple[str, ...] = ()
    etag: str | None = None

    @property
    def name(self) -> str:
        """The object's URI."""
        return f"s3://{self.bucket}/{self.key}"

    def link(self, region: str) -> str:
        """Give the object's page in the S3 console."""
        return object_link(region, self.bucket, self.key)

    def read(self, cursor: S3Position | None) -> Read:
        """Read what comes after that which was read before (GetObject, where the object has changed).

        Of more than :data:`MAX_KEPT` bytes the last are given, behind a line that says so.
        """
        at = cursor or S3Position()
        part = next((key for key in self.older if key not in at.parts), None)
        if part is not None:
            return self._read_part(part, at)
        if self.etag is not None and self.etag == at.etag:
            return Read(cursor=at)
        new = self._unpacked(self.key, at.offset, at.etag)
        if new is None:
            return Read(cursor=at)
        if at.moved and new.head == at.moved[: len(new.head)]:
            # The part was put there a moment before the object was replaced: it is read already.
            return Read(cursor=replace(at, etag=new.etag, moved=b""))
        if not new.continues(at):
            if not at.waited:  # its end will be in a part that comes with the same upload
                return Read(cursor=replace(at, waited=True))
            new = self._unpacked(self.key, 0) or new
        lines, timestamp = self._lines(new, at.timestamp)
        return Read(lines, new.position(at.parts, timestamp), skipped=new.left_out > 0)

    def from_end(self, limit: int) -> Read:
        """Read the end of the log (GetObject; of parts before it, those that are needed)."""
        lines: list[LogLine] = []
        end = S3Position(parts=frozenset(self.older))
        skipped = False
        for key in (self.key, *reversed(self.older)):
            if len(lines) >= limit:
                skipped = True
                break
            new = self._unpacked(key, 0)
            if new is None:
                continue
            found, timestamp = self._lines(new, None)
            if key == self.key:
                end = new.position(end.parts, timestamp)
            lines = [*found, *lines]
            skipped = new.left_out > 0
        return Read(lines[-limit:], end, skipped=skipped or len(lines) > limit)

    def _read_part(self, key: str, at: S3Position) -> Read:
        new = self._unpacked(key, at.offset)
        if new is not None and not new.continues(at):
            new = self._unpacked(key, 0)
        parts = at.parts | {key}
        if new is None:
            return Read(cursor=replace(at, parts=parts), complete=False)
        lines, timestamp = self._lines(new, at.timestamp)
        end = S3Position(at.etag, parts=parts, moved=new.head, timestamp=timestamp)
        return Read(lines, end, complete=False, skipped=new.left_out > 0)

    def _lines(self, new: Unpacked, timestamp: int | None) -> tuple[list[LogLine], int | None]:
        """Give the lines with their times: a line without one has that of the line before it."""
        lines = [LogLine(timestamp, new.sentence, "emrkit")] if new.left_out else []
        for text, when in _timed(new.lines(), timestamp):
            timestamp = when
            lines.append(LogLine(when, text, self.label))
        return lines, timestamp

    def _unpacked(self, key: str, offset: int, etag: str = "") -> Unpacked | None:
        """Get an object; None when it is not there, or still the same."""
        condition = {"IfNoneMatch": etag} if etag else {}
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=key, **condition)
        except self.s3.exceptions.ClientError as error:
            if error_code(error) in _GONE | _UNCHANGED:
                return None
            raise
        with answer["Body"] as body:
            return unpack(body, offset, answer.get("ETag") or "")


@dataclass(frozen=True)
class Unpacked:
    r"""What an archive holds from some byte on.

    :param etag: Which version of the object it is.
    :param size: All its bytes.
    :param head: The first of them.
    :param kept: Those at the end that were asked for, as far as they are kept.
    :param left_out: How many bytes of those were not kept.

    >>> Unpacked("", 4, b"one\n", b"one\n").lines()
    ['one']
    """

    etag: str
    size: int
    head: bytes
    kept: bytes
    left_out: int = 0

    @property
    def sentence(self) -> str:
        """What to tell about the bytes that were left out."""
        return f"… {self.left_out / 1_000_000:,.0f} MB of this log left out here …"

    def continues(self, at: S3Position) -> bool:
        """Tell whether this is what was read up to there, and not what took its place."""
        return self.size >= at.offset and self.head.startswith(at.head)

    def lines(self) -> list[str]:
        """Give the lines, safe to show."""
        kept = self.kept
        if self.left_out:  # begins anywhere in a line
            kept = kept[kept.find(b"\n") + 1 :]
        return clean_lines(kept.decode("utf-8", "replace")) if kept else []

    def position(self, parts: frozenset[str], timestamp: int | None) -> S3Position:
        """Give the position after all of it."""
        return S3Position(self.etag, self.size, self.head, parts, timestamp=timestamp)


def unpack(body: Any, offset: int, etag: str = "") -> Unpacked:
    """Unpack a log from some byte on; a broken or endless archive gives what can be read of it."""
    size, head, kept, left_out = 0, b"", b"", 0
    for block in _blocks(body):
        head = head or block[:HEAD]
        new = block[max(0, offset - size) :]
        size += len(block)
        kept += new
        left_out += max(0, len(kept) - MAX_KEPT)
        kept = kept[-MAX_KEPT:]
    return Unpacked(etag, size, head, kept, left_out)


def _blocks(body: Any) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=body) as archive:
            for _ in range(MAX_UNPACKED // BLOCK):
                block = archive.read(BLOCK)
                if not block:
                    return
                yield block
    except (OSError, EOFError, zlib.error):
        return  # archived while it was written, or no archive at all: the bytes so far are worth having


def _timed(texts: Iterable[str], timestamp: int | None) -> Iterator[tuple[str, int | None]]:
    """Give each line with its time, which never goes back: their order is the file's."""
    latest = int(time.time() * 1000) + AHEAD
    for text in texts:
        own = line_time(text)
        if own is not None and own <= latest:
            timestamp = own if timestamp is None else max(timestamp, own)
        yield text, timestamp
