"""What pools there are, as names of clusters, their tags and the pools' records tell."""

from __future__ import annotations

import time

import pytest

from airflow_provider_emrkit.account import AccountError
from airflow_provider_emrkit.compute.pool_mark import PoolPlace
from airflow_provider_emrkit.pools.commands.by_name import NoSuchPoolError, SeveralPoolsError, find_pool
from airflow_provider_emrkit.pools.commands.listing import PoolListing, under_way, waiting


class Counted:
    """A client whose calls are counted."""

    def __init__(self, client):
        self._client = client
        self.calls = []
        client.meta.events.register("before-call", self._count)

    def _count(self, model, **_):
        self.calls.append(model.name)

    def __getattr__(self, name):
        return getattr(self._client, name)


@pytest.fixture
def emr(localemr_server):
    return Counted(localemr_server.client("emr"))


@pytest.fixture
def listing(emr, localemr_server):
    return PoolListing(emr, localemr_server.client("s3"))


def test_a_pool_is_told_by_the_names_of_its_clusters(pools_on_server, listing):
    place = pools_on_server.place(team="sales")
    older, newer = pools_on_server.start(place), pools_on_server.start(place, spec="ba9876543210")
    pools_on_server.server.run_cluster(Name="in no pool")
    (pool,) = listing.pools()
    assert (pool.name, pool.team, pool.place, pool.owner) == ("medium", "sales", place, "data-platform")
    assert [one.cluster.id for one in pool.clusters] == [older, newer]
    assert [one.cluster.mark.spec for one in pool.clusters] == ["0123456789ab", "ba9876543210"]
    assert {(one.release, one.at_once) for one in pool.clusters} == {("emr-7.11.0", 2)}


def test_it_asks_once_for_each_spec_and_once_for_the_steps_of_each_cluster(pools_on_server, listing, emr):
    place = pools_on_server.place()
    for spec in ("0123456789ab", "0123456789ab", "ba9876543210"):
        pools_on_server.start(place, spec=spec)
    listing.pools()
    assert sorted(emr.calls) == ["DescribeCluster"] * 2 + ["ListClusters"] + ["ListSteps"] * 3
    emr.calls.clear()
    listing.pools("medium", each=True)
    assert emr.calls.count("DescribeCluster") == 3


def test_steps_are_counted_with_how_many_there_may_be_at_once(pools_on_server, listing):
    place = pools_on_server.place()
    busy, idle = pools_on_server.start(place, at_once=1), pools_on_server.start(place, at_once=1)
    pools_on_server.work(busy, "load")
    pools_on_server.server.add_step(busy, "later")
    (pool,) = listing.pools("medium", each=True)
    assert [step.name for step in pool.clusters[0].cluster.steps] == ["load", "later"]
    assert (pool.count("RUNNING"), pool.count("PENDING"), pool.at_once) == (1, 1, 2)
    pools_on_server.write(place, draining=[idle])
    (pool,) = listing.pools("medium", each=True)
    assert [one.is_draining for one in pool.clusters] == [False, True]
    assert pool.at_once == 1


def test_pools_of_one_name_in_several_places_are_several(pools_on_server, listing):
    ours = pools_on_server.place()
    sales = pools_on_server.place(team="sales")
    other = pools_on_server.place(base="s3://pools-test/other")
    for place in (sales, other, ours):
        pools_on_server.start(place)
    found = listing.pools()
    assert {pool.place for pool in found} == {ours, sales, other}
    assert [pool.team for pool in found] == ["", "", "sales"]


def test_tags_that_do_not_fit_the_name_are_not_believed(pools_on_server, listing):
    place = pools_on_server.place()
    pools_on_server.start(place, tags={"emrkit:lease": "s3://somebody-elses/record.json"})
    (pool,) = listing.pools()
    assert (pool.place, pool.team, pool.record) == (None, None, None)
    assert "do not tell" in pool.problem
    (pool,) = listing.pools(known=[place])
    assert (pool.place, pool.team, pool.problem) == (place, "", "")


def test_the_tags_of_any_cluster_of_the_pool_tell_its_place(pools_on_server, listing):
    place = pools_on_server.place()
    pools_on_server.start(place, tags={})
    pools_on_server.start(place)
    (pool,) = listing.pools("medium", each=True)
    assert pool.place == place


def test_jobs_that_wait_are_those_of_processes_that_live(pools_on_server, listing):
    place, now = pools_on_server.place(), time.time()
    pools_on_server.start(place)
    pools_on_server.write(
        place,
        waiting={
            "worker-1": {"seen": now - 5, "since": [now - 90, now - 30]},
            "worker-2": {"seen": now - 5, "since": [now - 700]},
            "died": {"seen": now - 600, "since": [now - 900]},
        },
    )
    (pool,) = listing.pools()
    assert waiting(pool.record) == pytest.approx([now - 700, now - 90, now - 30])


