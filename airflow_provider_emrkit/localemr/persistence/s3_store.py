"""What S3 holds, on disk: a record for each bucket, object, upload and part, and the contents."""

from __future__ import annotations

import logging
import sqlite3
import threading
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_emrkit.localemr.aside import put_aside
from airflow_provider_emrkit.localemr.persistence.contents import TABLE, Content, Contents, KeptError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

log = logging.getLogger(__name__)

_RECORDS = """
create table if not exists records (
    kind text not null, bucket text not null, name text not null,
    body blob not null, contents text not null,
    primary key (kind, bucket, name)
) without rowid
"""
_PUT = """
insert into records (kind, bucket, name, body, contents) values (?, ?, ?, ?, ?)
on conflict (kind, bucket, name) do update set body = excluded.body, contents = excluded.contents
"""
_DELETE = "delete from records where kind = ? and bucket = ? and name = ?"

BUCKET, OBJECT, UPLOAD, PART = "bucket", "object", "upload", "part"


class Place(NamedTuple):
    """Which record: the settings of a bucket, the versions of a key, an upload in progress, or its part."""

    kind: str
    bucket: str
    name: str = ""


class Body(NamedTuple):
    """What a record holds.

    :param contents: The contents that ``data`` refers to.
    """

    data: bytes
    contents: Sequence[Content] = ()


class S3Store:
    """One SQLite file and a directory of contents.

    What :meth:`keep` has written survives the death of the process at any moment. (A power cut may take the
    last moments.)

    :param directory: Theirs alone; made when it is not there.
    :raises KeptError: when it can't be opened.

    >>> store = S3Store(Path("/tmp/s3"))  # doctest: +SKIP
    >>> store.keep([Place("bucket", "data")], lambda place: Body(b"settings"))  # doctest: +SKIP
    """

    def __init__(self, directory: Path) -> None:
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None
        self._database, self.contents = _open(directory, self._lock)
        # A hash of each body, so that nothing is written twice, and the contents that must stay.
        self._kept: dict[Place, tuple[int, Sequence[Content]]] = {}

    def load(self, read: Callable[[Place, bytes], Sequence[Content] | None]) -> None:
        """Read every record, buckets first, and remove what no record needs.

        :param read: Takes a record in and gives its contents; None when it can't be understood: such a
            record stays on disk.
        :raises KeptError: when the file can't be read.
        """
        needed: set[int] = set()
        with self._lock:
            try:
                for kind in (BUCKET, OBJECT, UPLOAD, PART):
                    needed.update(self._load(kind, read))
                with self._open():
                    self.contents.sweep(needed)
            except (sqlite3.Error, OSError) as error:
                raise KeptError(f"S3 can't be read: {error}") from error

    def keep(self, places: Iterable[Place], body_of: Callable[[Place], Body | None]) -> None:
        """Write the present state of some places, all of it or nothing.

        :param body_of: Gives the present body of a place, None when it is gone.
        :raises KeptError: when they can't be written.
        """
        # The state is looked at while nobody else writes: who writes last has seen the latest.
        with self._lock:
            try:
                self._write({place: body_of(place) for place in places})
            except sqlite3.Error as error:
                raise KeptError(f"S3 can't be kept: {error}") from error

    def clear(self, body_of: Callable[[Place], Body | None]) -> None:
        """Remove everything, but for what there is at this moment.

        :param body_of: See :meth:`keep`.
        :raises KeptError: when that is not possible.
        """
        with self._lock:
            still_there = {place: body for place in self._kept if (body := body_of(place)) is not None}
            try:
                self._replace(still_there)
                # Gives the room back to the disk.
                self._open().execute("vacuum")
                self._open().execute("pragma wal_checkpoint(truncate)")
            except (sqlite3.Error, OSError) as error:
                raise KeptError(f"S3 can't be emptied: {error}") from error

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _load(self, kind: str, read: Callable[[Place, bytes], Sequence[Content] | None]) -> set[int]:
        needed: set[int] = set()
        query = "select bucket, name, body, contents from records where kind = ?"
        for bucket, name, body, ids in self._open().execute(query, (kind,)):
            place = Place(kind, bucket, name)
            needed.update(map(int, ids.split()))
            contents = read(place, body)
            if contents is not None:
                for content in contents:
                    self.contents.bind(content)
                self._kept[place] = hash(body), contents
        return needed

    def _write(self, bodies: dict[Place, Body | None]) -> None:
        changed = {place: body for place, body in bodies.items() if body and self._is_news(place, body)}
        gone = [place for place, body in bodies.items() if body is None]
        if not changed and not gone:
            return
        with self._open() as database:
            if gone:
                database.executemany(_DELETE, gone)
                buckets = [(place.bucket,) for place in gone if place.kind == BUCKET]
                database.executemany("delete from records where bucket = ?", buckets)
            if changed:
                self.contents.write(content for body in changed.values() for content in body.contents)
                database.executemany(_PUT, [_row(place, body) for place, body in changed.items()])
            self.contents.remove_rows()
        self._committed(changed, gone)
        self.contents.remove_files()

    def _replace(self, bodies: dict[Place, Body]) -> None:
        needed = {content.id for body in bodies.values() for content in body.contents}
        with self._open() as database:
            # Not all contents that are there: those of a request that is not answered yet have no record.
            rows = database.execute("select contents from records").fetchall()
            database.execute("delete from records")
            database.executemany(_PUT, [_row(place, body) for place, body in bodies.items()])
            gone = {int(name) for (ids,) in rows for name in ids.split()} - needed
            self.contents.remove(gone)
        self._kept = {place: (hash(body.data), body.contents) for place, body in bodies.items()}

    def _committed(self, changed: dict[Place, Body], gone: Iterable[Place]) -> None:
        for place, body in changed.items():
            self._kept[place] = hash(body.data), body.contents
            for content in body.contents:
                content.data = None
        for place in gone:
            self._kept.pop(place, None)
            if place.kind == BUCKET:
                for within in [kept for kept in self._kept if kept.bucket == place.bucket]:
                    del self._kept[within]

    def _is_news(self, place: Place, body: Body) -> bool:
        kept = self._kept.get(place)
        return kept is None or kept[0] != hash(body.data)

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            raise KeptError("S3 can't be kept: the server has ended")
        return self._database


def _row(place: Place, body: Body) -> tuple[str, str, str, bytes, str]:
    return *place, body.data, " ".join(str(content.id) for content in body.contents)


def _open(directory: Path, lock: threading.RLock) -> tuple[sqlite3.Connection, Contents]:
    path = directory / "s3.db"
    try:
        for made in (directory, directory / "contents"):
            made.mkdir(mode=0o700, parents=True, exist_ok=True)
        database = _connect(path)
        return database, Contents(directory / "contents", database, lock)
    except sqlite3.OperationalError as error:
        raise KeptError(f"{path} can't be written: {error}") from error
    except OSError as error:
        raise KeptError(f"{path} can't be written: {error.strerror or error}") from error
    except sqlite3.DatabaseError as error:
        log.warning("%s: %s", path, error)
        put_aside(directory)
        return _open(directory, lock)


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False)
    try:
        # The write-ahead log needs no sync to survive the process.
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = normal")
        # Pages of 4 KB: moving them into the database syncs it, which takes long on some disks.
        database.execute("pragma wal_autocheckpoint = 4000")
        with database:
            database.execute(_RECORDS)
            database.execute(TABLE)
    except BaseException:
        database.close()
        raise
    return database
