"""Starts that others undo meanwhile, and starts that nobody waits for any more."""

from __future__ import annotations

import json

import pytest
from faulty_emr import aws_error, throttled

from airflow_provider_emrkit.applications.awaited import ApplicationNotYet, Awaited, LeftWaits
from airflow_provider_emrkit.compute.serverless import ServerlessApplication
from airflow_provider_emrkit.exceptions import ApplicationStartError, EmrKitError, ThrottledError
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError


def start(rig, application_id, left=None):
    return rig.applications(left=left).start(ServerlessApplication(application_id))["state"]


def asks(rig):
    return rig.faulty.calls.count("start_application")


@pytest.fixture
def starting(rig):
    """Starts are held until the test is over, or says so."""
    rig.jobs.hold_prepares()
    yield rig.set_up()["applicationId"]
    rig.jobs.release_prepares()


@pytest.fixture
def for_ever(rig):
    """Like ``starting``, of an application that does not stop by itself."""
    rig.jobs.hold_prepares()
    yield rig.set_up(idle_minutes=None)["applicationId"]
    rig.jobs.release_prepares()


class TestOthersStopIt:
    def test_one_that_was_stopped_between_two_looks_is_started_again(self, rig, starting):
        def started_and_stopped():
            rig.jobs.release_prepares()
            rig.wait(starting, "STARTED")
            rig.emr.stop_application(applicationId=starting)
            rig.wait(starting, "STOPPED")

        rig.pause.before[4] = started_and_stopped
        assert start(rig, starting) == "STARTED"
        assert asks(rig) == 2

    def test_so_is_one_that_is_seen_to_stop_though_emr_says_why(self, rig, starting, monkeypatch):
        rig.pause.before[2] = rig.jobs.release_prepares
        really = rig.emr.get_application
        shown = [{"state": "STOPPING"}, {"state": "STOPPED", "stateDetails": "nobody needed it"}]

        def others_stop_it(**request):
            answer = really(**request)
            if answer["application"]["state"] == "STARTED" and shown:
                answer["application"] |= shown.pop(0)
            return answer

        monkeypatch.setattr(rig.emr, "get_application", others_stop_it)
        assert start(rig, starting) == "STARTED"
        assert asks(rig) == 2

    def test_a_trigger_that_saw_it_at_rest_without_a_reason_has_it_started_again(self, rig, starting):
        awaited = left_by(rig, starting)
        rig.jobs.release_prepares()
        rig.wait(starting, "STARTED")
        rig.emr.stop_application(applicationId=starting)
        rig.wait(starting, "STOPPED")
        assert start(rig, starting, LeftWaits(awaited, "STOPPED")) == "STARTED"

    def test_that_has_an_end(self, rig, starting, monkeypatch):
        really = rig.emr.get_application
        states = ["CREATED", *["CREATED", "STARTING"] * 10]

        def never_up(**request):
            answer = really(**request)
            answer["application"] |= {"state": states.pop(0), "stateDetails": ""}
            return answer

        monkeypatch.setattr(rig.emr, "get_application", never_up)
        with pytest.raises(ApplicationStartError, match="did not start, and is CREATED"):
            start(rig, starting)
        assert asks(rig) == 3

    def test_also_where_it_goes_from_worker_to_worker(self, rig, starting):
        awaited = left_by(rig, starting)
        assert awaited.asked == 1
        often = Awaited.from_dict({**awaited.to_dict(), "asked": 3})
        rig.emr.stop_application(applicationId=starting)
        rig.wait(starting, "STOPPED")
        with pytest.raises(ApplicationStartError, match="did not start"):
            start(rig, starting, LeftWaits(often, "STOPPED"))

    def test_a_start_that_failed_is_not_tried_again(self, rig, starting):
        rig.jobs.prepare_error = ClusterStartError("no addresses left in subnet-1")
        rig.pause.before[3] = rig.jobs.release_prepares
        with pytest.raises(ApplicationStartError, match="no addresses left in subnet-1"):
            start(rig, starting)
        assert asks(rig) == 1


def left_by(rig, application_id):
    with pytest.raises(ApplicationNotYet) as caught:
        start(rig, application_id, LeftWaits())
    return Awaited.from_dict(json.loads(json.dumps(caught.value.awaited.to_dict())))


class RaisedIntoIt(BaseException):
    """As Airflow raises its own into a task."""


def raise_into_it():
    raise RaisedIntoIt


