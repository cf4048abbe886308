"""Memory sizes as Spark writes them, and the heap they ask for here. Pure: texts in, numbers out."""

from __future__ import annotations

import re

DEFAULT_MEMORY_MIB = 2048

_LEAST_MEMORY_MIB = 1024
_MEMORY = re.compile(r"(\d+)([kmgt]?)b?", re.IGNORECASE)
_TO_MIB = {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024 * 1024}


def heap_mib(limit: int, *wanted: str | None) -> int:
    """Give the heap (MiB) of a JVM: the largest size asked for, between 1 GiB and the limit.

    :param limit: The most this machine gives to a step (MiB).
    :param wanted: Spark sizes such as ``4g``; None or a text that is no size counts as not asked.

    >>> heap_mib(8192, "4g", None)
    4096
    """
    sizes = [size for size in map(memory_mib, wanted) if size]
    return max(_LEAST_MEMORY_MIB, min(limit, max(sizes, default=DEFAULT_MEMORY_MIB)))


def memory_mib(text: str | None) -> int | None:
    """Read a Spark memory size (``4g``, ``512m``, or a bare number of MiB) as MiB.

    >>> memory_mib("4g"), memory_mib("much")
    (4096, None)
    """
    found = _MEMORY.fullmatch(text.strip()) if text else None
    if not found:
        return None
    return int(int(found[1]) * _TO_MIB[found[2].lower() or "m"])
