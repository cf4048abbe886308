"""The pauses between looks whether something has ended."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.runs.growing_pauses import GENTLE_PART, GrowingPauses


@pytest.mark.parametrize("goes", [True, False], ids=["clock goes", "clock stands"])
def test_pauses_grow_and_end_with_the_patience(goes):
    pauses: list[float] = []
    growing = GrowingPauses(pauses.append, lambda: sum(pauses) if goes else 0.0, 30.0, jitter=lambda: 0.5)
    while growing.goes_on():
        pass
    assert pauses[:4] == [0.5, 0.75, 1.125, 1.6875]
    assert max(pauses) == 5.0
    assert sum(pauses) == pytest.approx(30.0)


def test_the_moment_for_force_is_not_slept_through():
    pauses: list[float] = []
    growing = GrowingPauses(pauses.append, lambda: sum(pauses), 9.0, jitter=lambda: 0.5)
    assert growing.gentle
    while growing.gentle:
        assert growing.goes_on()
    assert sum(pauses) == pytest.approx(9.0 * GENTLE_PART)


def test_those_who_were_throttled_together_do_not_come_back_together():
    first: list[float] = []
    for jitter in (0.0, 1.0):
        GrowingPauses(first.append, lambda: 0.0, 30.0, jitter=lambda jitter=jitter: jitter).goes_on()
    assert first[0] < first[1]
