from __future__ import annotations

import logging
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import botocore
import pytest
from faulty_emr import (
    SUBMITTING,
    FaultyEmr,
    aws_error,
    clients_of,
    throttled,
    timed_out,
    unreachable,
)

from airflow_provider_emrkit import (
    ClusterPool,
    ClusterSpec,
    DynamicCluster,
    ExistingCluster,
    InvalidValueError,
    SparkJob,
)
from airflow_provider_emrkit.compute.defaults import ClusterDefaults
from airflow_provider_emrkit.compute.request import MAX_STEP_CHARACTERS
from airflow_provider_emrkit.exceptions import (
    ComputeNotFoundError,
    QuotaError,
    StagingError,
    SubmitDeniedError,
    SubmitRefusedError,
    ThrottledError,
)
from airflow_provider_emrkit.hooks.patience import MAX_FAULTS
from airflow_provider_emrkit.logs.wishes import NO_WISHES, LogWishes
from airflow_provider_emrkit.runs.sending import LAST_LOOK_PAUSES, SEND_PAUSES
from airflow_provider_emrkit.runs.step_adding import LONGEST_WAIT, PLACE_PATIENCE
from airflow_provider_emrkit.runs.step_submission import StepSubmission
from airflow_provider_emrkit.runs.token import RunToken

TOKEN = RunToken("sales", "manual__1", "load", -1, 0, 1)
JOB = SparkJob("s3://code/job.py")
NEW = DynamicCluster(ClusterSpec("emr-7.11.0", size="tiny", log_group="/all", log_stream_prefix="team"))
FULL = (
    "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') for cluster exceeded."
)


class Emr:
    """A local EMR with one cluster, and the means to submit to it.

    :param there: The cluster that exists.
    """

    def __init__(self, server: Any) -> None:
        self.server = server
        self.faulty = FaultyEmr(server.client("emr"))
        server.client("s3").create_bucket(Bucket="logs")
        self.team = server.run_cluster(Name="team", LogUri="s3://logs/emr/")
        self.there = ExistingCluster(self.team)
        self.pauses: list[float] = []
        self.settles: list[float] = []
        self.stops_after = 10**6
        server.wait_cluster(self.team, "WAITING")

    def pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        return len(self.pauses) > self.stops_after

    def submit(
        self,
        compute: Any,
        job: SparkJob = JOB,
        staging_uri: str | None = None,
        wishes: LogWishes = NO_WISHES,
        **others: Any,
    ) -> Any:
        clients = clients_of(self.faulty, **others)
        submission = StepSubmission(clients, ClusterDefaults(), self.pause, self.settles.append, staging_uri)
        return submission.submit(job, compute, TOKEN, wishes)

    def compute(self, name: str) -> DynamicCluster | ExistingCluster:
        return NEW if name == "new" else self.there

    def steps(self) -> list[tuple[str, str, str]]:
        """Give cluster, id and state of every step that carries the token."""
        emr = self.server.client("emr")
        return [
            (cluster["Id"], step["Id"], step["Status"]["State"])
            for cluster in emr.list_clusters()["Clusters"]
            for step in emr.list_steps(ClusterId=cluster["Id"])["Steps"]
            if step["Name"] == TOKEN.marked()
        ]

    def clusters(self) -> list[str]:
        """Give the clusters that were made."""
        found = self.server.client("emr").list_clusters()["Clusters"]
        return [cluster["Id"] for cluster in found if cluster["Id"] != self.team]

    def step_args(self, run: Any) -> list[str]:
        [step] = self.server.client("emr").list_steps(ClusterId=run.cluster_id, StepIds=[run.step_id])[
            "Steps"
        ]
        return step["Config"]["Args"]


@pytest.fixture
def emr(localemr_server):
    localemr_server.runner.script("emrkit:", hold=True)
    return Emr(localemr_server)


both = pytest.mark.parametrize("where", ["new", "existing"])


def test_a_new_cluster_takes_two_calls(emr):
    run = emr.submit(NEW)
    assert emr.faulty.calls == ["run_job_flow", "list_steps"]
    assert (run.cluster_id, run.step_id) == emr.steps()[0][:2]
    assert run.owns_cluster is True
    assert emr.faulty.sent("run_job_flow")[0]["Instances"]["KeepJobFlowAliveWhenNoSteps"] is False


