"""The address of a Spark UI, and what is said when there is none."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from faulty_emr import aws_error, throttled, timed_out, unreachable

from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.token import RunToken
from airflow_provider_emrkit.ui import dashboards, task_runs
from airflow_provider_emrkit.ui.dashboards import dashboard_of
from airflow_provider_emrkit.ui.notice import Notice
from airflow_provider_emrkit.ui.task_runs import TaskKey

KEY = TaskKey("sales", "manual__1", "load")
ROLE = "arn:aws:iam::123456789012:role/job"
TOKEN = str(RunToken("sales", "manual__1", "load", -1, 2, 3, 1))
RUN = JobRun("job_run", "", "", TOKEN, "sales", "us-east-1", application_id="00f1app", job_run_id="00f1run")


@pytest.fixture
def known(monkeypatch) -> dict[str, Any]:
    """What Airflow's database tells of the task instance."""
    told: dict[str, Any] = {"emrkit_run": RUN.to_dict(), "emrkit_conn_id": "emrkit_default"}
    monkeypatch.setattr(task_runs, "stored_xcom", lambda key, name: told.get(name) if key == KEY else None)
    monkeypatch.setattr(
        task_runs, "stored_argument", lambda key, name: told.get(name) if key == KEY else None
    )
    return told


@pytest.fixture
def job_run(known, localemr_server, emrkit_connection) -> JobRun:
    """A job run, which is that of the task instance."""
    serverless = localemr_server.client("emr-serverless")
    names = {"name": "nightly", "releaseLabel": "emr-7.11.0", "type": "SPARK"}
    application = serverless.create_application(**names)["applicationId"]
    driver = {"sparkSubmit": {"entryPoint": "s3://code/job.py"}}
    started = serverless.start_job_run(applicationId=application, executionRoleArn=ROLE, jobDriver=driver)
    run = replace(RUN, application_id=application, job_run_id=started["jobRunId"])
    known["emrkit_run"] = run.to_dict()
    return run


@pytest.fixture
def refused(known, emrkit_connection, monkeypatch):
    """Ask while EMR gives an error, and give what is said then."""

    def refused(error: Exception) -> Notice:
        def ask(*_: Any) -> str:
            raise error

        monkeypatch.setattr(dashboards, "dashboard_url", ask)
        with pytest.raises(Notice) as caught:
            dashboard_of(KEY)
        return caught.value

    return refused


def notice_of(key: TaskKey = KEY) -> Notice:
    with pytest.raises(Notice) as caught:
        dashboard_of(key)
    return caught.value


def test_emr_serverless_makes_the_address_of_a_job_run(job_run, localemr_server):
    names = {"applicationId": job_run.application_id, "jobRunId": job_run.job_run_id}
    made = localemr_server.client("emr-serverless").get_dashboard_for_job_run(**names)
    assert dashboard_of(KEY) == made["url"]


def test_emr_makes_the_address_of_a_step_also_when_its_cluster_is_gone(
    known, localemr_server, emrkit_connection
):
    cluster_id = localemr_server.run_cluster()
    known["emrkit_run"] = JobRun("step", cluster_id, "s-1", TOKEN, "sales", "us-east-1").to_dict()
    history = f"{localemr_server.endpoint_url}/_emrkit/spark/"
    assert dashboard_of(KEY) == history
    localemr_server.client("emr").terminate_job_flows(JobFlowIds=[cluster_id])
    localemr_server.wait_cluster(cluster_id, "TERMINATED")
    assert dashboard_of(KEY) == history


@pytest.mark.parametrize(
    "stored",
    [
        None,
        "s-1",
        {},
        {"kind": "job_run"},
        {**RUN.to_dict(), "job_run_id": ""},
        {"log_streams": [1]},
        {**RUN.to_dict(), "token": str(RunToken("finance", "manual__1", "load", -1, 0, 1))},
        {**RUN.to_dict(), "token": "t-1"},
        {**RUN.to_dict(), "token": None},
    ],
)
def test_a_task_that_has_submitted_nothing(known, stored):
    known["emrkit_run"] = stored
    notice = notice_of()
    assert notice.status == 404
    assert "task load of DAG sales, run manual__1 has not submitted a job" in notice.text


def test_the_run_is_known_in_an_airflow_that_has_a_name(known, monkeypatch):
    monkeypatch.setenv("AIRFLOW__EMRKIT__DEPLOYMENT", "prod")
    own = RunToken("sales", "manual__1", "load", -1, 0, 1, deployment="prod")
    assert KEY.has_started(replace(RUN, token=str(own)))
    assert not KEY.has_started(RUN)


@pytest.mark.parametrize("conn_id", [None, "", 7, "{{ params.conn }}", "{% if x %}a{% endif %}"])
def test_a_connection_that_airflow_knows_no_longer(known, conn_id):
    known["emrkit_conn_id"] = conn_id
    notice = notice_of()
    assert (notice.status, notice.title) == (404, "Connection unknown")
    assert "max_num_rendered_ti_fields_per_task" in notice.mend


def test_a_connection_that_is_missing(known):
    known["emrkit_conn_id"] = "emrkit_finance"
    notice = notice_of()
    assert notice.title == "The connection is missing"
    assert "emrkit_finance" in notice.text


