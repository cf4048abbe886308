"""Records on disk, so that a server that was killed has forgotten nothing when it is started again."""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_emrkit.localemr.aside import put_aside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

log = logging.getLogger(__name__)

T = TypeVar("T")

JOURNAL_FILE = "state.db"
"""Name of the journal in an instance's data directory."""

# The place in the table is the order of things: ids are random, and several things share one time.
_TABLE = """
create table if not exists records (
    place integer primary key autoincrement,
    kind text not null, id text not null, parent text not null, body text not null,
    unique (kind, id)
)
"""
_PUT = """
insert into records (kind, id, parent, body) values (?, ?, ?, ?)
on conflict (kind, id) do update set body = excluded.body
"""

Row = tuple[str, str, str, str]
"""Kind, id, id of the record it belongs to, and text of a record."""


class JournalError(Exception):
    """The journal can't be written; the message says why."""


class RecordFile:
    """Texts by kind and id in one SQLite file. Calls must not overlap; several of these may share the file.

    What was put survives the death of the process at any moment. (A power cut may take the last moments.)

    :param path: The file; one that is no journal is put aside.
    :raises JournalError: when it can't be opened.

    >>> RecordFile(Path("/tmp/state.db")).put([("cluster", "j-1", "", "{}")])  # doctest: +SKIP
    True
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_failing = False
        self._database: sqlite3.Connection | None = _open(path)

    def read(self, kind: str, parse: Callable[[str], T]) -> Iterator[tuple[str, T]]:
        """Read all records of a kind, oldest first, with the ids of what they belong to.

        :param parse: Makes the record of its text; a text that it can't read is logged and left out.
        """
        if self._database is None:
            return
        query = "select id, parent, body from records where kind = ? order by place"
        for name, parent, body in self._database.execute(query, (kind,)).fetchall():
            found = self._parsed(parse, body, f"{kind} {name}")
            if found is not None:
                yield parent, found

    def _parsed(self, parse: Callable[[str], T], body: str, what: str) -> T | None:
        try:
            return parse(body)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("%s: the %s can't be read: %s", self._path, what, error)
            return None

    def put(self, rows: Iterable[Row]) -> bool:
        """Write records, in one transaction.

        A disk that takes nothing is logged and does not stop the server.

        :return: False when nothing was written.
        """
        return self._write(_PUT, rows)

    def remove(self, kind: str, name: str) -> None:
        """Remove one record."""
        self._write("delete from records where kind = ? and id = ?", [(kind, name)])

    def remove_tree(self, kind: str, name: str) -> None:
        """Remove a record and what belongs to it."""
        self._write("delete from records where (kind = ? and id = ?) or parent = ?", [(kind, name, name)])

    def remove_kinds(self, kinds: Sequence[str]) -> None:
        """Remove all records of some kinds."""
        self._write("delete from records where kind = ?", [(kind,) for kind in kinds])

    def close(self) -> None:
        """Close the file; what is put from now on is lost. Idempotent."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _write(self, statement: str, rows: Iterable[tuple[str, ...]]) -> bool:
        if self._database is None:
            return False
        try:
            with self._database:
                self._database.executemany(statement, rows)
        except sqlite3.Error as error:
            if not self._is_failing:
                log.error("%s can't be written, a restart would not know of it: %s", self._path, error)
            self._is_failing = True
            return False
        self._is_failing = False
        return True


def _open(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _connect(path)
    except sqlite3.OperationalError as error:
        raise JournalError(f"{path} can't be written: {error}") from error
    except OSError as error:
        raise JournalError(f"{path} can't be written: {error.strerror or error}") from error
    except sqlite3.DatabaseError as error:
        log.warning("%s: %s", path, error)
        put_aside(path)
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False)
    # A text that is no text is a record that can't be read, not a file.
    database.text_factory = lambda text: text.decode(errors="replace")
    try:
        # The write-ahead log needs no sync to survive the process.
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = normal")
        with database:
            database.execute(_TABLE)
        _check(database)
    except BaseException:
        database.close()
        raise
    return database


def _check(database: sqlite3.Connection) -> None:
    """Look at all of the file: damage in its middle would show itself only when a record there is read.

    :raises sqlite3.DatabaseError: when it is damaged.
    """
    (found,) = database.execute("pragma quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)
