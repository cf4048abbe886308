from __future__ import annotations

import gzip
import logging
from dataclasses import replace
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from airflow_provider_emrkit import ClusterSpec, DynamicCluster, ExistingCluster, SparkJob
from airflow_provider_emrkit.compute.defaults import ClusterDefaults
from airflow_provider_emrkit.exceptions import SubmitRefusedError
from airflow_provider_emrkit.runs.cluster_steps import ClusterSteps
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.releasing import release
from airflow_provider_emrkit.runs.states import RunState
from airflow_provider_emrkit.runs.token import RunToken

TOKEN = RunToken("sales", "manual__1", "load", -1, 0, 1)
JOB = SparkJob("s3://code/job.py")
NEW = DynamicCluster(ClusterSpec("emr-7.11.0", size="tiny"))
THERE = ExistingCluster("j-TEAM")


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
        self.members = {"MonitoringConfiguration"}
        self.requests: list[dict[str, Any]] = []

    @property
    def meta(self) -> Any:
        shape = SimpleNamespace(input_shape=SimpleNamespace(members=self.members))
        return SimpleNamespace(service_model=SimpleNamespace(operation_model=lambda name: shape))

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

    def _add(self, cluster_id: str, step: dict[str, Any]) -> str:
        steps = self.steps[cluster_id]
        steps.insert(0, {"Id": f"s-{len(steps)}", "Name": step["Name"], "Status": {"State": "PENDING"}})
        return steps[0]["Id"]

    def run_job_flow(self, **request: Any) -> Any:
        def work() -> Any:
            cluster_id = f"j-NEW{len(self.clusters)}"
            self.clusters[cluster_id] = {"Id": cluster_id, "Name": request["Name"], "State": "STARTING"}
            self.steps[cluster_id] = []
            self._add(cluster_id, request["Steps"][0])
            return {"JobFlowId": cluster_id}

        self.requests.append(request)
        return self._call("run_job_flow", work)

    def add_job_flow_steps(self, JobFlowId: str, Steps: Any) -> Any:  # noqa: N803
        return self._call("add_job_flow_steps", lambda: {"StepIds": [self._add(JobFlowId, Steps[0])]})

    def list_steps(self, ClusterId: str, StepIds: Any = None, Marker: Any = None) -> Any:  # noqa: N803
        steps = [step for step in self.steps[ClusterId] if StepIds is None or step["Id"] in StepIds]
        assert StepIds is None or len(StepIds) <= 10
        return self._call("list_steps", lambda: {"Steps": steps})

    def list_clusters(self, **request: Any) -> Any:
        found = [
            cluster for cluster in self.clusters.values() if cluster["State"] in request["ClusterStates"]
        ]
        return self._call("list_clusters", lambda: {"Clusters": found})

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
        client=lambda service, retries=True: others.get(service, emr), region_name="us-east-1"
    )
    return ClusterSteps(clients, ClusterDefaults(), pause=lambda seconds: False, settle=lambda seconds: None)


@pytest.fixture
def steps(emr):
    return steps_with(emr)


def new_clusters(emr: FakeEmr) -> list[str]:
    return [name for name in emr.clusters if name != "j-TEAM"]


def test_a_new_cluster_takes_two_calls(emr, steps):
    run = steps.submit(JOB, NEW, TOKEN)
    assert emr.calls == ["run_job_flow", "list_steps"]
    assert (run.cluster_id, run.step_id, run.owns_cluster) == ("j-NEW1", "s-0", True)
    assert emr.requests[0]["Instances"]["KeepJobFlowAliveWhenNoSteps"] is False


def test_an_existing_cluster_takes_two_calls(emr, steps):
    run = steps.submit(JOB, THERE, TOKEN)
    assert emr.calls == ["describe_cluster", "add_job_flow_steps"]
    assert (run.cluster_id, run.step_id, run.owns_cluster) == ("j-TEAM", "s-0", False)


