from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType

import pytest
from pool_worlds import NOW, PLACE, SIZE, SPEC, start_id

from airflow_provider_emrkit.compute.pool_mark import PoolMark
from airflow_provider_emrkit.exceptions import SubmitRefusedError
from airflow_provider_emrkit.pools.selection import (
    Candidate,
    Figures,
    fewest_steps,
    most_memory,
    selection_of,
)


def candidate(number: int, steps: int = 0, room: int = 4, started=(), **others) -> Candidate:
    mark = PoolMark(PLACE.name, PLACE.key, SPEC, SIZE, start_id(number))
    return Candidate(
        f"j-{number}", f"c{number}", "RUNNING", mark, steps, room, NOW + number, tuple(started), **others
    )


@pytest.fixture
def module(monkeypatch):
    """A module of the user's."""
    made = ModuleType("users_pools")
    monkeypatch.setitem(sys.modules, "users_pools", made)
    return made


def choose(figures, *candidates, selection="most_memory"):
    return selection_of(selection, lambda: figures)(candidates)


# --- fewest steps -----------------------------------------------------------------------------------------


def test_the_cluster_with_the_fewest_steps_and_then_the_oldest():
    assert fewest_steps([candidate(1, 2), candidate(3, 1), candidate(2, 1)]) == "j-2"


def test_a_cluster_whose_age_is_not_known_is_the_youngest():
    unknown = Candidate("j-0", "c", "RUNNING", candidate(1).mark, 0, 1)
    assert fewest_steps([unknown, candidate(1)]) == "j-1"


# --- most memory ------------------------------------------------------------------------------------------


def test_the_cluster_with_the_most_memory():
    figures = {"j-1": Figures(NOW, 20.0), "j-2": Figures(NOW, 70.0), "j-3": Figures(NOW, 50.0)}
    steps = [candidate(number, 1, started=[NOW - 500]) for number in (1, 2, 3)]
    assert choose(figures, *steps) == "j-2"


def test_a_cluster_on_which_containers_wait_comes_after_those_where_none_does():
    figures = {"j-1": Figures(NOW, 90.0, 7.0), "j-2": Figures(NOW, 10.0, 0.0)}
    assert choose(figures, candidate(1), candidate(2)) == "j-2"


def test_where_containers_wait_everywhere_the_most_memory_counts_and_then_the_fewest_of_them():
    figures = {"j-1": Figures(NOW, 10.0, 2.0), "j-2": Figures(NOW, 60.0, 9.0), "j-3": Figures(NOW, 60.0, 8.0)}
    assert choose(figures, candidate(1), candidate(2), candidate(3)) == "j-3"


def test_steps_break_ties():
    figures = {"j-1": Figures(NOW, 50.2, 0.0), "j-2": Figures(NOW, 49.8, 0.0)}
    old = [NOW - 500.0] * 3
    assert choose(figures, candidate(1, 3, started=old), candidate(2, 1, started=old[:1])) == "j-2"


def test_jobs_that_came_after_the_figures_count_against_a_cluster():
    figures = {"j-1": Figures(NOW - 100, 90.0), "j-2": Figures(NOW - 100, 80.0)}
    fresh = candidate(1, 1, 3, started=[NOW - 50])
    assert fresh.with_job().steps == 2
    assert choose(figures, candidate(1, 1, 3, started=[NOW - 200]), candidate(2)) == "j-1"
    assert choose(figures, fresh, candidate(2)) == "j-2"
    assert choose(figures, candidate(1, 1, 3), candidate(2)) == "j-2"  # placed, not begun


def test_equal_jobs_that_are_placed_at_once_spread_though_the_figures_stay():
    figures = {"j-1": Figures(NOW, 100.0), "j-2": Figures(NOW, 90.0), "j-3": Figures(NOW, 95.0)}
    clusters = {number: candidate(number, 0, 10) for number in (1, 2, 3)}
    select = selection_of("most_memory", lambda: figures)
    for _ in range(12):
        number = int(select(list(clusters.values()))[2:])
        clusters[number] = clusters[number].with_job()
    assert {number: one.steps for number, one in clusters.items()} == {1: 4, 2: 4, 3: 4}


def test_without_figures_it_is_the_cluster_with_the_fewest_steps():
    assert choose({}, candidate(1, 2, 2), candidate(2, 1, 3), candidate(3, 1, 3)) == "j-2"
    assert most_memory([candidate(1, 2, 2), candidate(2, 1, 3)]) == "j-2"


