"""Executors as processes of their own, where that is wanted. Pure: properties in, properties out.

Usually driver and executors are one JVM here (``local[N]``), which starts quickly. Spark's ``local-cluster``
starts real executors beside the driver: it holds a master and workers of Spark's standalone mode in the
driver's JVM, and these start a JVM for each executor.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.spark.sizes import heap_mib, memory_mib

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.localemr.spark.submit import Machine

COLLECTOR = re.compile(r"-XX:\+Use\w+GC\b")
"""A JVM option that chooses a garbage collector; two of them stop a JVM from starting."""

# What a job gets on YARN when it asks for no number.
_USUAL_COUNT = 2
_MOST_CORES = 32
# A worker's size only limits what its executors may ask for, also in code; it takes no memory itself.
_WORKER_MIB = 1024 * 1024

_NUMBER = re.compile(r"[0-9]{1,9}")
_INSTANCES, _CORES, _MEMORY = "spark.executor.instances", "spark.executor.cores", "spark.executor.memory"
_CLASS_PATH = "spark.executor.extraClassPath"
_OPTIONS, _MORE_OPTIONS = "spark.executor.defaultJavaOptions", "spark.executor.extraJavaOptions"


STANDALONE = (
    "org.apache.spark.deploy.master",
    "org.apache.spark.deploy.worker",
    # Those two, about each other, when a job ends.
    "org.apache.spark.network.server.TransportRequestHandler",
)
"""Loggers of what starts executors: when a job ends, they report errors that are none of the job's."""

FITTED = (
    "spark.cores.max",
    "spark.dynamicAllocation.enabled",
    "spark.executor.cores",
    "spark.shuffle.service.enabled",
)
"""Properties that are fitted to this machine: code that sets them would wait for executors for ever."""


def master_conf(machine: Machine, asked: Mapping[str, str]) -> dict[str, str]:
    """Give the properties that say where a job runs.

    :param asked: What the job asks for, its options as properties.

    >>> from airflow_provider_emrkit.localemr.spark.submit import Machine
    >>> master_conf(Machine(2, 8192), {})
    {'spark.master': 'local[2]'}
    >>> master_conf(Machine(2, 8192, executors="processes"), {_CORES: "3"})["spark.master"]
    'local-cluster[2,3,1048576]'
    """
    if machine.executors == "threads":
        return {"spark.master": f"local[{machine.cores}]"}
    count, cores = _count(machine, asked), _cores(machine, asked)
    return {
        "spark.master": f"local-cluster[{count},{cores},{_WORKER_MIB}]",
        # Also against a --properties-file, which is not fitted to this machine.
        "spark.dynamicAllocation.enabled": "false",
        "spark.shuffle.service.enabled": "false",
        # As many as a worker has: one executor for each worker.
        _CORES: str(cores),
        "spark.cores.max": str(count * cores),
        **_memory(machine, asked, count),
        **_joined(_CLASS_PATH, ":", *machine.class_path, asked.get(_CLASS_PATH)),
        **_joined(_OPTIONS, " ", _own_options(machine, asked), asked.get(_OPTIONS)),
    }


def driver_heap_mib(machine: Machine, asked: Mapping[str, str]) -> int:
    """Give the heap of the driver's JVM (MiB), which executors share when they are its threads."""
    shared = asked.get(_MEMORY) if machine.executors == "threads" else None
    return heap_mib(machine.memory_mib, asked.get("spark.driver.memory"), shared)


def _count(machine: Machine, asked: Mapping[str, str]) -> int:
    return min(_number(asked.get(_INSTANCES)) or _USUAL_COUNT, max(_USUAL_COUNT, machine.cores))


def _cores(machine: Machine, asked: Mapping[str, str]) -> int:
    wanted = _number(asked.get(_CORES)) or max(1, machine.cores // _count(machine, asked))
    return min(_MOST_CORES, max(wanted, _number(asked.get("spark.task.cpus")) or 1))


def _memory(machine: Machine, asked: Mapping[str, str], count: int) -> dict[str, str]:
    """Leave the size as it is, also one too small for Spark, unless this machine has not so much."""
    size = memory_mib(asked.get(_MEMORY))
    if not size:
        return {}
    return {_MEMORY: f"{min(size, heap_mib(machine.memory_mib // count, f'{size}m'))}m"}


def _own_options(machine: Machine, asked: Mapping[str, str]) -> str:
    theirs = " ".join(filter(None, (asked.get(_OPTIONS), asked.get(_MORE_OPTIONS))))
    ours = COLLECTOR.sub("", machine.executor_jvm) if COLLECTOR.search(theirs) else machine.executor_jvm
    return " ".join(ours.split())


def _joined(key: str, separator: str, *parts: str | None) -> dict[str, str]:
    text = separator.join(filter(None, parts))
    return {key: text} if text else {}


def _number(text: str | None) -> int | None:
    return int(text) if text and _NUMBER.fullmatch(text.strip()) else None
