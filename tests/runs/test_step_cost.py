from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.states import RunState, RunStatus
from airflow_provider_emrkit.runs.step_cost import read_step_cost, step_cost

OWN = JobRun("step", "j-1", "s-1", "t-1", "sales", "us-east-1", owns_cluster=True)
SHARED = replace(OWN, owns_cluster=False)
# The cluster was up at 1,000; the job ran a quarter of the 2,400 seconds since then.
STATUS = RunStatus(RunState.SUCCEEDED, "COMPLETED", started_at=2_000.0, ended_at=2_600.0)
NOW = 3_400.0


def cluster(hours: Any = 16, ready: float | None = 1_000.0, ended: float | None = None) -> dict[str, Any]:
    times = {"ReadyDateTime": ready, "EndDateTime": ended}
    timeline = {
        name: datetime.fromtimestamp(at, timezone.utc) for name, at in times.items() if at is not None
    }
    return {"NormalizedInstanceHours": hours, "Status": {"Timeline": timeline}}


def test_a_cluster_that_was_made_for_the_job_is_all_its_own():
    assert step_cost(cluster(ready=None), OWN, STATUS, NOW) == {
        "normalized_instance_hours": 16.0,
        "cluster_normalized_instance_hours": 16,
        "share": 1.0,
        "estimated": False,
    }


def test_of_a_cluster_of_others_it_is_the_part_of_the_time_it_was_up():
    assert step_cost(cluster(), SHARED, STATUS, NOW) == {
        "normalized_instance_hours": 4.0,
        "cluster_normalized_instance_hours": 16,
        "share": 0.25,
        "estimated": True,
    }


def test_a_cluster_that_has_ended_counts_to_its_end():
    cost = step_cost(cluster(ended=2_600.0), SHARED, STATUS, NOW)
    assert cost
    assert cost["share"] == 0.375


@pytest.mark.parametrize(
    ("cluster", "status", "share"),
    [
        pytest.param(cluster(ready=2_300.0, ended=2_600.0), STATUS, 1.0, id="no more than all"),
        pytest.param(cluster(), replace(STATUS, ended_at=1_500.0), 0.0, id="no less than nothing"),
    ],
)
def test_clocks_that_disagree_do_not_matter(cluster, status, share):
    cost = step_cost(cluster, SHARED, status, NOW)
    assert cost
    assert cost["share"] == share
    assert json.loads(json.dumps(cost)) == cost


@pytest.mark.parametrize(
    ("cluster", "status"),
    [
        pytest.param({}, STATUS, id="no answer"),
        pytest.param({"Status": None, "NormalizedInstanceHours": 4}, STATUS, id="no times"),
        pytest.param(cluster(hours=None), STATUS, id="no hours"),
        pytest.param(cluster(ready=None), STATUS, id="it was never up"),
        pytest.param(cluster(), replace(STATUS, started_at=None), id="the job never ran"),
        pytest.param(cluster(), replace(STATUS, ended_at=None), id="the job's end is not known"),
        pytest.param(cluster(ended=1_000.0), STATUS, id="a cluster of no time"),
    ],
)
def test_nothing_is_made_up(cluster, status):
    assert step_cost(cluster, SHARED, status, NOW) is None


def client(answer: Any) -> Any:
    def describe_cluster(**request: str) -> dict[str, Any]:
        assert request == {"ClusterId": "j-1"}
        if isinstance(answer, BaseException):
            raise answer
        return {"Cluster": answer}

    return SimpleNamespace(describe_cluster=describe_cluster)


def test_emr_is_asked():
    cost = read_step_cost(client(cluster(hours=3)), OWN, STATUS)
    assert cost
    assert cost["normalized_instance_hours"] == 3.0


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(
            ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeCluster"),
            id="denied",
        ),
        pytest.param(ConnectTimeoutError(endpoint_url="https://emr"), id="not reached"),
    ],
)
def test_a_cost_that_can_t_be_asked_for_fails_no_run(error):
    assert read_step_cost(client(error), OWN, STATUS) is None
