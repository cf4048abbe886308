"""News of clusters and steps for whoever listens."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.emr.model import ClusterRecord, StepRecord

log = logging.getLogger(__name__)

Listener = Callable[["ClusterRecord", "StepRecord | None"], None]
"""Takes a cluster, and a step when it is the step that has a new state. Both are copies of that moment (the
cluster without its steps)."""


class StateChanges:
    """Tells listeners of every new state of a cluster or step, one after the other, in their order.

    Listeners are called by one thread, which holds no lock: they may take their time and call this server's
    APIs. What they raise is logged.

    >>> emr.store.changes.subscribe(lambda cluster, step: print((step or cluster).state))  # doctest: +SKIP
    """

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._known: dict[str, str] = {}
        self._waiting: queue.Queue[tuple[ClusterRecord, StepRecord | None]] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="localemr-changes", daemon=True)

    def subscribe(self, listener: Listener) -> None:
        """Add a listener, before the server is started; it is called from the next change on."""
        self._listeners.append(listener)
        if not self._thread.is_alive():
            self._thread.start()

    def note(self, cluster: ClusterRecord) -> None:
        """Find out what has a new state since the last call; the store's lock must be held."""
        changed = [step for step in cluster.steps.values() if self._is_new(step)]
        is_new = self._is_new(cluster)
        if self._listeners and (is_new or changed):
            seen = replace(cluster, steps={})
            if is_new:
                self._waiting.put((seen, None))
            for step in changed:
                self._waiting.put((seen, replace(step)))

    def settle(self, seconds: float) -> bool:
        """Wait until listeners were told of everything so far; False when it took too long."""
        done = self._waiting.all_tasks_done
        with done:
            return done.wait_for(lambda: not self._waiting.unfinished_tasks, seconds)

    def clear(self) -> None:
        """Forget which states were seen."""
        self._known.clear()

    def _is_new(self, record: ClusterRecord | StepRecord) -> bool:
        before = self._known.get(record.id)
        self._known[record.id] = record.state
        return before != record.state

    def _run(self) -> None:
        while True:
            cluster, step = self._waiting.get()
            for listener in self._listeners:
                _tell(listener, cluster, step)
            self._waiting.task_done()


def _tell(listener: Listener, cluster: ClusterRecord, step: StepRecord | None) -> None:
    try:
        listener(cluster, step)
    except Exception:
        log.exception("a listener failed at %s of %s", (step or cluster).state, cluster.id)
