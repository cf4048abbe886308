"""Where records live. One lock guards them all; whoever reads or changes a record holds it.

Whoever changes a cluster or its steps calls ``commit`` before the lock is given back.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.emr.changes import StateChanges
from airflow_provider_emrkit.localemr.emr.resources import Resources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emrkit.localemr.emr.journal import Journal
    from airflow_provider_emrkit.localemr.emr.model import ClusterRecord


class Store:
    """Clusters and the account's other resources, in memory and in a journal.

    A cluster is seen only from its own region, as in AWS.

    :param journal: Where changes are kept, and what there is from the start; None for nowhere.

    >>> Store().cluster("us-east-1", "j-1") is None
    True
    """

    def __init__(self, journal: Journal | None = None) -> None:
        self.lock = threading.RLock()
        self.changes = StateChanges()
        self._journal = journal
        self._clusters: dict[str, ClusterRecord] = {}
        self.resources = Resources(journal)
        if journal is not None:
            self._clusters = {cluster.id: cluster for cluster in journal.clusters()}

    def add_cluster(self, cluster: ClusterRecord) -> None:
        """Keep a new cluster."""
        self._clusters[cluster.id] = cluster
        self.commit(cluster)

    def commit(self, cluster: ClusterRecord) -> None:
        """Put what has changed of a cluster and its steps on disk, and tell listeners of new states.

        One that was forgotten stays so: a reset does not wait for ever for a cluster's end.
        """
        if self._clusters.get(cluster.id) is not cluster:
            return
        if self._journal is not None:
            self._journal.save(cluster)
        self.changes.note(cluster)

    def forget_cluster(self, cluster_id: str) -> None:
        """Forget a cluster, if it is there."""
        self._clusters.pop(cluster_id, None)
        if self._journal is not None:
            self._journal.forget(cluster_id)

    def close(self) -> None:
        """Close the journal: what changes from now on is not kept."""
        with self.lock:
            if self._journal is not None:
                self._journal.close()

    def cluster(self, region: str, cluster_id: str) -> ClusterRecord | None:
        """Find a cluster."""
        found = self._clusters.get(cluster_id)
        return found if found is not None and found.region == region else None

    def clusters(self, region: str) -> Iterator[ClusterRecord]:
        """Go through a region's clusters, newest first."""
        return (cluster for cluster in reversed(self._clusters.values()) if cluster.region == region)

    def all_clusters(self) -> list[ClusterRecord]:
        """List the clusters of all regions, oldest first."""
        return list(self._clusters.values())

    def count(self) -> tuple[dict[str, int], dict[str, int]]:
        """Count clusters and steps of all regions by state."""
        with self.lock:
            clusters = Counter(cluster.state for cluster in self.all_clusters())
            steps = Counter(step.state for cluster in self.all_clusters() for step in cluster.steps.values())
            return dict(sorted(clusters.items())), dict(sorted(steps.items()))

    def clear(self) -> None:
        """Forget everything."""
        with self.lock:
            self._clusters.clear()
            self.resources.clear()
            self.changes.clear()
            if self._journal is not None:
                self._journal.clear()
