"""Clients that know nothing of emrkit: a boto3 script, the amazon provider's operators and sensors."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.config import STAGING_BUCKET, client_environment

# A DAG has up to three jobs, one after the other.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

EXAMPLES = Path(__file__).parents[2] / "example_dags"
JOB = EXAMPLES / "jobs" / "count_words.py"
SCRIPT = Path(__file__).parent / "clients" / "boto3_life.py"
COUNTS = {"be": 2, "not": 1, "or": 1, "to": 2}
OPERATORS = {"create_cluster", "one_step", "terminate_cluster"}
SERVERLESS_OPERATORS = {"create_application", "count_words", "stop_application", "delete_application"}
MODES = {"sync": "False", "deferrable": "True"}


@pytest.fixture(scope="module")
def script(localemr):
    """What the boto3 script saw."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "boto3-life", str(JOB)],
        env={**os.environ, **client_environment(localemr.endpoint)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_boto3_script_waits_for_clusters_and_steps(script):
    emr = script["emr"]
    assert emr["cluster"] == "TERMINATED"
    assert "Waiter StepComplete failed" in emr["complaint"]
    assert "such.py" in emr["failure"]["Message"]
    assert "spark-submit" in emr["controller"]
    assert script["counts"]["emr"] == COUNTS


def test_a_boto3_script_runs_a_serverless_job_once(script):
    serverless = script["serverless"]
    assert serverless["state"] == "SUCCESS"
    assert serverless["same_run"]
    assert serverless["seconds"] >= 1
    assert serverless["billed"]["vCPUHour"] > 0
    assert "words counted: 4" in serverless["stdout"]
    assert script["counts"]["serverless"] == COUNTS


@pytest.mark.parametrize("mode", MODES)
def test_the_amazon_provider_s_emr_operators(amazon_dag_test, localemr, mode):
    printed = _run(amazon_dag_test, "example_amazon_emr", mode)
    for name in ("first", "left", "right"):
        assert _counts(localemr, f"example_amazon_emr/{name}/") == COUNTS
    listed = localemr.emr.list_clusters()["Clusters"]
    cluster = next(found for found in listed if found["Name"] == "example_amazon_emr")
    assert cluster["Status"]["State"] == "TERMINATED"
    assert [step["Status"]["State"] for step in localemr.steps(cluster["Id"])] == ["COMPLETED"] * 3
    deferred = _deferred(printed)
    assert deferred - {"watch_left", "watch_right"} == (OPERATORS if mode == "deferrable" else set())
    # A sensor whose step is done when it first looks does not defer.
    assert bool(deferred & {"watch_left", "watch_right"}) == (mode == "deferrable")


@pytest.mark.parametrize("mode", MODES)
def test_the_amazon_provider_s_serverless_operators(amazon_dag_test, localemr, mode):
    printed = _run(amazon_dag_test, "example_amazon_emr_serverless", mode)
    assert _counts(localemr, "example_amazon_emr_serverless/counts/") == COUNTS
    assert _deferred(printed) == (SERVERLESS_OPERATORS if mode == "deferrable" else set())


def _run(dag_test, dag_id: str, mode: str) -> str:
    settings = {"AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": MODES[mode]}
    state, printed = dag_test(dag_id, EXAMPLES, settings, 600)
    assert state == '{"state": "success"}', printed
    return printed


def _deferred(printed: str) -> set[str]:
    return set(re.findall(r"Pausing task as DEFERRED.*?task_id=(\w+)", printed))


def _counts(localemr, prefix: str) -> dict[str, int]:
    bucket = {"Bucket": STAGING_BUCKET}
    listed = localemr.s3.list_objects_v2(**bucket, Prefix=prefix)["Contents"]
    text = b"".join(localemr.s3.get_object(**bucket, Key=item["Key"])["Body"].read() for item in listed)
    return {row["word"]: row["count"] for row in map(json.loads, text.splitlines())}
