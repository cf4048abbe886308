"""News of applications and job runs for whoever listens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.announcer import Announcer
from airflow_provider_emrkit.localemr.serverless.model import ApplicationRecord, RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Change:
    """A new state, or a new attempt.

    :param record: What has it; a copy of that moment.
    :param before: Its state before; None for a new one.
    :param retried: Whether the news is a job run's new attempt.
    """

    record: ApplicationRecord | RunRecord
    before: str | None
    retried: bool = False


@dataclass(frozen=True)
class _Seen:
    state: str
    attempts: int


class ServerlessChanges:
    """Tells listeners of every new state and of every new attempt; they may take their time.

    >>> serverless.store.changes.subscribe(lambda change: print(change.record.state))  # doctest: +SKIP
    """

    def __init__(self) -> None:
        self._announcer: Announcer[Change] = Announcer()
        self._seen: dict[str, _Seen] = {}

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        """Add a listener, before the server is started; it is called from the next change on."""
        self._announcer.subscribe(listener)

    def note(self, record: ApplicationRecord | RunRecord) -> None:
        """Find out what is new since the last call; the store's lock must be held."""
        before = self.know(record)
        now = self._seen[record.id]
        if now == before or not self._announcer.is_heard:
            return
        copy = _copy(record)
        if before is not None and now.attempts > before.attempts:
            self._announcer.put(Change(copy, before.state, retried=True))
        if before is None or now.state != before.state:
            self._announcer.put(Change(copy, before.state if before else None))

    def know(self, record: ApplicationRecord | RunRecord) -> _Seen | None:
        """Take a record's state for known; gives what was known before."""
        before = self._seen.get(record.id)
        self._seen[record.id] = _Seen(
            record.state, len(record.attempts) if isinstance(record, RunRecord) else 0
        )
        return before

    def forget(self, record: ApplicationRecord | RunRecord) -> None:
        """Forget a record's state."""
        self._seen.pop(record.id, None)

    def settle(self, seconds: float) -> bool:
        """Wait until listeners were told of everything so far; False when it took too long."""
        return self._announcer.settle(seconds)

    def clear(self) -> None:
        """Forget which states were seen."""
        self._seen.clear()


def _copy(record: ApplicationRecord | RunRecord) -> ApplicationRecord | RunRecord:
    if isinstance(record, RunRecord):
        return replace(record, attempts=[replace(attempt) for attempt in record.attempts])
    return replace(record)
