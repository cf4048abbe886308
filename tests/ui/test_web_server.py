"""The way to a Spark UI through the web server of either Airflow, whose database knows a DAG that has run."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

import pytest

from airflow_provider_emrkit._compat import AIRFLOW_V_3_0_PLUS
from airflow_provider_emrkit.ui import dashboards
from airflow_provider_emrkit.ui.notice import Notice

pytestmark = pytest.mark.e2e

DAG_ID = "emrkit_links"
PAGE = "https://p-1.emrappui-prod.us-east-1.amazonaws.com/shs?authToken=x"


@pytest.fixture
def emr(monkeypatch) -> list[tuple[str, str]]:
    """An EMR that makes an address for each run; gives job runs, each with the endpoint that was asked."""
    asked: list[tuple[str, str]] = []

    def dashboard_url(run, clients) -> str:
        asked.append((run.job_run_id, clients.endpoint_for("emr")))
        return PAGE

    extra = {"region_name": "us-east-1", "endpoint_url": "http://127.0.0.1:1"}
    monkeypatch.setenv("AIRFLOW_CONN_EMRKIT_LINKS", json.dumps({"conn_type": "emrkit", "extra": extra}))
    monkeypatch.setattr(dashboards, "dashboard_url", dashboard_url)
    return asked


@pytest.mark.parametrize(
    ("task_id", "more", "job_run_id"),
    [("load", {}, "00f1run"), ("mapped", {"map_index": 0}, "00f1a"), ("mapped", {"map_index": 1}, "00f1b")],
)
def test_a_click_leads_to_the_address_that_emr_has_just_made(web_server, emr, task_id, more, job_run_id):
    answer = web_server.dashboard(task_id, **more)
    assert (answer.status, answer.location) == (302, PAGE)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    # The connection is that of the task's arguments, which load has as a template.
    assert emr == [(job_run_id, "http://127.0.0.1:1")]


def test_the_link_that_airflow_shows_leads_there(web_server, emr):
    links = web_server.links("load")
    assert re.match(r"https://us-east-1\.console\.aws", links["EMR Serverless"])
    spark_ui = links["Spark UI"]
    root = "" if AIRFLOW_V_3_0_PLUS else "/"  # what the pages of 3.x say that links are relative to
    assert spark_ui.startswith(f"{root}emrkit/dags/{DAG_ID}/dashboard?")
    assert web_server.get("/" + spark_ui.removeprefix(root)).location == PAGE
    assert links["EMR cluster"] is None
    assert web_server.links("idle")["Spark UI"] is None


def test_nobody_is_told_anything_before_the_login(web_server, emr):
    answer = web_server.dashboard("load", role=None)
    assert emr == []
    if AIRFLOW_V_3_0_PLUS:
        assert answer.status == 401
        (login,) = re.findall(r'href="([^"]+)"', answer.text)
        assert web_server.get(login, role=None).status == 307
    else:
        assert answer.status == 302
        login = answer.location
        assert login.startswith("/login/?next=")
    assert f"/emrkit/dags/{DAG_ID}/dashboard?run_id=" in unquote(login)


def test_a_user_who_may_not_see_the_task_does_not_see_its_spark_ui(web_server, emr):
    answer = web_server.dashboard("load", role="Public")
    assert emr == []
    assert answer.location != PAGE
    assert answer.status == 403


def test_another_dag_in_the_query_changes_nothing(web_server, emr):
    """It is the DAG of the path that the user's permission is checked for, and that is shown."""
    answer = web_server.dashboard("load", dag_id="other")
    assert (answer.status == 302 and emr == [("00f1run", "http://127.0.0.1:1")]) or answer.status == 403


def test_an_address_in_the_query_is_followed_by_nobody(web_server, emr):
    answer = web_server.dashboard("load", url="https://evil.example", next="https://evil.example")
    assert answer.location == PAGE


@pytest.mark.parametrize("task_id", ["idle", "no_such_task"])
def test_a_task_without_a_job_is_told_on_a_small_page(web_server, emr, task_id):
    answer = web_server.dashboard(task_id)
    assert (answer.status, emr) == (404, [])
    assert f"task {task_id} of DAG {DAG_ID}" in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_task_whose_connection_is_missing(web_server, emr):
    answer = web_server.dashboard("lost")
    assert (answer.status, emr) == (500, [])
    assert "no_such_connection" in answer.text


def test_what_emr_refuses_is_told_on_a_small_page(web_server, emr, monkeypatch):
    def refuse(*_):
        raise Notice(403, "A permission is missing", "<i>emr-serverless:GetDashboardForJobRun</i>")

    monkeypatch.setattr(dashboards, "dashboard_url", refuse)
    answer = web_server.dashboard("load")
    assert answer.status == 403
    assert "&lt;i&gt;emr-serverless:GetDashboardForJobRun" in answer.text


@pytest.mark.parametrize("query", ["", "run_id=x", "task_id=load", "run_id=x&task_id=load&map_index=one"])
def test_an_address_that_is_not_whole(web_server, emr, query):
    answer = web_server.get(f"/emrkit/dags/{DAG_ID}/dashboard?{query}")
    assert answer.status in (404, 422)
    assert emr == []
    assert "<h1>" in answer.text


def test_a_connection_whose_rendered_name_airflow_has_deleted_is_read_from_the_dag(
    web_server, emr, monkeypatch
):
    from airflow.models.renderedtifields import RenderedTaskInstanceFields

    monkeypatch.setattr(RenderedTaskInstanceFields, "get_templated_fields", lambda *_, **__: None)
    assert web_server.dashboard("mapped", map_index=0).location == PAGE
    # This one is a template, of which nobody knows what it was rendered to.
    answer = web_server.dashboard("load")
    assert (answer.status, "Connection unknown" in answer.text) == (404, True)


@pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="2.x has one login for all its pages")
def test_a_script_gets_the_address_as_json_for_a_token(web_server, emr):
    headers = {"accept": "application/json", "authorization": f"Bearer {web_server.token('Viewer')}"}
    answer = web_server.dashboard("load", role=None, headers=headers)
    assert (answer.status, json.loads(answer.text)) == (200, {"url": PAGE})
