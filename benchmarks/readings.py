"""What is read of a triggerer's process from outside."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Seconds between two ticks.
TICK = 0.05


@dataclass(frozen=True)
class Usage:
    """Seconds of processor time.

    :param cpu: Of the triggerer.
    :param ours: Of all processes of the measurement.
    :param machine: Of all processes there are.
    """

    cpu: float
    ours: float
    machine: float

    @classmethod
    def now(cls, triggerer: psutil.Process, others: Sequence[psutil.Process]) -> Usage:
        """Read what has been used until now.

        :param others: The other processes of the measurement.
        """
        cpu = _spent(triggerer)
        return cls(cpu, cpu + sum(map(_spent, others)), _busy())

    def __sub__(self, before: Usage) -> Usage:
        return Usage(self.cpu - before.cpu, self.ours - before.ours, self.machine - before.machine)

    def load(self, seconds: float) -> float:
        """Tell what share of the machine other programs took during some seconds."""
        return max(0.0, self.machine - self.ours) / seconds / (psutil.cpu_count() or 1)


def memory(process: psutil.Process) -> float:
    """Give the memory a process has to itself, in bytes: shared pages count by share, where that is known."""
    info: Any = process.memory_full_info()
    return float(getattr(info, "pss", info.uss))


@contextmanager
def ticking() -> Iterator[list[float]]:
    """Measure how late a thread is that does nothing but tick: the machine's own part in any delay.

    >>> with ticking() as lags:
    ...     time.sleep(0.2)
    >>> len(lags) > 1
    True
    """
    lags: list[float] = []
    stop = threading.Event()

    def tick() -> None:
        while True:
            began = time.monotonic()
            if stop.wait(TICK):
                return
            lags.append(time.monotonic() - began - TICK)

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield lags
    finally:
        stop.set()
        thread.join()


def _spent(process: psutil.Process) -> float:
    """Give the seconds of processor time that a process has used, threads and kernel included."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _busy() -> float:
    """Give the seconds of processor time that the whole machine has used."""
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0) + getattr(times, "steal", 0.0))
