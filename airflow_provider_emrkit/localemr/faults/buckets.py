"""The rates that AWS allows, as token buckets: the table is that of the provider, which keeps to them."""

from __future__ import annotations

import functools
import json
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import airflow_provider_emrkit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_emrkit.localemr.faults.api_kinds import Quotas

_TABLE = Path(airflow_provider_emrkit.__file__).with_name("api_quotas.json")
# What all operations of a service share.
_SHARED = "*"


@functools.cache
def documented() -> Mapping[str, Mapping[str, tuple[float, float]]]:
    """Give the documented rates: service → operation → calls at once, calls a second."""
    table = json.loads(_TABLE.read_text(encoding="utf-8"))
    return {
        service: {operation: (burst, refill) for operation, (burst, refill) in limits.items()}
        for service, limits in table.items()
    }


class Bucket:
    """A rate that may be exceeded for a moment.

    :param burst: Calls at once.
    :param refill: Calls a second, for ever.
    :param clock: Seconds that only go up.

    >>> bucket = Bucket(2, 0.5, clock=lambda: 0.0)
    >>> [bucket.has_token() and bucket.take() is None for _ in range(3)]
    [True, True, False]
    """

    def __init__(self, burst: float, refill: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._refill = refill
        self._clock = clock
        self._tokens = burst
        self._seen = clock()

    def has_token(self) -> bool:
        """Tell whether a call may be made."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._seen) * self._refill)
        self._seen = now
        return self._tokens >= 1

    def take(self) -> None:
        """Count a call."""
        self._tokens -= 1


class Rates:
    """Holds requests to rates, each region by itself. Thread-safe.

    :param fault: Which rates.
    :param clock: Seconds that only go up.

    >>> from airflow_provider_emrkit.localemr.faults.api_kinds import Quotas
    >>> rates = Rates(Quotas(limits={"ListSteps": (1, 0.5)}), clock=lambda: 0.0)
    >>> [rates.allow("emr", "ListSteps", "us-east-1") for _ in range(2)]
    [True, False]
    """

    def __init__(self, fault: Quotas, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = fault.limits or {}
        self._clock = clock
        self._buckets: dict[tuple[str, str, str], Bucket] = {}
        self._lock = threading.Lock()

    def allow(self, service: str, operation: str, region: str) -> bool:
        """Tell whether a call may be made, and count it if so: one that is refused costs nothing."""
        with self._lock:
            names = [name for name in (operation, _SHARED) if self._limit(service, name) is not None]
            buckets = [self._bucket(service, name, region) for name in names]
            if not all(bucket.has_token() for bucket in buckets):
                return False
            for bucket in buckets:
                bucket.take()
            return True

    def _limit(self, service: str, operation: str) -> tuple[float, float] | None:
        known = documented().get(service, {})
        return self._limits.get(operation, known.get(operation)) if known else None

    def _bucket(self, service: str, operation: str, region: str) -> Bucket:
        place = service, operation, region
        limit = self._limit(service, operation)
        if place not in self._buckets and limit is not None:
            self._buckets[place] = Bucket(*limit, self._clock)
        return self._buckets[place]
