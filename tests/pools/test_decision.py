from __future__ import annotations

import itertools
import random
from collections import Counter
from dataclasses import replace

import pytest
from pool_worlds import (
    BIGGER,
    NOW,
    OTHER_SPEC,
    SIZE,
    SMALLER,
    SPEC,
    cluster,
    job,
    jobs,
    placing,
    record,
    start_id,
    starting,
    step,
    survey,
    token,
    waiting,
)

from airflow_provider_emrkit.pools.decision import Plan, decide, settle
from airflow_provider_emrkit.pools.order import PoolBounds
from airflow_provider_emrkit.pools.record import CLAIM_LIFE, PLACED_MEMORY, PoolRecord, Waiting
from airflow_provider_emrkit.pools.selection import fewest_steps
from airflow_provider_emrkit.pools.survey import Survey


def plan(bounds, wanted, found=None, known=None, choose=fewest_steps, now=NOW, process="mine") -> Plan:
    starts = (start_id(number) for number in itertools.count(1_000))
    return decide(
        bounds,
        wanted,
        found or Survey(),
        known or PoolRecord(),
        process=process,
        now=now,
        choose=choose,
        new_start=lambda: next(starts),
    )


def placed(found: Plan) -> dict[str, str]:
    assert len(dict(found.placements)) == len(found.placements)
    return dict(found.placements)


def clusters_of(found: Plan) -> Counter[str]:
    return Counter(cluster_id for _, cluster_id in found.placements)


# --- room -------------------------------------------------------------------------------------------------


def test_a_job_goes_to_a_cluster_that_has_room():
    assert plan(PoolBounds(3), jobs(1), survey(cluster(1))) == Plan(placements=((token(1), "j-1"),))


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "CANCEL_PENDING"])
def test_a_step_takes_room_until_it_is_over(state):
    busy = survey(cluster(1, "RUNNING", [step(9, state)]))
    assert plan(PoolBounds(1), jobs(1), busy).placements == ()
    assert clusters_of(plan(PoolBounds(1, steps_per_cluster=2), jobs(1, 2), busy)) == {"j-1": 1}


def test_a_job_that_may_be_on_its_way_takes_room_until_its_step_is_listed():
    claim = record(placing(9, "j-1"))
    assert plan(PoolBounds(1), jobs(1), survey(cluster(1)), claim).placements == ()
    two = PoolBounds(1, steps_per_cluster=2)
    assert clusters_of(plan(two, jobs(1, 2), survey(cluster(1, "RUNNING", [9])), claim)) == {"j-1": 1}


def test_a_job_on_its_way_to_a_start_takes_room_of_the_cluster_that_came_of_it():
    claim = record(placing(9, start_id(1)))
    assert plan(PoolBounds(1), jobs(1), survey(cluster(1, "STARTING")), claim) == Plan()


def test_steps_of_others_count_too():
    foreign = step(9, name="by hand")
    busy = survey(cluster(1, "RUNNING", [type(foreign)("s-1", "by hand", "RUNNING", NOW, NOW)]))
    assert plan(PoolBounds(1), jobs(1), busy).placements == ()


def test_a_cluster_that_is_full_to_overflowing_has_no_room():
    full = survey(cluster(1, "RUNNING", [7, 8, 9]), cluster(2))
    assert placed(plan(PoolBounds(2, steps_per_cluster=2), jobs(1), full)) == {token(1): "j-2"}


@pytest.mark.parametrize(
    "found",
    [
        survey(cluster(1, "TERMINATING")),
        survey(cluster(1, spec=OTHER_SPEC)),
        survey(cluster(1, capacity=SMALLER)),
    ],
)
def test_a_cluster_that_does_not_do_gets_no_job(found):
    decided = plan(PoolBounds(2), jobs(1), found)
    assert placed(decided) == {token(1): start_id(1_000)}


def test_a_draining_cluster_gets_no_job():
    decided = plan(PoolBounds(2), jobs(1), survey(cluster(1)), record(draining=frozenset({"j-1"})))
    assert placed(decided) == {token(1): start_id(1_000)}


def test_a_bigger_cluster_does():
    assert placed(plan(PoolBounds(1), jobs(1), survey(cluster(1, capacity=BIGGER)))) == {token(1): "j-1"}


