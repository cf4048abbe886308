"""Instances that are lost while their cluster runs, and what becomes of the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.emr.instance_batches import end_instances

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from airflow_provider_emrkit.localemr.emr.model import ClusterRecord, InstanceBatch, InstancesRecord

_PRIMARY = "The master node was terminated"
_ALL = "All instances in the job flow are terminated"
_WORKERS = "All slaves in the job flow were terminated"
_BY_SPOT = " due to Spot"


def has_nodes(cluster: ClusterRecord, role: str) -> bool:
    """Tell whether a cluster has instances of a role that are not gone or going."""
    return any(True for _ in _nodes(cluster, role))


def lose_nodes(cluster: ClusterRecord, role: str, count: int | None, now: datetime) -> str | None:
    """End instances at once, Spot instances first and the newest first.

    :param count: How many; None for all of the role.
    :return: Why the cluster ends by it; None when it goes on.
    """
    nodes = sorted(_nodes(cluster, role), key=lambda node: (node[1].market != "SPOT", -node[2]))
    lost = nodes[:count]
    for record in cluster.instances:
        numbers = {number for owner, _, number in lost if owner is record}
        if numbers:
            end_instances(record, numbers, now, lost=True)
    if has_nodes(cluster, role) or role == "TASK" or not lost:
        return None
    if role == "MASTER":
        is_alone = not any(record.role != "MASTER" for record in cluster.instances)
        return _ALL if is_alone else _PRIMARY
    return _WORKERS + (_BY_SPOT if any(batch.market == "SPOT" for _, batch, _ in lost) else "")


def _nodes(cluster: ClusterRecord, role: str) -> Iterator[tuple[InstancesRecord, InstanceBatch, int]]:
    for record in cluster.instances:
        for batch in record.batches:
            if record.role == role and batch.ended is None:
                yield from ((record, batch, number) for number in batch.numbers)
