"""News of clusters and steps for whoever listens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.announcer import Announcer

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.emr.model import ClusterRecord, StepRecord

Listener = Callable[["ClusterRecord", "StepRecord | None"], None]
"""Takes a cluster, and a step when it is the step that has a new state. Both are copies of that moment (the
cluster without its steps)."""


class StateChanges:
    """Tells listeners of every new state of a cluster or step, one after the other, in their order.

    Listeners may take their time; see :class:`airflow_provider_emrkit.localemr.announcer.Announcer`.

    >>> emr.store.changes.subscribe(lambda cluster, step: print((step or cluster).state))  # doctest: +SKIP
    """

    def __init__(self) -> None:
        self._announcer: Announcer[tuple[ClusterRecord, StepRecord | None]] = Announcer()
        self._known: dict[str, str] = {}

    def subscribe(self, listener: Listener) -> None:
        """Add a listener, before the server is started; it is called from the next change on."""
        self._announcer.subscribe(lambda news: listener(*news))

    def note(self, cluster: ClusterRecord) -> None:
        """Find out what has a new state since the last call; the store's lock must be held."""
        changed = [step for step in cluster.steps.values() if self._is_new(step)]
        is_new = self._is_new(cluster)
        if self._announcer.is_heard and (is_new or changed):
            seen = replace(cluster, steps={})
            if is_new:
                self._announcer.put((seen, None))
            for step in changed:
                self._announcer.put((seen, replace(step)))

    def settle(self, seconds: float) -> bool:
        """Wait until listeners were told of everything so far; False when it took too long."""
        return self._announcer.settle(seconds)

    def clear(self) -> None:
        """Forget which states were seen."""
        self._known.clear()

    def _is_new(self, record: ClusterRecord | StepRecord) -> bool:
        before = self._known.get(record.id)
        self._known[record.id] = record.state
        return before != record.state
