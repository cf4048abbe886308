"""Long waits of a deferrable task, which it leaves to its trigger and goes on with afterwards."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from faulty_emr import aws_error

from airflow_provider_emrkit.applications.awaited import ApplicationNotYet, Awaited, LeftWaits, mark_of
from airflow_provider_emrkit.applications.waiting import HERE, UNSEEN
from airflow_provider_emrkit.compute.serverless import ServerlessApplication
from airflow_provider_emrkit.exceptions import ApplicationBusyError, ApplicationStartError, EmrKitError
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/etl:1"
NOT_NOW = aws_error("ValidationException", "there are interactive sessions")


def ready(rig, left=None, **fields):
    return rig.applications(left=left or LeftWaits()).ready(ServerlessApplication(spec=rig.spec(**fields)))


def left_by(rig, left=None, **fields):
    """What a task leaves to its trigger, as its next worker gets it."""
    with pytest.raises(ApplicationNotYet) as caught:
        ready(rig, left, **fields)
    return Awaited.from_dict(json.loads(json.dumps(caught.value.awaited.to_dict())))


def earlier(awaited, seconds):
    """The same wait, begun that much earlier."""
    return replace(awaited, since={name: since - seconds for name, since in awaited.since.items()})


class TestStart:
    @pytest.fixture
    def starting(self, rig):
        """An application that takes long to start, which a task has left to its trigger."""
        rig.jobs.hold_prepares()
        yield left_by(rig, auto_start=False)
        rig.jobs.release_prepares()

    def test_a_long_start_is_left_after_some_seconds(self, rig, starting, now):
        assert sum(rig.pause.seconds) <= HERE
        assert (starting.state, starting.busy) == ("STARTING", False)
        assert starting.what == f"application {starting.application_id} is STARTING, and to be started"
        assert starting.until - now == pytest.approx(1_200 - sum(rig.pause.seconds), abs=1e-3)

    def test_a_short_one_is_not(self, rig):
        rig.jobs.hold_prepares()
        rig.pause.before[3] = rig.jobs.release_prepares
        assert ready(rig, auto_start=False).description["state"] == "STARTED"

    def test_its_time_goes_on_with_the_next_worker(self, rig, starting):
        again = left_by(rig, LeftWaits(earlier(starting, 1_100), "STARTING"), auto_start=False)
        assert again.until == pytest.approx(starting.until - 1_100, abs=HERE)

    def test_it_has_a_limit_as_on_a_worker(self, rig, starting):
        rig.pause.seconds.clear()
        with pytest.raises(ApplicationStartError, match="did not start, and is STARTING"):
            ready(rig, LeftWaits(earlier(starting, 1_200), "STARTING"), auto_start=False)
        assert rig.pause.seconds == []

    def test_one_that_failed_meanwhile_is_not_started_again_and_again(self, rig, starting):
        rig.jobs.prepare_error = ClusterStartError("no addresses left in subnet-1")
        rig.jobs.release_prepares()
        rig.wait(starting.application_id, "STOPPED", "CREATED")
        rig.faulty.calls.clear()
        with pytest.raises(ApplicationStartError, match=r"did not start.*no addresses left in subnet-1"):
            ready(rig, LeftWaits(starting, "STOPPED"), auto_start=False)
        assert "start_application" not in rig.faulty.calls

    def test_one_that_was_started_and_stopped_since_is_started_again(self, rig, starting):
        rig.jobs.release_prepares()
        rig.wait(starting.application_id, "STARTED")
        rig.emr.stop_application(applicationId=starting.application_id)
        rig.wait(starting.application_id, "STOPPED")
        assert ready(rig, LeftWaits(starting, "STARTED"), auto_start=False).description["state"] == "STARTED"

    def test_a_wait_that_is_over_does_not_count_for_the_next_one(self, rig, starting):
        rig.jobs.release_prepares()
        rig.wait(starting.application_id, "STARTED")
        left = LeftWaits(starting, "STARTED")
        assert left.seconds("start") > 0
        ready(rig, left, auto_start=False)
        assert left.since == {}

    def test_one_that_is_deleted_or_comes_to_rest_by_others_is_seen_to(self, rig, starting):
        assert starting.has_passed(None, has_runs=False)
        assert starting.has_passed({"state": "STOPPED"}, has_runs=False)
        assert not starting.has_passed(rig.describe(starting.application_id), has_runs=False)


class TestRest:
    @pytest.fixture
    def busy(self, rig):
        """An application whose spec has changed while a job run goes on, left to the task's trigger."""
        rig.hold_run(rig.set_up()["applicationId"])
        return left_by(rig, idle_minutes=5)

    def test_job_runs_of_others_are_waited_for_elsewhere(self, rig, busy, now):
        assert sum(rig.pause.seconds) <= HERE
        assert (busy.state, busy.busy) == ("STARTED", True)
        assert "is to be updated: it has the job runs" in busy.what
        assert busy.until - now == pytest.approx(1_800 - sum(rig.pause.seconds), abs=1e-3)
        assert not {"stop_application", "update_application"} & set(rig.faulty.calls)

    def test_their_end_is_what_is_waited_for(self, rig, busy):
        seen = rig.describe(busy.application_id)
        assert not busy.has_passed(seen, has_runs=True)
        assert busy.has_passed(seen, has_runs=False)
        assert busy.has_passed({**seen, "tags": {"emrkit:spec": "other"}}, has_runs=True)

    def test_when_they_have_ended_it_is_updated(self, rig, busy):
        rig.jobs.finish("theirs")
        found = ready(rig, LeftWaits(busy, "STARTED"), idle_minutes=5)
        assert found.description["autoStopConfiguration"]["idleTimeoutMinutes"] == 5
        assert found.id == busy.application_id

    def test_it_has_a_limit_as_on_a_worker(self, rig, busy):
        told = r"is to be updated, and did not come to rest in 180\d s: it has the job runs"
        with pytest.raises(ApplicationBusyError, match=told):
            ready(rig, LeftWaits(earlier(busy, 1_800), "STARTED"), idle_minutes=5)

    def test_an_old_image_is_no_reason_to_stay_on_the_worker_either(self, rig):
        rig.push("one")
        rig.hold_run(rig.set_up(image=IMAGE)["applicationId"])
        new = rig.push("two")
        awaited = left_by(rig, image=IMAGE)
        assert "so that it starts with its present image" in awaited.what
        rig.jobs.finish("theirs")
        assert ready(rig, LeftWaits(awaited, "STARTED"), image=IMAGE).image_digests == (new,)

    def test_what_a_trigger_can_t_see_is_looked_at_again_by_a_worker(self, rig, now):
        rig.start(rig.set_up()["applicationId"])
        rig.faulty.fail("stop_application", *[NOT_NOW] * 20)
        awaited = left_by(rig, idle_minutes=5)
        assert "interactive sessions" in awaited.what
        assert 0 < awaited.until - now <= UNSEEN