# --- which cluster ----------------------------------------------------------------------------------------


def test_equal_jobs_spread_evenly():
    found = survey(cluster(1, "RUNNING", [91, 92]), cluster(2), cluster(3, "RUNNING", [93]))
    decided = plan(PoolBounds(3, steps_per_cluster=10), jobs(*range(1, 13)), found)
    assert clusters_of(decided) == {"j-1": 3, "j-2": 5, "j-3": 4}


def test_a_cluster_that_is_up_is_preferred_to_one_that_boots():
    found = survey(cluster(1, "STARTING"), cluster(2, "RUNNING", [9]))
    assert placed(plan(PoolBounds(2, steps_per_cluster=2), jobs(1), found)) == {token(1): "j-2"}


def test_a_job_is_queued_on_a_cluster_that_boots_rather_than_growing():
    found = survey(cluster(1, "BOOTSTRAPPING", [step(9, "PENDING")]), cluster(2, "RUNNING", [8]))
    decided = plan(PoolBounds(5, steps_per_cluster=2), jobs(1, 2), found)
    assert (placed(decided), decided.starts) == ({token(1): "j-2", token(2): "j-1"}, ())


def test_of_equals_the_oldest_cluster_gets_the_job():
    assert placed(plan(PoolBounds(2), jobs(1), survey(cluster(2), cluster(1)))) == {token(1): "j-1"}


def test_the_selection_chooses_among_clusters_with_room_that_do():
    offered = []

    def last(candidates):
        offered.append([one.id for one in candidates])
        return candidates[-1].id

    found = survey(
        cluster(1),
        cluster(2, "RUNNING", [9]),
        cluster(3),
        cluster(4, "STARTING"),
        cluster(5, spec=OTHER_SPEC),
    )
    decided = plan(PoolBounds(5), jobs(1, 2, 3), found, choose=last)
    assert offered == [["j-1", "j-3"], ["j-1"], ["j-4"]]
    assert placed(decided) == {token(1): "j-3", token(2): "j-1", token(3): "j-4"}


def test_the_selection_sees_the_jobs_just_placed():
    steps = []

    def first(candidates):
        steps.append(candidates[0].steps)
        return candidates[0].id

    plan(PoolBounds(1, steps_per_cluster=3), jobs(1, 2), survey(cluster(1, "RUNNING", [9])), choose=first)
    assert steps == [1, 2]


# --- whose job --------------------------------------------------------------------------------------------


def test_the_oldest_job_goes_first():
    wanted = [job(1, waits=5), job(2, waits=50), job(3, waits=20)]
    assert placed(plan(PoolBounds(1), wanted, survey(cluster(1)))) == {token(2): "j-1"}


def test_a_job_leaves_room_to_older_ones_of_other_processes():
    older = record(waiting={"theirs": waiting(500.0, 400.0)})
    found = survey(cluster(1, "RUNNING", [8, 9]))
    assert plan(PoolBounds(1, steps_per_cluster=4), jobs(1), found, older).placements == ()
    assert len(plan(PoolBounds(1, steps_per_cluster=5), jobs(1), found, older).placements) == 1


def test_a_job_does_not_wait_for_younger_ones_of_other_processes():
    younger = record(waiting={"theirs": waiting(5.0, 4.0)})
    assert len(plan(PoolBounds(1), jobs(1), survey(cluster(1)), younger).placements) == 1


def test_the_clusters_that_are_up_are_left_to_older_jobs():
    older = record(waiting={"theirs": waiting(500.0)})
    found = survey(cluster(1), cluster(2, "STARTING"))
    assert placed(plan(PoolBounds(2), jobs(1), found, older)) == {token(1): "j-2"}


def test_what_this_process_told_of_its_own_jobs_does_not_count():
    mine = record(waiting={"mine": waiting(500.0, 400.0)})
    decided = plan(PoolBounds(3), jobs(1), survey(cluster(1)), mine)
    assert (len(decided.placements), decided.starts) == (1, ())


def test_jobs_of_a_process_that_is_not_heard_of_any_more_do_not_count():
    dead = record(waiting={"theirs": waiting(500.0, seen=61.0)})
    decided = plan(PoolBounds(3), jobs(1), survey(cluster(1)), dead)
    assert (len(decided.placements), decided.starts) == (1, ())


