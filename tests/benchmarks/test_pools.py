"""The pool that the endpoint plays, what is counted of placing on it, and how that is judged."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from airflow_provider_emrkit.compute.pool_mark import PoolMark
from airflow_provider_emrkit.hooks.conditional_writes import NotFirstError, put_if_unchanged
from benchmarks.endpoint.emr import PAGE, Emr
from benchmarks.endpoint.s3 import S3
from benchmarks.endpoint.tls import make_certificate
from benchmarks.goals import judge
from benchmarks.pools.figures import PlacementFigures
from benchmarks.pools.measure import measure
from benchmarks.pools.plan import PLACE, STEPS_PER_CLUSTER, make_orders
from benchmarks.pools.scenarios import CLUSTERS, POOLS_FULL, POOLS_QUICK, STEPS
from benchmarks.pools.table import pools_table
from benchmarks.processes import Endpoint
from benchmarks.running import _kind
from benchmarks.scenarios import EMRKIT, FULL
from benchmarks.schedule import Shape, make_schedule

if TYPE_CHECKING:
    from pathlib import Path

STARTED = 1_700_000_000.0
SCENARIO = replace(POOLS_FULL[0], shape=Shape(6, 3, 0.0, 3_600, 3_600), turns=2)


# --- the pool -------------------------------------------------------------------------------------


def test_every_cluster_of_the_schedule_is_one_of_the_pool() -> None:
    emr = Emr(make_schedule(POOLS_FULL[0].shape, 1), STARTED)
    clusters = emr.operations["ListClusters"]({}, 5.0)["Clusters"]
    marks = [PoolMark.of(cluster["Name"]) for cluster in clusters]
    assert len(clusters) == len({mark and mark.start for mark in marks}) == CLUSTERS
    assert {(mark.pool, mark.place) for mark in marks if mark} == {(PLACE.name, PLACE.key)}


def test_all_steps_are_there_from_the_first_second_and_fill_one_page() -> None:
    jobs = make_schedule(POOLS_FULL[0].shape, 1)
    emr = Emr(jobs, STARTED)
    request = {"ClusterId": jobs[0].cluster_id, "StepStates": ["PENDING", "RUNNING", "CANCEL_PENDING"]}
    answer = emr.operations["ListSteps"](request, 0.5)
    assert len(answer["Steps"]) == STEPS <= PAGE
    assert "Marker" not in answer


def test_a_step_that_is_added_runs_and_is_listed_first() -> None:
    jobs = make_schedule(SCENARIO.shape, 1)
    emr, cluster = Emr(jobs, STARTED), jobs[0].cluster_id
    added = emr.operations["AddJobFlowSteps"](
        {"JobFlowId": cluster, "Steps": [{"Name": "a"}, {"Name": "b"}]}, 5.0
    )
    listed = emr.operations["ListSteps"]({"ClusterId": cluster}, 6.0)["Steps"]
    assert [step["Id"] for step in listed[:2]] == added["StepIds"][::-1]
    assert [(step["Name"], step["Status"]["State"]) for step in listed[:2]] == [
        ("b", "RUNNING"),
        ("a", "RUNNING"),
    ]
    assert len(listed) == 4


def test_there_is_room_for_all_that_are_placed_at_once() -> None:
    for scenario in (*POOLS_FULL, *POOLS_QUICK):
        assert scenario.placements <= CLUSTERS * (STEPS_PER_CLUSTER - STEPS)
        orders = make_orders(scenario.placements, CLUSTERS, 1)
        assert len({str(order.token) for order in orders}) == scenario.placements
    assert not {str(one.token) for one in make_orders(2, 1, 1)} & {
        str(one.token) for one in make_orders(2, 1, 2)
    }


# --- S3 -------------------------------------------------------------------------------------------


def test_an_object_is_written_only_where_the_condition_holds() -> None:
    s3 = S3()
    assert s3.put("/b/k", {"If-Match": '"x"'}, b"1").status == 404
    first = s3.put("/b/k", {"If-None-Match": "*"}, b"1")
    assert (first.status, s3.get("/b/k").body) == (200, b"1")
    assert s3.put("/b/k", {"If-None-Match": "*"}, b"2").status == 412
    assert s3.put("/b/k", {"If-Match": '"x"'}, b"2").status == 412
    assert s3.put("/b/k", {"If-Match": first.headers["ETag"]}, b"2").status == 200
    assert s3.get("/b/k").body == b"2"


def test_boto3_reads_back_what_it_wrote_and_knows_that_it_was_not_first(tmp_path: Path) -> None:
    import boto3

    certificate = make_certificate(tmp_path)
    endpoint = Endpoint(SCENARIO, 1, certificate)
    try:
        s3 = boto3.client("s3", endpoint_url=endpoint.url, verify=str(certificate.bundle))
        content = b'{"holder": "a"}' * 1_000
        etag = put_if_unchanged(s3, "bench", "emrkit/pools/a.json", content, etag="")["ETag"]
        found = s3.get_object(Bucket="bench", Key="emrkit/pools/a.json")
        assert (found["Body"].read(), found["ETag"]) == (content, etag)
        with pytest.raises(NotFirstError):
            put_if_unchanged(s3, "bench", "emrkit/pools/a.json", b"{}", etag="")
        assert {"GetObject": 1, "PutObject": 2}.items() <= endpoint.counts()["served"].items()
    finally:
        endpoint.close()


# --- what is measured -----------------------------------------------------------------------------


@pytest.mark.parametrize("placements", [pytest.param(1, id="worker"), pytest.param(7, id="triggerer")])
def test_every_job_is_placed_and_its_calls_are_counted(tmp_path: Path, placements: int) -> None:
    figures = measure(replace(SCENARIO, placements=placements), EMRKIT, 1, tmp_path)
    assert (figures.unplaced, figures.refused) == (0, {})
    assert figures.looks == 1 + 3
    assert figures.acts == min(placements, 3)
    assert figures.s3_calls >= 2
    assert len(figures.cpus) == len(figures.latencies) == 2
    # As one process hands them to the other.
    assert PlacementFigures(**json.loads(json.dumps(asdict(figures)))) == figures


# --- how it is judged -----------------------------------------------------------------------------

GOOD = PlacementFigures(
    scenario="pool-1",
    contestant=EMRKIT,
    placements=1,
    clusters=CLUSTERS,
    turns=3,
    served={"GetObject": 1, "PutObject": 3, "ListClusters": 1, "ListSteps": 20, "AddJobFlowSteps": 1},
    refused={},
    cpus=[0.1, 0.05, 0.3],
    latencies=[0.4, 0.5, 0.9],
    unplaced=0,
    load=0.1,
)


def test_figures_that_follow_from_others() -> None:
    assert (GOOD.looks, GOOD.acts, GOOD.s3_calls, GOOD.calls_per_placement) == (21, 1, 4, 26)
    assert (GOOD.cpu_ms, GOOD.wall_ms) == (100, 500)
    many = replace(GOOD, placements=100)
    assert (many.looks_per_placement, many.cpu_ms) == (0.21, 1)
    written = GOOD.to_json()
    assert written["looks"] == 21
    assert "latencies" not in written


@pytest.mark.parametrize(
    ("worse", "figure"),
    [
        pytest.param(replace(GOOD, unplaced=1), "unplaced", id="a job without a step"),
        pytest.param(replace(GOOD, served={"ListSteps": 22}), "looks", id="a call more"),
        pytest.param(
            replace(GOOD, served={"ListSteps": 21, "DescribeCluster": 1}), "looks", id="another call"
        ),
        pytest.param(replace(GOOD, cpus=[0.2]), "cpu_ms", id="more of the processor"),
        pytest.param(replace(GOOD, latencies=[1.0]), "wall_ms", id="slower"),
    ],
)
def test_goals_are_met_and_can_be_missed(worse: PlacementFigures, figure: str) -> None:
    goals = {goal.figure: goal for goal in POOLS_FULL[0].goals}
    assert all(judge(goal, {EMRKIT: GOOD}, EMRKIT).met for goal in goals.values())
    assert judge(goals[figure], {EMRKIT: worse}, EMRKIT).met is False


def test_the_table_shows_the_figures() -> None:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(pools_table(POOLS_FULL, {"pool-1": {EMRKIT: GOOD}}))
    (row,) = (line for line in captured.get().splitlines() if POOLS_FULL[0].title in line)
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells[1:] == ["21", "1", "4", "26.00", "100.0", "500", "900", "0"]


def test_each_kind_of_load_has_a_program_of_its_own() -> None:
    assert _kind(POOLS_FULL[0]) == ("benchmarks.pools.measure", PlacementFigures)
    assert _kind(FULL[0])[0] == "benchmarks.measure"
