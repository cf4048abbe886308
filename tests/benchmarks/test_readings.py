from __future__ import annotations

import os
import time

import psutil
import pytest

from benchmarks.readings import TICK, Usage, memory, ticking


def test_the_load_is_what_others_took_of_all_cores() -> None:
    cores = psutil.cpu_count()
    used = Usage(3.0, 5.0, 10.0 + 5.0 * cores) - Usage(1.0, 2.0, 10.0)
    assert (used.cpu, used.ours, used.machine) == (2.0, 3.0, 5.0 * cores)
    assert used.load(10.0) == pytest.approx((5.0 * cores - 3.0) / 10.0 / cores)


def test_processor_time_is_read_of_the_process() -> None:
    me = psutil.Process()
    before = Usage.now(me, ())
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    used = Usage.now(me, ()) - before
    assert used.cpu == used.ours >= 0.15


def test_memory_that_is_used_is_seen() -> None:
    me = psutil.Process()
    before = memory(me)
    block = os.urandom(32 * 2**20)
    assert memory(me) - before > len(block) * 0.9


def test_a_ticking_thread_tells_how_late_it_was() -> None:
    began = time.monotonic()
    with ticking() as lags:
        while len(lags) < 3:
            assert len(lags) <= (time.monotonic() - began) / TICK
    assert all(-0.01 < lag < 5.0 for lag in lags)
