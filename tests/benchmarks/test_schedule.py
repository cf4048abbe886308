from __future__ import annotations

from collections import Counter

from airflow_provider_emrkit.runs.token import Mark
from benchmarks.schedule import Shape, make_schedule

SHAPE = Shape(jobs=200, clusters=20, arrival=10.0, first_end=30.0, last_end=60.0)


def test_the_same_seed_gives_the_same_jobs() -> None:
    assert make_schedule(SHAPE, 7) == make_schedule(SHAPE, 7)
    assert make_schedule(SHAPE, 7) != make_schedule(SHAPE, 8)


def test_jobs_are_deferred_and_end_when_the_shape_says() -> None:
    jobs = make_schedule(SHAPE, 1)
    assert [job.number for job in jobs] == list(range(1, 201))
    assert [job.deferred for job in jobs] == sorted(job.deferred for job in jobs)
    assert all(0 <= job.deferred <= 10 for job in jobs)
    assert all(job.deferred < job.starts < job.ends for job in jobs)
    assert all(30 <= job.ends <= 60 for job in jobs)


def test_the_clusters_get_equally_many() -> None:
    per_cluster = Counter(job.cluster_id for job in make_schedule(SHAPE, 1))
    assert list(per_cluster.values()) == [10] * 20


def test_every_step_is_another_one_and_carries_emrkits_mark() -> None:
    jobs = make_schedule(SHAPE, 1)
    assert len({job.step_id for job in jobs}) == len({job.token for job in jobs}) == 200
    assert all(Mark.of(job.name) and job.token in job.name for job in jobs)


def test_jobs_may_start_when_they_are_deferred() -> None:
    (job,) = make_schedule(Shape(1, 1, arrival=1.0, first_end=5.0, last_end=6.0, at_once=True), seed=1)
    assert job.starts == job.deferred