def test_an_existing_cluster_takes_two_calls(emr):
    run = emr.submit(emr.there)
    assert emr.faulty.calls == ["describe_cluster", "add_job_flow_steps"]
    assert (run.cluster_id, run.step_id) == emr.steps()[0][:2]
    assert run.owns_cluster is False
    assert run.log_uri == "s3n://logs/emr/"  # as EMR gives it back


def test_a_run_knows_where_its_logs_go_without_another_call(emr):
    run = emr.submit(NEW)
    assert (run.log_group, run.log_prefix) == ("/all", "team/")
    monitored = emr.server.run_cluster(
        Applications=[{"Name": "AmazonCloudWatchAgent"}],
        MonitoringConfiguration={"CloudWatchLogConfiguration": {"Enabled": True}},
    )
    emr.server.wait_cluster(monitored, "WAITING")
    run = emr.submit(ExistingCluster(monitored))
    assert (run.log_group, run.log_prefix) == (f"/aws/emr/{monitored}", "")
    assert emr.submit(emr.there).log_group is None


def test_executors_logs_are_sent_where_they_are_wanted_and_the_cluster_is_new(emr):
    wishes = LogWishes(True, (("/team", "driver"),))
    run = emr.submit(NEW, wishes=wishes)
    [request] = emr.faulty.sent("run_job_flow")
    types = request["MonitoringConfiguration"]["CloudWatchLogConfiguration"]["LogTypes"]
    assert types["SPARK_EXECUTOR"] == ["STDOUT", "STDERR"]
    assert (run.executor_logs, run.executors_sent, run.log_streams) == (True, True, (("/team", "driver"),))
    run = emr.submit(emr.there, wishes=wishes)
    assert (run.executor_logs, run.executors_sent) == (True, False)
    plain = emr.submit(NEW)
    assert (plain.executor_logs, plain.executors_sent) == (False, False)


def test_the_token_tells_try_and_relaunch(emr):
    run = emr.submit(emr.there)
    assert (run.token, run.name, run.relaunch) == (str(TOKEN), TOKEN.marked(), 0)


@both
@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(throttled, id="throttled"),
        pytest.param(timed_out, id="timeout"),
        pytest.param(lambda: aws_error("InternalServerException", "", 500), id="AWS's fault"),
        pytest.param(lambda: ConnectionResetError(), id="connection lost"),
    ],
)
@pytest.mark.parametrize("done", [pytest.param(True, id="EMR did it"), pytest.param(False, id="it did not")])
def test_a_submission_whose_outcome_is_open_happens_once(emr, where, failure, done):
    for call in SUBMITTING:
        emr.faulty.fail(call, failure(), done=done)
    run = emr.submit(emr.compute(where))
    assert [step[:2] for step in emr.steps()] == [(run.cluster_id, run.step_id)]
    assert run.owns_cluster is (where == "new")
    sent = [call for call in emr.faulty.calls if call in SUBMITTING]
    assert len(sent) == (1 if done else 2)


@both
def test_nothing_is_sent_again_while_emr_can_t_be_asked_whether_it_came_through(emr, where):
    for call in SUBMITTING:
        emr.faulty.fail(call, timed_out(), done=True)
    for call in ("list_steps", "list_clusters"):
        emr.faulty.fail(call, throttled(), throttled(), throttled())
    run = emr.submit(emr.compute(where))
    assert [step[:2] for step in emr.steps()] == [(run.cluster_id, run.step_id)]


@both
@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(timed_out, id="timeout"),
        pytest.param(lambda: aws_error("InternalServerException"), id="AWS's fault"),
        pytest.param(lambda: aws_error("Strange", status=503), id="so it seems"),
    ],
)
def test_what_is_listed_late_is_not_sent_again(emr, where, failure):
    for call in SUBMITTING:
        emr.faulty.fail(call, failure(), done=True)
    emr.faulty.hide("list_clusters" if where == "new" else "list_steps", times=2)
    run = emr.submit(emr.compute(where))
    assert [step[:2] for step in emr.steps()] == [(run.cluster_id, run.step_id)]


