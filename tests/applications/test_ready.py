"""Making an application ready for a job: started where it has to be, and never with an old image."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from applications_rig import digest
from faulty_emr import aws_error, throttled, unreachable

from airflow_provider_emrkit.compute.serverless import ServerlessApplication
from airflow_provider_emrkit.exceptions import (
    ApplicationBusyError,
    ApplicationStartError,
    ComputeNotFoundError,
    EmrKitError,
    ImageRefusedError,
)
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/etl:1"


def knows(client, operation, member, inner):
    """Tell whether this boto3 has heard of a member of a member of an operation's input."""
    asked = client.meta.service_model.operation_model(operation).input_shape
    return inner in asked.members[member].members


def ready(rig, application_id=None, **fields):
    spec = None if application_id else rig.spec(**fields)
    return rig.applications().ready(ServerlessApplication(application_id, spec))


def test_one_that_starts_by_itself_is_left_to_that(rig):
    found = ready(rig)
    assert (found.description["state"], found.image, found.image_digests) == ("CREATED", "", ())
    assert "start_application" not in rig.faulty.calls


def test_one_that_does_not_is_started(rig):
    assert ready(rig, auto_start=False).description["state"] == "STARTED"


def test_one_of_an_id_is_used_as_it_is(rig):
    application_id = rig.create("theirs")
    assert ready(rig, application_id).id == application_id
    assert set(rig.faulty.calls) == {"get_application"}


@pytest.mark.parametrize("is_deleted", [False, True])
def test_an_id_that_nothing_has_is_told(rig, is_deleted):
    application_id = rig.create("theirs") if is_deleted else "00nothing"
    if is_deleted:
        rig.emr.delete_application(applicationId=application_id)
    with pytest.raises(ComputeNotFoundError, match=f"no application {application_id} in us-east-1"):
        ready(rig, application_id)


class TestStarting:
    def test_its_start_is_waited_for_and_that_is_told(self, rig, told):
        rig.jobs.hold_prepares()
        rig.pause.before[3] = rig.jobs.release_prepares
        found = ready(rig, auto_start=False)
        assert found.description["state"] == "STARTED"
        assert told().count(f"INFO Application {found.id} is STARTING; waiting until it is STARTED") == 1

    def test_why_it_does_not_start_is_told(self, rig):
        rig.jobs.prepare_error = ClusterStartError("no addresses left in subnet-1")
        with pytest.raises(ApplicationStartError, match=r"did not start.*no addresses left in subnet-1"):
            ready(rig, auto_start=False)

    def test_a_start_that_takes_too_long_is_told(self, rig):
        rig.jobs.hold_prepares()
        with pytest.raises(ApplicationStartError, match="did not start, and is STARTING"):
            ready(rig, auto_start=False)
        assert sum(rig.pause.seconds) == pytest.approx(1200)

    def test_the_wait_ends_with_the_task(self, rig):
        rig.jobs.hold_prepares()
        rig.pause.stop_after = 2
        with pytest.raises(EmrKitError, match="Airflow stopped the task"):
            ready(rig, auto_start=False)

    @pytest.mark.parametrize("done", [False, True])
    def test_a_lost_answer_does_no_harm(self, rig, done):
        rig.faulty.fail("start_application", throttled(), done=done)
        assert ready(rig, auto_start=False).description["state"] == "STARTED"


