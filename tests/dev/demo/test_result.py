"""The table at the demo's end, and the cause when the run has failed."""

from __future__ import annotations

import io

import pytest
from moto.server import ThreadedMotoServer

import demo.result
from demo.environment import BUCKET, Places
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
    demo.result.clear(places.endpoint)
    return places


@pytest.fixture
def show(places):
    def show(outcome: Outcome) -> str:
        stream = io.StringIO()
        demo.result.show(Screen(stream), places, outcome)
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