@both
def test_what_is_listed_so_late_that_it_was_sent_again_runs_once_all_the_same(emr, where, caplog):
    for call in SUBMITTING:
        emr.faulty.fail(call, timed_out(), done=True)
    emr.faulty.hide("list_clusters" if where == "new" else "list_steps", times=3)
    run = emr.submit(emr.compute(where))
    alive = [(cluster, step) for cluster, step, state in emr.steps() if state in ("PENDING", "RUNNING")]
    if where == "new":
        (other,) = {*emr.clusters()} - {run.cluster_id}
        emr.server.wait_cluster(other, "TERMINATING", "TERMINATED")
        assert emr.clusters()[-1] == run.cluster_id  # the first that came
    else:
        assert alive == [(run.cluster_id, run.step_id)]
    assert len(emr.steps()) == 2
    assert "EMR took the job twice" in caplog.text


def test_an_outcome_that_nobody_can_find_out_is_called_that(emr):
    emr.faulty.fail("add_job_flow_steps", timed_out(), done=True)
    emr.faulty.fail("list_steps", *[aws_error("AccessDeniedException")] * 20)
    with pytest.raises(SubmitDeniedError, match=rf"not known whether .* look for '{TOKEN.marked()}'"):
        emr.submit(emr.there)
    assert len(emr.steps()) == 1


@both
def test_the_last_attempt_may_have_come_through_too(emr, where):
    for call in SUBMITTING:
        emr.faulty.fail(call, *[throttled() for _ in SEND_PAUSES[1:]])
        emr.faulty.fail(call, timed_out(), done=True)
    assert emr.submit(emr.compute(where)).step_id
    assert len(emr.steps()) == 1


def test_a_cluster_that_does_not_list_its_step_yet_is_not_started_twice(emr):
    emr.faulty.fail("run_job_flow", timed_out(), done=True)
    emr.faulty.hide("list_steps", times=2)
    run = emr.submit(NEW, replace(JOB, deploy_mode="client"))
    assert emr.clusters() == [run.cluster_id]
    assert run.step_id == emr.steps()[0][1]
    assert run.driver_apart is False  # known from the job, where no step could be asked


def test_where_no_connection_can_be_made_nothing_was_sent_and_nobody_looks(emr):
    emr.faulty.fail("run_job_flow", *[unreachable() for _ in range(50)])
    with pytest.raises(SubmitRefusedError, match=r"the job was not submitted .* check endpoint_url"):
        emr.submit(NEW)
    assert emr.faulty.calls == ["run_job_flow"] * MAX_FAULTS


def test_throttling_that_does_not_end_is_a_refusal_that_a_retry_mends(emr):
    emr.faulty.fail("run_job_flow", *[throttled() for _ in range(50)])
    with pytest.raises(
        ThrottledError, match=r"the job was not submitted \(region us-east-1\): Rate exceeded"
    ) as caught:
        emr.submit(NEW)
    assert emr.faulty.calls.count("run_job_flow") == len(SEND_PAUSES)
    assert sum(emr.pauses) > 120
    assert emr.pauses[:3] != list(SEND_PAUSES[:3])  # so that tasks don't come back together
    assert caught.value.retryable


def test_a_hundred_tasks_that_start_at_once_wait_for_their_turn(emr, caplog):
    """EMR takes a submission in two seconds, and no other call either while it throttles."""
    caplog.set_level(logging.INFO)
    emr.faulty.fail("add_job_flow_steps", *[throttled() for _ in range(8)])
    emr.faulty.fail("list_steps", *[throttled() for _ in range(7)])
    run = emr.submit(emr.there)
    assert [step[:2] for step in emr.steps()] == [(run.cluster_id, run.step_id)]
    assert caplog.text.count("AWS limits the rate of submissions") == 1