def test_what_may_be_under_way_is_what_may_still_take_effect(pools_on_server, listing):
    place, now = pools_on_server.place(), time.time()
    pools_on_server.start(place)
    claims = [
        {"deed": "start", "id": "ba9876543210", "cluster_id": "", "until": now + 300},
        {"deed": "place", "id": "c66c9179a54ad449-0-1", "cluster_id": "j-1", "until": now - 300},
    ]
    pools_on_server.write(place, claims=claims)
    (pool,) = listing.pools()
    assert [claim.deed for claim in under_way(pool.record)] == ["start"]


def test_a_record_that_may_not_be_read_is_told_and_the_rest_is_shown(pools_on_server, listing):
    place = pools_on_server.place(base="s3://no-such-bucket-here/emrkit")
    pools_on_server.start(place)
    (pool,) = listing.pools()
    assert pool.place == place
    assert pool.record is None
    assert "GetObject was refused: " in pool.problem
    assert "NoSuchBucket" in pool.problem


def test_a_pool_without_a_record_has_nobody_waiting(pools_on_server, listing):
    pools_on_server.start(pools_on_server.place())
    (pool,) = listing.pools()
    assert (waiting(pool.record), pool.problem) == ([], "")


def test_a_refusal_of_emr_is_one_sentence(emr, listing):
    emr.meta.events.register("before-call", _refuse)
    with pytest.raises(AccountError, match=r"^ListClusters was refused: not you \(AccessDenied\)$"):
        listing.pools()


def _refuse(model, **_):
    from botocore.exceptions import ClientError

    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, model.name)


# --- which one is meant -----------------------------------------------------------------------------------


def test_one_pool_of_the_name_is_the_one_that_is_meant(pools_on_server, listing):
    place = pools_on_server.place(team="sales")
    pools_on_server.start(place)
    pools_on_server.start(pools_on_server.place("large"))
    assert find_pool(listing, "medium").place == place
    assert find_pool(listing, "medium", "sales", place.uri).place == place


def test_of_several_the_choice_is_given_as_options(pools_on_server, listing):
    sales, shared = pools_on_server.place(team="sales"), pools_on_server.place()
    for place in (sales, shared):
        pools_on_server.start(place)
    with pytest.raises(SeveralPoolsError) as told:
        find_pool(listing, "medium")
    assert f"--team sales --lease-uri {sales.uri}  (1 clusters)" in str(told.value)
    assert f"--team '' --lease-uri {shared.uri}" in str(told.value)
    assert find_pool(listing, "medium", "sales").place == sales
    assert find_pool(listing, "medium", "").place == shared


def test_a_place_may_be_given_as_the_pool_gives_it(pools_on_server, listing):
    one, other = pools_on_server.place(), pools_on_server.place(base="s3://pools-test/other")
    for place in (one, other):
        pools_on_server.start(place)
    with pytest.raises(SeveralPoolsError):
        find_pool(listing, "medium", "")
    for uri in ("s3://pools-test/other", "s3://pools-test/other/", "s3a://pools-test/other", other.uri):
        assert find_pool(listing, "medium", lease_uri=uri).place == other


def test_a_place_that_tags_do_not_tell_can_be_given(pools_on_server, listing):
    place = pools_on_server.place(team="sales")
    pools_on_server.start(place, tags={})
    assert find_pool(listing, "medium").place is None
    assert find_pool(listing, "medium", "sales", "s3://pools-test/emrkit").place == place
    with pytest.raises(NoSuchPoolError, match="no pool medium is of that team and place; there is"):
        find_pool(listing, "medium", "marketing", "s3://pools-test/emrkit")


def test_a_pool_whose_clusters_have_all_ended_is_found_by_its_record(pools_on_server, listing):
    place = pools_on_server.place()
    with pytest.raises(NoSuchPoolError, match="no cluster of this account and region is in a pool medium"):
        find_pool(listing, "medium", lease_uri="s3://pools-test/emrkit")
    now = time.time()
    pools_on_server.write(place, waiting={"worker-1": {"seen": now, "since": [now - 9]}})
    pool = find_pool(listing, "medium", lease_uri="s3://pools-test/emrkit")
    assert (pool.place, pool.clusters, len(waiting(pool.record))) == (place, (), 1)


def test_a_name_alone_finds_nothing_where_there_is_no_cluster(listing):
    with pytest.raises(NoSuchPoolError, match="see emrkit pool list"):
        find_pool(listing, "medium")


def test_a_place_is_that_of_a_pool_and_team(pools_on_server):
    assert pools_on_server.place(team="sales") == PoolPlace(
        "medium", "sales", "s3://pools-test/emrkit/pools/sales/medium.json"
    )