def test_a_young_cluster_without_figures_is_taken_to_be_as_free_as_its_steps_leave_it():
    figures = {"j-1": Figures(NOW, 60.0)}
    assert choose(figures, candidate(1), candidate(2, 1, 3)) == "j-2"
    assert choose(figures, candidate(1), candidate(2, 2, 2)) == "j-1"


def test_a_cluster_of_which_only_the_containers_are_known():
    figures = {"j-1": Figures(NOW, None, 3.0), "j-2": Figures(NOW, None, 0.0)}
    assert choose(figures, candidate(1), candidate(2)) == "j-2"


def test_figures_are_asked_for_once_and_only_when_somebody_wants_them():
    asked = []

    def figures():
        asked.append(1)
        return {}

    selection_of("fewest_steps", figures)([candidate(1), candidate(2)])
    assert asked == []
    select = selection_of("most_memory", figures)
    assert asked == []
    select([candidate(1), candidate(2)])
    select([candidate(1), candidate(2)])
    assert asked == [1]


def test_figures_are_not_asked_for_when_all_clusters_start():
    def figures():
        pytest.fail("was asked")

    booting = [replace(candidate(number), state="STARTING") for number in (2, 1)]
    assert selection_of("most_memory", figures)(booting) == "j-1"


# --- a function of the user's -----------------------------------------------------------------------------


def test_a_users_function_gives_a_cluster_or_its_id(module):
    module.most_steps = lambda candidates: max(candidates, key=lambda one: one.steps)
    module.by_id = lambda candidates: candidates[-1].id
    offered = (candidate(1, 1), candidate(2, 3), candidate(3, 2))
    assert choose({}, *offered, selection="users_pools:most_steps") == "j-2"
    assert choose({}, *offered, selection="users_pools:by_id") == "j-3"


def test_a_users_function_sees_what_is_documented(module):
    seen = {}

    def look(candidates):
        one = candidates[0]
        seen.update(id=one.id, name=one.name, state=one.state, steps=one.steps, room=one.room)
        seen.update(capacity=one.mark.capacity, memory=one.memory_available, pending=one.containers_pending)
        return one

    module.look = look
    choose({"j-1": Figures(NOW, 62.5, 3.0)}, candidate(1, 2), selection="users_pools:look")
    assert seen == {
        "id": "j-1",
        "name": "c1",
        "state": "RUNNING",
        "steps": 2,
        "room": 4,
        "capacity": SIZE,
        "memory": 62.5,
        "pending": 3.0,
    }


def test_a_users_function_sees_none_where_nothing_is_known(module):
    module.look = lambda candidates: (
        candidates[0] if candidates[0].memory_available is candidates[0].containers_pending is None else "?"
    )
    assert choose({}, candidate(1), selection="users_pools:look") == "j-1"


def test_a_method_of_a_class_may_choose(module):
    class Packing:
        @staticmethod
        def choose(candidates):
            return candidates[0]

    module.Packing = Packing
    assert choose({}, candidate(1), selection="users_pools:Packing.choose") == "j-1"


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        ("no_such_module:choose", "'no_such_module:choose' can't be imported: ModuleNotFoundError"),
        ("users_pools:nothing", "'users_pools:nothing' can't be imported: AttributeError"),
        ("users_pools:", "'users_pools:' can't be imported"),
        ("users_pools:number", "'users_pools:number' is no function but of type int"),
    ],
)
def test_what_is_no_function_is_told(module, selection, told):
    module.number = 3
    with pytest.raises(SubmitRefusedError) as caught:
        selection_of(selection)
    assert told in str(caught.value)


def test_an_error_of_the_users_function_is_told_with_its_place(module):
    def choose_(candidates):
        raise KeyError("\x1b[31mmemory\n")

    module.choose = choose_
    with pytest.raises(SubmitRefusedError) as caught:
        choose({}, candidate(1), selection="users_pools:choose")
    said = str(caught.value)
    assert "'users_pools:choose' failed: KeyError: " in said
    assert f"{__file__}, line " in said
    assert said.isprintable()
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("answer", [None, "j-9", 0, ["j-1"], "\x1b[31m" * 1_000])
def test_an_answer_that_is_no_candidate_is_told(module, answer):
    module.choose = lambda candidates: answer
    with pytest.raises(SubmitRefusedError) as caught:
        choose({}, candidate(1), candidate(2), selection="users_pools:choose")
    said = str(caught.value)
    assert "'users_pools:choose' gave" in said
    assert "j-1, j-2" in said
    assert said.isprintable()
    assert len(said) < 500


def test_candidates_can_not_be_changed(module):
    def change(candidates):
        candidates[0].steps = 0

    module.change = change
    with pytest.raises(SubmitRefusedError, match="FrozenInstanceError"):
        choose({}, candidate(1), selection="users_pools:change")
