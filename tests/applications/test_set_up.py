"""Setting up the application of a spec: made once, updated when the spec says something else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from faulty_emr import aws_error, throttled, timed_out

from airflow_provider_emrkit.compute.serverless import ServerlessApplication
from airflow_provider_emrkit.exceptions import (
    ApplicationBusyError,
    EmrKitError,
    SubmitDeniedError,
    SubmitRefusedError,
    ThrottledError,
)

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/etl:1"


def test_an_application_is_made_as_its_spec_says(rig):
    application = rig.set_up(max_cpu=16, max_memory_gb=64, tags={"team": "data"})
    assert (application["name"], application["state"]) == ("nightly", "CREATED")
    assert application["maximumCapacity"] == {"cpu": "16 vCPU", "memory": "64 GB"}
    assert application["tags"]["team"] == "data"
    assert application["tags"]["emrkit:application"] == "nightly"


def test_it_is_found_again_and_left_as_it_is(rig):
    first = rig.set_up()
    rig.faulty.calls.clear()
    assert rig.set_up() == first
    assert rig.faulty.calls == ["list_applications", "get_application"]


def test_it_is_found_among_many(rig):
    application_id = rig.set_up()["applicationId"]
    for number in range(60):
        rig.create(f"other-{number}")
    assert rig.set_up()["applicationId"] == application_id


def test_finding_changes_nothing(rig):
    compute = ServerlessApplication(spec=rig.spec())
    assert rig.applications().find(compute) is None
    application_id = rig.set_up(max_cpu=4, max_memory_gb=16)["applicationId"]
    rig.faulty.calls.clear()
    assert rig.applications().find(compute)["applicationId"] == application_id
    assert rig.applications().find(ServerlessApplication(application_id))["applicationId"] == application_id
    assert rig.applications().find(ServerlessApplication("00nothing")) is None
    assert set(rig.faulty.calls) == {"list_applications", "get_application"}


def test_an_application_of_somebody_else_is_never_taken(rig):
    theirs = rig.create()
    with pytest.raises(SubmitRefusedError, match=rf"{theirs}.*ServerlessApplication\('{theirs}'\)"):
        rig.set_up()
    assert rig.applications().find(ServerlessApplication(spec=rig.spec())) is None
    assert "emrkit:spec" not in rig.describe(theirs).get("tags", {})


def test_one_that_somebody_tagged_for_emrkit_is_updated(rig):
    theirs = rig.create(tags={"emrkit:application": "nightly"})
    assert rig.set_up(max_cpu=4, max_memory_gb=16)["applicationId"] == theirs
    assert rig.describe(theirs)["maximumCapacity"] == {"cpu": "4 vCPU", "memory": "16 GB"}


def test_tasks_at_once_make_one(rig):
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: rig.set_up()["applicationId"], range(6)))
    assert len(set(found)) == len(rig.all()) == 1


def test_tasks_at_once_with_different_specs_make_one(rig):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: rig.set_up(idle_minutes=n)["applicationId"], (5, 6, 5, 6)))
    assert len(set(found)) == len(rig.all()) == 1


def test_one_that_was_deleted_is_made_anew(rig):
    made = []
    for _ in range(3):
        made.append(rig.set_up()["applicationId"])
        rig.emr.delete_application(applicationId=made[-1])
    assert len(set(made)) == 3


@pytest.mark.parametrize("idle_minutes", [15, 5], ids=["same spec", "another spec"])
def test_a_list_that_lags_makes_no_second_one(rig, idle_minutes):
    application_id = rig.set_up()["applicationId"]
    rig.faulty.hide("list_applications", 3)
    assert rig.set_up(idle_minutes=idle_minutes)["applicationId"] == application_id
    assert len(rig.all()) == 1


def test_of_several_the_oldest_is_used_by_all(rig, told):
    tags = {"emrkit:application": "nightly"}
    first = rig.create(tags=tags)
    second = rig.create(tags=tags, clientToken="another")
    assert rig.set_up()["applicationId"] == first
    assert rig.applications().find(ServerlessApplication(spec=rig.spec()))["applicationId"] == first
    assert f"the oldest is used, and not {second}" in told()


def test_two_tasks_that_make_one_at_the_turn_of_an_hour_use_the_same(rig):
    made = []
    request = {"tags": {"emrkit:application": "nightly"}, "clientToken": "hour-before"}
    rig.faulty.before["create_application"] = lambda: made.append(rig.create(**request))
    assert [rig.set_up()["applicationId"]] == made


@pytest.mark.parametrize("call", ["create_application", "list_applications", "get_application"])
@pytest.mark.parametrize("done", [False, True], ids=["not done", "done"])
@pytest.mark.parametrize("error", [throttled(), timed_out()], ids=["throttled", "lost"])
def test_a_call_that_fails_for_a_while_is_made_again(rig, call, done, error):
    rig.faulty.fail(call, error, error, done=done)
    rig.set_up()
    assert len(rig.all()) == 1


def test_a_call_that_fails_for_good_names_what_it_was_for(rig):
    rig.faulty.fail("list_applications", *[throttled()] * 20)
    with pytest.raises(ThrottledError, match="applications named nightly could not be found"):
        rig.set_up()
    rig.faulty._failures.clear()
    rig.faulty.fail("create_application", aws_error("AccessDeniedException", "not authorized", 403))
    with pytest.raises(SubmitDeniedError, match="application nightly could not be created"):
        rig.set_up()


def test_what_emr_does_not_take_is_told(rig):
    rig.jobs.refused_labels["emr-7.11.0"] = "no such release here"
    with pytest.raises(SubmitRefusedError, match="no such release here"):
        rig.set_up()


class TestUpdate:
    def test_another_spec_updates_the_application_and_the_log_says_what_changes(self, rig, told):
        before = rig.set_up(max_cpu=4, max_memory_gb=16)
        after = rig.set_up(max_cpu=8, max_memory_gb=16, tags={"team": "data"})
        assert after["applicationId"] == before["applicationId"]
        assert after["maximumCapacity"]["cpu"] == "8 vCPU"
        assert after["tags"]["team"] == "data"
        assert "maximumCapacity.cpu: 4 vCPU -> 8 vCPU" in told()
        assert "memory" not in told()

    def test_once_it_is_updated_it_is_left_alone(self, rig):
        rig.set_up()
        rig.set_up(idle_minutes=5)
        rig.faulty.calls.clear()
        rig.set_up(idle_minutes=5)
        assert rig.faulty.calls == ["list_applications", "get_application"]

    def test_what_a_spec_says_no_more_is_taken_away(self, rig):
        configuration = {"Classification": "spark-defaults", "Properties": {"spark.executor.cores": "2"}}
        rig.set_up(configurations=[configuration])
        assert not rig.set_up().get("runtimeConfiguration")

    def test_what_emr_can_t_take_away_is_told(self, rig, told):
        rig.set_up(max_cpu=4, max_memory_gb=16)
        assert rig.set_up()["maximumCapacity"] == {"cpu": "4 vCPU", "memory": "16 GB"}
        assert "keeps its maximum capacity" in told()

    def test_an_idle_one_is_stopped_for_it(self, rig):
        application_id = rig.set_up()["applicationId"]
        rig.start(application_id)
        application = rig.set_up(idle_minutes=5)
        assert application["state"] == "STOPPED"
        assert application["autoStopConfiguration"]["idleTimeoutMinutes"] == 5

    @pytest.mark.parametrize("fields", [{"max_cpu": 8, "max_memory_gb": 32}, {"image": IMAGE}])
    def test_what_may_change_while_it_is_started_needs_no_stop(self, rig, fields):
        application_id = rig.set_up(release_label="emr-7.14.0")["applicationId"]
        run_id = rig.hold_run(application_id)
        application = rig.set_up(release_label="emr-7.14.0", **fields)
        assert application["state"] == "STARTED"
        assert application["tags"]["emrkit:spec"]
        assert rig.run_state(application_id, run_id) == "RUNNING"
        rig.faulty.calls.clear()
        rig.set_up(release_label="emr-7.14.0", **fields)
        assert rig.faulty.calls == ["list_applications", "get_application"]

    def test_where_emr_does_not_take_that_it_is_stopped_all_the_same(self, rig):
        rig.start(rig.set_up()["applicationId"])
        rig.faulty.fail("update_application", aws_error("ValidationException", "must be in CREATED, STOPPED"))
        application = rig.set_up(max_cpu=8, max_memory_gb=32)
        assert (application["state"], application["maximumCapacity"]["cpu"]) == ("STOPPED", "8 vCPU")

    def test_a_busy_one_is_waited_for(self, rig, told):
        application_id = rig.set_up()["applicationId"]
        run_id = rig.hold_run(application_id)
        rig.pause.before[4] = lambda: rig.jobs.finish("theirs")
        assert rig.set_up(idle_minutes=5)["autoStopConfiguration"]["idleTimeoutMinutes"] == 5
        assert rig.run_state(application_id, run_id) == "SUCCESS"
        assert told().count(run_id) == 1

    def test_one_that_stays_busy_is_an_error_that_names_the_runs(self, rig):
        application_id = rig.set_up()["applicationId"]
        run_id = rig.hold_run(application_id)
        with pytest.raises(
            ApplicationBusyError, match=rf"to be updated.*{run_id} \(theirs, RUNNING\)"
        ) as told:
            rig.set_up(idle_minutes=5)
        assert told.value.retryable
        assert sum(rig.pause.seconds) == pytest.approx(1800)
        assert rig.run_state(application_id, run_id) == "RUNNING"

    def test_the_wait_ends_with_the_task(self, rig):
        application_id = rig.set_up()["applicationId"]
        run_id = rig.hold_run(application_id)
        rig.pause.stop_after = 3
        with pytest.raises(EmrKitError, match="Airflow stopped the task"):
            rig.set_up(idle_minutes=5)
        assert rig.run_state(application_id, run_id) == "RUNNING"

    def test_tasks_at_once_update_it_all_the_same(self, rig):
        rig.start(rig.set_up()["applicationId"])
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: rig.set_up(idle_minutes=5), range(4)))
        assert {one["autoStopConfiguration"]["idleTimeoutMinutes"] for one in found} == {5}

    @pytest.mark.parametrize("call", ["stop_application", "update_application", "tag_resource"])
    @pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
    def test_a_task_that_dies_at_any_call_leaves_nothing_half_done_for_the_next(self, rig, call, done):
        application_id = rig.set_up()["applicationId"]
        rig.start(application_id)
        rig.faulty.fail(call, KeyboardInterrupt(), done=done)
        with pytest.raises(KeyboardInterrupt):
            rig.set_up(idle_minutes=5)
        application = rig.set_up(idle_minutes=5)
        assert application["applicationId"] == application_id
        assert application["autoStopConfiguration"]["idleTimeoutMinutes"] == 5
        rig.faulty.calls.clear()
        rig.set_up(idle_minutes=5)
        assert rig.faulty.calls == ["list_applications", "get_application"]

    def test_one_that_is_started_between_two_calls_is_stopped_again(self, rig):
        application_id = rig.set_up()["applicationId"]
        rig.faulty.before["update_application"] = lambda: rig.start(application_id)
        assert rig.set_up(idle_minutes=5)["autoStopConfiguration"]["idleTimeoutMinutes"] == 5

    def test_a_tag_that_is_shown_later_makes_no_second_update(self, rig):
        rig.set_up()
        shown = []
        rig.faulty.before["tag_resource"] = lambda: shown.append(rig.describe(rig.all()[0]["id"]))
        call = rig.faulty._call

        def late(name, really, /, **request):
            answer = call(name, really, **request)
            return {"application": shown[0]} if name == "get_application" and shown else answer

        rig.faulty._call = late
        rig.set_up(idle_minutes=5)
        assert rig.faulty.calls.count("update_application") == 1

    def test_one_that_others_change_again_and_again_is_told(self, rig):
        rig.set_up()
        call = rig.faulty._call

        def delete_first(name, really, /, **request):
            if name == "update_application":
                for application in rig.all():
                    if application["state"] != "TERMINATED":
                        rig.emr.delete_application(applicationId=application["id"])
                rig.create(tags={"emrkit:application": "nightly"}, clientToken=f"t{len(rig.all())}")
            return call(name, really, **request)

        rig.faulty._call = delete_first
        with pytest.raises(SubmitRefusedError, match="again and again"):
            rig.set_up(idle_minutes=5)

    def test_one_that_is_deleted_between_two_calls_is_made_anew(self, rig):
        application_id = rig.set_up()["applicationId"]
        rig.faulty.before["update_application"] = lambda: rig.emr.delete_application(
            applicationId=application_id
        )
        assert rig.set_up(idle_minutes=5)["applicationId"] != application_id

    def test_what_emr_does_not_take_is_told(self, rig):
        rig.set_up()
        rig.faulty.fail("update_application", aws_error("ValidationException", "no such subnet"))
        with pytest.raises(SubmitRefusedError, match="no such subnet"):
            rig.set_up(idle_minutes=5)
