"""Workers of EMR Serverless: how large one may be.

https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/app-behavior.html
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_emrkit.frozen import FrozenSpec
from airflow_provider_emrkit.validation import InvalidValueError, check_choice, check_integer

OWNER = "Workers"
SHUFFLE_OPTIMIZED = "SHUFFLE_OPTIMIZED"
DISK_TYPES = ("STANDARD", SHUFFLE_OPTIMIZED)
MAX_COUNT = 1_000_000
DEFAULT_DISK_GB = 20

# GB of memory by vCPUs.
_MEMORY = {
    1: range(2, 9),
    2: range(4, 17),
    4: range(8, 31),
    8: range(16, 61, 4),
    16: range(32, 121, 8),
    32: (60, 120, 244),
}
_MAX_DISK_GB = {None: 200, "STANDARD": 200, SHUFFLE_OPTIMIZED: 2_000}


@dataclass(frozen=True, repr=False)
class Workers(FrozenSpec):
    """Workers that an application keeps ready while it is started, which are billed all that time.

    A job takes them when its own driver or executors are of the same size: ``spark.executor.cores``, and
    ``spark.executor.memory`` with its overhead, which is a tenth and at least 384 MB.

    :param count: How many.
    :param cpu: vCPUs of each: 1, 2, 4, 8, 16 or 32.
    :param memory_gb: Memory of each, in GB: 2 to 8 with 1 vCPU, 4 to 16 with 2, 8 to 30 with 4, 16 to 60 (in
        steps of 4) with 8, 32 to 120 (in steps of 8) with 16, and 60, 120 or 244 with 32.
    :param disk_gb: Disk of each, 20 to 200 GB, or 2000 of those for shuffles; None for EMR Serverless' 20.
    :param disk_type: ``STANDARD`` or ``SHUFFLE_OPTIMIZED``; the latter from ``emr-7.1.0`` on. None for EMR
        Serverless' own.
    :raises InvalidValueError: when a field can't be right.

    >>> Workers(2, cpu=4, memory_gb=16).count
    2
    """

    count: int
    cpu: int
    memory_gb: int
    disk_gb: int | None = None
    disk_type: str | None = None

    def __post_init__(self) -> None:
        check_integer(OWNER, "count", self.count, 1, MAX_COUNT)
        check_integer(OWNER, "cpu", self.cpu, min(_MEMORY), max(_MEMORY), "vCPUs")
        if self.cpu not in _MEMORY:
            raise InvalidValueError(OWNER, "cpu", self.cpu, "is no size", allowed=map(str, _MEMORY))
        _check_memory(self.cpu, self.memory_gb)
        if self.disk_type is not None:
            check_choice(OWNER, "disk_type", self.disk_type, DISK_TYPES)
        if self.disk_gb is not None:
            most = _MAX_DISK_GB.get(self.disk_type, _MAX_DISK_GB[SHUFFLE_OPTIMIZED])
            check_integer(OWNER, "disk_gb", self.disk_gb, DEFAULT_DISK_GB, most, "GB")

    @property
    def total(self) -> dict[str, int]:
        """What all of them have together: ``cpu``, ``memory_gb`` and ``disk_gb``."""
        each = {"cpu": self.cpu, "memory_gb": self.memory_gb, "disk_gb": self.disk_gb or DEFAULT_DISK_GB}
        return {name: self.count * size for name, size in each.items()}


def _check_memory(cpu: int, memory_gb: int) -> None:
    sizes = _MEMORY[cpu]
    check_integer(OWNER, "memory_gb", memory_gb, min(sizes), max(sizes), f"GB with {cpu} vCPUs")
    if memory_gb not in sizes:
        below = max(size for size in sizes if size < memory_gb)
        above = min(size for size in sizes if size > memory_gb)
        problem = f"is no size of a worker with {cpu} vCPUs"
        raise InvalidValueError(OWNER, "memory_gb", memory_gb, problem, f"use {below} or {above}")
