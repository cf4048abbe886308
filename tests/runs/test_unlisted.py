"""When it is believed that AWS has lost a run that it does not list."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.runs.tolerance import NEW
from airflow_provider_emrkit.runs.unlisted import UNLISTED_FOR, UNLISTED_LOOKS, Unlisted


def looks(clocks, age=NEW):
    unlisted = Unlisted()
    return [unlisted.is_lost("s-1", age=age, clock=clock) for clock in clocks]


@pytest.mark.parametrize(
    ("clocks", "age", "is_lost"),
    [
        pytest.param(
            [UNLISTED_FOR * number for number in range(UNLISTED_LOOKS - 1)], NEW, False, id="few looks"
        ),
        pytest.param([0.0] * UNLISTED_LOOKS, NEW, False, id="within a moment"),
        pytest.param([0.0, 1.0, UNLISTED_FOR], NEW - 1, False, id="a new run"),
        pytest.param([0.0, 1.0, UNLISTED_FOR], NEW, True, id="looks enough, for long enough"),
    ],
)
def test_a_run_is_lost_after_several_looks_over_some_time(clocks, age, is_lost):
    assert looks(clocks, age)[-1] is is_lost


def test_one_that_is_listed_again_begins_anew():
    unlisted = Unlisted()
    for clock in (0.0, UNLISTED_FOR):
        unlisted.is_lost("s-1", age=NEW, clock=clock)
    unlisted.forget("s-1")
    assert not unlisted.is_lost("s-1", age=NEW, clock=2 * UNLISTED_FOR)


def test_runs_are_counted_apart():
    unlisted = Unlisted()
    for clock in (0.0, UNLISTED_FOR):
        unlisted.is_lost("s-1", age=NEW, clock=clock)
    assert not unlisted.is_lost("s-2", age=NEW, clock=UNLISTED_FOR)