def test_what_was_throttled_and_done_while_nobody_could_look_runs_once(emr, caplog):
    emr.faulty.fail("add_job_flow_steps", throttled(), done=True)
    emr.faulty.fail("list_steps", throttled())
    run = emr.submit(emr.there)
    alive = [step[:2] for step in emr.steps() if step[2] in ("PENDING", "RUNNING")]
    assert alive == [(run.cluster_id, run.step_id)]
    assert "EMR took the job twice" in caplog.text


def test_five_attempts_without_an_answer_are_enough(emr):
    emr.faulty.fail("add_job_flow_steps", *[timed_out() for _ in range(50)])
    with pytest.raises(SubmitRefusedError, match="the job was not submitted"):
        emr.submit(emr.there)
    assert emr.faulty.calls.count("add_job_flow_steps") == MAX_FAULTS


def test_a_task_that_is_stopped_while_it_is_throttled_submits_nothing_more(emr):
    emr.stops_after = 0
    emr.faulty.fail("run_job_flow", *[throttled() for _ in range(20)])
    with pytest.raises(SubmitRefusedError, match="stopped before its job was submitted"):
        emr.submit(NEW)
    assert emr.faulty.calls.count("run_job_flow") == 1


@both
def test_a_task_that_is_stopped_while_the_answer_is_lost_still_learns_of_its_run(emr, where):
    """It has to be ended with the task; a list that lags by a second must not hide it."""
    emr.stops_after = 0
    for call in SUBMITTING:
        emr.faulty.fail(call, timed_out(), done=True)
    emr.faulty.hide("list_clusters" if where == "new" else "list_steps", times=1)
    run = emr.submit(emr.compute(where))
    assert (run.cluster_id, run.step_id) == emr.steps()[0][:2]
    assert emr.settles == [LAST_LOOK_PAUSES[1]]


def test_a_refusal_is_not_repeated_and_names_the_mend(emr):
    emr.faulty.fail("run_job_flow", aws_error("AccessDeniedException", "not authorized to do: iam:PassRole"))
    with pytest.raises(SubmitDeniedError, match=r"permission is missing: .*iam:PassRole; allow the action"):
        emr.submit(NEW)
    assert emr.faulty.calls == ["run_job_flow"]


def test_a_request_that_boto3_does_not_send_is_a_refusal(emr):
    """``overrides`` may hold anything."""
    broken = DynamicCluster(ClusterSpec("emr-7.11.0", overrides={"EbsRootVolumeSize": "big"}))
    with pytest.raises(SubmitRefusedError, match=r"not submitted .*Parameter validation failed"):
        emr.submit(broken)


# --- the cluster a new job gets ---------------------------------------------------------------------------


def test_who_stops_a_task_before_its_step_is_listed_decides_what_becomes_of_the_cluster(emr):
    emr.stops_after = 0
    emr.faulty.hide("list_steps", times=100)
    with pytest.raises(SubmitRefusedError, match=r"stopped while cluster j-\w+ was started"):
        emr.submit(NEW)
    assert "terminate_job_flows" not in emr.faulty.calls


def test_a_new_cluster_whose_step_can_t_be_found_is_ended(emr):
    emr.faulty.fail("list_steps", aws_error("AccessDeniedException", "elasticmapreduce:ListSteps"))
    with pytest.raises(SubmitDeniedError, match="ListSteps"):
        emr.submit(NEW)
    [cluster] = emr.clusters()
    emr.server.wait_cluster(cluster, "TERMINATING", "TERMINATED")


def test_a_new_cluster_that_can_t_be_ended_either_is_named(emr):
    emr.faulty.fail("list_steps", aws_error("AccessDeniedException"))
    emr.faulty.fail("terminate_job_flows", *[aws_error("AccessDeniedException", "not yours")] * 50)
    with pytest.raises(SubmitRefusedError, match=r"cluster j-\w+ was started .* terminate it by hand"):
        emr.submit(NEW)


def test_a_throttled_look_for_the_step_does_not_cost_the_cluster(emr):
    emr.faulty.fail("list_steps", *[throttled() for _ in range(8)], timed_out())
    assert emr.submit(NEW).step_id == emr.steps()[0][1]
    assert len(emr.clusters()) == 1


