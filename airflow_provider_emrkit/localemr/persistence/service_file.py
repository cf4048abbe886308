"""The file of one mock service: a pickle of its state, and parts that are written once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.persistence.contents import KeptError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TABLE = "create table if not exists parts (name text primary key, body blob not null)"
_STATE, _MADE_BY = "state", "made by"


class ServiceFile:
    """A small SQLite file, open only while it is read or written.

    :param path: The file; made when it is first written. What is in it is only known once it is read.

    >>> file = ServiceFile(Path("/tmp/sqs.db"))  # doctest: +SKIP
    >>> file.write(b"state", "5.2.5", {})  # doctest: +SKIP
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # The parts that are there.
        self.names: frozenset[str] = frozenset()

    def write(self, state: bytes, made_by: str, parts: Mapping[str, bytes | None]) -> None:
        """Replace what the file holds, all of it or nothing.

        :param made_by: The version of moto.
        :param parts: All that the state needs; None for one that is there, see :meth:`names`.
        :raises KeptError: when it can't be written.
        """
        try:
            with closing(sqlite3.connect(self.path)) as database, database:
                database.execute("pragma synchronous = off")
                database.execute(_TABLE)
                rows = [(_STATE, state), (_MADE_BY, made_by.encode())]
                rows += [(name, body) for name, body in parts.items() if body is not None]
                database.executemany("insert or replace into parts (name, body) values (?, ?)", rows)
                gone = [(name,) for name in self.names - parts.keys()]
                database.executemany("delete from parts where name = ?", gone)
        except sqlite3.Error as error:
            raise KeptError(f"{self.path} can't be written: {error}") from error
        self.names = frozenset(parts)

    def read(self) -> tuple[bytes, str]:
        """Give the state and the version of moto that made it.

        :raises KeptError: when it can't be read.
        """
        try:
            with closing(sqlite3.connect(self.path)) as database:
                names = {name for (name,) in database.execute("select name from parts")}
        except sqlite3.Error as error:
            raise KeptError(f"{self.path} can't be read: {error}") from error
        self.names = frozenset(names - {_STATE, _MADE_BY})
        return self.part(_STATE), self.part(_MADE_BY).decode()

    def part(self, name: str) -> bytes:
        """Give one part.

        :raises KeptError: when it can't be read.
        """
        try:
            with closing(sqlite3.connect(self.path)) as database:
                query = "select body from parts where name = ?"
                row: tuple[bytes] | None = database.execute(query, (name,)).fetchone()
        except sqlite3.Error as error:
            raise KeptError(f"{self.path} can't be read: {error}") from error
        if row is None:
            raise KeptError(f"{self.path} has no {name}")
        return row[0]
