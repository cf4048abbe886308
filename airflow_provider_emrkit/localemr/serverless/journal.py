"""Applications and job runs on disk, in the same file as the clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.record_file import RecordFile
from airflow_provider_emrkit.localemr.record_json import RecordJson
from airflow_provider_emrkit.localemr.serverless.model import (
    ApplicationRecord,
    AttemptRecord,
    CancelRecord,
    RunRecord,
    Token,
)

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_emrkit.localemr.record_file import Row

_APPLICATION, _RUN = "serverless application", "serverless job run"

_JSON: RecordJson = RecordJson(
    times={"created", "updated", "started", "ended", "since", "idle_since", "queued_since"},
    parts={
        "token": lambda value: _JSON.make(Token, value),
        "cancel": lambda value: _JSON.make(CancelRecord, value),
        "attempts": lambda value: [_JSON.make(AttemptRecord, item) for item in value],
    },
)


class ServerlessJournal:
    """Keeps applications and job runs in a file. Calls must not overlap: callers hold the store's lock.

    :param path: The file; see :class:`airflow_provider_emrkit.localemr.record_file.RecordFile`.
    :raises JournalError: when it can't be opened.

    >>> ServerlessJournal(Path("/tmp/state.db")).applications()  # doctest: +SKIP
    []
    """

    def __init__(self, path: Path) -> None:
        self._file = RecordFile(path)
        self._unsaved: dict[str, ApplicationRecord | RunRecord] = {}

    def applications(self) -> list[ApplicationRecord]:
        """Read all applications, oldest first."""
        found = self._file.read(_APPLICATION, lambda text: _JSON.read(ApplicationRecord, text))
        return [record for _, record in found]

    def runs(self) -> list[RunRecord]:
        """Read all job runs, oldest first."""
        return [record for _, record in self._file.read(_RUN, lambda text: _JSON.read(RunRecord, text))]

    def save(self, record: ApplicationRecord | RunRecord) -> None:
        """Write a record as it is now.

        A disk that takes nothing is logged and does not stop the server; the next call tries again.
        """
        self._unsaved[record.id] = record
        if self._file.put([_row(unsaved) for unsaved in self._unsaved.values()]):
            self._unsaved.clear()

    def forget(self, record: ApplicationRecord | RunRecord) -> None:
        """Remove a record, and with an application its job runs."""
        self._unsaved.pop(record.id, None)
        self._file.remove_tree(_RUN if isinstance(record, RunRecord) else _APPLICATION, record.id)

    def clear(self) -> None:
        """Remove everything."""
        self._unsaved.clear()
        self._file.remove_kinds((_APPLICATION, _RUN))

    def close(self) -> None:
        """Close the file; what is saved from now on is lost. Idempotent."""
        self._file.close()


def _row(record: ApplicationRecord | RunRecord) -> Row:
    if isinstance(record, RunRecord):
        return _RUN, record.id, record.application_id, _JSON.write(record)
    return _APPLICATION, record.id, "", _JSON.write(record)