def test_an_interruption_while_the_step_is_looked_for_leaves_the_cluster_to_who_interrupts(emr):
    class Killed(BaseException):
        pass

    emr.faulty.fail("list_steps", Killed())
    with pytest.raises(Killed):
        emr.submit(NEW)
    assert "terminate_job_flows" not in emr.faulty.calls


@pytest.fixture
def old_boto3(emr):
    """A boto3 that has not heard of MonitoringConfiguration."""
    shape = SimpleNamespace(input_shape=SimpleNamespace(members={"Name"}))
    emr.faulty.meta = SimpleNamespace(service_model=SimpleNamespace(operation_model=lambda name: shape))


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param({}, id="emrkit's own"),
        pytest.param(
            {"MonitoringConfiguration": {"CloudWatchLogConfiguration": {"Enabled": True}}}, id="theirs"
        ),
    ],
)
def test_an_old_boto3_that_can_t_ask_for_cloudwatch_starts_clusters_and_says_so(
    emr, old_boto3, caplog, overrides
):
    run = emr.submit(replace(NEW, spec=replace(NEW.spec, overrides=overrides)))
    sent = emr.faulty.sent("run_job_flow")[0]
    assert "MonitoringConfiguration" not in sent
    assert sent["Applications"] == [{"Name": "Spark"}]  # the agent would have nothing to do
    assert run.log_group is None
    [warning] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert f"botocore {botocore.__version__} " in warning.getMessage()
    assert "the job's log comes from S3" in warning.getMessage()


def test_an_old_boto3_is_no_matter_where_nobody_asks_for_cloudwatch(emr, old_boto3, caplog):
    emr.submit(DynamicCluster(ClusterSpec("emr-7.11.0", size="tiny", cloudwatch_logs=False)))
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# --- bad input --------------------------------------------------------------------------------------------


def test_a_job_is_not_submitted_to_a_pool(emr):
    pool = ClusterPool("medium", ClusterSpec("emr-7.11.0", size="tiny"), max_clusters=1)
    with pytest.raises(TypeError, match="placed on clusters of a pool"):
        emr.submit(pool)
    assert emr.faulty.calls == []


def test_a_cluster_that_does_not_exist_is_named_before_anything_is_sent(emr):
    with pytest.raises(
        ComputeNotFoundError,
        match=r"cluster j-NOWHERE can't be used.* \(region us-east-1\): .*check its id and",
    ):
        emr.submit(ExistingCluster("j-NOWHERE"))
    assert emr.faulty.calls == ["describe_cluster"]


def test_a_cluster_that_has_ended_is_named_before_anything_is_sent(emr):
    emr.server.client("emr").terminate_job_flows(JobFlowIds=[emr.team])
    emr.server.wait_cluster(emr.team, "TERMINATED")
    with pytest.raises(ComputeNotFoundError, match=rf"{emr.team} is TERMINATED .*name one that runs"):
        emr.submit(emr.there)
    assert emr.faulty.calls == ["describe_cluster"]


def test_a_cluster_that_ends_just_then_is_told_from_a_bad_request(emr):
    """It was fine when it was asked for, and ends before the step is added."""

    def end() -> None:
        emr.server.client("emr").terminate_job_flows(JobFlowIds=[emr.team])
        emr.server.wait_cluster(emr.team, "TERMINATED")

    emr.faulty.before["add_job_flow_steps"] = end
    with pytest.raises(ComputeNotFoundError, match="not submitted"):
        emr.submit(emr.there)


def test_a_throttled_look_at_the_cluster_is_repeated(emr):
    emr.faulty.fail("describe_cluster", throttled(), throttled())
    assert emr.submit(emr.there).step_id


def test_an_address_that_nobody_answers_at_is_told_after_some_attempts(emr):
    emr.faulty.fail("describe_cluster", *[unreachable() for _ in range(50)])
    with pytest.raises(SubmitRefusedError, match=r"can't be used.* check endpoint_url and region_name"):
        emr.submit(emr.there)
    assert emr.faulty.calls == ["describe_cluster"] * MAX_FAULTS
    assert sum(emr.pauses) < 30