class TestImage:
    def test_the_image_and_its_digest_are_told(self, rig, told):
        digest = rig.push("one")
        found = ready(rig, image=IMAGE)
        assert (found.image, found.image_digests) == (IMAGE, (digest,))
        assert f"INFO Image of drivers and executors: {IMAGE}, which is {digest}" in told()

    def test_one_that_runs_the_present_image_goes_on(self, rig):
        digest = rig.push("one")
        rig.start(rig.set_up(image=IMAGE)["applicationId"])
        found = ready(rig, image=IMAGE)
        assert (found.description["state"], found.image_digests) == ("STARTED", (digest,))

    def test_one_that_runs_an_old_image_is_stopped_and_the_log_says_so(self, rig, told):
        old = rig.push("one")
        application_id = rig.set_up(image=IMAGE)["applicationId"]
        rig.start(application_id)
        new = rig.push("two")
        found = ready(rig, image=IMAGE)
        assert (found.id, found.description["state"]) == (application_id, "STOPPED")
        assert found.image_digests == (new,)
        assert f"WARNING Image {IMAGE} has changed" in told()
        assert old in told()
        application = rig.start(application_id)
        assert application["imageConfiguration"]["resolvedImageDigest"] == new
        rig.faulty.calls.clear()
        assert ready(rig, image=IMAGE).description["state"] == "STARTED"
        assert "stop_application" not in rig.faulty.calls

    def test_one_of_an_id_is_stopped_for_it_and_never_updated(self, rig):
        rig.push("one")
        application_id = rig.create("theirs", imageConfiguration={"imageUri": IMAGE})
        rig.start(application_id)
        new = rig.push("two")
        found = ready(rig, application_id)
        assert (found.description["state"], found.image_digests) == ("STOPPED", (new,))
        assert not {"update_application", "tag_resource", "create_application"} & set(rig.faulty.calls)

    def test_one_that_does_not_start_by_itself_is_started_again(self, rig):
        rig.push("one")
        auto_start = {"autoStartConfiguration": {"enabled": False}}
        application_id = rig.create("theirs", imageConfiguration={"imageUri": IMAGE}, **auto_start)
        rig.start(application_id)
        new = rig.push("two")
        found = ready(rig, application_id)
        assert found.description["state"] == "STARTED"
        assert found.description["imageConfiguration"]["resolvedImageDigest"] == new
        assert found.image_digests == (new,)

    def test_the_image_of_one_sort_of_worker_counts_too(self, rig):
        rig.push("one", "executor")
        image = IMAGE.replace(":1", ":executor")
        rig.start(rig.set_up(executor_image=image)["applicationId"])
        rig.push("two", "executor")
        found = ready(rig, executor_image=image)
        assert (found.description["state"], found.image) == ("STOPPED", "")

    def test_a_busy_one_is_waited_for(self, rig):
        rig.push("one")
        application_id = rig.set_up(image=IMAGE)["applicationId"]
        run_id = rig.hold_run(application_id)
        new = rig.push("two")
        rig.pause.before[3] = lambda: rig.jobs.finish("theirs")
        assert ready(rig, image=IMAGE).image_digests == (new,)
        assert rig.run_state(application_id, run_id) == "SUCCESS"

    def test_one_that_stays_busy_is_an_error_and_not_a_run_on_the_old_image(self, rig):
        rig.push("one")
        application_id = rig.set_up(image=IMAGE)["applicationId"]
        run_id = rig.hold_run(application_id)
        rig.push("two")
        with pytest.raises(ApplicationBusyError, match=rf"present image.*{run_id}"):
            ready(rig, image=IMAGE)
        assert rig.run_state(application_id, run_id) == "RUNNING"

    def test_tasks_at_once_stop_it_all_the_same(self, rig):
        rig.push("one")
        rig.start(rig.set_up(image=IMAGE)["applicationId"])
        new = rig.push("two")
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: ready(rig, image=IMAGE), range(4)))
        assert {one.image_digests for one in found} == {(new,)}
        assert {one.description["state"] for one in found} == {"STOPPED"}

    def test_one_that_is_starting_is_judged_when_it_has(self, rig):
        rig.push("one")
        application_id = rig.set_up(image=IMAGE)["applicationId"]
        rig.jobs.hold_prepares()
        rig.emr.start_application(applicationId=application_id)
        rig.pause.before[2] = rig.jobs.release_prepares
        assert ready(rig, image=IMAGE).description["state"] == "STARTED"

    def test_digests_that_are_resolved_for_each_job_need_nothing(self, rig):
        if not knows(rig.emr, "CreateApplication", "imageConfiguration", "applicationLevelDigestResolution"):
            pytest.skip("this boto3 has not heard of it")
        rig.push("one")
        fields = {"image": IMAGE, "resolve_digests_at_start": False}
        rig.start(rig.set_up(**fields)["applicationId"])
        new = rig.push("two")
        found = ready(rig, **fields)
        assert (found.description["state"], found.image_digests) == ("STARTED", (new,))

    def test_an_image_named_by_its_digest_is_not_asked_for(self, rig):
        digest = rig.push("one")
        found = ready(rig, image=IMAGE.replace(":1", f"@{digest}"))
        assert found.image_digests == (digest,)
        assert rig.ecr.calls == []

    def test_an_index_stands_for_its_platforms(self, rig):
        rig.push("one", platforms=2)
        rig.start(rig.set_up(image=IMAGE)["applicationId"])
        assert ready(rig, image=IMAGE).description["state"] == "STARTED"
        index = rig.push("two", platforms=2)
        found = ready(rig, image=IMAGE)
        assert (found.description["state"], found.image_digests[0]) == ("STOPPED", index)
        assert found.image_digests[1:] == (digest("two-0"), digest("two-1"))

    def test_an_image_that_is_on_this_machine_alone_is_no_trouble(self, rig, told):
        rig.start(rig.set_up(image=IMAGE)["applicationId"])
        found = ready(rig, image=IMAGE)
        assert (found.description["state"], found.image, found.image_digests) == ("STARTED", IMAGE, ())
        assert "WARNING" not in told()

    def test_an_image_that_is_not_in_ecr_is_told_before_a_job_is_submitted(self, rig):
        with pytest.raises(ImageRefusedError, match=r"is not in ECR.*emrkit image push"):
            rig.applications(on_aws=True).ready(ServerlessApplication(spec=rig.spec(image=IMAGE)))

    @pytest.mark.parametrize("call", ["describe_images", "batch_get_image"])
    def test_an_ecr_that_does_not_tell_is_a_warning_that_names_the_actions(self, rig, told, call):
        rig.push("one", platforms=2)
        rig.start(rig.set_up(image=IMAGE)["applicationId"])
        rig.push("two", platforms=2)
        rig.ecr.fail(call, aws_error("AccessDeniedException", "not authorized", 403))
        assert ready(rig, image=IMAGE).description["state"] == "STARTED"
        assert told().count("WARNING") == 1
        assert "ecr:DescribeImages" in told()

    def test_an_ecr_that_can_t_be_reached_is_a_warning_that_says_how_it_could(self, rig, told):
        rig.push("one")
        rig.ecr.fail("describe_images", *[unreachable() for _ in range(20)])
        assert ready(rig, image=IMAGE).image_digests == ()
        assert len(rig.ecr.calls) == 5
        assert "WARNING" in told()
        assert "needs a VPC endpoint of ECR" in told()

    def test_an_ecr_that_throttles_is_asked_again(self, rig):
        digest = rig.push("one")
        rig.ecr.fail("describe_images", throttled(), throttled())
        assert ready(rig, image=IMAGE).image_digests == (digest,)
