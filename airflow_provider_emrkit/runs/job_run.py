"""The handle of one submitted job."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHARED = frozenset({"kind", "cluster_id", "region", "log_uri", "log_group", "log_prefix"})


@dataclass(frozen=True, slots=True)
class JobRun:
    """A submitted job: what one needs to watch, cancel and explain it. Plain JSON both ways.

    :param kind: What sort of run it is: ``step``.
    :param cluster_id: ``j-…``
    :param step_id: ``s-…``
    :param token: The run's token; see :class:`~airflow_provider_emrkit.runs.token.RunToken`.
    :param name: Name of the step.
    :param region: AWS region.
    :param owns_cluster: Whether the cluster was made for this run and has to end with it.
    :param submitted_at: Seconds since 1970.
    :param log_uri: Where the cluster archives its logs; None for nowhere.
    :param driver_apart: Whether the driver runs in a YARN container (deploy mode ``cluster``).
    :param log_group: CloudWatch log group that its logs go to; None for none.
    :param log_prefix: What the names of its log streams start with; empty, or ending in a slash.
    :param relaunch: How often its task's try had started the job before.

    >>> run = JobRun("step", "j-1", "s-1", "0123456789abcdef-1", "sales", "us-east-1")
    >>> JobRun.from_dict(run.to_dict()) == run
    True
    """

    kind: str
    cluster_id: str
    step_id: str
    token: str
    name: str
    region: str
    owns_cluster: bool = False
    submitted_at: float = 0.0
    log_uri: str | None = None
    driver_apart: bool = True
    log_group: str | None = None
    log_prefix: str = ""
    relaunch: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> JobRun:
        """Read it back; members that another version of emrkit wrote are ignored."""
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in data.items() if name in known}
        for name in _SHARED & values.keys():
            if isinstance(values[name], str):  # runs are held by the thousand, and have these in common
                values[name] = sys.intern(values[name])
        return cls(**values)

    def __str__(self) -> str:
        return f"step {self.step_id} on cluster {self.cluster_id}"