def test_a_younger_job_of_another_spec_leaves_the_cluster_whose_place_an_older_one_needs():
    """Else the older one would never get the place of a cluster that always has something to do."""
    wanted = [job(1, waits=50, spec=OTHER_SPEC), job(2, waits=10)]
    assert plan(PoolBounds(1), wanted, survey(cluster(1))).placements == ()


def test_a_job_that_is_asked_for_twice_is_placed_once():
    decided = plan(PoolBounds(3), [*jobs(1), *jobs(1), job(1, waits=500)], survey(cluster(1), cluster(2)))
    assert (len(decided.placements), decided.starts) == (1, ())


@pytest.mark.parametrize("known", [record(placing(1, "j-1")), record(placing(1, ""))])
def test_a_job_that_may_be_on_its_way_is_not_placed_again(known):
    assert plan(PoolBounds(3), jobs(1), survey(cluster(1), cluster(2)), known) == Plan()


def test_a_job_whose_step_is_listed_is_not_placed_again():
    found = survey(cluster(1, "RUNNING", [1]), cluster(2))
    assert plan(PoolBounds(3), jobs(1), found) == Plan()


# --- growing ----------------------------------------------------------------------------------------------


def test_an_empty_pool_grows_by_as_many_clusters_as_the_jobs_fill():
    decided = plan(PoolBounds(9, steps_per_cluster=4), jobs(*range(9)))
    assert len(decided.starts) == 3
    assert sorted(clusters_of(decided).values()) == [3, 3, 3]


def test_a_pool_does_not_grow_beyond_its_bound():
    found = survey(cluster(1, "RUNNING", [9]), cluster(2, "TERMINATING"))
    decided = plan(PoolBounds(3), jobs(*range(1, 9)), found)
    assert len(decided.starts) == 2
    assert set(placed(decided)) == {token(1), token(2)}


def test_clusters_of_any_spec_count_for_the_bound():
    found = survey(cluster(1, "RUNNING", [9], spec=OTHER_SPEC))
    assert plan(PoolBounds(1), jobs(1), found).starts == ()


def test_a_start_that_may_be_under_way_counts_for_the_bound():
    assert plan(PoolBounds(1), jobs(1), known=record(starting(1))) == Plan()


def test_a_start_under_way_has_room_so_that_nothing_is_started_for_it():
    decided = plan(PoolBounds(9, steps_per_cluster=2), jobs(1, 2, 3), known=record(starting(1)))
    assert (len(decided.starts), len(decided.placements)) == (1, 2)


def test_a_start_under_way_has_no_more_room_than_the_jobs_on_their_way_to_it_leave():
    known = record(starting(1), placing(8, start_id(1)), placing(9, start_id(1)))
    assert len(plan(PoolBounds(9, steps_per_cluster=2), jobs(1), known=known).starts) == 1


def test_a_start_that_is_listed_counts_once():
    decided = plan(PoolBounds(2), jobs(1, 2), survey(cluster(1, "STARTING")), record(starting(1, "j-1")))
    assert (len(decided.starts), len(decided.placements)) == (1, 2)


def test_a_start_that_can_not_take_effect_any_more_does_not_count():
    assert len(plan(PoolBounds(1), jobs(1), known=record(starting(1, lasts=-1.0))).starts) == 1


def test_a_pool_grows_for_the_jobs_of_other_processes_too():
    others = record(waiting={"theirs": waiting(5.0, 4.0), "more": waiting(3.0)})
    decided = plan(PoolBounds(9, steps_per_cluster=2), jobs(1), known=others)
    assert (len(decided.starts), len(decided.placements)) == (2, 1)
    assert [model for _, model in decided.models] == [token(1), token(1)]


def test_a_pool_does_not_grow_for_others_that_may_want_clusters_of_another_spec():
    others = record(waiting={"theirs": waiting(5.0, 4.0)}, specs={SPEC: NOW - 5.0, OTHER_SPEC: NOW - 500.0})
    assert len(plan(PoolBounds(9), jobs(1), known=others).starts) == 1
    long_ago = replace(others, specs={SPEC: NOW - 5.0, OTHER_SPEC: NOW - 600.0})
    assert len(plan(PoolBounds(9), jobs(1), known=long_ago).starts) == 3