class TestNobodyWaitsForIt:
    @pytest.fixture
    def killed(self, rig):
        """Starts an application, and is stopped by Airflow meanwhile."""

        def killed(application_id):
            rig.pause.stop_after = 3
            with pytest.raises(EmrKitError, match="Airflow stopped the task"):
                start(rig, application_id)
            rig.pause.stop_after = None

        return killed

    @pytest.fixture
    def timed_out(self, rig):
        """Starts an application until its ``execution_timeout``, which Airflow raises into the task."""

        def timed_out(application_id):
            rig.pause.before[3] = raise_into_it
            with pytest.raises(RaisedIntoIt):
                start(rig, application_id)

        return timed_out

    def test_one_whose_time_is_up_is_stopped_where_nothing_else_would(self, rig, for_ever, told):
        with pytest.raises(ApplicationStartError, match="did not start, and is STARTING"):
            start(rig, for_ever)
        rig.wait(for_ever, "STOPPED")
        assert f"WARNING Application {for_ever} is stopped: this task has started it" in told()

    def test_so_is_one_whose_task_s_time_is_up(self, rig, for_ever, timed_out):
        timed_out(for_ever)
        rig.wait(for_ever, "STOPPED")

    def test_when_airflow_stops_the_task_it_is_left_to_its_next_try_and_to_others(
        self, rig, for_ever, killed, told
    ):
        killed(for_ever)
        assert rig.describe(for_ever)["state"] == "STARTING"
        said = "is left as it is, STARTING, and does not stop by itself: EmrApplicationStopOperator stops it"
        assert f"WARNING Application {for_ever} {said}" in told()
        rig.pause.before[len(rig.pause.seconds) + 2] = rig.jobs.release_prepares
        assert start(rig, for_ever) == "STARTED"
        assert asks(rig) == 1

    def test_also_when_the_signal_is_raised_into_it(self, rig, for_ever):
        def stopped():
            rig.pause.stop_after = 0
            raise_into_it()

        rig.pause.before[3] = stopped
        with pytest.raises(RaisedIntoIt):
            start(rig, for_ever)
        assert rig.describe(for_ever)["state"] == "STARTING"

    def test_also_when_it_was_stopped_while_emr_could_not_be_asked(self, rig, for_ever):
        def unreachable():
            rig.pause.stop_after = 4
            rig.faulty.fail("get_application", throttled())

        rig.pause.before[3] = unreachable
        with pytest.raises(ThrottledError):
            start(rig, for_ever)
        assert rig.describe(for_ever)["state"] == "STARTING"
        assert "stop_application" not in rig.faulty.calls

    def test_also_when_another_worker_had_asked_for_its_start(self, rig, for_ever, now):
        awaited = left_by(rig, for_ever)
        late = Awaited.from_dict({**awaited.to_dict(), "since": {"start": now - 1_200}})
        with pytest.raises(ApplicationStartError, match="did not start, and is STARTING"):
            start(rig, for_ever, LeftWaits(late, "STARTING"))
        rig.wait(for_ever, "STOPPED")

    def test_a_wait_that_is_left_to_a_trigger_goes_on(self, rig, for_ever):
        left_by(rig, for_ever)
        assert rig.describe(for_ever)["state"] == "STARTING"

    def test_one_that_stops_by_itself_is_left_to_that(self, rig, starting, killed, told):
        killed(starting)
        assert rig.describe(starting)["state"] == "STARTING"
        said = "is left as it is, STARTING: it stops by itself after 15 minutes without a job run"
        assert f"WARNING Application {starting} {said}" in told()

    def test_what_others_have_started_is_left_to_them(self, rig, for_ever, timed_out, told):
        rig.emr.start_application(applicationId=for_ever)
        timed_out(for_ever)
        assert rig.describe(for_ever)["state"] == "STARTING"
        assert "does not stop by itself: EmrApplicationStopOperator stops it" in told()

    def test_so_is_one_that_has_job_runs_by_now(self, rig, for_ever, timed_out):
        rig.pause.before[2] = lambda: rig.run(for_ever)
        timed_out(for_ever)
        assert rig.describe(for_ever)["state"] == "STARTING"
        assert "stop_application" not in rig.faulty.calls

    def test_a_refusal_is_told_and_the_task_fails_of_what_it_failed_of(self, rig, for_ever, timed_out, told):
        rig.faulty.fail("stop_application", aws_error("AccessDeniedException", "not authorized", 403))
        timed_out(for_ever)
        assert f"WARNING It is not known whether application {for_ever} stops by itself" in told()
        assert "not authorized" in told()