@pytest.mark.parametrize("compute", [pytest.param(NEW, id="new"), pytest.param(THERE, id="existing")])
@pytest.mark.parametrize(
    "error", [pytest.param(THROTTLED, id="throttled"), pytest.param(TIMED_OUT, id="timeout")]
)
@pytest.mark.parametrize(
    "done", [pytest.param(True, id="EMR did it"), pytest.param(False, id="EMR did nothing")]
)
def test_a_submission_whose_outcome_is_open_happens_once(emr, steps, compute, error, done):
    for call in ("run_job_flow", "add_job_flow_steps"):
        emr.fail(call, error, done=done)
    run = steps.submit(JOB, compute, TOKEN)
    assert sum(map(len, emr.steps.values())) == 1
    assert emr.steps[run.cluster_id][0]["Id"] == run.step_id
    assert run.owns_cluster is (compute is NEW)


@pytest.mark.parametrize("compute", [pytest.param(NEW, id="new"), pytest.param(THERE, id="existing")])
def test_nothing_is_sent_again_while_emr_can_t_be_asked_whether_it_came_through(emr, steps, compute):
    for call in ("run_job_flow", "add_job_flow_steps"):
        emr.fail(call, TIMED_OUT, done=True)
    for call in ("list_steps", "list_clusters"):
        emr.fail(call, THROTTLED, THROTTLED)
    run = steps.submit(JOB, compute, TOKEN)
    assert sum(map(len, emr.steps.values())) == 1
    assert emr.steps[run.cluster_id][0]["Id"] == run.step_id


def test_an_outcome_that_nobody_can_find_out_is_called_that(emr, steps):
    emr.fail("add_job_flow_steps", TIMED_OUT, done=True)
    emr.fail("list_steps", *[aws_error("AccessDeniedException")] * 20)
    with pytest.raises(SubmitRefusedError, match=rf"not known whether .* look for '{TOKEN.marked()}'"):
        steps.submit(JOB, THERE, TOKEN)
    assert len(emr.steps["j-TEAM"]) == 1


@pytest.mark.parametrize("compute", [pytest.param(NEW, id="new"), pytest.param(THERE, id="existing")])
def test_the_last_attempt_may_have_come_through_too(emr, steps, compute):
    for call in ("run_job_flow", "add_job_flow_steps"):
        emr.failures[call] = [*[(THROTTLED, False)] * 4, (TIMED_OUT, True)]
    assert steps.submit(JOB, compute, TOKEN).step_id


def test_a_cluster_that_does_not_list_its_step_yet_is_not_started_twice(emr, steps, monkeypatch):
    emr.fail("run_job_flow", TIMED_OUT, done=True)
    answers = [[], [], None]  # none for two times, then the truth
    really = emr.list_steps

    def late(**request: Any) -> Any:
        early = answers.pop(0) if answers else None
        return really(**request) if early is None else {"Steps": early}

    monkeypatch.setattr(emr, "list_steps", late)
    run = steps.submit(replace(JOB, deploy_mode="client"), NEW, TOKEN)
    assert (new_clusters(emr), run.step_id) == ([run.cluster_id], "s-0")
    assert run.driver_apart is False  # known from the job, where no step could be asked


def test_a_task_that_is_stopped_before_its_step_is_listed_ends_the_cluster_at_once(emr, monkeypatch):
    monkeypatch.setattr(emr, "list_steps", lambda **request: {"Steps": []})
    clients = SimpleNamespace(client=lambda service, retries=True: emr, region_name="us-east-1")
    with pytest.raises(SubmitRefusedError, match="stopped while cluster j-NEW1 was started"):
        ClusterSteps(clients, ClusterDefaults(), pause=lambda seconds: True).submit(JOB, NEW, TOKEN)
    assert emr.clusters["j-NEW1"]["State"] == "TERMINATING"