def test_a_pool_does_not_grow_for_others_alone():
    assert plan(PoolBounds(9), [], known=record(waiting={"theirs": waiting(5.0)})) == Plan()


def test_a_pool_that_is_used_is_brought_to_its_minimum():
    decided = plan(PoolBounds(5, min_clusters=3), jobs(1), survey(cluster(1)))
    assert (len(decided.starts), placed(decided)) == (2, {token(1): "j-1"})


def test_clusters_that_end_or_do_not_do_are_none_of_the_minimum():
    found = survey(
        cluster(1), cluster(2, "RUNNING", [8]), cluster(3, spec=OTHER_SPEC), cluster(4, "TERMINATING")
    )
    decided = plan(
        PoolBounds(9, min_clusters=4), jobs(1), found, record(starting(5), draining=frozenset({"j-2"}))
    )
    assert len(decided.starts) == 2


def test_a_pool_that_nobody_uses_is_not_brought_to_its_minimum():
    assert plan(PoolBounds(5, min_clusters=3), []) == Plan()


def test_each_start_is_like_the_cluster_of_a_job_that_goes_there():
    wanted = [job(1, 50), job(2, 40, spec=OTHER_SPEC), job(3, 30, capacity=BIGGER)]
    decided = plan(PoolBounds(9), wanted)
    assert {(token_, start) for start, token_ in decided.models} == set(decided.placements)


def test_a_big_job_whose_cluster_a_small_one_takes_gets_another():
    found = survey(cluster(1, capacity=BIGGER), cluster(2))
    decided = plan(PoolBounds(3), [job(1, 50), job(2, 40, capacity=BIGGER)], found)
    assert placed(decided) == {token(1): "j-1", token(2): start_id(1_000)}


# --- retiring ---------------------------------------------------------------------------------------------


def test_a_draining_cluster_is_retired_when_it_has_nothing_to_do():
    drains = frozenset({"j-1", "j-2", "j-3", "j-4"})
    found = survey(cluster(1), cluster(2, "RUNNING", [9]), cluster(3), cluster(4, "TERMINATING"))
    decided = plan(PoolBounds(9), [], found, record(placing(8, "j-3"), draining=drains))
    assert (decided.retire, decided.drain) == (("j-1",), ())


def test_idle_clusters_are_left_to_their_idle_timeout():
    assert plan(PoolBounds(9), [], survey(cluster(1), cluster(2, age=99_999.0))) == Plan()


def test_of_too_many_clusters_the_youngest_idle_ones_end_and_others_drain():
    found = survey(
        cluster(1), cluster(2), cluster(3, "RUNNING", [7]), cluster(4, "RUNNING", [8, 9]), cluster(5)
    )
    assert plan(PoolBounds(4), [], found) == Plan(retire=("j-5",), drain=("j-5",))
    assert plan(PoolBounds(3), [], found) == Plan(retire=("j-2", "j-5"), drain=("j-2", "j-5"))
    assert plan(PoolBounds(1), [], found).drain == ("j-1", "j-2", "j-3", "j-5")


def test_what_drains_already_is_not_one_too_many():
    found = survey(cluster(1, "RUNNING", [8]), cluster(2, "RUNNING", [9]), cluster(3))
    assert plan(PoolBounds(2), [], found, record(draining=frozenset({"j-1"}))) == Plan()


def test_a_cluster_that_is_one_too_many_gets_no_job():
    found = survey(cluster(1, "RUNNING", [7]), cluster(2, "RUNNING", [8, 9]))
    decided = plan(PoolBounds(1, steps_per_cluster=9), jobs(1), found)
    assert (decided.drain, placed(decided)) == (("j-1",), {token(1): "j-2"})


def test_clusters_of_a_spec_that_nobody_uses_any_more_drain():
    found = survey(cluster(1, spec=OTHER_SPEC), cluster(2, "RUNNING", [step(9, age=700.0)], spec=OTHER_SPEC))
    decided = plan(PoolBounds(9), jobs(1), found)
    assert (decided.drain, decided.retire) == (("j-1", "j-2"), ("j-1",))