def test_a_task_that_is_being_stopped_leaves_nothing_to_a_trigger(rig):
    rig.jobs.hold_prepares()
    rig.pause.stop_after = 5  # the pause that would be one too many
    with pytest.raises(EmrKitError, match="Airflow stopped the task"):
        ready(rig, auto_start=False)
    assert rig.pause.seconds[-1] == 0.0
    rig.jobs.release_prepares()


def test_a_task_that_is_not_deferrable_waits_on_its_worker(rig):
    rig.jobs.hold_prepares()
    rig.pause.before[12] = rig.jobs.release_prepares
    spec = rig.spec(auto_start=False)
    assert rig.applications().ready(ServerlessApplication(spec=spec)).description["state"] == "STARTED"
    assert sum(rig.pause.seconds) > HERE


def test_what_a_newer_version_wrote_is_understood():
    awaited = Awaited("00f1abcdefgh2i0j", "start", "STARTING", since={"start": 1.0})
    assert Awaited.from_dict({**awaited.to_dict(), "invented_later": 1}) == awaited


@pytest.mark.parametrize(
    ("change", "is_seen"),
    [
        ({"state": "STARTED"}, True),
        ({"tags": {"emrkit:spec": "2"}}, True),
        ({"imageConfiguration": {"imageUri": "etl:1", "resolvedImageDigest": "sha256:2"}}, True),
        ({"updatedAt": 2}, False),
        ({"stateDetails": "on its way"}, False),
    ],
)
def test_only_what_waits_look_at_counts_as_a_change(change, is_seen):
    before = {"state": "STARTING", "tags": {"emrkit:spec": "1"}, "updatedAt": 1}
    assert (mark_of({**before, **change}) != mark_of(before)) == is_seen