def test_a_connection_that_cannot_be_right(known, monkeypatch):
    extra = {"region_name": "us-east-1", "endpoint_url": "nowhere"}
    monkeypatch.setenv("AIRFLOW_CONN_EMRKIT_ODD", json.dumps({"conn_type": "emrkit", "extra": extra}))
    known["emrkit_conn_id"] = "emrkit_odd"
    notice = notice_of()
    assert notice.title == "The connection can't be right"
    assert "connection emrkit_odd, field endpoint_url" in notice.text


def test_an_emr_that_nobody_answers_for_is_asked_once(known, emrkit_connection, monkeypatch):
    extra = {**emrkit_connection, "endpoint_url": "http://127.0.0.1:1"}
    monkeypatch.setenv("AIRFLOW_CONN_EMRKIT_DEFAULT", json.dumps({"conn_type": "emrkit", "extra": extra}))
    sent: list[str] = []
    real = dashboards._clients

    def clients(found):
        made = real(found)
        client = made.client("emr-serverless", retries=False)
        client.meta.events.register("before-send", lambda request, **_: sent.append(request.url))
        return made

    monkeypatch.setattr(dashboards, "_clients", clients)
    notice = notice_of()
    assert (notice.status, notice.title) == (504, "EMR can't be reached")
    assert len(sent) == 1


def test_a_job_run_that_emr_has_forgotten(known, localemr_server, emrkit_connection):
    notice = notice_of()
    assert (notice.status, notice.title) == (404, "EMR no longer knows the job")
    assert "job run 00f1run on application 00f1app" in notice.text


def test_a_permission_that_is_missing_is_named(refused):
    said = "User: arn:aws:sts::1:assumed-role/web/x is not authorized to perform: "
    said += (
        "emr-serverless:GetDashboardForJobRun on resource: arn:aws:emr-serverless:us-east-1:1:/applications/a"
    )
    notice = refused(aws_error("AccessDeniedException", said, 403))
    assert (notice.status, notice.title) == (403, "A permission is missing")
    assert "emr-serverless:GetDashboardForJobRun" in notice.text
    assert "emrkit_default" in notice.mend


def test_after_a_refusal_the_credentials_are_looked_up_again(refused, monkeypatch):
    from airflow_provider_emrkit.hooks.emrkit import EmrKitHook

    before = EmrKitHook("emrkit_default", "us-east-1").clients
    refused(throttled())
    assert EmrKitHook("emrkit_default", "us-east-1").clients is before
    refused(aws_error("ExpiredTokenException", "The security token is expired", 403))
    assert EmrKitHook("emrkit_default", "us-east-1").clients is not before


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (throttled(), 429),
        (timed_out(), 504),
        (unreachable(), 504),
        (aws_error("ResourceNotFoundException", "Job run does not exist", 404), 404),
        (aws_error("ValidationException", "Job run has no UI in state QUEUED"), 502),
        (aws_error("InternalServerException", "Oh", 500), 502),
    ],
    ids=str,
)
def test_what_emr_answers_is_told(refused, error, status):
    notice = refused(error)
    assert notice.status == status
    assert "job run 00f1run on application 00f1app" in notice.text


def test_an_error_of_another_sort_tells_no_more_than_its_name_and_is_logged(refused, caplog):
    notice = refused(RuntimeError("password=hunter2"))
    assert notice.status == 500
    assert "RuntimeError" in notice.text
    assert "hunter2" not in notice.page()
    assert "hunter2" in caplog.text


def test_an_xcom_that_is_kept_elsewhere_and_cannot_be_read(monkeypatch):
    def stored_xcom(*_: Any) -> Any:
        raise aws_error("AccessDenied", "", 403)  # a bucket of the XCom backend's

    monkeypatch.setattr(task_runs, "stored_xcom", stored_xcom)
    notice = notice_of()
    assert (notice.status, "ClientError" in notice.text) == (500, True)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "", "//evil.example", "file:///etc/passwd"])
def test_an_address_that_is_no_web_page_s_is_followed_by_nobody(known, emrkit_connection, monkeypatch, url):
    monkeypatch.setattr(dashboards, "dashboard_url", lambda *_: url)
    assert notice_of().status == 502


class OldEmr:
    """EMR's client of a boto3 that has heard of no persistent UIs."""


class SlowEmr:
    """EMR's client while EMR starts a history server."""

    def describe_cluster(self, **_):
        return {"Cluster": {"ClusterArn": "arn:aws:elasticmapreduce:us-east-1:1:cluster/j-1"}}

    def create_persistent_app_ui(self, **_):
        return {"PersistentAppUIId": "p-1"}

    def get_persistent_app_ui_presigned_url(self, **_):
        return {"PresignedURLReady": False}


@pytest.mark.parametrize(
    ("emr", "status", "mend"), [(OldEmr(), 501, "boto3 1.38"), (SlowEmr(), 503, "in a minute")]
)
def test_a_step_whose_history_cannot_be_shown_now(emr, status, mend):
    class Clients:
        def client(self, service, *, retries=True):
            return emr

    with pytest.raises(Notice) as caught:
        dashboards.dashboard_url(JobRun("step", "j-1", "s-1", TOKEN, "sales", "us-east-1"), Clients())
    assert caught.value.status == status
    assert mend in caught.value.mend