def test_a_missing_permission_is_told_before_anything_is_sent(emr):
    denied = aws_error("AccessDeniedException", "not authorized to perform: elasticmapreduce:DescribeCluster")
    emr.faulty.fail("describe_cluster", denied)
    with pytest.raises(SubmitDeniedError, match=r"DescribeCluster; allow the action to the role"):
        emr.submit(emr.there)
    assert emr.faulty.calls == ["describe_cluster"]


@pytest.mark.parametrize(
    ("message", "mend"),
    [
        ("Invalid InstanceProfile: nodes.", "correct job_flow_role of the ClusterSpec or the emrkit"),
        ("arn:aws:iam::1:role/emr is invalid", "correct service_role of the ClusterSpec or the emrkit"),
        ("The subnet subnet-0a does not exist", "correct subnet_ids of the ClusterSpec or the emrkit"),
    ],
)
def test_a_name_that_aws_does_not_know_leads_to_the_field_that_says_it(emr, message, mend):
    spec = ClusterSpec(
        "emr-7.11.0",
        job_flow_role="nodes",
        service_role="arn:aws:iam::1:role/emr",
        subnet_ids=["subnet-0a"],
    )
    emr.faulty.fail("run_job_flow", aws_error("ValidationException", message))
    with pytest.raises(SubmitRefusedError, match=mend):
        emr.submit(DynamicCluster(spec))


def test_a_quota_of_the_account_is_one(emr):
    full = "The requested number of instances exceeds your EC2 quota"
    emr.faulty.fail("run_job_flow", aws_error("ValidationException", full))
    with pytest.raises(QuotaError, match="exceeds your EC2 quota; wait for other work to end"):
        emr.submit(NEW)


# --- a full cluster ---------------------------------------------------------------------------------------


def test_a_full_cluster_is_waited_for(emr, caplog):
    caplog.set_level(logging.INFO)
    emr.faulty.fail("add_job_flow_steps", *[aws_error("ValidationException", FULL) for _ in range(3)])
    run = emr.submit(emr.there)
    assert [step[:2] for step in emr.steps()] == [(run.cluster_id, run.step_id)]
    assert len(emr.pauses) == 3
    assert len(set(emr.pauses)) > 1  # so that tasks which wait together don't come back together
    assert caplog.text.count("waiting up to 600 s for a place") == 1


def test_the_local_emr_is_full_in_the_same_words(emr):
    client = emr.server.client("emr")
    step = {"Name": "other", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["emrkit:"]}}
    for _ in range(8):
        client.add_job_flow_steps(JobFlowId=emr.team, Steps=[step] * 32)
    emr.stops_after = 0
    with pytest.raises(SubmitRefusedError, match="stopped before its job was submitted"):
        emr.submit(emr.there)
    assert len(emr.pauses) == 1


def test_a_cluster_that_stays_full_is_a_quota(emr):
    emr.faulty.fail("add_job_flow_steps", *[aws_error("ValidationException", FULL) for _ in range(200)])
    with pytest.raises(QuotaError, match=r"has 256 pending and running steps.* none came free in 600 s"):
        emr.submit(emr.there)
    assert sum(emr.pauses) == pytest.approx(PLACE_PATIENCE)
    assert max(emr.pauses) <= LONGEST_WAIT
    assert emr.steps() == []


def test_an_answer_that_is_lost_while_a_place_is_waited_for_adds_no_second_step(emr):
    emr.faulty.fail("add_job_flow_steps", aws_error("ValidationException", FULL))
    emr.faulty.fail("add_job_flow_steps", timed_out(), done=True)
    run = emr.submit(emr.there)
    assert [step[:2] for step in emr.steps()] == [(run.cluster_id, run.step_id)]


# --- tags and arguments -----------------------------------------------------------------------------------


def tags_of(args: list[str]) -> str | None:
    found = [arg.removeprefix("spark.yarn.tags=") for arg in args if arg.startswith("spark.yarn.tags=")]
    return found[0] if found else None