@pytest.mark.parametrize(
    ("found", "known"),
    [
        (survey(cluster(1, spec=OTHER_SPEC)), record(specs={OTHER_SPEC: NOW - 599.0})),
        (survey(cluster(1, spec=OTHER_SPEC, age=599.0)), record()),
        (survey(cluster(1, "RUNNING", [step(9, age=599.0)], spec=OTHER_SPEC)), record()),
    ],
)
def test_clusters_of_a_spec_that_was_used_lately_stay(found, known):
    assert plan(PoolBounds(9), jobs(1), found, known).drain == ()


def test_an_idle_cluster_of_another_spec_goes_at_once_where_its_place_is_needed():
    used = record(specs={OTHER_SPEC: NOW})
    found = survey(cluster(1, spec=OTHER_SPEC), cluster(2, spec=OTHER_SPEC), cluster(3, "RUNNING", [9]))
    decided = plan(PoolBounds(3), jobs(1), found, used)
    assert (len(decided.retire), decided.retire, decided.starts) == (1, decided.drain, ())
    ending = survey(cluster(1, "TERMINATING", spec=OTHER_SPEC), *found.clusters[1:])
    assert len(plan(PoolBounds(3), jobs(1), ending, used).starts) == 1


def test_a_cluster_that_is_too_small_makes_place_too():
    found = survey(cluster(1, capacity=SMALLER))
    assert plan(PoolBounds(1), jobs(1), found, record(specs={SPEC: NOW})).retire == ("j-1",)


def test_a_cluster_of_another_spec_that_works_drains_where_its_place_is_needed():
    used = record(specs={OTHER_SPEC: NOW})
    found = survey(
        cluster(1, "RUNNING", [8, 9], spec=OTHER_SPEC), cluster(2, "RUNNING", [7], spec=OTHER_SPEC)
    )
    decided = plan(PoolBounds(2, steps_per_cluster=9), jobs(1), found, used)
    assert (decided.drain, decided.retire) == (("j-2",), ())
    again = record(specs={OTHER_SPEC: NOW}, draining=frozenset({"j-2"}))
    assert plan(PoolBounds(2, steps_per_cluster=9), jobs(1), found, again) == Plan()


def test_place_is_made_for_the_oldest_job_though_younger_ones_want_the_cluster():
    used = record(specs={SPEC: NOW, OTHER_SPEC: NOW})
    full = survey(cluster(1, "RUNNING", [9]))
    assert plan(PoolBounds(1), [job(1, 50, spec=OTHER_SPEC), job(2, 10)], full, used).drain == ("j-1",)
    assert plan(PoolBounds(1), [job(1, 50), job(2, 10, spec=OTHER_SPEC)], full, used).drain == ()


def test_no_more_places_are_made_than_are_needed():
    used = record(specs={OTHER_SPEC: NOW}, draining=frozenset({"j-1"}))
    found = survey(cluster(1, spec=OTHER_SPEC), cluster(2, spec=OTHER_SPEC))
    assert plan(PoolBounds(2), jobs(1), found, used) == Plan(retire=("j-1",))


def test_no_place_is_made_while_there_is_one():
    used = record(specs={OTHER_SPEC: NOW})
    found = survey(cluster(1), cluster(2, capacity=BIGGER), cluster(3, spec=OTHER_SPEC))
    wanted = [job(1, 50), job(2, 40, capacity=BIGGER)]
    decided = plan(PoolBounds(9), wanted, found, used, choose=lambda candidates: candidates[-1].id)
    assert (placed(decided), decided.drain) == ({token(1): "j-2"}, ())


def test_no_place_is_made_for_a_job_that_a_start_under_way_is_for():
    used = record(starting(9), specs={OTHER_SPEC: NOW})
    assert plan(PoolBounds(2), jobs(1), survey(cluster(1, spec=OTHER_SPEC)), used) == Plan()


def test_the_place_that_is_made_is_not_that_of_an_older_job():
    wanted = [job(1, 50), job(2, 10, spec=OTHER_SPEC)]
    assert plan(PoolBounds(1), wanted, survey(cluster(1))) == Plan(placements=((token(1), "j-1"),))


def test_a_cluster_that_stays_idle_makes_place_rather_than_one_that_gets_work():
    wanted = [job(1, 50, spec=OTHER_SPEC), job(2, 10)]
    decided = plan(PoolBounds(2), wanted, survey(cluster(1), cluster(2)))
    assert (placed(decided), decided.drain, decided.retire) == ({token(2): "j-1"}, ("j-2",), ("j-2",))


