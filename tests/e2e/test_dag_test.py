"""DAGs through ``dag.test()`` and real Spark: what the demo's job gives, and what a job that fails leaves.

These also run on the oldest Airflow that is supported.
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from expected_flights import KEYS, expected_summary

import demo.input
from demo.environment import BUCKET

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(600)]

EXAMPLES = Path(__file__).parents[2] / "example_dags"
DAGS = Path(__file__).parent / "dags"


@pytest.fixture(scope="module")
def expected(flights_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    tables = {}
    for table in demo.input.TABLES:
        file = folder / f"{table}.csv"
        file.write_bytes(demo.input.csv_bytes(flights_data, table))
        tables[table] = pd.read_csv(file)
    return expected_summary(tables)


def _summary(folder: Path, columns: list[str]) -> pd.DataFrame:
    frame = pd.read_parquet(folder)
    frame["origin"] = frame["origin"].astype(str)  # the folder's name: a category
    return frame[columns].sort_values(KEYS).reset_index(drop=True)


@pytest.mark.parametrize(
    ("dag_id", "dags", "output"),
    [
        pytest.param("example_dynamic_cluster", EXAMPLES, "flights_summary", id="deferrable"),
        pytest.param("e2e_flights_sync", DAGS, "e2e_flights_sync", id="sync"),
    ],
)
def test_the_output_is_what_pandas_gives(dag_test, localemr, expected, tmp_path, dag_id, dags, output):
    state, printed = dag_test(dag_id, dags)
    assert state == '{"state": "success"}', printed

    got = _summary(localemr.download(f"{output}/", tmp_path), list(expected.columns))
    pd.testing.assert_frame_equal(got, expected, check_dtype=False, check_exact=True)

    metrics = json.loads(localemr.s3.get_object(Bucket=BUCKET, Key=f"{output}.metrics.json")["Body"].read())
    assert (metrics["rows_read"], metrics["rows_written"]) == (336_776, len(expected))
    assert metrics["output"] == f"s3://{BUCKET}/{output}"

    assert "rows read: 336776" in printed
    (cluster,) = localemr.clusters_of(dag_id)
    (step,) = localemr.steps(cluster["Id"])
    assert step["Status"]["State"] == "COMPLETED"
    assert localemr.cluster_state(cluster["Id"]) in ("TERMINATING", "TERMINATED")


@pytest.mark.parametrize("dag_id", ["e2e_raises_sync", "e2e_raises_deferrable"])
def test_a_job_that_raises_fails_the_task_with_its_last_line(dag_test, localemr, wait_until, dag_id):
    state, printed = dag_test(dag_id, DAGS)
    assert state != '{"state": "success"}'
    assert "rows: 10" in printed
    errors = [line for line in printed.splitlines() if "ValueError: no flights on 2013-02-30" in line]
    assert any("airflow_provider_emrkit.exceptions" in line for line in errors), printed

    (cluster,) = localemr.clusters_of(dag_id)
    wait_until(
        lambda: localemr.cluster_state(cluster["Id"]) in ("TERMINATED", "TERMINATED_WITH_ERRORS"),
        "the cluster is gone",
    )
    (step,) = localemr.steps(cluster["Id"])
    assert step["Status"]["State"] == "FAILED"


@pytest.mark.parametrize("dag_id", ["e2e_pool_sync", "e2e_pool_deferrable"])
def test_two_jobs_of_a_pool_share_its_cluster(dag_test, localemr, dag_id):
    state, printed = dag_test(dag_id, DAGS)
    assert state == '{"state": "success"}', printed
    assert printed.count("tick 1 ") >= 2

    (cluster,) = localemr.clusters_of_pool(dag_id)
    assert [step["Status"]["State"] for step in localemr.steps(cluster["Id"])] == ["COMPLETED"] * 2
    assert localemr.cluster_state(cluster["Id"]) in ("RUNNING", "WAITING")
