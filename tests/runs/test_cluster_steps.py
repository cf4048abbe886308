from __future__ import annotations

import gzip
import logging
from dataclasses import replace
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from airflow_provider_emrkit.compute.defaults import ClusterDefaults
from airflow_provider_emrkit.runs.cluster_steps import ClusterSteps
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.releasing import release
from airflow_provider_emrkit.runs.states import RunState


def aws_error(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "RunJobFlow")  # type: ignore[typeddict-item]


THROTTLED = aws_error("ThrottlingException", "Rate exceeded")
TIMED_OUT = ReadTimeoutError(endpoint_url="https://emr")


class FakeEmr:
    """EMR as its client shows it; ``failures`` are raised before, or after, a call did its work."""

    exceptions = SimpleNamespace(ClientError=ClientError)

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failures: dict[str, list[tuple[Exception, bool]]] = {}
        self.clusters: dict[str, dict[str, Any]] = {
            "j-TEAM": {"Id": "j-TEAM", "Name": "team", "State": "WAITING"}
        }
        self.steps: dict[str, list[dict[str, Any]]] = {"j-TEAM": []}
        self.refuses_to_end = False

    def fail(self, call: str, *errors: Exception, done: bool = False) -> None:
        self.failures[call] = [(error, done) for error in errors]

    def _call(self, name: str, work: Any) -> Any:
        self.calls.append(name)
        failure = self.failures.get(name)
        error, done = failure.pop(0) if failure else (None, False)
        if error and not done:
            raise error
        answer = work()
        if error:
            raise error
        return answer

    def list_steps(self, ClusterId: str, StepIds: Any = None, Marker: Any = None) -> Any:  # noqa: N803
        steps = [step for step in self.steps[ClusterId] if StepIds is None or step["Id"] in StepIds]
        assert StepIds is None or len(StepIds) <= 10
        return self._call("list_steps", lambda: {"Steps": steps})

    def describe_cluster(self, ClusterId: str) -> Any:  # noqa: N803
        cluster = self.clusters[ClusterId]
        return self._call(
            "describe_cluster", lambda: {"Cluster": {**cluster, "Status": {"State": cluster["State"]}}}
        )

    def terminate_job_flows(self, JobFlowIds: Any) -> Any:  # noqa: N803
        def work() -> None:
            if not self.refuses_to_end:
                self.clusters[JobFlowIds[0]]["State"] = "TERMINATING"

        return self._call("terminate_job_flows", work)


@pytest.fixture
def emr():
    return FakeEmr()


def steps_with(emr: FakeEmr, **others: Any) -> ClusterSteps:
    """:param others: The clients of other services, by their names."""
    clients = SimpleNamespace(
        client=lambda service, retries=True: others.get(service, emr),
        region_name="us-east-1",
        has_own_endpoint=True,
    )
    return ClusterSteps(clients, ClusterDefaults(), pause=lambda seconds: False, settle=lambda seconds: None)


@pytest.fixture
def steps(emr):
    return steps_with(emr)


def run_of(step_id: str, cluster_id: str = "j-TEAM", *, owns: bool = False) -> JobRun:
    return JobRun("step", cluster_id, step_id, "t-1", "n", "us-east-1", owns_cluster=owns)


def test_states_of_many_steps_take_one_call(emr, steps):
    when = datetime(2024, 1, 1, tzinfo=timezone.utc)
    status = {"State": "RUNNING", "Timeline": {"StartDateTime": when}}
    emr.steps["j-TEAM"] = [{"Id": f"s-{number}", "Status": status} for number in range(25)]
    runs = [run_of(f"s-{number}") for number in range(25)]
    states = steps.states(runs)
    assert {status.state for status in states.values()} == {RunState.RUNNING}
    assert states[runs[0]].started_at == when.timestamp()
    assert emr.calls == ["list_steps"]


def test_a_cluster_is_asked_for_only_while_its_steps_don_t_tell_enough(emr, steps):
    emr.steps["j-TEAM"] = [{"Id": "s-0", "Status": {"State": "PENDING"}}]
    assert steps.states([run_of("s-0")])[run_of("s-0")].state is RunState.QUEUED
    assert emr.calls == ["list_steps", "describe_cluster"]


def test_a_cluster_of_others_is_never_ended(emr, steps):
    assert steps.release(run_of("s-0")).done
    assert emr.calls == []


def test_an_own_cluster_is_ended_and_seen_ending(emr, steps):
    emr.clusters["j-1"] = {"State": "RUNNING"}
    released = steps.release(run_of("s-0", "j-1", owns=True))
    assert (released.done, released.message) == (True, "cluster j-1 is TERMINATING")


def test_a_cluster_that_does_not_end_is_not_called_ended(emr, steps):
    emr.clusters["j-1"] = {"State": "RUNNING"}
    emr.refuses_to_end = True
    released = steps.release(run_of("s-0", "j-1", owns=True))
    assert (released.done, released.message) == (False, "it is still RUNNING")


def test_ending_a_cluster_is_tried_again(emr, steps):
    emr.clusters["j-1"] = {"State": "RUNNING"}
    emr.fail("terminate_job_flows", THROTTLED, TIMED_OUT)
    assert steps.release(run_of("s-0", "j-1", owns=True)).done


def test_a_cluster_that_can_t_be_ended_is_named_in_an_error(emr, steps, caplog):
    emr.clusters["j-1"] = {"State": "RUNNING"}
    emr.fail("terminate_job_flows", *[aws_error("AccessDeniedException", "not yours")] * 9)
    release(steps, run_of("s-0", "j-1", owns=True), logging.getLogger("task"))
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert (
        "Cluster j-1 in us-east-1 could not be terminated (permission is missing: not yours" in record.message
    )


def test_the_cause_is_looked_for_in_the_archive_when_cloudwatch_got_nothing(emr, localemr_server):
    """A cluster that is to send its logs to CloudWatch may lack the permission, or end too soon."""
    emr.clusters["j-TEAM"]["MonitoringConfiguration"] = {"CloudWatchLogConfiguration": {"Enabled": True}}
    emr.steps["j-TEAM"] = [{"Id": "s-0", "Status": {"State": "FAILED"}}]
    s3 = localemr_server.client("s3")
    s3.create_bucket(Bucket="archive")
    body = gzip.compress(b"ValueError: no such day")
    s3.put_object(Bucket="archive", Key="logs/j-TEAM/steps/s-0/stderr.gz", Body=body)
    steps = steps_with(emr, logs=localemr_server.client("logs"), s3=s3)
    run = replace(run_of("s-0"), log_uri="s3://archive/logs/", log_group="/aws/emr/j-TEAM")
    facts = steps.failure_facts(run)
    assert [text.lines for text in facts.texts] == [["ValueError: no such day"]]
    assert facts.followed is False
