"""What a task asks of a pool: all that is needed to place its job, also by another process."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.pool_mark import PoolPlace
from airflow_provider_emrkit.logs.wishes import LogWishes
from airflow_provider_emrkit.runs.token import RunToken

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class PoolBounds:
    """How a pool may grow, and how it is used.

    :param max_clusters: Clusters at once, those that start included.
    :param min_clusters: How many it is brought to when it is used.
    :param steps_per_cluster: Steps on one cluster at once.
    :param selection: ``fewest_steps``, ``most_memory``, or ``module:function``.

    >>> PoolBounds(3).steps_per_cluster
    1
    """

    max_clusters: int
    min_clusters: int = 0
    steps_per_cluster: int = 1
    selection: str = "fewest_steps"


@dataclass(frozen=True)
class PoolOrder:
    """One job on its way to a cluster of a pool. Plain JSON both ways.

    :param place: Which pool.
    :param bounds: How it may grow.
    :param spec: What its clusters are like but for their size; see
        :class:`~airflow_provider_emrkit.compute.pool_mark.PoolMark`.
    :param capacity: How big they are at least.
    :param cluster: The RunJobFlow request of one, without its ``Name``.
    :param step: The step (``StepConfig``).
    :param token: Whose job it is.
    :param since: Since when the job waits, in seconds since 1970.
    :param driver_apart: Whether the driver runs in a YARN container (deploy mode ``cluster``).
    :param executor_logs: Whether its executors' logs are wanted in the task's log.
    :param log_streams: Group and name of CloudWatch streams that the job writes to by itself.

    >>> PoolOrder.from_dict(order.to_dict()) == order  # doctest: +SKIP
    True
    """

    place: PoolPlace
    bounds: PoolBounds
    spec: str
    capacity: tuple[int, int, int]
    cluster: Mapping[str, Any] = field(hash=False)
    step: Mapping[str, Any] = field(hash=False)
    token: RunToken
    since: float
    driver_apart: bool = True
    executor_logs: bool = False
    log_streams: tuple[tuple[str, str], ...] = ()

    @property
    def wishes(self) -> LogWishes:
        """What is wanted of the job's logs."""
        return LogWishes(self.executor_logs, self.log_streams)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        return {**asdict(self), "capacity": list(self.capacity)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PoolOrder:
        """Read it back; members that another version of emrkit wrote are ignored."""
        values = known_members(cls, data)
        primary, core, task = values["capacity"]
        values["capacity"] = (primary, core, task)
        values["place"] = PoolPlace(**known_members(PoolPlace, values["place"]))
        values["bounds"] = PoolBounds(**known_members(PoolBounds, values["bounds"]))
        values["log_streams"] = tuple((group, name) for group, name in values.get("log_streams") or ())
        values["token"] = RunToken(**known_members(RunToken, values["token"]))
        return cls(**values)


def known_members(kind: type, data: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a dataclass has fields for; another version of emrkit may have written more."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in data.items() if name in names}
