"""The link to a job's Spark UI in a real Airflow, clicked in a real browser."""

from __future__ import annotations

import json
import re
import sys
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import demo.airflow
from demo.environment import MARKER, airflow_connections
from demo.ports import any_free
from demo.processes import Child, stop
from demo.rest import Airflow

HERE = Path(__file__).parent

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(600)]

DAG_ID, TASK_ID = "e2e_dashboard", "job"
MILLISECONDS = 120_000


@pytest.fixture(scope="module")
def ended(dag_test):
    """A run of the DAG, whose job has ended."""
    state, output = dag_test(DAG_ID, HERE / "dags")
    assert "success" in state, output
    return dag_test


@pytest.fixture(scope="module")
def airflow(ended, localemr, wait_until):
    """The web server, and nothing else of Airflow; it has no connections but those in Airflow's database."""
    settings = demo.airflow.Settings(demo.airflow.Home(ended._home), HERE / "dags", any_free())
    password = settings.home.password()
    marker = (MARKER, uuid.uuid4().hex)
    environment = {**localemr.base, **settings.variables(), MARKER: marker[1]}
    argv = [sys.executable, "-m", "airflow", "api-server"]
    child = Child.start("Airflow's web server", argv, environment, ended._home / "api-server.log")
    airflow = Airflow(f"http://127.0.0.1:{settings.port}", demo.airflow.USER, password)
    try:
        wait_until(lambda: airflow.health().get("metadatabase") == "healthy", "the web server", 120)
        for conn_id, described in connections(localemr.endpoint).items():
            body = {"connection_id": conn_id, **described, "extra": json.dumps(described["extra"])}
            airflow._call("POST", "/connections", body)
        yield airflow
    finally:
        assert stop(marker, [child.process]) == []


def connections(endpoint: str) -> dict[str, Any]:
    described = airflow_connections(endpoint)
    return {name.removeprefix("AIRFLOW_CONN_").lower(): json.loads(text) for name, text in described.items()}


@pytest.fixture(scope="module")
def run_id(airflow) -> str:
    (run,) = airflow.get(f"/dags/{DAG_ID}/dagRuns")["dag_runs"]
    return quote(run["dag_run_id"])


def spark_ui(airflow, run_id: str) -> str:
    """The link that Airflow shows: relative to its address."""
    where = f"/dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/{TASK_ID}/links"
    return airflow.get(where)["extra_links"]["Spark UI"]


@pytest.fixture
def page(browser):
    """A page of somebody who is not logged in."""
    context = browser.new_context()
    context.set_default_timeout(MILLISECONDS)
    yield context.new_page()
    context.close()


def log_in(page, airflow) -> None:
    page.get_by_label("Username").fill(airflow._login["username"])
    page.get_by_label("Password").fill(airflow._login["password"])
    page.get_by_role("button", name=re.compile("sign in|log in", re.IGNORECASE)).click()


def shows_the_spark_ui(page) -> bool:
    page.wait_for_url(re.compile(r"^http://127\.0\.0\.1:\d+/history/"))
    return "Spark Jobs" in page.inner_text("body")


def test_a_click_on_the_task_s_link_shows_the_job_in_spark_s_own_pages(page, airflow, run_id):
    page.goto(f"{airflow.url}/dags/{DAG_ID}/runs/{run_id}/tasks/{TASK_ID}/details")
    log_in(page, airflow)
    page.get_by_role("link", name="Spark UI").click()
    assert shows_the_spark_ui(page)


def test_somebody_who_is_given_the_link_logs_in_first(page, airflow, run_id):
    page.goto(f"{airflow.url}/{spark_ui(airflow, run_id)}")
    assert "Log in to Airflow" in page.inner_text("h1")
    page.get_by_role("link", name="Log in").click()
    log_in(page, airflow)
    assert shows_the_spark_ui(page)


def test_a_run_that_does_not_exist_is_told_on_a_small_page(page, airflow, run_id):
    link = spark_ui(airflow, run_id)
    page.goto(f"{airflow.url}/{link}x")
    page.get_by_role("link", name="Log in").click()
    log_in(page, airflow)
    page.get_by_role("heading", name="No Spark job yet").wait_for()
