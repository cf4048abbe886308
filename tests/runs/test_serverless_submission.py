"""A job is submitted to EMR Serverless once, whatever becomes of the answers."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from functools import partial

import pytest
from botocore.exceptions import ParamValidationError
from faulty_emr import aws_error, throttled, timed_out, unreachable
from serverless_rig import ROLE, TOKEN, ServerlessRig
from serverless_settling import wait_settled

from airflow_provider_emrkit.compute.application_spec import ApplicationSpec
from airflow_provider_emrkit.compute.targets import ExistingCluster
from airflow_provider_emrkit.exceptions import (
    ApplicationBusyError,
    ApplicationStartError,
    ComputeNotFoundError,
    ExistingRunError,
    QuotaError,
    SubmitDeniedError,
    SubmitRefusedError,
    ThrottledError,
)
from airflow_provider_emrkit.jobs.spark_job import SparkJob
from airflow_provider_emrkit.logs.wishes import NO_WISHES, LogWishes
from airflow_provider_emrkit.runs.earlier import decide
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.serverless_search import Carrying, ServerlessSearch
from airflow_provider_emrkit.validation import InvalidValueError

IMAGE, OTHER = (f"123456789012.dkr.ecr.us-east-1.amazonaws.com/team/etl:{tag}" for tag in (1, 2))


@pytest.fixture
def rig(localemr_server):
    return ServerlessRig(localemr_server)


def own_images(**images):
    """Say which images workers have, each sort its own; none for that of the application."""
    configs = {worker: {"imageUri": uri} if uri else {} for worker, uri in images.items()}
    return {worker: {"imageConfiguration": config} for worker, config in configs.items()}


def test_what_is_submitted_says_whose_it_is(rig):
    run = rig.submit(tags={"team": "sales"}, execution_timeout_minutes=30)
    job_run = rig.describe(run)
    assert job_run["name"] == "sales.load emrkit:c66c9179a54ad449-0-1"
    assert (job_run["executionRole"], job_run["executionTimeoutMinutes"]) == (ROLE, 30)
    assert job_run["tags"]["team"] == "sales"
    assert job_run["tags"]["emrkit:task_id"] == "load"
    (request,) = rig.emr.sent("start_job_run")
    assert request["clientToken"] == str(TOKEN)


def test_the_handle_of_a_run_tells_all_that_later_calls_need(rig):
    monitoring = {
        "cloudWatchLoggingConfiguration": {"enabled": True, "logStreamNamePrefix": "nightly"},
        "s3MonitoringConfiguration": {"logUri": "s3://logs/serverless/"},
    }
    rig.really.update_application(
        applicationId=rig.application_id, clientToken="1", monitoringConfiguration=monitoring
    )
    run = rig.submit(grace_seconds=30, wishes=LogWishes(executor_logs=True))
    assert (run.kind, run.application_id, run.grace_seconds) == ("job_run", rig.application_id, 30)
    assert (run.log_group, run.log_prefix) == ("/aws/emr-serverless", "nightly/")
    assert (run.log_uri, run.executors_sent) == ("s3://logs/serverless/", True)
    assert abs(run.submitted_at - time.time()) < 60
    assert JobRun.from_dict(run.to_dict()) == run


def test_the_same_token_twice_is_one_run(rig):
    rig.server.jobs.script("job", hold=True)
    first, second = rig.submit(), rig.submit()
    assert first.job_run_id == second.job_run_id
    assert len(rig.job_runs()) == 1


@pytest.mark.parametrize(
    "error", [timed_out(), aws_error("InternalServerException", status=500), throttled()]
)
def test_an_answer_that_is_lost_makes_no_second_run(rig, error):
    rig.emr.fail("start_job_run", error, error, done=True)
    run = rig.submit()
    assert [one["id"] for one in rig.job_runs()] == [run.job_run_id]
    assert len(rig.emr.sent("start_job_run")) == 3


@pytest.mark.parametrize("call", ["get_application", "start_job_run", "get_job_run"])
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_worker_that_dies_at_any_call_leaves_one_run_to_the_next_try(rig, call, done):
    rig.server.jobs.script("job", hold=True)
    rig.emr.fail(call, KeyboardInterrupt(), done=done)
    with pytest.raises(KeyboardInterrupt):
        rig.submit()
    second = replace(TOKEN, try_number=2)
    decision = decide(rig.runs.earlier(rig.compute(), second, None), second)
    run = decision.attach.run if decision.attach else rig.submit(token=second)
    assert [one["id"] for one in rig.job_runs()] == [run.job_run_id]


def test_two_tries_are_two_runs(rig):
    first, second = rig.submit(), rig.submit(token=replace(TOKEN, try_number=2))
    assert first.job_run_id != second.job_run_id


def test_a_run_that_can_t_be_asked_for_is_submitted_all_the_same(rig):
    rig.emr.fail("get_job_run", throttled(), aws_error("AccessDeniedException"))
    run = rig.submit()
    assert run.job_run_id == rig.job_runs()[0]["id"]
    assert abs(run.submitted_at - time.time()) < 60


class TestADagRunThatWasDeletedAndMadeAgain:
    """It has the same id, and so its tasks have the same tokens."""

    @pytest.fixture
    def before(self, rig):
        # AWS's clock, as its answers tell it, has no parts of seconds, and they may be late.
        return rig.age(rig.ended())

    def test_its_job_runs_again(self, rig, before):
        again = rig.submit()
        assert again.job_run_id != before.job_run_id
        tokens = [request["clientToken"] for request in rig.emr.sent("start_job_run")[1:]]
        assert tokens == [str(TOKEN), f"{TOKEN}.{before.job_run_id}"]

    def test_a_repeat_of_that_makes_no_third_run(self, rig, before):
        rig.server.jobs.script("job", hold=True)
        again = rig.submit()
        assert rig.submit().job_run_id == again.job_run_id
        assert len(rig.job_runs()) == 2

    def test_its_job_may_have_changed(self, rig, before):
        again = rig.submit("changed")
        assert again.job_run_id != before.job_run_id
        assert len(rig.job_runs()) == 2

    def test_a_repeat_with_the_changed_job_makes_no_third_run_either(self, rig, before):
        rig.server.jobs.script("changed", hold=True)
        again = rig.submit("changed")
        assert rig.submit("changed").job_run_id == again.job_run_id
        assert len(rig.job_runs()) == 2

    def test_its_job_run_may_be_behind_too_many_others_to_be_found(self, rig, before, monkeypatch):
        rig.server.jobs.script("changed", hold=True)
        rig.ended("other", token=replace(TOKEN, task_id="another"))
        listed = rig.really.list_job_runs
        monkeypatch.setattr(rig.really, "list_job_runs", lambda **request: listed(**request, maxResults=1))
        monkeypatch.setattr("airflow_provider_emrkit.runs.serverless_search.PAGES", 1)
        again = rig.submit("changed")
        tokens = [request["clientToken"] for request in rig.emr.sent("start_job_run")[2:]]
        assert tokens[0] == str(TOKEN)
        assert re.fullmatch(rf"{TOKEN}\.[0-9a-f]{{16}}", tokens[1])
        assert rig.describe(again)["jobDriver"]["sparkSubmit"]["entryPoint"] == "s3://code/changed.py"

    def test_a_repeat_of_that_comes_to_the_same_token(self, rig, before, monkeypatch):
        rig.server.jobs.script("changed", hold=True)
        rig.ended("other", token=replace(TOKEN, task_id="another"))
        monkeypatch.setattr(ServerlessSearch, "carrying", lambda *_: Carrying([], more_are_over=True))
        assert rig.submit("changed").job_run_id == rig.submit("changed").job_run_id
        assert len(rig.job_runs()) == 3

    def test_a_conflict_of_another_kind_is_told_all_the_same(self, rig, before, monkeypatch):
        monkeypatch.setattr(ServerlessSearch, "carrying", lambda *_: Carrying([], more_are_over=True))
        rig.emr.fail("start_job_run", *[aws_error("ConflictException", "is being deleted") for _ in range(9)])
        with pytest.raises(SubmitRefusedError, match="is being deleted"):
            rig.submit()
        assert len(rig.emr.sent("start_job_run")) == 3

    def test_it_may_have_happened_often(self, rig, before):
        second = rig.age(rig.ended())
        third = rig.submit()
        assert len({before.job_run_id, second.job_run_id, third.job_run_id}) == 3


def test_a_job_that_was_changed_while_its_run_goes_on_is_not_run_beside_it(rig):
    run = rig.held()
    with pytest.raises(ExistingRunError, match=run.job_run_id) as caught:
        rig.submit("changed")
    assert "cancel it" in str(caught.value)
    assert len(rig.job_runs()) == 1


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        pytest.param(
            aws_error("AccessDeniedException", "not authorized to perform: iam:PassRole on resource: job"),
            SubmitDeniedError,
            "execution_role_arn",
            id="role",
        ),
        pytest.param(
            aws_error("ServiceQuotaExceededException", "2000 job runs are queued", 402),
            QuotaError,
            "quota",
            id="quota",
        ),
        pytest.param(
            aws_error("ResourceNotFoundException", "Application does not exist", 404),
            ComputeNotFoundError,
            "ApplicationSpec",
            id="application",
        ),
        pytest.param(
            aws_error("ValidationException", "bad role"), SubmitRefusedError, "bad role", id="value"
        ),
        pytest.param(aws_error("ConflictException", "deleted"), SubmitRefusedError, "deleted", id="conflict"),
    ],
)
def test_what_aws_refuses_is_told_with_the_mend(rig, error, kind, told):
    rig.emr.fail("start_job_run", error)
    with pytest.raises(SubmitRefusedError, match=told) as caught:
        rig.submit()
    assert type(caught.value) is kind
    assert len(rig.emr.sent("start_job_run")) == 1


def test_what_an_old_boto3_can_t_ask_for_is_told_with_the_mend(rig):
    rig.emr.fail("start_job_run", ParamValidationError(report='Unknown parameter in input: "retryPolicy"'))
    with pytest.raises(SubmitRefusedError, match="upgrade boto3"):
        rig.submit()


def test_throttling_is_sat_out(rig):
    rig.emr.fail("start_job_run", *[throttled() for _ in range(6)])
    assert rig.submit().job_run_id
    assert sum(rig.pauses) > 30


def test_throttling_without_an_end_is_told_as_such(rig):
    rig.emr.fail("start_job_run", *[throttled() for _ in range(20)])
    with pytest.raises(ThrottledError):
        rig.submit()


def test_nobody_at_the_other_end_is_not_waited_for_long(rig):
    rig.emr.fail("start_job_run", *[unreachable() for _ in range(20)])
    with pytest.raises(ThrottledError):
        rig.submit()
    assert len(rig.emr.sent("start_job_run")) == 5


def test_a_task_that_is_stopped_submits_no_more(rig):
    rig.emr.fail("start_job_run", *[throttled() for _ in range(6)])
    rig.stopped = True
    with pytest.raises(SubmitRefusedError, match="stopped before its job was submitted"):
        rig.submit()
    assert len(rig.emr.sent("start_job_run")) == 1


def test_other_sorts_of_compute_are_not_for_it(rig):
    with pytest.raises(TypeError):
        rig.runs.submit(SparkJob("s3://code/job.py"), ExistingCluster("j-1ABCDEFGHIJKL"), TOKEN, NO_WISHES)


def test_what_can_not_run_asks_nothing_of_aws(rig):
    with pytest.raises(InvalidValueError, match="execution_role_arn: None is missing"):
        rig.submit(execution_role_arn=None)
    assert rig.emr.calls == []


def test_what_a_job_says_of_yarn_is_told_to_mean_nothing(rig, caplog):
    job = SparkJob("s3://code/job.py", conf={"spark.yarn.queue": "nightly"}, deploy_mode="client")
    rig.runs.submit(job, rig.compute(), TOKEN, NO_WISHES)
    assert (
        "has no use for what the job says of YARN: deploy_mode='client', conf['spark.yarn.queue']"
        in caplog.text
    )


class TestARequestWithoutAnyAnswer:
    """It may have come all the same, and its job run would be nobody's."""

    @pytest.fixture(autouse=True)
    def _hold(self, rig):
        rig.server.jobs.script("job", hold=True)
        rig.emr.fail("start_job_run", *[timed_out() for _ in range(20)], done=True)

    def test_its_job_run_is_found_by_its_name(self, rig):
        run = rig.submit()
        assert [one["id"] for one in rig.job_runs()] == [run.job_run_id]

    def test_where_it_can_t_be_looked_for_that_is_told(self, rig):
        rig.emr.fail("list_job_runs", *[unreachable() for _ in range(20)])
        with pytest.raises(ThrottledError, match=r"not known whether.*sales.load emrkit:"):
            rig.submit()


