from __future__ import annotations

import pytest
from pool_worlds import NOW, cluster, placing, record, start_id, starting, step, survey, waiting

from airflow_provider_emrkit.pools.order import PoolBounds
from airflow_provider_emrkit.pools.survey import PoolStep, Survey
from airflow_provider_emrkit.pools.words import (
    CHANGED,
    UNCHANGED,
    WaitingNews,
    busy_message,
    busy_words,
    duration_words,
)


def words(found, known=None, bounds=None):
    return busy_words(found, known or record(), bounds or PoolBounds(3, steps_per_cluster=2), NOW)


def test_a_full_pool_names_its_longest_jobs_and_who_waits():
    found = survey(
        cluster(1, "RUNNING", [step(1, age=750.0), step(2, age=30.0, name="sales.report")]),
        cluster(2, "RUNNING", [step(3, age=7_500.0, name="hr.pay"), step(4, "CANCEL_PENDING", age=20.0)]),
        cluster(3, "STARTING", [step(5, "PENDING", age=9_000.0)]),
    )
    assert words(found, record(waiting={"one": waiting(70.0, 10.0), "two": waiting(2_400.0)})) == (
        "pool medium has 3 of 3 clusters (1 starting); 5 steps are on them, of 6 at once: "
        "hr.pay for 2 h 5 min (j-2), sales.load for 12 min (j-1), sales.report for 30 s (j-1) and 2 more; "
        "3 jobs wait, the oldest for 40 min"
    )


def test_clusters_of_several_definitions_are_told():
    found = survey(cluster(1, "RUNNING", [1]), cluster(2, "RUNNING", [2], spec="fedcba987654"))
    assert "2 of 3 clusters; they are of 2 definitions, and a job takes those of its own; " in words(found)


def test_a_step_that_waits_is_told_from_one_that_runs():
    assert "sales.load for 1 min, waiting (j-1)" in words(
        survey(cluster(1, "STARTING", [step(1, "PENDING")]))
    )


def test_one_of_each_is_told_in_the_singular():
    found = survey(cluster(1, "RUNNING", [step(1)]))
    known = record(placing(9, "j-1"), waiting={"one": waiting(5.0)})
    assert words(found, known, PoolBounds(1)) == (
        "pool medium has 1 of 1 cluster; 1 step is on them, of 1 at once: sales.load for 1 min (j-1); "
        "1 job may be on the way; 1 job waits, the oldest for 5 s"
    )


def test_a_pool_without_clusters():
    assert words(Survey()) == "the pool has 0 of 3 clusters"


def test_a_pool_without_clusters_is_named_by_who_knows_it():
    told = busy_words(Survey(), record(), PoolBounds(3), NOW, pool="medium")
    assert told == "pool medium has 0 of 3 clusters"


def test_clusters_that_may_be_starting_are_told_as_such():
    assert words(Survey(), record(starting(1), placing(1, start_id(1)))) == (
        "the pool has 1 of 3 clusters (1 starting); 1 job may be on the way"
    )


def test_draining_clusters_are_told_and_run_nothing_more():
    found = survey(cluster(1, "RUNNING", [1]), cluster(2), cluster(3, "TERMINATING"))
    assert words(found, record(draining=frozenset({"j-1"}))) == (
        "pool medium has 2 of 3 clusters (1 draining); 1 step is on them, of 2 at once: "
        "sales.load for 1 min (j-1)"
    )


def test_idle_clusters():
    assert words(survey(cluster(1))) == "pool medium has 1 of 3 clusters; no steps are on them"


def test_names_can_not_do_harm():
    evil = "\x1b]0;owned\x07\x1b[2J::group::x\nsecond line\u202e" + "long " * 1_000
    steps = [PoolStep(f"s-{number}", evil, "RUNNING", NOW - 5.0, NOW - 5.0) for number in range(50)]
    told = words(survey(cluster(1, "RUNNING", steps)))
    assert told.isprintable()
    assert "::group" not in told
    assert len(told) < 600


def test_a_step_without_a_name_has_its_id():
    assert "s-7 for 5 s" in words(
        survey(cluster(1, "RUNNING", [PoolStep("s-7", "", "RUNNING", NOW, NOW - 5)]))
    )


def test_times_that_are_not_known_or_in_the_future_are_nothing_to_worry_about():
    steps = [PoolStep("s-1", "one", "RUNNING"), PoolStep("s-2", "two", "RUNNING", NOW + 9, NOW + 9)]
    told = words(survey(cluster(1, "RUNNING", steps)))
    assert "one for 0 s, waiting" in told
    assert "two for 0 s" in told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-3.0, "0 s"),
        (59.9, "59 s"),
        (60.0, "1 min"),
        (3_599.0, "59 min"),
        (3_600.0, "1 h"),
        (3_661.0, "1 h 1 min"),
        (86_400.0, "1 d"),
        (90_000.0, "1 d 1 h"),
    ],
)
def test_durations_are_as_exact_as_one_wants_to_know(seconds, told):
    assert duration_words(seconds) == told


# --- how often it is told


def told(words: list[str], every: float) -> list[str]:
    news = WaitingNews("medium")
    lines = (news.news(text, number * every) for number, text in enumerate(words))
    return [line for line in lines if line]


def test_the_first_line_comes_at_once():
    assert told(["full"], 1.0) == ["Waiting for room in pool medium: full"]


def test_changes_are_told_once_a_minute_at_most():
    assert len(told([f"{number} jobs wait" for number in range(120)], CHANGED / 60)) == 2


def test_what_does_not_change_is_told_seldom():
    assert len(told(["full"] * 120, UNCHANGED / 60)) == 2


def test_the_pool_is_named_once():
    words = "pool medium has 1 of 1 cluster"
    assert told([words], 1.0) == ["Waiting for room in pool medium: it has 1 of 1 cluster"]
    assert busy_message("medium", 90.4, words).endswith("so the job was not placed: it has 1 of 1 cluster")
