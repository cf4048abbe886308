"""Keeping an application as its spec says while tasks with another spec of its name are at it, or die."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from applications_rig import ApplicationsRig
from faulty_emr import aws_error

from airflow_provider_emrkit.compute.application_request import SPEC_TAG, UPDATING

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/etl:1"
LIVY = {"interactiveConfiguration": {"livyEndpointEnabled": True}}
NOTHING_TO_DO = ["list_applications", "get_application"]
ONLY_TAGGED = [*NOTHING_TO_DO, "tag_resource", "get_application"]


@pytest.fixture
def other(rig):
    """A task of another DAG, whose calls do not fail."""
    return ApplicationsRig(rig.server)


def before_call(rig, calls, act):
    """Act before the last of some calls, which come in this order."""
    first, *rest = calls
    rig.faulty.before[first] = (lambda: before_call(rig, rest, act)) if rest else act


def die():
    raise KeyboardInterrupt


class TestAnotherSpec:
    @pytest.mark.parametrize(
        ("fields", "member"),
        [
            ({"image": IMAGE}, "imageConfiguration"),
            ({"subnet_ids": ["subnet-1"]}, "networkConfiguration"),
            ({"configurations": {"spark-defaults": {"spark.x": "1"}}}, "runtimeConfiguration"),
        ],
    )
    def test_what_it_sets_while_the_application_is_waited_for_is_taken_away(self, rig, other, fields, member):
        application_id = rig.set_up()["applicationId"]
        rig.hold_run(application_id)

        def meanwhile():
            rig.jobs.finish("theirs")
            other.set_up(**fields)
            other.start(application_id)

        rig.pause.before[2] = meanwhile
        found = rig.set_up(idle_minutes=9)
        assert found["autoStopConfiguration"]["idleTimeoutMinutes"] == 9
        assert not found.get(member)
        assert not rig.describe(application_id).get(member)

    @pytest.mark.parametrize(
        "calls",
        [
            ["update_application"],
            ["update_application", "tag_resource"],
            ["update_application", "tag_resource", "get_application"],
        ],
        ids=["before the update", "before the tag", "before the last look"],
    )
    def test_what_it_sets_between_two_calls_is_no_more_when_the_task_has_its_application(
        self, rig, other, calls
    ):
        application_id = rig.set_up()["applicationId"]
        before_call(rig, calls, lambda: other.set_up(idle_minutes=9, subnet_ids=["subnet-1"]))
        found = rig.set_up(idle_minutes=5)
        assert found["autoStopConfiguration"]["idleTimeoutMinutes"] == 5
        assert not found.get("networkConfiguration")
        assert rig.describe(application_id)["tags"] == found["tags"]
        assert not rig.describe(application_id).get("networkConfiguration")

    def test_tasks_at_once_leave_it_as_one_of_their_specs_says(self, rig):
        rig.set_up()
        specs = [{"idle_minutes": 5}, {"idle_minutes": 6, "subnet_ids": ["subnet-6"]}]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda fields: rig.set_up(**fields), specs * 2))
        minutes = [one["autoStopConfiguration"]["idleTimeoutMinutes"] for one in found]
        assert minutes == [5, 6, 5, 6]
        application = rig.describe(found[0]["applicationId"])
        last = specs[application["autoStopConfiguration"]["idleTimeoutMinutes"] - 5]
        assert bool(application.get("networkConfiguration")) == ("subnet_ids" in last)
        rig.faulty.calls.clear()
        rig.set_up(**last)
        assert rig.faulty.calls == NOTHING_TO_DO

    def test_its_task_has_its_own_application_again(self, rig, other):
        rig.set_up()
        before_call(rig, ["update_application", "tag_resource"], lambda: other.set_up(idle_minutes=9))
        rig.set_up(idle_minutes=5)
        assert other.set_up(idle_minutes=9)["autoStopConfiguration"]["idleTimeoutMinutes"] == 9

    def test_a_task_that_died_before_it_tagged_its_update_leaves_nothing_that_looks_like_the_other(self, rig):
        rig.set_up()
        before_call(rig, ["update_application", "tag_resource"], die)
        with pytest.raises(KeyboardInterrupt):
            rig.set_up(idle_minutes=5)
        assert rig.set_up()["autoStopConfiguration"]["idleTimeoutMinutes"] == 15

    def test_a_task_that_died_after_it_found_others_at_it_leaves_that_to_the_next(self, rig, other):
        application_id = rig.set_up()["applicationId"]

        def others_come_and_it_dies():
            other.set_up(idle_minutes=9)
            before_call(rig, ["get_application", "tag_resource", "get_application"], die)

        before_call(rig, ["update_application", "tag_resource"], others_come_and_it_dies)
        with pytest.raises(KeyboardInterrupt):
            rig.set_up(idle_minutes=5)
        assert rig.describe(application_id)["tags"][SPEC_TAG] == UPDATING
        assert rig.set_up(idle_minutes=5)["autoStopConfiguration"]["idleTimeoutMinutes"] == 5

    def test_a_task_that_died_before_its_update_costs_the_others_a_tag(self, rig):
        rig.start(rig.set_up()["applicationId"])
        before_call(rig, ["update_application"], die)
        with pytest.raises(KeyboardInterrupt):
            rig.set_up(max_cpu=8, max_memory_gb=32)
        rig.faulty.calls.clear()
        assert rig.set_up()["state"] == "STARTED"
        assert rig.faulty.calls == ONLY_TAGGED

    def test_one_that_emr_refuses_costs_the_others_a_tag(self, rig):
        rig.set_up()
        rig.faulty.fail("update_application", aws_error("ValidationException", "no such subnet"))
        with pytest.raises(Exception, match="no such subnet"):
            rig.set_up(subnet_ids=["subnet-1"])
        rig.faulty.calls.clear()
        rig.set_up()
        assert rig.faulty.calls == ONLY_TAGGED


class TestNothingToUpdate:
    def test_other_tags_are_put_on_whatever_it_does(self, rig, told):
        application_id = rig.set_up()["applicationId"]
        run_id = rig.hold_run(application_id)
        rig.faulty.calls.clear()
        application = rig.set_up(tags={"team": "data"})
        assert (application["state"], application["tags"]["team"]) == ("STARTED", "data")
        assert "needs no update, only the tags team" in told()
        assert rig.faulty.calls == ONLY_TAGGED
        assert rig.run_state(application_id, run_id) == "RUNNING"
        rig.faulty.calls.clear()
        assert rig.set_up(tags={"team": "data"})["tags"] == rig.describe(application_id)["tags"]
        assert rig.faulty.calls == NOTHING_TO_DO

    def test_tags_that_a_spec_has_no_more_stay(self, rig):
        rig.set_up(tags={"team": "data"})
        rig.faulty.calls.clear()
        assert rig.set_up()["tags"]["team"] == "data"
        assert rig.faulty.calls == NOTHING_TO_DO

    def test_what_emr_does_not_take_away_is_waited_for_by_nobody(self, rig, told):
        rig.hold_run(rig.set_up(max_cpu=8, max_memory_gb=32)["applicationId"])
        rig.faulty.calls.clear()
        assert rig.set_up()["state"] == "STARTED"
        assert rig.faulty.calls == ONLY_TAGGED
        assert "keeps its maximum capacity" in told()

    @pytest.fixture
    def filled_in(self, rig):
        """EMR that fills in the disk of a maximum."""
        call = rig.faulty._call

        def filling(name, really, /, **request):
            answer = call(name, really, **request)
            if name in ("get_application", "update_application"):
                answer["application"].get("maximumCapacity", {}).setdefault("disk", "20000 GB")
            return answer

        rig.faulty._call = filling

    @pytest.mark.usefixtures("filled_in")
    def test_what_emr_fills_in_is_nothing_to_update(self, rig):
        fields = {"max_cpu": 8, "max_memory_gb": 32}
        rig.hold_run(rig.set_up(**fields)["applicationId"])
        rig.faulty.calls.clear()
        rig.set_up(**fields, tags={"team": "data"})
        assert rig.faulty.calls == ONLY_TAGGED

    @pytest.mark.usefixtures("filled_in")
    def test_what_emr_fills_in_is_nobody_elses_change(self, rig):
        rig.set_up(max_cpu=8, max_memory_gb=32)
        rig.set_up(max_cpu=16, max_memory_gb=64)
        assert rig.faulty.calls.count("update_application") == 1


class TestOverrides:
    def test_what_they_have_no_more_is_closed(self, rig):
        rig.set_up(overrides=LIVY)
        shown = rig.set_up()["interactiveConfiguration"]
        assert not shown["livyEndpointEnabled"]

    def test_what_they_have_no_more_is_taken_away(self, rig, told):
        key = "arn:aws:kms:us-east-1:123456789012:key/a"
        rig.set_up(overrides={"diskEncryptionConfiguration": {"encryptionKeyArn": key}})
        assert "diskEncryptionConfiguration" not in rig.set_up()
        assert "keeps" not in told()

    def test_what_emr_keeps_all_the_same_is_told(self, rig, told):
        held = {
            "diskEncryptionConfiguration": {"encryptionKeyArn": "arn:aws:kms:us-east-1:123456789012:key/a"}
        }
        rig.set_up(overrides=held)
        call = rig.faulty._call

        def keeping(name, really, /, **request):
            answer = call(name, really, **request)
            if name in ("get_application", "update_application"):
                answer["application"].update(held)
            return answer

        rig.faulty._call = keeping
        rig.set_up()
        assert "keeps its disk encryption" in told()
        assert rig.faulty.calls.count("update_application") == 1
