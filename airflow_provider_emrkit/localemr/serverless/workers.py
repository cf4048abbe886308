"""The workers a job run would have on EMR Serverless: their sizes, and what they use. Pure."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.serverless.effective import configurations_of
from airflow_provider_emrkit.localemr.spark.sizes import memory_mib
from airflow_provider_emrkit.localemr.spark.submit import parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emrkit.localemr.serverless.model import RunRecord

# EMR Serverless' defaults.
_CORES = 4
_MEMORY = "14g"
_DISK = "20g"
_EXECUTORS = 3

_FREE_DISK_GB = 20
_LEAST_BILLED_SECONDS = 60
_LEAST_OVERHEAD_MIB = 384
# As many digits as say anything: all of a long number would make figures that no float holds.
_NUMBER = re.compile(r"[0-9]{1,9}")
_MOST_MIB = 2**40


@dataclass(frozen=True)
class Size:
    """Resources, of one worker or of many.

    >>> Size(4, 16, 20) + Size(4, 16, 20)
    Size(cpu=8, memory_gb=32, disk_gb=40)
    """

    cpu: int = 0
    memory_gb: int = 0
    disk_gb: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(self.cpu + other.cpu, self.memory_gb + other.memory_gb, self.disk_gb + other.disk_gb)

    def __mul__(self, count: int) -> Size:
        return Size(self.cpu * count, self.memory_gb * count, self.disk_gb * count)

    def fits(self, limit: Mapping[str, str]) -> bool:
        """Tell whether it is within a ``maximumCapacity``."""
        given = {"cpu": self.cpu, "memory": self.memory_gb, "disk": self.disk_gb}
        return all(given[name] <= _number(text) for name, text in limit.items())


@dataclass(frozen=True)
class Workers:
    """The workers of one job run.

    :param executors: How many executors it begins with.
    """

    driver: Size
    executor: Size
    executors: int

    @property
    def least(self) -> Size:
        """What it can't run without: its driver and one executor."""
        return self.driver + self.executor

    def used(self, seconds: float) -> dict[str, float]:
        """Give the API's ``totalResourceUtilization`` after some time."""
        return _hours(self.driver + self.executor * self.executors, math.ceil(seconds))

    def billed(self, seconds: float) -> dict[str, float]:
        """Give the API's ``billedResourceUtilization``: at least a minute, and disk beyond 20 GB a worker."""
        paid = [
            Size(size.cpu, size.memory_gb, max(0, size.disk_gb - _FREE_DISK_GB))
            for size in (self.driver, self.executor)
        ]
        return _hours(paid[0] + paid[1] * self.executors, max(_LEAST_BILLED_SECONDS, math.ceil(seconds)))


def workers_of(run: RunRecord) -> Workers:
    """Read the workers of a job run out of its settings; what can't be read counts as not said."""
    parameters = run.request["jobDriver"]["sparkSubmit"].get("sparkSubmitParameters", "")
    options = parse(_words(parameters))
    conf: dict[str, str] = {}
    for item in configurations_of(run):
        if item.get("classification") == "spark-defaults":
            conf.update(item.get("properties") or {})
    conf.update(options.conf())
    sizes = [
        Size(
            _number(options.last(f"--{role}-cores") or conf.get(f"spark.{role}.cores"), _CORES),
            _memory_gb(
                options.last(f"--{role}-memory") or conf.get(f"spark.{role}.memory"),
                conf.get(f"spark.{role}.memoryOverhead"),
            ),
            _number(conf.get(f"spark.emr-serverless.{role}.disk"), _number(_DISK)),
        )
        for role in ("driver", "executor")
    ]
    count = options.last("--num-executors") or conf.get("spark.executor.instances")
    initial = conf.get("spark.dynamicAllocation.initialExecutors")
    return Workers(sizes[0], sizes[1], _number(count or initial, _EXECUTORS))


def size_of(config: Mapping[str, str]) -> Size:
    """Read a ``workerConfiguration``.

    >>> size_of({"cpu": "4 vCPU", "memory": "16 GB"})
    Size(cpu=4, memory_gb=16, disk_gb=20)
    """
    return Size(
        _number(config["cpu"]), _number(config["memory"]), _number(config.get("disk"), _number(_DISK))
    )


def _words(parameters: str) -> Sequence[str]:
    try:
        return shlex.split(parameters)
    except ValueError:
        return parameters.split()


def _memory_gb(text: str | None, overhead: str | None) -> int:
    """Give a worker's memory (GB): what its JVM gets, and the overhead."""
    jvm = _mib(text) or _mib(_MEMORY)
    more = _mib(overhead) or max(_LEAST_OVERHEAD_MIB, jvm // 10)
    return math.ceil((jvm + more) / 1024)


def _mib(text: str | None) -> int:
    try:
        return min(memory_mib(text) or 0, _MOST_MIB)
    except (ValueError, OverflowError):
        return _MOST_MIB


def _number(text: str | None, default: int = 0) -> int:
    found = _NUMBER.match(text.strip()) if text else None
    return int(found[0]) if found else default


def _hours(size: Size, seconds: int) -> dict[str, float]:
    values = {"vCPUHour": size.cpu, "memoryGBHour": size.memory_gb, "storageGBHour": size.disk_gb}
    return {name: round(value * seconds / 3600, 3) for name, value in values.items()}
