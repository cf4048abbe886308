"""Where applications and job runs live. One lock guards them all; who reads or changes a record holds it.

Whoever changes a record calls ``commit`` before the lock is given back.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.serverless.changes import ServerlessChanges
from airflow_provider_emrkit.localemr.serverless.model import ApplicationRecord, RunRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_emrkit.localemr.serverless.journal import ServerlessJournal


class ServerlessStore:
    """Applications and job runs, in memory and in a journal.

    An application is seen only from its own region, as in AWS.

    :param journal: Where changes are kept, and what there is from the start; None for nowhere.

    >>> ServerlessStore().application("us-east-1", "00f1a2b3c4d5e6f7") is None
    True
    """

    def __init__(self, journal: ServerlessJournal | None = None) -> None:
        self.lock = threading.RLock()
        self.changes = ServerlessChanges()
        self._journal = journal
        self._applications: dict[str, ApplicationRecord] = {}
        self._runs: dict[str, dict[str, RunRecord]] = {}
        self._active: dict[str, dict[str, RunRecord]] = {}
        self._tokens: dict[tuple[str, str], ApplicationRecord | RunRecord] = {}
        if journal is not None:
            for application in journal.applications():
                self._keep_application(application)
                self.changes.know(application)
            for run in journal.runs():
                if run.application_id in self._applications:
                    self._keep_run(run)
                    self.changes.know(run)

    def _keep_application(self, application: ApplicationRecord) -> None:
        self._applications[application.id] = application
        self._runs.setdefault(application.id, {})
        self._tokens[application.region, application.token.value] = application

    def _keep_run(self, run: RunRecord) -> None:
        self._runs[run.application_id][run.id] = run
        self._tokens[run.application_id, run.token.value] = run
        self._note_activity(run)

    def _note_activity(self, run: RunRecord) -> None:
        active = self._active.setdefault(run.application_id, {})
        if run.is_active:
            active[run.id] = run
            return
        active.pop(run.id, None)
        if not active:
            del self._active[run.application_id]

    def add(self, record: ApplicationRecord | RunRecord) -> None:
        """Keep a new application or job run."""
        if isinstance(record, RunRecord):
            self._keep_run(record)
        else:
            self._keep_application(record)
        self.commit(record)

    def commit(self, record: ApplicationRecord | RunRecord) -> None:
        """Put what has changed of a record on disk, and tell listeners of what is new.

        One that was forgotten stays so: a reset does not wait for ever for a job run's end.
        """
        if not self._is_known(record):
            return
        if isinstance(record, RunRecord):
            self._note_activity(record)
        if self._journal is not None:
            self._journal.save(record)
        self.changes.note(record)

    def _is_known(self, record: ApplicationRecord | RunRecord) -> bool:
        if isinstance(record, RunRecord):
            return self.run(record.application_id, record.id) is record
        return self._applications.get(record.id) is record

    def forget(self, record: ApplicationRecord | RunRecord) -> None:
        """Forget a record that is at its end, and with an application its job runs."""
        if isinstance(record, RunRecord):
            self._drop_run(record)
        else:
            for run in list(self._runs.pop(record.id, {}).values()):
                self._drop_run(run)
            self._applications.pop(record.id, None)
            self._tokens.pop((record.region, record.token.value), None)
            self.changes.forget(record)
        if self._journal is not None:
            self._journal.forget(record)

    def _drop_run(self, run: RunRecord) -> None:
        self._runs.get(run.application_id, {}).pop(run.id, None)
        self._tokens.pop((run.application_id, run.token.value), None)
        self.changes.forget(run)

    def application(self, region: str, application_id: str) -> ApplicationRecord | None:
        """Find an application."""
        found = self._applications.get(application_id)
        return found if found is not None and found.region == region else None

    def applications(self, region: str) -> Iterable[ApplicationRecord]:
        """Go through a region's applications, newest first."""
        return (found for found in reversed(self._applications.values()) if found.region == region)

    def all_applications(self) -> list[ApplicationRecord]:
        """List the applications of all regions, oldest first."""
        return list(self._applications.values())

    def find_application(self, application_id: str) -> ApplicationRecord | None:
        """Find an application of any region."""
        return self._applications.get(application_id)

    def run(self, application_id: str, run_id: str) -> RunRecord | None:
        """Find a job run."""
        return self._runs.get(application_id, {}).get(run_id)

    def runs(self, application_id: str) -> Iterable[RunRecord]:
        """Go through an application's job runs, newest first."""
        return reversed(self._runs.get(application_id, {}).values())

    def active_runs(self, application_id: str) -> list[RunRecord]:
        """List the job runs that are not at their end, oldest first."""
        return list(self._active.get(application_id, {}).values())

    def active_applications(self) -> list[str]:
        """List the ids of the applications that have such runs."""
        return list(self._active)

    def with_token(self, scope: str, token: str) -> ApplicationRecord | RunRecord | None:
        """Find what was asked for with a ``clientToken``.

        :param scope: The region for applications, the application's id for job runs.
        """
        return self._tokens.get((scope, token))

    def count(self) -> tuple[dict[str, int], dict[str, int]]:
        """Count applications and job runs of all regions by state."""
        with self.lock:
            applications = Counter(application.state for application in self._applications.values())
            runs = Counter(run.state for found in self._runs.values() for run in found.values())
            return dict(sorted(applications.items())), dict(sorted(runs.items()))

    def clear(self) -> None:
        """Forget everything."""
        with self.lock:
            self._applications.clear()
            self._runs.clear()
            self._active.clear()
            self._tokens.clear()
            self.changes.clear()
            if self._journal is not None:
                self._journal.clear()

    def close(self) -> None:
        """Close the journal: what changes from now on is not kept."""
        with self.lock:
            if self._journal is not None:
                self._journal.close()
