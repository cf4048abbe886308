"""The sizes a cluster can be asked for by name, and how to bring one's own.

``sizes.json`` holds the package's own sizes. Choices: the primary node and the core nodes are On-Demand,
because a cluster does not survive its primary node and HDFS lives on the core nodes; the task nodes are Spot
with ``price-capacity-optimized``, as the EMR Management Guide advises for clusters that run Spark. Every role
names six instance types with the same number of cores and 4 GiB of memory for each, so that they weigh the
same and Spot has six pools to draw from. All are x86 types of the m5 family, which every EMR release that can
still be started knows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.instances import EbsVolumes, InstanceRole
from airflow_provider_emrkit.compute.plain_data import as_mapping, made
from airflow_provider_emrkit.frozen import FrozenMapping, FrozenSpec
from airflow_provider_emrkit.validation import InvalidValueError, check_instance

if TYPE_CHECKING:
    from collections.abc import Mapping

ROLES = ("primary", "core", "task")
OWN_SIZES = Path(__file__).with_name("sizes.json")


@dataclass(frozen=True, repr=False)
class ClusterSize(FrozenSpec):
    """How big a cluster is: the instances of each role.

    :param primary: The primary node; one instance.
    :param core: The core nodes, which also store HDFS.
    :param task: The task nodes, which only compute; None for none.
    :raises InvalidValueError: when the roles don't make a cluster.

    >>> size = ClusterSize(InstanceRole(["m5.xlarge"]), core=InstanceRole(["m5.2xlarge"], count=3))
    >>> size.core.count
    3
    """

    primary: InstanceRole
    core: InstanceRole
    task: InstanceRole | None = None

    def __post_init__(self) -> None:
        owner = "ClusterSize"
        check_instance(owner, "primary", self.primary, InstanceRole)
        check_instance(owner, "core", self.core, InstanceRole)
        if self.task is not None:
            check_instance(owner, "task", self.task, InstanceRole)
        if self.primary.count != 1:
            raise InvalidValueError(owner, "primary", self.primary.count, "instances can't be", "use count=1")
        if self.core.count == 0 and self.task_count:
            mend = "give the core role at least one instance, or the task role none"
            raise InvalidValueError(owner, "task", self.task, "can't work without core nodes", mend)

    @property
    def task_count(self) -> int:
        """Number of task instances, 0 without that role."""
        return self.task.count if self.task else 0


def load_sizes(path: str | Path) -> Mapping[str, ClusterSize]:
    """Read cluster sizes from a JSON file of the same shape as the package's own ``sizes.json``.

    :param path: The file: an object of sizes by name, each with ``primary``, ``core`` and perhaps ``task``,
        which hold the fields of :class:`~airflow_provider_emrkit.compute.instances.InstanceRole`.
    :raises InvalidValueError: naming the file and the place, when its content is wrong.
    :raises OSError: when it can't be read.

    >>> sorted(load_sizes(OWN_SIZES))
    ['large', 'medium', 'small', 'tiny', 'xlarge']
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidValueError(
            "load_sizes", "path", str(path), f"is not JSON: {error}", "correct the file"
        ) from None
    sizes = as_mapping(path.name, "the file", content)
    return FrozenMapping({name: size_of(path.name, name, data) for name, data in sizes.items()})


def size_of(owner: str, where: str, data: Any) -> ClusterSize:
    """Make a size of plain data.

    :param owner: The file it is from, and ``where`` in it, for errors.
    :raises InvalidValueError: naming the place, when something can't be right.
    """
    return made(ClusterSize, owner, where, data, dict.fromkeys(ROLES, role_of))


def role_of(owner: str, where: str, data: Any) -> InstanceRole:
    """Make a role of plain data, as :func:`size_of` does."""
    return made(InstanceRole, owner, where, data, {"ebs": partial(made, EbsVolumes)})


SIZES = load_sizes(OWN_SIZES)