def test_no_place_is_made_for_jobs_that_have_room():
    found = survey(cluster(1, spec=OTHER_SPEC), cluster(2))
    assert plan(PoolBounds(2), jobs(1), found, record(specs={OTHER_SPEC: NOW})).drain == ()


# --- what has become clear --------------------------------------------------------------------------------


def test_claims_are_kept_until_emr_lists_what_they_stand_for():
    known = record(starting(1), starting(2), placing(8, "j-1"), placing(9, "j-1"))
    settled = settle(known, survey(cluster(1, "RUNNING", [8])), NOW)
    assert settled.claims == (starting(2), placing(9, "j-1"))


def test_claims_are_kept_no_longer_than_they_can_take_effect():
    known = record(starting(1, lasts=10.0), placing(9, "j-1", lasts=20.0))
    assert settle(known, Survey(), NOW + 9.0) == known
    assert settle(known, Survey(), NOW + 10.0).claims == (placing(9, "j-1", lasts=20.0),)
    assert settle(known, Survey(), NOW + 20.0).claims == ()


def test_what_drains_is_forgotten_when_it_has_ended():
    known = record(starting(3, "j-3"), draining=frozenset({"j-1", "j-2", "j-3"}))
    assert settle(known, survey(cluster(1, "TERMINATING")), NOW).draining == {"j-1", "j-3"}


def test_what_dead_processes_told_is_forgotten():
    told = {"lives": waiting(5.0, seen=59.0), "dead": waiting(5.0, seen=60.0), "waits for nothing": waiting()}
    assert set(settle(record(waiting=told), Survey(), NOW).waiting) == {"lives"}


def test_specs_that_nobody_uses_are_forgotten():
    known = record(specs={SPEC: NOW - 599.0, OTHER_SPEC: NOW - 600.0})
    assert set(settle(known, Survey(), NOW).specs) == {SPEC}


def test_times_that_lie_too_far_ahead_block_a_pool_no_longer_than_a_claim():
    """As of a record that is damaged, or was written by a clock that is ahead."""
    ahead = NOW + 1_000_000.0
    known = record(
        starting(1, lasts=1_000_000.0),
        placing(9, "j-1", lasts=1_000_000.0),
        waiting={"one": replace(waiting(5.0), seen=ahead)},
        specs={SPEC: ahead},
        placed=(placing(8, "j-1", lasts=1_000_000.0),),
    )
    settled = settle(known, Survey(), NOW)
    assert {claim.until for claim in settled.claims} == {NOW + CLAIM_LIFE}
    assert [claim.until for claim in settled.placed] == [NOW + PLACED_MEMORY]
    assert (settled.waiting["one"].seen, settled.specs) == (NOW, {SPEC: NOW})
    later = settle(settled, Survey(), NOW + PLACED_MEMORY)
    assert (later.claims, later.waiting, later.specs) == ((), {}, {})


# --- whatever there is ------------------------------------------------------------------------------------


class World:
    """A pool as chance makes it."""

    def __init__(self, seed: int) -> None:
        self.chance = chance = random.Random(seed)
        self.bounds = PoolBounds(
            chance.randint(1, 6),
            min_clusters=chance.choice([0, 0, 0, 1]),
            steps_per_cluster=chance.randint(1, 4),
        )
        self.numbers = itertools.count(1)
        clusters = [self._cluster(number) for number in range(1, chance.randint(1, 8))]
        self.survey = survey(*clusters)
        ids = [*(one.id for one in clusters), "j-77", start_id(1), start_id(50)]
        claims = [placing(next(self.numbers), chance.choice(ids), self._lasts()) for _ in self._up_to(3)]
        claims += [starting(number, lasts=self._lasts()) for number in chance.sample([1, 2, 50, 51], 2)]
        self.record = record(
            *(claim for claim in claims if chance.random() < 0.6),
            draining=frozenset(one.id for one in clusters if chance.random() < 0.2),
            waiting={f"p{number}": self._waiting() for number in self._up_to(3)},
            specs={
                spec: NOW - chance.uniform(0, 900) for spec in (SPEC, OTHER_SPEC) if chance.random() < 0.7
            },
        )
        self.jobs = [self._job(chance.choice([next(self.numbers), 1, 2])) for _ in self._up_to(12)]

    def _up_to(self, most: int) -> range:
        return range(self.chance.randint(0, most))

    def _lasts(self) -> float:
        return self.chance.uniform(-50, 300)

    def _waiting(self):
        return waiting(
            *(self.chance.uniform(0, 200) for _ in self._up_to(4)), seen=self.chance.uniform(0, 90)
        )

    def _wishes(self):
        return {
            "spec": self.chance.choice([SPEC, SPEC, OTHER_SPEC]),
            "capacity": self.chance.choice([SIZE, SIZE, BIGGER, SMALLER]),
        }

    def _cluster(self, number: int):
        states = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "WAITING", "TERMINATING"]
        state = self.chance.choice(states)
        steps = [step(next(self.numbers)) for _ in self._up_to(5)]
        return cluster(number, state, steps, **self._wishes(), age=self.chance.uniform(0, 5_000))

    def _job(self, number: int):
        return job(number, self.chance.uniform(0, 200), **self._wishes())

    def decide(self) -> Plan:
        return plan(self.bounds, self.jobs, self.survey, self.record)


