from __future__ import annotations

import time
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError
from faulty_emr import FaultyEmr, aws_error, throttled
from pool_worlds import OTHER_SPEC, PLACE, SIZE, SPEC, start_id, token

from airflow_provider_emrkit.compute.pool_mark import PoolMark
from airflow_provider_emrkit.pools.looking import look
from airflow_provider_emrkit.pools.record import PoolRecord
from airflow_provider_emrkit.pools.standing import standings, tokens_of
from airflow_provider_emrkit.pools.survey import Survey


def mark(number: int, place=PLACE, spec: str = SPEC) -> PoolMark:
    return PoolMark(place.name, place.key, spec, SIZE, start_id(number))


@pytest.fixture
def emr(localemr_server):
    return FaultyEmr(localemr_server.client("emr"))


@pytest.fixture
def start(localemr_server):
    """Start a cluster of the pool and wait until it is up."""

    def run(number: int, place=PLACE, spec: str = SPEC, **request) -> str:
        cluster_id = localemr_server.run_cluster(Name=mark(number, place, spec).marked(), **request)
        localemr_server.wait_cluster(cluster_id, "WAITING")
        return cluster_id

    return run


def test_an_account_without_clusters(emr):
    assert look(emr, PLACE, steps_enough=1) == Survey()
    assert emr.calls == ["list_clusters"]


def test_the_clusters_of_the_pool_are_found_of_all_specs_the_oldest_first(emr, start, localemr_server):
    begun = time.time()
    ids = [start(1), start(2, spec=OTHER_SPEC), start(3)]
    localemr_server.run_cluster(Name="somebody's")
    start(4, replace(PLACE, name="large"))
    start(5, replace(PLACE, team="sales"))
    start(6, replace(PLACE, uri="s3://other/medium.json"))
    found = look(emr, PLACE, steps_enough=1).clusters
    assert [one.id for one in found] == ids
    assert [one.mark for one in found] == [mark(1), mark(2, spec=OTHER_SPEC), mark(3)]
    assert {one.state for one in found} == {"WAITING"}
    assert all(begun - 1 <= one.created_at <= one.ready_at <= time.time() + 1 for one in found)
    assert sorted(emr.calls) == ["list_clusters", *["list_steps"] * 3]


def test_a_cluster_that_boots_has_no_time_it_was_ready(emr, localemr_server):
    localemr_server.run_cluster(Name=mark(1).marked())
    (found,) = look(emr, PLACE, steps_enough=1).clusters
    assert found.ready_at is None or found.state in ("RUNNING", "WAITING")


def test_its_steps_that_wait_or_run_are_found(emr, start, localemr_server):
    cluster_id = start(1)
    names = [f"sales.load emrkit:{token(number)}" for number in (1, 2)]
    ended = localemr_server.add_step(cluster_id, "quick")
    localemr_server.wait_step(cluster_id, ended, "COMPLETED")
    localemr_server.runner.script("sales.load", hold=True)
    ids = [localemr_server.add_step(cluster_id, name) for name in names]
    localemr_server.wait_step(cluster_id, ids[0], "RUNNING")
    survey = look(emr, PLACE, steps_enough=10)
    steps = {step.id: step for step in survey.clusters[0].steps}
    assert set(steps) == set(ids)
    assert [steps[one].state for one in ids] == ["RUNNING", "PENDING"]
    assert [steps[one].started_at is None for one in ids] == [False, True]
    assert tokens_of(survey) == {token(1), token(2)}
    assert [one.room for one in standings(survey, PoolRecord(), 3)] == [1]


def test_a_cluster_that_has_ended_is_none_of_the_pool(emr, start, localemr_server):
    cluster_id = start(1)
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    localemr_server.wait_cluster(cluster_id, "TERMINATED")
    assert look(emr, PLACE, steps_enough=1) == Survey()


def test_a_cluster_that_goes_away_between_the_calls_is_left_out(emr, start):
    ids = [start(1), start(2)]
    emr.fail("list_steps", aws_error("InvalidRequestException", f"Cluster id '{ids[0]}' is not valid."))
    assert len(look(emr, PLACE, steps_enough=1).clusters) == 1


@pytest.mark.parametrize("call", ["list_clusters", "list_steps"])
def test_a_call_that_is_refused_makes_no_pool_look_empty(emr, start, call):
    start(1)
    start(2)
    emr.fail(call, throttled())
    with pytest.raises(ClientError, match="Rate exceeded"):
        look(emr, PLACE, steps_enough=1)
    assert len(look(emr, PLACE, steps_enough=1).clusters) == 2


class PagedEmr:
    """EMR with so many clusters and steps that it gives them in pages of 50."""

    def __init__(self, clusters: int, steps: int, state: str = "RUNNING") -> None:
        self.calls = []
        self._clusters = [
            {"Id": f"j-{number}", "Name": mark(number).marked(), "Status": {"State": state}}
            for number in range(clusters)
        ]
        self._steps = [
            {"Id": f"s-{number}", "Name": "one", "Status": {"State": "PENDING"}} for number in range(steps)
        ]

    def list_clusters(self, **request):
        assert sorted(request["ClusterStates"]) == [
            "BOOTSTRAPPING",
            "RUNNING",
            "STARTING",
            "TERMINATING",
            "WAITING",
        ]
        self.calls.append("clusters")
        return self._page("Clusters", self._clusters, request)

    def list_steps(self, **request):
        assert sorted(request["StepStates"]) == ["CANCEL_PENDING", "PENDING", "RUNNING"]
        self.calls.append("steps")
        return self._page("Steps", self._steps, request)

    def _page(self, member, items, request):
        first = int(request.get("Marker", 0))
        more = {"Marker": str(first + 50)} if first + 50 < len(items) else {}
        return {member: items[first : first + 50], **more}


def test_all_pages_of_clusters_are_read():
    emr = PagedEmr(clusters=120, steps=0)
    assert len(look(emr, PLACE, steps_enough=1).clusters) == 120
    assert emr.calls.count("clusters") == 3
    assert emr.calls.count("steps") == 120


@pytest.mark.parametrize(("enough", "pages"), [(1, 1), (50, 1), (51, 2), (1_000, 4)])
def test_no_more_steps_are_read_than_tell_that_a_cluster_is_full(enough, pages):
    emr = PagedEmr(clusters=1, steps=170)
    (found,) = look(emr, PLACE, steps_enough=enough).clusters
    assert emr.calls.count("steps") == pages
    assert len(found.steps) >= min(enough, 170)


def test_a_look_at_twenty_clusters_takes_one_call_more_than_there_are_clusters():
    emr = PagedEmr(clusters=20, steps=50)
    look(emr, PLACE, steps_enough=50)
    assert len(emr.calls) == 21


def test_the_steps_of_a_cluster_that_ends_are_not_asked_for():
    emr = PagedEmr(clusters=2, steps=3, state="TERMINATING")
    assert [one.steps for one in look(emr, PLACE, steps_enough=1).clusters] == [(), ()]
    assert emr.calls == ["clusters"]
