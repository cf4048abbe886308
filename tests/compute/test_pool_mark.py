from __future__ import annotations

import pytest

from airflow_provider_emrkit.compute.pool_mark import PoolMark, PoolPlace
from airflow_provider_emrkit.validation import InvalidValueError

MARK = PoolMark("medium", "0a1b2c3d", "0123456789ab", (1, 2, 8), "ba9876543210")


@pytest.mark.parametrize(
    "mark",
    [
        MARK,
        PoolMark("x" * 64, "0" * 8, "f" * 12, (10**9, 10**9, 10**9), "0" * 12),
        PoolMark("a.b-c_d", *list(vars(MARK).values())[1:]),
    ],
)
@pytest.mark.parametrize("before", ["", "etl", "a emrkit-pool:b", "größe/1"])
def test_a_name_tells_the_mark_whatever_stands_before_it(mark, before):
    assert PoolMark.of(before + mark.marked()) == mark
    assert len(mark.marked()) <= 256


def test_people_see_the_pools_name_first():
    assert MARK.marked() == "medium emrkit-pool:medium/0a1b2c3d/0123456789ab/1-2-8/ba9876543210"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "etl",
        "etl emrkit:c66c9179a54ad449-0-1",
        MARK.marked() + " ",
        MARK.marked() + "\n",
        MARK.marked().replace("medium/", "/"),
        MARK.marked().replace("1-2-8", "1-2"),
        MARK.marked().replace("1-2-8", "1-2-٨"),
        MARK.marked().replace("0a1b2c3d", "0A1B2C3D"),
        MARK.marked().replace(" emrkit-pool", "emrkit-pool"),
        " emrkit-pool:" + "x" * 65 + MARK.marked().partition(":medium")[2],
    ],
)
def test_other_clusters_have_none(name):
    assert PoolMark.of(name) is None


@pytest.mark.parametrize(
    ("spec", "capacity", "satisfied"),
    [
        (MARK.spec, (1, 2, 8), True),
        (MARK.spec, (1, 1, 0), True),
        (MARK.spec, (1, 3, 1), False),
        (MARK.spec, (1, 2, 9), False),
        (MARK.spec, (3, 2, 8), False),
        ("ffffffffffff", (1, 1, 0), False),
    ],
)
def test_at_least_as_big_satisfies(spec, capacity, satisfied):
    assert MARK.satisfies(spec, capacity) is satisfied


@pytest.mark.parametrize("base", ["s3://b/etl", "s3://b/etl/", "s3a://b/etl", "s3n://b/etl//"])
def test_a_place_is_the_same_however_its_address_is_written(base):
    assert PoolPlace.below(base, "medium") == PoolPlace("medium", "", "s3://b/etl/pools/medium.json")


@pytest.mark.parametrize("base", ["s3://b", "s3://b/"])
def test_a_bucket_alone_is_a_place(base):
    assert PoolPlace.below(base, "medium", "data").uri == "s3://b/pools/data/medium.json"


def test_teams_names_and_addresses_part_pools():
    places = [
        PoolPlace.below(base, name, team)
        for base in ("s3://b", "s3://c")
        for name in "xy"
        for team in ("", "x", "y")
    ]
    assert len({place.key for place in places}) == len({place.uri for place in places}) == len(places)


@pytest.mark.parametrize(
    "base", ["", "b/x", "http://b/x", "s3://", "s3:///x", "s3://b/{{ x }}", "s3://b/a\n", "s3://b/#a"]
)
def test_what_can_be_no_place(base):
    with pytest.raises(InvalidValueError, match="can't be the place of a pool"):
        PoolPlace.below(base, "medium")