@pytest.fixture(scope="module")
def decisions():
    """A thousand worlds with what was decided in them."""
    return [
        (world, settle(world.record, world.survey, NOW), world.decide()) for world in map(World, range(1_000))
    ]


def alive(world):
    return [one for one in world.survey.clusters if one.state != "TERMINATING"]


def claimed(known, deed):
    return [claim for claim in known.claims if claim.deed == deed]


def active_on(one, known):
    coming = sum(claim.cluster_id in (one.id, one.mark.start) for claim in claimed(known, "place"))
    return len(one.steps) + coming


def test_a_pool_never_has_more_clusters_than_its_bound_allows(decisions):
    for world, known, decided in decisions:
        if decided.starts:
            there = len(alive(world)) + len(claimed(known, "start"))
            assert there + len(decided.starts) <= world.bounds.max_clusters


def test_no_cluster_ever_gets_more_jobs_than_its_room(decisions):
    for world, known, decided in decisions:
        for cluster_id, number in clusters_of(decided).items():
            there = {one.id: active_on(one, known) for one in world.survey.clusters}
            assert there.get(cluster_id, 0) + number <= world.bounds.steps_per_cluster


def test_jobs_go_only_to_clusters_that_do_and_stay(decisions):
    for world, known, decided in decisions:
        wanted = {one.token: one for one in world.jobs}
        models = dict(decided.models)
        there = {one.id: one for one in world.survey.clusters}
        for placed_token, cluster_id in decided.placements:
            same = [one for one in world.jobs if one.token == placed_token]
            if cluster_id in models:
                model = [one for one in world.jobs if one.token == models[cluster_id]]
                assert any(one.spec == model_.spec for one in same for model_ in model)
                continue
            one = there[cluster_id]
            assert any(one.mark.satisfies(it.spec, it.capacity) for it in same), wanted[placed_token]
            assert one.state != "TERMINATING"
            assert one.id not in known.draining | set(decided.drain)


def test_no_job_is_placed_twice(decisions):
    for world, known, decided in decisions:
        tokens = list(placed(decided))
        listed = {one.name.rpartition(":")[2] for there in world.survey.clusters for one in there.steps}
        assert not set(tokens) & (listed | {claim.id for claim in claimed(known, "place")})


def test_no_younger_job_is_placed_before_an_older_one_that_is_like_it(decisions):
    for world, known, decided in decisions:
        once = {}
        for one in sorted(world.jobs, key=lambda it: it.since):
            once.setdefault(one.token, one)
        listed = {one.name.rpartition(":")[2] for there in world.survey.clusters for one in there.steps}
        nowhere = [one for one in once.values() if one.token not in listed | {it.id for it in known.claims}]
        for older, younger in itertools.combinations(nowhere, 2):
            if (older.spec, older.capacity) == (younger.spec, younger.capacity):
                assert older.token in placed(decided) or younger.token not in placed(decided)


def test_only_what_does_nothing_is_ended_and_it_drains_first(decisions):
    for world, known, decided in decisions:
        there = {one.id: one for one in alive(world)}
        assert all(active_on(there[cluster_id], known) == 0 for cluster_id in decided.retire)
        assert set(decided.retire) <= known.draining | set(decided.drain)
        assert not known.draining & set(decided.drain)