@pytest.mark.parametrize(
    ("own", "tags"),
    [
        pytest.param(None, TOKEN.yarn_tag, id="none"),
        pytest.param("nightly, team", f"nightly,team,{TOKEN.yarn_tag}", id="the author's"),
        pytest.param(",".join("abcdefghi"), f"a,b,c,d,e,f,g,h,i,{TOKEN.yarn_tag}", id="as many as go"),
    ],
)
def test_the_yarn_application_of_a_driver_apart_carries_the_token(emr, own, tags):
    job = replace(JOB, conf={"spark.yarn.tags": own, "spark.x": "1"} if own else {})
    assert tags_of(emr.step_args(emr.submit(emr.there, job))) == tags


def test_the_author_s_tags_are_kept_where_yarn_takes_no_more(emr, caplog):
    own = ",".join("abcdefghij")
    run = emr.submit(emr.there, replace(JOB, conf={"spark.yarn.tags": own}))
    assert tags_of(emr.step_args(run)) == own
    assert "emrkit's was left out" in caplog.text


def test_a_driver_on_the_primary_node_needs_no_tag(emr):
    assert tags_of(emr.step_args(emr.submit(emr.there, replace(JOB, deploy_mode="client")))) is None


@pytest.fixture
def s3(localemr_server):
    client = localemr_server.client("s3")
    client.create_bucket(Bucket="staging")
    return client


LONG = replace(JOB, args=["x" * 6_000, "y y" * 2_000, "", "é\n'\"$HOME"])


@both
def test_long_arguments_go_to_s3_and_a_short_step_reads_them(emr, s3, where):
    run = emr.submit(emr.compute(where), LONG, staging_uri="s3://staging/emrkit/", s3=s3)
    program, option, script, name, uri, size = emr.step_args(run)
    assert (program, option, name) == ("bash", "-c", "emrkit")
    assert sum(map(len, emr.step_args(run))) < 1_000
    assert "\n" not in script
    key = uri.removeprefix("s3://staging/")
    content = s3.get_object(Bucket="staging", Key=key)["Body"].read()
    assert len(content) == int(size)
    argv = [part.decode() for part in content.split(b"\0")]
    assert argv[0] == "spark-submit"
    assert argv[-6:] == ["s3://code/job.py", *LONG.args, ""]


def test_arguments_that_just_fit_stay_in_the_step(emr):
    characters = sum(map(len, ["command-runner.jar", *emr.step_args(emr.submit(emr.there))]))
    fits = replace(JOB, args=["x" * (MAX_STEP_CHARACTERS - characters)])
    assert emr.step_args(emr.submit(emr.there, fits))[-1] == fits.args[0]
    with pytest.raises(StagingError, match=r"10,241 characters, .* set it to s3://your-bucket/prefix"):
        emr.submit(emr.there, replace(JOB, args=[f"{fits.args[0]}x"]))


def test_long_arguments_without_a_staging_uri_submit_nothing(emr):
    with pytest.raises(StagingError, match="no staging_uri"):
        emr.submit(NEW, LONG)
    assert emr.clusters() == []


@pytest.mark.parametrize(
    ("job", "match"),
    [
        pytest.param(
            replace(JOB, args=["x" * 131_072], deploy_mode="client"),
            r"131,072 bytes, Linux takes 131,071",
            id="one argument",
        ),
        pytest.param(
            replace(JOB, args=["x" * 100_000] * 20, deploy_mode="client"),
            "Linux can start a program with",
            id="all together",
        ),
        pytest.param(
            replace(JOB, args=["x" * 100_000] * 2), "that YARN can start a driver with", id="YARN's command"
        ),
    ],
)
def test_arguments_no_program_can_be_started_with_are_told_before_anything_is_submitted(emr, s3, job, match):
    with pytest.raises(InvalidValueError, match=match):
        emr.submit(emr.there, job, staging_uri="s3://staging/emrkit/", s3=s3)
    assert emr.faulty.calls == ["describe_cluster"]
    assert "Contents" not in s3.list_objects_v2(Bucket="staging")


def test_nothing_is_put_to_s3_for_a_cluster_that_can_t_be_used(emr, s3):
    with pytest.raises(ComputeNotFoundError):
        emr.submit(ExistingCluster("j-NOWHERE"), LONG, staging_uri="s3://staging/emrkit/", s3=s3)
    assert "Contents" not in s3.list_objects_v2(Bucket="staging")
