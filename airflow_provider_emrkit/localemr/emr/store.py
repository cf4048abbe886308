"""Where records live. One lock guards them all; whoever reads or changes a record holds it."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emrkit.localemr.emr.model import ClusterRecord, SecurityConfigurationRecord


class Store:
    """Clusters and security configurations, in memory.

    A cluster is seen only from its own region, as in AWS.

    >>> Store().cluster("us-east-1", "j-1") is None
    True
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._clusters: dict[str, ClusterRecord] = {}
        self._security_configurations: dict[tuple[str, str], SecurityConfigurationRecord] = {}

    def add_cluster(self, cluster: ClusterRecord) -> None:
        """Keep a new cluster."""
        self._clusters[cluster.id] = cluster

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

    def put_security_configuration(self, record: SecurityConfigurationRecord) -> None:
        """Keep a security configuration under its name."""
        self._security_configurations[record.region, record.name] = record

    def security_configuration(self, region: str, name: str) -> SecurityConfigurationRecord | None:
        """Find a security configuration."""
        return self._security_configurations.get((region, name))

    def security_configurations(self, region: str) -> list[SecurityConfigurationRecord]:
        """List a region's security configurations, newest first."""
        return [found for found in reversed(self._security_configurations.values()) if found.region == region]

    def remove_security_configuration(self, region: str, name: str) -> None:
        """Forget a security configuration, if it is there."""
        self._security_configurations.pop((region, name), None)

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
            self._security_configurations.clear()
