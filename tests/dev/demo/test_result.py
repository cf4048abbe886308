"""The table at the demo's end, and the cause when the run has failed."""

from __future__ import annotations

import io
import json

import pytest
from moto.server import ThreadedMotoServer

import demo.result
from demo.environment import BUCKET, Places
from demo.examples import FLIGHTS, IMAGE, Example
from demo.follow import Outcome
from demo.localemr import ClusterNews, s3_client
from demo.screen import Screen

TASK = {"task_id": "flights_summary", "state": "success"}
CLUSTER = ClusterNews("j-1", "TERMINATED", "Steps completed", "emr-7.11.0", "s-1", "COMPLETED")


@pytest.fixture(scope="module")
def port():
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture
def places(port, tmp_path):
    places = Places(tmp_path, tmp_path, tmp_path, tmp_path, tmp_path, 1, port)
    s3_client(places.endpoint).create_bucket(Bucket=BUCKET)
    for example in (FLIGHTS, IMAGE):
        example.clear(s3_client(places.endpoint))
    return places


@pytest.fixture
def show(places):
    def show(outcome: Outcome, example: Example = FLIGHTS) -> str:
        stream = io.StringIO()
        result = example.read(s3_client(places.endpoint))
        demo.result.show(Screen(stream), places, outcome, example, result)
        return stream.getvalue()

    return show


def test_the_table_tells_where_everything_is(show, places):
    body = b'{"rows_read": 5, "rows_written": 399}'
    s3_client(places.endpoint).put_object(Bucket=BUCKET, Key="flights_summary.metrics.json", Body=body)
    text = show(Outcome("success", 12.34, [TASK], cluster=CLUSTER))
    rows = {
        line.split("│")[1].strip(): line.split("│")[2].strip() for line in text.splitlines() if "│" in line
    }
    assert rows == {
        "task": "flights_summary",
        "compute": "dynamic cluster, emr-7.11.0",
        "id": "j-1 s-1",
        "state": "success",
        "seconds": "12.3",
        "rows written": "399",
        "output": "s3://emrkit-demo/flights_summary/",
        "logs": "s3://emrkit-demo/logs/j-1/steps/s-1/",
    }


def test_a_run_that_got_nowhere_has_no_rows_and_no_cluster(show):
    text = show(Outcome("failed", 1.0, [{**TASK, "state": "failed"}]))
    rows = {
        line.split("│")[1].strip(): line.split("│")[2].strip() for line in text.splitlines() if "│" in line
    }
    assert (rows["rows written"], rows["id"], rows["logs"]) == ("none", "none", "none")


@pytest.mark.parametrize(
    ("errors", "cause"),
    [
        pytest.param(
            ["KeyError: 'a'", "JobFailedError: no rows"], "JobFailedError: no rows", id="the last exception"
        ),
        pytest.param([], "airflow.log", id="where to look when there was none"),
    ],
)
def test_a_failed_run_is_shown_with_its_cause(show, errors, cause):
    last = show(Outcome("failed", 1.0, [TASK], errors, CLUSTER)).splitlines()[-1]
    assert last.startswith("The run has failed: ")
    assert last.endswith(cause)


def _routes(count: int = 217, **changes) -> bytes:
    row = {"origin": "EWR", "dest": "LGA", "flights": 1, "miles": 17, "great_circle_miles": 16.6}
    longest = {"origin": "JFK", "dest": "HNL", "flights": 342, "miles": 4983, "great_circle_miles": 4975.2}
    return "\n".join(map(json.dumps, [*([row] * (count - 1)), {**longest, **changes}])).encode()


def _put_routes(places: Places, body: bytes) -> None:
    s3_client(places.endpoint).put_object(Bucket=BUCKET, Key="great_circles/part-00000.json", Body=body)


def test_the_routes_of_the_job_with_an_image_are_counted_and_the_longest_is_told(show, places):
    _put_routes(places, _routes())
    text = show(Outcome("success", 12.3, [{**TASK, "task_id": "great_circles"}], cluster=CLUSTER), IMAGE)
    assert "│ 217 " in text
    assert "s3://emrkit-demo/great_circles/" in text
    assert text.splitlines()[-1].startswith("The longest route: JFK-HNL, 4975.2 miles along the great circle")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(
            _routes(great_circle_miles=2487.6),
            "the length of 1 routes can't be right: JFK-HNL",
            id="half as long",
        ),
        pytest.param(
            _routes(great_circle_miles=float("nan")),
            "the length of 1 routes can't be right: JFK-HNL",
            id="no number",
        ),
        pytest.param(_routes(100), "100 routes were measured, there are 217", id="too few"),
    ],
)
def test_routes_that_can_not_be_right_are_no_success(show, places, body, problem):
    _put_routes(places, body)
    text = show(Outcome("success", 12.3, [TASK], cluster=CLUSTER), IMAGE)
    assert f"The result is wrong: {problem}" in text


def test_routes_of_an_earlier_run_are_not_taken_for_this_ones(places):
    s3 = s3_client(places.endpoint)
    _put_routes(places, _routes())
    IMAGE.clear(s3)
    assert IMAGE.read(s3).rows == "none"
