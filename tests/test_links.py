from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_emrkit import links
from airflow_provider_emrkit._compat import AIRFLOW_V_3_0_PLUS
from airflow_provider_emrkit.links import (
    OPERATOR_LINKS,
    EmrClusterLink,
    EmrLogsLink,
    EmrSparkUiLink,
    announce,
    console_links,
)
from airflow_provider_emrkit.runs.job_run import JobRun

RUN = JobRun("step", "j-1", "s-1", "t-1", "sales", "eu-west-1", log_uri="s3n://my-logs/emr/")
JOB_RUN = JobRun(
    *("job_run", "", "", "t-1", "sales", "eu-west-1"),
    log_uri="s3://my-logs/emr/",
    log_group="/team/emr",
    application_id="00f1app",
    job_run_id="00f1run",
)
TASK = SimpleNamespace(
    dag_id="sales", run_id="manual__2026-01-01T00:00:00+00:00", task_id="load", map_index=-1
)
SPARK_UI = "emrkit/dags/sales/dashboard?run_id=manual__2026-01-01T00%3A00%3A00%2B00%3A00&task_id=load"
ROOT = "" if AIRFLOW_V_3_0_PLUS else "/"


def test_the_console_s_pages():
    assert console_links(RUN, on_aws=True) == {
        "cluster": "https://eu-west-1.console.aws.amazon.com/emr/home?region=eu-west-1#/clusterDetails/j-1",
        "logs": "https://eu-west-1.console.aws.amazon.com/s3/buckets/my-logs?region=eu-west-1"
        "&prefix=emr/j-1/steps/s-1/",
    }


def test_the_log_in_cloudwatch_where_the_cluster_sends_it():
    run = replace(RUN, log_group="/team/emr", log_prefix="nightly/")
    assert console_links(run, on_aws=True)["cloudwatch"] == (
        "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1"
        "#logsV2:log-groups/log-group/$252Fteam$252Femr/log-events/nightly$252Fsteps$252Fs-1$252Fstderr"
    )
    assert "cloudwatch" not in console_links(run, on_aws=False)


def test_the_console_s_pages_of_a_job_run_show_what_all_its_attempts_have_logged():
    assert console_links(JOB_RUN, on_aws=True) == {
        "application": "https://eu-west-1.console.aws.amazon.com/emr/home?region=eu-west-1#/serverless",
        "logs": "https://eu-west-1.console.aws.amazon.com/s3/buckets/my-logs?region=eu-west-1"
        "&prefix=emr/applications/00f1app/jobs/00f1run/",
        "cloudwatch": "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1"
        "#logsV2:log-groups/log-group/$252Fteam$252Femr"
        "$3FlogStreamNameFilter$3D$252Fapplications$252F00f1app$252Fjobs$252F00f1run$252F",
    }


def test_the_streams_of_a_job_run_begin_with_its_application_s_prefix():
    run = replace(JOB_RUN, log_prefix="nightly/", log_uri=None)
    links = console_links(run, on_aws=True)
    assert links["cloudwatch"].endswith("$3Dnightly$252Fapplications$252F00f1app$252Fjobs$252F00f1run$252F")
    assert "logs" not in links


@pytest.mark.parametrize("run", [RUN, JOB_RUN], ids=["step", "job run"])
def test_the_way_to_the_spark_ui_is_a_page_of_airflow_s_also_where_emr_is_a_local_one(run):
    assert console_links(run, on_aws=False, task_instance=TASK) == {"dashboard": f"{ROOT}{SPARK_UI}"}
    assert console_links(run, on_aws=True, task_instance=TASK)["dashboard"] == f"{ROOT}{SPARK_UI}"


def test_the_spark_ui_of_a_mapped_task():
    mapped = SimpleNamespace(dag_id="sales", run_id="a/b?&", task_id="group.load", map_index=3)
    links = console_links(JOB_RUN, on_aws=False, task_instance=mapped)
    asked = "run_id=a%2Fb%3F%26&task_id=group.load&map_index=3"
    assert links["dashboard"] == f"{ROOT}emrkit/dags/sales/dashboard?{asked}"


@pytest.mark.skipif(AIRFLOW_V_3_0_PLUS, reason="the pages of 3.x say what links are relative to")
def test_the_spark_ui_of_a_web_server_below_a_path(monkeypatch):
    monkeypatch.setenv("AIRFLOW__WEBSERVER__BASE_URL", "https://example.com/team/airflow/")
    links = console_links(JOB_RUN, on_aws=False, task_instance=TASK)
    assert links["dashboard"] == f"/team/airflow/{SPARK_UI}"


def test_airflow_can_show_each_link():
    assert len({link.name for link in OPERATOR_LINKS}) == len(OPERATOR_LINKS)
    shown = {link.which for link in OPERATOR_LINKS}
    runs = (replace(RUN, log_group="/team/emr"), JOB_RUN)
    assert {which for run in runs for which in console_links(run, on_aws=True, task_instance=TASK)} == shown


@pytest.mark.parametrize(
    ("region", "domain"),
    [
        ("cn-north-1", "amazonaws.cn"),
        ("us-gov-west-1", "amazonaws-us-gov.com"),
        ("us-east-1", "aws.amazon.com"),
    ],
)
def test_other_partitions_have_another_console(region, domain):
    assert (
        f"//{region}.console.{domain}/" in console_links(replace(RUN, region=region), on_aws=True)["cluster"]
    )


def test_there_is_nothing_to_show_for_a_local_emr_or_without_logs():
    assert console_links(RUN, on_aws=False) == {}
    assert "logs" not in console_links(replace(RUN, log_uri=None), on_aws=True)


def test_links_are_there_while_the_task_runs(monkeypatch):
    xcoms: dict[str, Any] = {}
    stored = console_links(RUN, on_aws=True, task_instance=TASK)
    announce(RUN, stored, xcoms.__setitem__)
    assert xcoms["emrkit_run"] == RUN.to_dict()
    assert xcoms["emrkit_links"] == stored
    if hasattr(EmrClusterLink(), "xcom_key"):  # Airflow 3 reads each link from an XCom of its own
        assert xcoms[EmrClusterLink().xcom_key] == stored["cluster"]
        assert xcoms[EmrLogsLink().xcom_key] == stored["logs"]
        assert xcoms[EmrSparkUiLink().xcom_key] == SPARK_UI


def test_a_link_reads_what_was_stored(monkeypatch):
    stored = console_links(RUN, on_aws=True)

    class XCom:
        @staticmethod
        def get_value(*, key: str, ti_key: Any) -> Any:
            return stored if key == "emrkit_links" and ti_key == "ti" else None

    monkeypatch.setattr(links, "XCom", XCom)
    assert EmrClusterLink().get_link(None, ti_key="ti") == stored["cluster"]
    assert EmrLogsLink().get_link(None, ti_key="ti") == stored["logs"]
    assert EmrClusterLink().get_link(None, ti_key="a task that has not run yet") == ""


def test_the_spark_ui_is_linked_as_soon_as_there_is_a_run(monkeypatch):
    xcoms: dict[Any, Any] = {}

    class XCom:
        @staticmethod
        def get_value(*, key: str, ti_key: Any) -> Any:
            return xcoms.get(key)

    monkeypatch.setattr(links, "XCom", XCom)
    assert EmrSparkUiLink().get_link(None, ti_key=TASK) == ""
    xcoms["emrkit_run"] = JOB_RUN.to_dict()
    assert EmrSparkUiLink().get_link(None, ti_key=TASK) == f"{ROOT}{SPARK_UI}"