class TestAnApplicationThatIsMovedMeanwhile:
    """Between its last look and the job's request, it may be stopped or deleted by others."""

    @pytest.fixture
    def with_image(self, localemr_server):
        def make(image, **workers):
            config = {"imageConfiguration": {"imageUri": image}} if image else {}
            own = {"workerTypeSpecifications": own_images(**workers)} if workers else {}
            rig = ServerlessRig(localemr_server, releaseLabel="emr-7.14.0", **config, **own)
            if "imageConfiguration" not in rig.really.meta.service_model.shape_for("JobRun").members:
                pytest.skip("this boto3 has not heard of a job run's image")
            rig.really.start_application(applicationId=rig.application_id)
            wait_settled(localemr_server)  # it can't be updated on its way
            return rig

        return make

    REFUSED = aws_error("ValidationException", "Application is not in a state that takes jobs")

    def test_one_that_was_stopped_is_made_ready_once_more(self, rig):
        rig.really.start_application(applicationId=rig.application_id)
        rig.emr.before["start_job_run"] = lambda: rig.really.stop_application(
            applicationId=rig.application_id
        )
        rig.emr.fail("start_job_run", self.REFUSED)
        assert rig.submit().job_run_id == rig.job_runs()[0]["id"]

    def test_one_that_emrkit_makes_is_made_again(self, rig):
        compute = rig.compute(application_id=None, spec=ApplicationSpec("own", "emr-7.11.0"))

        def delete() -> None:
            (own,) = (one for one in rig.really.list_applications()["applications"] if one["name"] == "own")
            rig.really.delete_application(applicationId=own["id"])

        rig.emr.before["start_job_run"] = delete
        run = rig.runs.submit(SparkJob("s3://code/job.py"), compute, TOKEN, NO_WISHES)
        assert rig.describe(run)["applicationId"] != rig.emr.sent("start_job_run")[0]["applicationId"]

    def test_one_that_another_spec_has_given_another_release_is_told(self, rig, caplog):
        rig.emr.before["start_job_run"] = lambda: rig.really.update_application(
            applicationId=rig.application_id, releaseLabel="emr-7.10.0"
        )
        run = rig.submit()
        (told,) = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
        assert told.startswith(f"{run} runs on emr-7.10.0, and not on emr-7.11.0")

    @pytest.mark.parametrize("worker", ["", "driver", "executor"])
    def test_a_run_on_an_image_that_another_spec_has_given_it_is_ended(self, with_image, worker):
        def change() -> None:
            other = {"imageConfiguration": {"imageUri": OTHER}}
            given = {"workerTypeSpecifications": {worker: other}} if worker else other
            rig.really.update_application(applicationId=rig.application_id, **given)

        rig = with_image(IMAGE)
        rig.server.jobs.script("job", hold=True)
        rig.emr.before["start_job_run"] = change
        with pytest.raises(ApplicationBusyError) as caught:
            rig.submit()
        assert f"has got image {OTHER}, and not {IMAGE}: its application was changed" in str(caught.value)
        assert "is CANCELLED" in str(caught.value)
        assert [one["state"] for one in rig.job_runs()] == ["CANCELLED"]

    def test_the_next_try_after_that_runs_its_job(self, with_image):
        rig = with_image(IMAGE)
        rig.server.jobs.script("job", hold=True)
        update = partial(rig.really.update_application, applicationId=rig.application_id)
        rig.emr.before["start_job_run"] = lambda: update(imageConfiguration={"imageUri": OTHER})
        with pytest.raises(ApplicationBusyError):
            rig.submit()
        update(imageConfiguration={"imageUri": IMAGE})
        second = replace(TOKEN, try_number=2)
        assert decide(rig.runs.earlier(rig.compute(), second, None), second).attach is None
        assert rig.submit(token=second).image == IMAGE

    def test_an_image_where_that_of_emr_was_meant_is_another_one_too(self, with_image):
        rig = with_image("")
        rig.server.jobs.script("job", hold=True)
        rig.emr.before["start_job_run"] = lambda: rig.really.update_application(
            applicationId=rig.application_id, imageConfiguration={"imageUri": OTHER}
        )
        with pytest.raises(ApplicationBusyError, match=f"has got image {OTHER}, and not that of EMR"):
            rig.submit()
        assert [one["state"] for one in rig.job_runs()] == ["CANCELLED"]

    @pytest.mark.parametrize(
        ("image", "own", "change", "told"),
        [
            pytest.param(
                IMAGE,
                {},
                {"imageConfiguration": {}},
                f"its driver has got the image of EMR, and not {IMAGE}; its executor has got the image of",
                id="removed",
            ),
            pytest.param(
                IMAGE,
                {"driver": OTHER},
                {"workerTypeSpecifications": own_images(driver="")},
                f": its driver has got image {IMAGE}, and not {OTHER}: its application was changed",
                id="the driver's is removed",
            ),
            pytest.param(
                "",
                {"driver": IMAGE, "executor": OTHER},
                {"workerTypeSpecifications": own_images(driver=OTHER, executor=IMAGE)},
                f"its driver has got image {OTHER}, and not {IMAGE}; its executor has got image {IMAGE}, and",
                id="swapped",
            ),
        ],
    )
    def test_a_run_whose_workers_have_lost_or_swapped_their_images_is_ended(
        self, with_image, image, own, change, told
    ):
        rig = with_image(image, **own)
        rig.server.jobs.script("job", hold=True)
        update = partial(rig.really.update_application, applicationId=rig.application_id)
        rig.emr.before["start_job_run"] = partial(update, **change)
        with pytest.raises(ApplicationBusyError, match=re.escape(told)):
            rig.submit()
        assert [one["state"] for one in rig.job_runs()] == ["CANCELLED"]

    @pytest.mark.parametrize(
        ("own", "left_out", "named"),
        [
            ({}, {"imageConfiguration": {}}, {"imageConfiguration": {"imageUri": IMAGE}}),
            (
                {"executor": OTHER},
                {"workerTypeSpecifications": own_images(executor="")},
                {"workerTypeSpecifications": own_images(executor=OTHER)},
            ),
        ],
        ids=["all", "the executor's"],
    )
    def test_images_that_get_job_run_leaves_out_are_those_of_the_application(
        self, with_image, caplog, own, left_out, named
    ):
        rig = with_image(IMAGE, **own)
        update = partial(rig.really.update_application, applicationId=rig.application_id)
        rig.emr.before["start_job_run"] = partial(update, **left_out)
        rig.emr.before["get_job_run"] = partial(update, **named)
        assert rig.submit().image == IMAGE
        assert not [one for one in caplog.records if one.levelname == "WARNING"]
        assert not rig.emr.sent("cancel_job_run")

    @pytest.mark.parametrize("call", ["get_application", "get_job_run"])
    def test_a_run_without_an_image_is_not_ended_where_nobody_tells_that(self, with_image, call):
        def deny() -> None:
            rig.really.update_application(applicationId=rig.application_id, imageConfiguration={})
            rig.emr.fail(call, aws_error("AccessDeniedException"))

        rig = with_image(IMAGE)
        rig.emr.before["start_job_run"] = deny
        assert rig.submit().image == IMAGE
        assert not rig.emr.sent("cancel_job_run")

    def test_an_image_that_the_application_does_not_name_either_is_only_told(self, with_image, caplog):
        rig = with_image(IMAGE)
        update = partial(rig.really.update_application, applicationId=rig.application_id)
        rig.emr.before["start_job_run"] = lambda: update(imageConfiguration={"imageUri": OTHER})
        rig.emr.before["get_job_run"] = lambda: update(imageConfiguration={"imageUri": IMAGE})
        assert rig.submit().image == OTHER
        (told,) = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
        assert f"has got image {OTHER}, and not {IMAGE}" in told

    def test_what_is_refused_for_another_reason_is_asked_for_once(self, rig):
        rig.emr.fail("start_job_run", self.REFUSED)
        with pytest.raises(SubmitRefusedError, match="takes jobs"):
            rig.submit()
        assert len(rig.emr.sent("start_job_run")) == 1


class TestAnApplicationThatDoesNotGetReady:
    @pytest.fixture
    def rig(self, localemr_server):
        localemr_server.jobs.hold_prepares()
        return ServerlessRig(localemr_server, autoStartConfiguration={"enabled": False})

    def test_that_nothing_was_submitted_is_told(self, rig):
        with pytest.raises(ApplicationStartError, match=r"the job was not submitted: application .*STARTING"):
            rig.submit()

    def test_a_task_that_is_stopped_meanwhile_is_told_from_that(self, rig):
        rig.stopped = True
        with pytest.raises(
            SubmitRefusedError, match="nothing was submitted: Airflow stopped the task"
        ) as caught:
            rig.submit()
        assert type(caught.value) is SubmitRefusedError