def test_throttling_that_does_not_end_is_a_refusal(emr, steps):
    emr.fail("run_job_flow", *[THROTTLED] * 20)
    with pytest.raises(
        SubmitRefusedError, match=r"the job was not submitted \(region us-east-1\): Rate exceeded"
    ):
        steps.submit(JOB, NEW, TOKEN)
    assert emr.calls.count("run_job_flow") == 5


def test_a_task_that_is_stopped_while_it_is_throttled_submits_nothing_more(emr):
    clients = SimpleNamespace(client=lambda service, retries=True: emr, region_name="us-east-1")
    emr.fail("run_job_flow", *[THROTTLED] * 20)
    with pytest.raises(SubmitRefusedError, match="stopped before its job was submitted"):
        ClusterSteps(clients, ClusterDefaults(), pause=lambda seconds: True).submit(JOB, NEW, TOKEN)
    assert emr.calls.count("run_job_flow") == 1


def test_a_refusal_is_not_repeated_and_names_the_mend(emr, steps):
    emr.fail("run_job_flow", aws_error("AccessDeniedException", "not authorized to perform: iam:PassRole"))
    with pytest.raises(SubmitRefusedError, match=r"permission is missing: .*iam:PassRole; allow the action"):
        steps.submit(JOB, NEW, TOKEN)
    assert emr.calls == ["run_job_flow"]


def test_a_new_cluster_whose_step_can_t_be_found_is_ended(emr, steps):
    emr.fail("list_steps", aws_error("AccessDeniedException", "elasticmapreduce:ListSteps"))
    with pytest.raises(SubmitRefusedError, match="ListSteps"):
        steps.submit(JOB, NEW, TOKEN)
    assert emr.clusters["j-NEW1"]["State"] == "TERMINATING"


def test_a_new_cluster_that_can_t_be_ended_either_is_named(emr, steps):
    emr.refuses_to_end = True
    emr.fail("list_steps", aws_error("AccessDeniedException"))
    with pytest.raises(SubmitRefusedError, match=r"cluster j-NEW1 was started .* terminate it by hand"):
        steps.submit(JOB, NEW, TOKEN)


def test_a_throttled_look_for_the_step_does_not_cost_the_cluster(emr, steps):
    emr.fail("list_steps", THROTTLED, THROTTLED)
    assert steps.submit(JOB, NEW, TOKEN).step_id == "s-0"
    assert len(new_clusters(emr)) == 1


def test_an_interruption_while_the_step_is_looked_for_ends_the_cluster(emr, steps):
    class Killed(BaseException):
        pass

    emr.fail("list_steps", Killed())  # type: ignore[arg-type]
    with pytest.raises(Killed):
        steps.submit(JOB, NEW, TOKEN)
    assert emr.clusters["j-NEW1"]["State"] == "TERMINATING"


def test_an_old_boto3_that_can_t_ask_for_cloudwatch_still_starts_clusters(emr, steps):
    emr.members = set()
    steps.submit(JOB, NEW, TOKEN)
    assert "MonitoringConfiguration" not in emr.requests[0]


def run_of(step_id: str, cluster_id: str = "j-TEAM", *, owns: bool = False) -> JobRun:
    return JobRun("step", cluster_id, step_id, "t-1", "n", "us-east-1", owns_cluster=owns)


def test_states_of_many_steps_take_a_call_for_ten(emr, steps):
    when = datetime(2024, 1, 1, tzinfo=timezone.utc)
    status = {"State": "RUNNING", "Timeline": {"StartDateTime": when}}
    emr.steps["j-TEAM"] = [{"Id": f"s-{number}", "Status": status} for number in range(25)]
    runs = [run_of(f"s-{number}") for number in range(25)]
    states = steps.states(runs)
    assert {status.state for status in states.values()} == {RunState.RUNNING}
    assert states[runs[0]].started_at == when.timestamp()
    assert emr.calls == ["list_steps"] * 3


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
    facts = steps.failure_facts(replace(run_of("s-0"), log_uri="s3://archive/logs/"))
    assert [text.lines for text in facts.texts] == [["ValueError: no such day"]]
    assert facts.followed is False
