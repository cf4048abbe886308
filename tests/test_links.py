from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_emrkit import links
from airflow_provider_emrkit.links import EmrClusterLink, EmrLogsLink, announce, console_links
from airflow_provider_emrkit.runs.job_run import JobRun

RUN = JobRun("step", "j-1", "s-1", "t-1", "sales", "eu-west-1", log_uri="s3n://my-logs/emr/")


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
    stored = console_links(RUN, on_aws=True)
    announce(RUN, stored, xcoms.__setitem__)
    assert xcoms["emrkit_run"] == RUN.to_dict()
    assert xcoms["emrkit_links"] == stored
    if hasattr(EmrClusterLink(), "xcom_key"):  # Airflow 3 reads each link from an XCom of its own
        assert xcoms[EmrClusterLink().xcom_key] == stored["cluster"]
        assert xcoms[EmrLogsLink().xcom_key] == stored["logs"]


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