def test_clusters_are_started_only_for_jobs_that_find_no_room(decisions):
    for world, known, decided in decisions:
        if world.bounds.min_clusters or not decided.starts:
            continue
        fitting = [
            world.bounds.steps_per_cluster - active_on(one, known)
            for one in alive(world)
            if one.id not in known.draining | set(decided.drain)
            and all(one.mark.satisfies(it.spec, it.capacity) for it in world.jobs)
        ]
        others = sum(len(one.since) for one in known.waiting.values())
        assert sum(room for room in fitting if room > 0) < len({one.token for one in world.jobs}) + others


def test_the_chance_worlds_show_what_they_are_to_show(decisions):
    """Otherwise the tests above would hold because nothing happens."""
    seen = Counter()
    for world, _, decided in decisions:
        seen["starts"] += len(decided.starts)
        seen["on starts"] += sum(one in decided.starts for one in placed(decided).values())
        seen["on clusters"] += sum(one not in decided.starts for one in placed(decided).values())
        seen["drains"] += len(decided.drain)
        seen["retires"] += len(decided.retire)
        seen["waits"] += len(decided.placements) < len(world.jobs)
    assert min(seen.values()) > 100, seen


class Minutes:
    """EMR as it should be, and some processes with jobs of several specs: each minute some steps end."""

    def __init__(self, seed: int) -> None:
        self.chance = chance = random.Random(seed)
        self.bounds = PoolBounds(chance.randint(1, 3), steps_per_cluster=chance.randint(1, 3))
        self.clusters = {}
        self.numbers = itertools.count(1)
        self.record = PoolRecord()
        self.now = NOW
        wishes = [{"spec": spec, "capacity": size} for spec in (SPEC, OTHER_SPEC) for size in (SIZE, BIGGER)]
        self.left = {f"p{number}": [] for number in range(chance.randint(1, 4))}
        for number in range(1, 30):
            new = job(number, chance.uniform(0, 100), **chance.choice(wishes))
            self.left[chance.choice(list(self.left))].append(new)

    def round(self, process: str) -> None:
        left = self.left[process]
        found = survey(*sorted(self.clusters.values(), key=lambda one: one.created_at))
        decided = plan(self.bounds, left, found, self.record, now=self.now, process=process)
        starts = {
            start: self._start(next(it for it in left if it.token == of)) for start, of in decided.models
        }
        for placed_token, where in decided.placements:
            there = self.clusters[starts.get(where, where)]
            new = step(int(placed_token.split("-")[0], 16), "PENDING", age=NOW - self.now)
            self._become(there, steps=(*there.steps, new))
        self.left[process] = left = [one for one in left if one.token not in placed(decided)]
        for cluster_id in decided.retire:
            assert not self.clusters.pop(cluster_id).steps
        since = tuple(sorted(one.since for one in left))
        waits = {**self.record.waiting, process: Waiting(self.now, since)}
        self.record = record(draining=self.record.draining | set(decided.drain), waiting=waits)
        assert len(self.clusters) <= self.bounds.max_clusters
        assert all(len(one.steps) <= self.bounds.steps_per_cluster for one in self.clusters.values())

    def pass_a_minute(self) -> None:
        self.now += 50.0
        for one in list(self.clusters.values()):
            steps = tuple(it for it in one.steps if one.state == "STARTING" or self.chance.random() < 0.6)
            self._become(one, steps=steps, state="RUNNING")

    def _start(self, like) -> str:
        number = next(self.numbers)
        new = cluster(number, "STARTING", spec=like.spec, capacity=like.capacity, age=NOW - self.now)
        self.clusters[new.id] = new
        return new.id

    def _become(self, one, **changes) -> None:
        self.clusters[one.id] = replace(one, **changes)


@pytest.mark.parametrize("seed", range(60))
def test_all_jobs_get_done_however_many_specs_and_processes_share_a_pool(seed):
    world = Minutes(seed)
    for _ in range(300):
        for process in world.chance.sample(list(world.left), len(world.left)):
            world.round(process)
        if not any(world.left.values()):
            return
        world.pass_a_minute()
    pytest.fail(f"{world.left} still wait")
