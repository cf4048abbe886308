"""How much time has passed, also while the machine was asleep."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.pools.clock import SleeplessClock


@pytest.fixture
def times():
    return {"monotonic": 100.0, "wall": 1_800_000_000.0}


@pytest.fixture
def clock(times):
    return SleeplessClock([lambda: times["monotonic"], lambda: times["wall"]])


def test_it_goes_on_as_the_clocks_do(clock, times):
    times["monotonic"] += 5
    times["wall"] += 5
    assert clock() == 5


def test_a_machine_that_was_asleep_is_noticed(clock, times):
    times["monotonic"] += 1
    times["wall"] += 3_600
    assert clock() == 3_600


def test_a_clock_on_the_wall_that_was_put_back_hides_no_time(clock, times):
    times["monotonic"] += 20
    times["wall"] -= 3_600
    assert clock() == 20


def test_a_machine_that_slept_after_its_clock_was_put_back_is_noticed(clock, times):
    times["wall"] -= 3_600
    assert clock() == 0
    times["monotonic"] += 1
    times["wall"] += 60
    assert clock() == 60


def test_it_never_goes_back(clock, times):
    times["wall"] += 10
    assert clock() == 10
    times["wall"] -= 10
    assert clock() == 10


def test_the_clocks_of_this_machine_do():
    clock = SleeplessClock()
    assert 0 <= clock() <= clock() < 60
