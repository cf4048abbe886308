"""The records on disk, so that a server that was killed has forgotten nothing when it is started again."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.emr.model import ClusterRecord, ResourceRecord, StepRecord
from airflow_provider_emrkit.localemr.emr.record_json import R, from_json, to_json
from airflow_provider_emrkit.localemr.record_file import RecordFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CLUSTER, _STEP, _RESOURCE = "cluster", "step", "resource"


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
        self._file = RecordFile(path)
        self._saved: dict[str, _Saved] = {}

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
        if rows and self._file.put(rows):
            saved.body = body
            saved.steps.update({step.id: step.state for step in steps})

    def save_resource(self, record: ResourceRecord) -> None:
        """Write a resource."""
        self._file.put([(_RESOURCE, _resource_id(record), "", to_json(record))])

    def forget_resource(self, record: ResourceRecord) -> None:
        """Remove a resource."""
        self._file.remove(_RESOURCE, _resource_id(record))

    def forget(self, cluster_id: str) -> None:
        """Remove a cluster and its steps."""
        self._saved.pop(cluster_id, None)
        self._file.remove_tree(_CLUSTER, cluster_id)

    def clear(self) -> None:
        """Remove everything."""
        self._saved.clear()
        self._file.remove_kinds((_CLUSTER, _STEP, _RESOURCE))

    def close(self) -> None:
        """Close the file; what is saved from now on is lost. Idempotent."""
        self._file.close()

    def _read(self, kind: str, record: type[R]) -> Iterator[tuple[str, R]]:
        return self._file.read(kind, lambda text: from_json(record, text))


def _resource_id(record: ResourceRecord) -> str:
    return f"{record.region} {record.kind} {record.name}"
