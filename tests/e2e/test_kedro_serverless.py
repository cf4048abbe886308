"""A real Kedro project: packaged by ``emrkit package``, shipped by the operator, run by real Spark."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import boto3
import pandas as pd
import pytest

from demo.environment import BUCKET

# Real Spark, several times one after the other.
pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
# One that the release's Spark takes, and that is on this machine.
PYTHON = f"3.{min(sys.version_info.minor, 12)}"


@pytest.fixture(scope="module")
def dags(tmp_path_factory):
    """The example DAGs in a folder of their own, with the Kedro project packaged."""
    folder = tmp_path_factory.mktemp("dags") / "dags"
    shutil.copytree(ROOT / "example_dags", folder, ignore=shutil.ignore_patterns("dist", "__pycache__"))
    for file in (Path(__file__).parent / "kedro_dags").glob("*.py"):
        shutil.copy(file, folder)
    command = [
        Path(sys.executable).with_name("emrkit"),
        "package",
        folder / "kedro_project",
        "--archive",
        "--release",
        "emr-7.11.0",
    ]
    pinned = ["--requirements", ROOT / "requirements" / "kedro.txt", "--python", PYTHON]
    # No test downloads a Python; those of CI are on its machine.
    variables = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    done = subprocess.run(
        [*command, *pinned], env=variables, capture_output=True, text=True, check=False, timeout=600
    )
    if "is the system's own" in done.stderr:
        pytest.skip("no Python of this machine can be taken along; uv python install gives one")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def flights(flights_data):
    tables = {}
    for table in ("flights", "airlines"):
        path = flights_data / f"{table}.csv.zip"
        tables[table] = pd.read_csv(path if path.exists() else flights_data / f"{table}.csv")
    return tables


@pytest.fixture(scope="module")
def serverless(localemr):
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    return boto3.client("emr-serverless", endpoint_url=localemr.endpoint, **keys)


def runs_of(serverless, name):
    """The runs of the application of a name, oldest first, as GetJobRun tells them."""
    pages = serverless.get_paginator("list_applications").paginate()
    ids = [one["id"] for page in pages for one in page["applications"] if one["name"] == name]
    runs = [
        serverless.get_job_run(applicationId=application, jobRunId=run["id"])["jobRun"]
        for application in ids
        for run in serverless.list_job_runs(applicationId=application)["jobRuns"]
    ]
    return sorted(runs, key=lambda run: run["createdAt"])


def test_two_pipelines_of_a_kedro_project_give_what_pandas_gives(
    dag_test, localemr, dags, flights, serverless, tmp_path
):
    state, printed = dag_test("example_kedro_serverless", dags, seconds=600)
    assert state == '{"state": "success"}', printed

    left = flights["flights"].dropna(subset=["dep_delay"])
    expected = left.groupby("carrier").agg(
        flights=("dep_delay", "size"), late=("dep_delay", lambda d: (d > 5).sum())
    )
    carriers = pd.read_parquet(localemr.download("kedro_flights/carriers/", tmp_path)).set_index("carrier")
    pd.testing.assert_frame_equal(carriers[["flights", "late"]].sort_index(), expected, check_dtype=False)
    names = flights["airlines"].set_index("carrier")["name"]
    assert carriers["name"].to_dict() == names[carriers.index].to_dict()

    delays = pd.read_parquet(localemr.download("kedro_flights/delays/", tmp_path)).set_index("month")
    means = flights["flights"].groupby("month")["dep_delay"].mean()
    assert delays["mean_delay"].to_dict() == pytest.approx(means.to_dict())

    drivers = [run["jobDriver"]["sparkSubmit"] for run in runs_of(serverless, "kedro-flights")]
    pipelines = [
        arguments[arguments.index("--pipeline") + 1]
        for arguments in (driver["entryPointArguments"] for driver in drivers)
    ]
    assert sorted(pipelines) == ["carriers", "delays"]
    for driver in drivers:
        assert "spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON=./environment/bin/python" in str(driver)
    # Kedro's own lines, one for each record.
    assert "INFO kedro.io.data_catalog: Saving data to carriers" in printed
    # Both tasks ship the same files, which are put to S3 once.
    objects = localemr.s3.list_objects_v2(Bucket=BUCKET, Prefix="staging/")["Contents"]
    assert sum(one["Key"].endswith("environment.tar.gz") for one in objects) == 1


def test_a_pipeline_that_fails_is_named_by_the_exception(dag_test, dags, serverless):
    state, printed = dag_test("e2e_kedro_fails", dags, seconds=600)
    assert state != '{"state": "success"}'
    errors = [line for line in printed.splitlines() if "airflow_provider_emrkit.exceptions" in line]
    assert any("departures" in line for line in errors), printed
    assert runs_of(serverless, "kedro-flights")[-1]["state"] == "FAILED"


def test_jobs_share_an_application_that_is_stopped_after_them(dag_test, localemr, dags, serverless):
    state, printed = dag_test("example_serverless", dags, seconds=600)
    assert state == '{"state": "success"}', printed
    assert [run["state"] for run in runs_of(serverless, "flights")] == ["SUCCESS", "SUCCESS"]
    (application,) = [
        one for one in serverless.list_applications()["applications"] if one["name"] == "flights"
    ]
    assert application["state"] == "STOPPED"
    written = localemr.s3.list_objects_v2(Bucket=BUCKET, Prefix="flights_of_month/month=")["Contents"]
    assert {one["Key"].split("/")[1] for one in written} == {"month=01", "month=02"}
