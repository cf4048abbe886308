"""The bytes of S3 objects, outside of memory: small ones in a database, others in files of their own."""

from __future__ import annotations

import contextlib
import itertools
import secrets
import sqlite3
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path
    from threading import RLock

SMALL = 32 * 1024
"""Contents of at most this size are rows of the database: faster than a file each."""

TABLE = "create table if not exists contents (id integer primary key, data blob not null)"


# Bits of an id that are counted up by one process; the others are its own.
_COUNTED = 32


class KeptError(Exception):
    """Something can't be written to disk; the message says why."""


class Content:
    """The bytes of one object or part. They can be read for as long as this object is referenced.

    :param place: Where they are.
    :param data: The bytes, as long as they are only in memory.

    >>> contents.add(b"x").read()  # doctest: +SKIP
    b'x'
    """

    __slots__ = ("data", "id", "place", "size")

    def __init__(self, id: int, size: int, place: Contents | None = None, data: bytes | None = None) -> None:  # noqa: A002
        self.id = id
        self.size = size
        self.place = place
        self.data = data

    def read(self) -> bytes:
        """Give all bytes."""
        data = self.data
        if data is not None:
            return data
        if self.place is None:
            raise KeptError(f"content {self.id} belongs to no store")
        return self.place.read(self)

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickled without its bytes and its place: who reads it back binds it.
        return Content, (self.id, self.size)

    def __deepcopy__(self, memo: object) -> Content:
        return self

    def __del__(self) -> None:
        # Only noted, never removed here: this runs at any time, at the end of the interpreter too.
        if self.place is not None:
            self.place.unreferenced[self.size > SMALL].append(self.id)


class Contents:
    """All contents of one data directory.

    A content is removed when no :class:`Content` of it is referenced any more; the store of what is on disk
    holds one for each that a record on disk needs. So a reader may finish with an object that was deleted.

    :param directory: For the larger ones.
    :param database: For the small ones.
    :param lock: Held while the database is used.

    >>> Contents(directory, database, RLock()).add(b"x").size  # doctest: +SKIP
    1
    """

    def __init__(self, directory: Path, database: sqlite3.Connection, lock: RLock) -> None:
        self._directory = directory
        self._database = database
        self._lock = lock
        # Ids of rows, and of files.
        self.unreferenced: tuple[deque[int], deque[int]] = deque(), deque()
        # One after the other, so that rows written together are together; never those of an earlier start.
        self._ids = itertools.count(self._unused_range())

    def add(self, data: bytes) -> Content:
        """Take bytes in: large ones are in a file when this returns, small ones stay in memory until kept.

        :raises KeptError: when the file can't be written.
        """
        name = next(self._ids)
        if len(data) <= SMALL:
            return Content(name, len(data), self, bytes(data))
        path = self._file(name)
        try:
            path.write_bytes(data)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise KeptError(f"{path} can't be written: {error.strerror or error}") from error
        return Content(name, len(data), self)

    def bind(self, content: Content) -> None:
        """Make a content that was read back readable."""
        content.place = self

    def read(self, content: Content) -> bytes:
        """Give the bytes of a content that is on disk.

        :raises KeptError: when they are not there.
        """
        try:
            if content.size > SMALL:
                return self._file(content.id).read_bytes()
            with self._lock:
                query = "select data from contents where id = ?"
                row: tuple[bytes] | None = self._database.execute(query, (content.id,)).fetchone()
        except (OSError, sqlite3.Error) as error:
            raise KeptError(f"content {content.id} can't be read: {error}") from error
        if row is None:
            # Kept by another thread just now, which then let go of the bytes in memory, or lost.
            raise KeptError(f"content {content.id} is lost")
        return row[0]

    def write(self, contents: Iterable[Content]) -> None:
        """Write small contents that are only in memory; the caller holds the lock and commits."""
        rows = [(content.id, content.data) for content in contents if content.data is not None]
        if rows:
            self._database.executemany("insert or replace into contents (id, data) values (?, ?)", rows)

    def remove(self, ids: Collection[int]) -> None:
        """Remove contents, whoever has them; the caller holds the lock and commits."""
        self._database.executemany("delete from contents where id = ?", [(name,) for name in ids])
        for name in ids:
            self._file(name).unlink(missing_ok=True)

    def remove_rows(self) -> None:
        """Remove small contents nobody needs; the caller holds the lock and commits."""
        ids = _drained(self.unreferenced[False])
        if ids:
            self._database.executemany("delete from contents where id = ?", ids)

    def remove_files(self) -> None:
        """Remove large contents nobody needs."""
        for (name,) in _drained(self.unreferenced[True]):
            self._file(name).unlink(missing_ok=True)

    def sweep(self, needed: Collection[int]) -> None:
        """Remove what a killed process left: contents that are not among ``needed``."""
        there = {name for (name,) in self._database.execute("select id from contents")}
        there |= {int(path.name, 16) for path in self._directory.glob("*/*") if _is_hex(path.name)}
        self.remove(there - set(needed))
        for directory in self._directory.iterdir():
            if directory != self._file(next(self._ids)).parent:
                with contextlib.suppress(OSError):  # not empty
                    directory.rmdir()

    def _file(self, name: int) -> Path:
        return self._directory / f"{name >> _COUNTED:x}" / f"{name:x}"

    def _unused_range(self) -> int:
        while True:
            first = secrets.randbits(63 - _COUNTED) << _COUNTED
            query = "select 1 from contents where id between ? and ? limit 1"
            row = self._database.execute(query, (first, first + (1 << _COUNTED))).fetchone()
            if row is None and not self._file(first).parent.exists():
                self._file(first).parent.mkdir(mode=0o700)
                return first


def _is_hex(name: str) -> bool:
    return all(digit in "0123456789abcdef" for digit in name)


def _drained(ids: deque[int]) -> list[tuple[int]]:
    return [(ids.popleft(),) for _ in range(len(ids))]
