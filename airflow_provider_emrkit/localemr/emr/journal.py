"""The records on disk, so that a server that was killed has forgotten nothing when it is started again."""

from __future__ import annotations

import logging
import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.emr.model import ClusterRecord, ResourceRecord, StepRecord
from airflow_provider_emrkit.localemr.emr.record_json import R, from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

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
_CLUSTER, _STEP, _RESOURCE = "cluster", "step", "resource"

_Row = tuple[str, str, str, str]


class JournalError(Exception):
    """The journal can't be written; the message says why."""


@dataclass
class _Saved:
    """What the journal holds of one cluster: its text, and the state of each step."""

    body: str = ""
    steps: dict[str, str] = field(default_factory=dict)


class Journal:
    """Keeps records in one SQLite file. Calls must not overlap: callers hold the store's lock.

    What was saved survives the death of the process at any moment. (A power cut may take the last moments.)

    :param path: The file; one that is no journal is put aside.
    :raises JournalError: when it can't be opened.

    >>> journal = Journal(Path("/tmp/state.db"))  # doctest: +SKIP
    >>> journal.save(cluster)  # doctest: +SKIP
    >>> [cluster.id for cluster in Journal(Path("/tmp/state.db")).clusters()]  # doctest: +SKIP
    ['j-2AXXXXXXGAPLF']
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._saved: dict[str, _Saved] = {}
        self._is_failing = False
        self._database: sqlite3.Connection | None = _open(path)

    def clusters(self) -> list[ClusterRecord]:
        """Read all clusters with their steps, oldest first."""
        steps: dict[str, dict[str, StepRecord]] = defaultdict(dict)
        for parent, step in self._read(_STEP, StepRecord):
            steps[parent][step.id] = step
        found = [cluster for _, cluster in self._read(_CLUSTER, ClusterRecord)]
        for cluster in found:
            cluster.steps = steps[cluster.id]
            states = {step.id: step.state for step in cluster.steps.values()}
            self._saved[cluster.id] = _Saved(to_json(cluster), dict(states))
        return found

    def resources(self) -> list[ResourceRecord]:
        """Read all resources, oldest first."""
        return [record for _, record in self._read(_RESOURCE, ResourceRecord)]

    def save(self, cluster: ClusterRecord) -> None:
        """Write what has changed of a cluster and its steps since it was saved last.

        A disk that takes nothing is logged and does not stop the server; the next call tries again.
        """
        saved = self._saved.setdefault(cluster.id, _Saved())
        body = to_json(cluster)
        steps = [step for step in cluster.steps.values() if saved.steps.get(step.id) != step.state]
        rows = [] if body == saved.body else [(_CLUSTER, cluster.id, "", body)]
        rows += [(_STEP, step.id, cluster.id, to_json(step)) for step in steps]
        if rows and self._write(_PUT, rows):
            saved.body = body
            saved.steps.update({step.id: step.state for step in steps})

    def save_resource(self, record: ResourceRecord) -> None:
        """Write a resource."""
        self._write(_PUT, [(_RESOURCE, _resource_id(record), "", to_json(record))])

    def forget_resource(self, record: ResourceRecord) -> None:
        """Remove a resource."""
        self._write("delete from records where kind = ? and id = ?", [(_RESOURCE, _resource_id(record))])

    def forget(self, cluster_id: str) -> None:
        """Remove a cluster and its steps."""
        self._saved.pop(cluster_id, None)
        self._write("delete from records where id = ? or parent = ?", [(cluster_id, cluster_id)])

    def clear(self) -> None:
        """Remove everything."""
        self._saved.clear()
        self._write("delete from records", [()])

    def close(self) -> None:
        """Close the file; what is saved from now on is lost. Idempotent."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _read(self, kind: str, record: type[R]) -> Iterator[tuple[str, R]]:
        if self._database is None:
            return
        query = "select id, parent, body from records where kind = ? order by place"
        for name, parent, body in self._database.execute(query, (kind,)).fetchall():
            found = self._parsed(record, body, f"{kind} {name}")
            if found is not None:
                yield parent, found

    def _parsed(self, record: type[R], body: str, what: str) -> R | None:
        try:
            return from_json(record, body)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("%s: the %s can't be read: %s", self._path, what, error)
            return None

    def _write(self, statement: str, rows: Iterable[_Row | tuple[str, str] | tuple[()]]) -> bool:
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


def _resource_id(record: ResourceRecord) -> str:
    return f"{record.region} {record.kind} {record.name}"


def _open(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _connect(path)
    except sqlite3.OperationalError as error:
        raise JournalError(f"{path} can't be written: {error}") from error
    except OSError as error:
        raise JournalError(f"{path} can't be written: {error.strerror or error}") from error
    except sqlite3.DatabaseError as error:
        aside = path.with_name(f"{path.name}.unreadable")
        log.warning(
            "%s is no journal (%s): it is put aside as %s, the server begins empty", path, error, aside
        )
        path.replace(aside)
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False)
    try:
        # The write-ahead log needs no sync to survive the process.
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = normal")
        with database:
            database.execute(_TABLE)
    except BaseException:
        database.close()
        raise
    return database
