"""Starting, stopping and deleting applications; what is done about their job runs."""

from __future__ import annotations

from functools import partial

import pytest
from faulty_emr import throttled, timed_out

from airflow_provider_emrkit.applications.resting import Resting
from airflow_provider_emrkit.compute.serverless import ServerlessApplication
from airflow_provider_emrkit.exceptions import ApplicationBusyError, ComputeNotFoundError

OURS = {"emrkit:deployment": "", "emrkit:dag_id": "sales", "emrkit:run_id": "manual__1"}
OTHERS = [{}, {**OURS, "emrkit:run_id": "manual__2"}, {**OURS, "emrkit:deployment": "of others"}]


@pytest.fixture
def compute(rig):
    return ServerlessApplication(spec=rig.spec())


@pytest.fixture
def application_id(rig):
    return rig.set_up()["applicationId"]


def test_an_application_is_started(rig, compute, application_id):
    assert rig.applications().start(compute)["state"] == "STARTED"
    rig.faulty.calls.clear()
    assert rig.applications().start(ServerlessApplication(application_id))["state"] == "STARTED"
    assert "start_application" not in rig.faulty.calls


def test_one_that_is_not_there_can_t_be_started(rig, compute):
    with pytest.raises(ComputeNotFoundError, match=r"no application nightly that emrkit has made.*set it up"):
        rig.applications().start(compute)


@pytest.mark.parametrize("act", ["stop", "delete"])
class TestEnding:
    def end(self, rig, act, compute, **options):
        return getattr(rig.applications(), act)(compute, **options)

    def is_done(self, rig, act, application_id):
        return rig.describe(application_id)["state"] == {"stop": "STOPPED", "delete": "TERMINATED"}[act]

    def test_one_that_is_not_there_is_no_trouble(self, rig, act, compute):
        assert self.end(rig, act, compute) is None
        assert self.end(rig, act, ServerlessApplication("00nothing")) is None

    def test_an_idle_one_is_ended(self, rig, act, compute, application_id):
        rig.start(application_id)
        self.end(rig, act, compute)
        assert self.is_done(rig, act, application_id)
        self.end(rig, act, compute)

    def test_somebody_else_s_of_that_name_is_left_alone(self, rig, act, compute):
        theirs = rig.create()
        assert self.end(rig, act, compute) is None
        assert rig.describe(theirs)["state"] == "CREATED"

    def test_a_busy_one_is_left_as_it_is(self, rig, act, compute, application_id):
        run_id = rig.hold_run(application_id)
        assert self.end(rig, act, compute)["state"] == "STARTED"
        assert rig.run_state(application_id, run_id) == "RUNNING"
        assert not {"stop_application", "cancel_job_run"} & set(rig.faulty.calls)

    def test_one_whose_runs_wait_in_the_queue_is_busy_too(self, rig, act, compute):
        application_id = rig.set_up(max_concurrent_runs=1)["applicationId"]
        rig.hold_run(application_id)
        queued = rig.run(application_id, "queued")
        self.end(rig, act, compute, cancel_runs=True)
        assert rig.run_state(application_id, queued) == "CANCELLED"

    def test_its_runs_are_cancelled_when_that_is_asked_for(self, rig, act, compute, application_id, told):
        run_id = rig.hold_run(application_id)
        self.end(rig, act, compute, cancel_runs=True)
        assert self.is_done(rig, act, application_id)
        assert rig.run_state(application_id, run_id) == "CANCELLED"
        assert f"Job run {run_id} (theirs, RUNNING) of application {application_id} is cancelled" in told()

    def test_runs_that_do_not_end_are_told(self, rig, act, compute, application_id):
        rig.jobs.script("theirs", hold=True, ignores_cancel=True)
        run_id = rig.run(application_id, mode="STREAMING")
        rig.jobs.wait_started("theirs")
        resting = Resting(rig.calls(), rig.pause, limit=2.0)
        end = {"stop": partial(resting.rest, why="to be stopped"), "delete": resting.delete}[act]
        with pytest.raises(ApplicationBusyError, match=rf"{run_id} \(theirs, CANCELLING\)"):
            end(application_id, busy="cancel")
        assert rig.faulty.calls.count("cancel_job_run") == 1
        rig.jobs.finish("theirs")

    def test_a_run_that_comes_in_between_is_left_alone(self, rig, act, compute, application_id):
        rig.start(application_id)
        rig.faulty.before["stop_application"] = lambda: rig.hold_run(application_id)
        assert self.end(rig, act, compute)["state"] == "STARTED"

    @pytest.mark.parametrize(
        "call", ["stop_application", "get_application", "list_job_runs", "delete_application"]
    )
    @pytest.mark.parametrize("done", [False, True], ids=["not done", "done"])
    def test_a_call_that_fails_for_a_while_is_made_again(self, rig, act, compute, application_id, call, done):
        rig.start(application_id)
        rig.faulty.fail(call, throttled(), timed_out(), done=done)
        self.end(rig, act, compute)
        assert self.is_done(rig, act, application_id)


@pytest.mark.parametrize("act", ["stop", "delete"])
class TestRunsThatAreAboutToEnd:
    def end(self, rig, act, compute, **options):
        return getattr(rig.applications(), act)(compute, **options)

    def is_done(self, rig, act, application_id):
        return rig.describe(application_id)["state"] == {"stop": "STOPPED", "delete": "TERMINATED"}[act]

    def hold_ours(self, rig, application_id, name="ours"):
        tags = {key: value for key, value in OURS.items() if value}
        return rig.hold_run(application_id, name, tags={**tags, "emrkit:task_id": name})

    def cancelling(self, rig, application_id, tags=None):
        rig.jobs.script("ended", hold=True, ignores_cancel=True)
        run_id = rig.run(application_id, "ended", mode="STREAMING", tags=tags or {})
        rig.jobs.wait_started("ended")
        rig.emr.cancel_job_run(applicationId=application_id, jobRunId=run_id)
        return run_id

    def test_a_cancelling_one_is_waited_for(self, rig, act, compute, application_id, told):
        run_id = self.cancelling(rig, application_id)
        rig.pause.before[3] = lambda: rig.jobs.finish("ended")
        self.end(rig, act, compute)
        assert self.is_done(rig, act, application_id)
        assert f"waited for: it has the job runs {run_id} (ended, CANCELLING)" in told()
        assert "cancel_job_run" not in rig.faulty.calls

    def test_one_of_others_beside_it_keeps_the_application(self, rig, act, compute, application_id, told):
        ended, theirs = self.cancelling(rig, application_id), rig.hold_run(application_id)
        assert self.end(rig, act, compute)["state"] == "STARTED"
        assert f"Application {application_id} is left as it is, with {theirs} (theirs, RUNNING)" in told()
        assert ended not in told()
        assert rig.pause.seconds == []
        rig.jobs.finish("ended")

    @pytest.mark.parametrize(
        ("over", "asked"), [(None, 0), (OURS, 1)], ids=["of anybody", "of another DAG run"]
    )
    def test_a_cancelling_one_is_not_waited_for_as_long_as_it_may_take(
        self, rig, act, compute, application_id, told, over, asked
    ):
        run_id = self.cancelling(rig, application_id, OTHERS[1])
        assert self.end(rig, act, compute, over=over)["state"] == "STARTED"
        assert 180 <= sum(rig.pause.seconds) <= 190
        assert "is left as it is after 18" in told()
        assert f"s, with {run_id} (ended, CANCELLING)" in told()
        assert rig.faulty.calls.count("get_job_run") == asked
        rig.jobs.finish("ended")

    def test_one_of_its_own_dag_run_is(self, rig, act, compute, application_id):
        self.cancelling(rig, application_id, {key: value for key, value in OURS.items() if value})
        rig.pause.before[40] = lambda: rig.jobs.finish("ended")
        self.end(rig, act, compute, over=OURS)
        assert self.is_done(rig, act, application_id)
        assert sum(rig.pause.seconds) > 300
        assert rig.faulty.calls.count("get_job_run") == 1

    def test_one_of_others_is_not_asked_about_where_its_own_go_on(
        self, rig, act, compute, application_id, told
    ):
        self.cancelling(rig, application_id, OTHERS[1])
        ours = self.hold_ours(rig, application_id)
        assert self.end(rig, act, compute, over=OURS)["state"] == "STARTED"
        assert f"s, with {ours} (ours, RUNNING)" in told()
        assert rig.faulty.calls.count("get_job_run") == 1
        rig.jobs.finish("ended")

    def test_one_whose_task_is_over_is_waited_for(self, rig, act, compute, application_id, told):
        run_id = self.hold_ours(rig, application_id)
        rig.pause.before[4] = lambda: rig.jobs.finish("ours")
        self.end(rig, act, compute, over=OURS)
        assert self.is_done(rig, act, application_id)
        assert f"waited for: it has the job runs {run_id} (ours, RUNNING)" in told()
        assert rig.faulty.calls.count("get_job_run") == 1

    def test_one_that_nobody_ends_keeps_the_application(self, rig, act, compute, application_id, told):
        run_id = self.hold_ours(rig, application_id)
        assert self.end(rig, act, compute, over=OURS)["state"] == "STARTED"
        assert 180 <= sum(rig.pause.seconds) <= 190
        assert "is left as it is after 18" in told()
        assert f"s, with {run_id} (ours, RUNNING)" in told()
        assert rig.run_state(application_id, run_id) == "RUNNING"

    @pytest.mark.parametrize("tags", OTHERS, ids=["of nobody", "of another run", "of another Airflow"])
    def test_one_of_another_dag_run_keeps_it_at_once(self, rig, act, compute, application_id, tags):
        rig.hold_run(application_id, tags=tags)
        assert self.end(rig, act, compute, over=OURS)["state"] == "STARTED"
        assert rig.pause.seconds == []

    def test_nobody_s_task_is_over_where_that_is_not_told(self, rig, act, compute, application_id):
        self.hold_ours(rig, application_id)
        assert self.end(rig, act, compute)["state"] == "STARTED"
        assert "get_job_run" not in rig.faulty.calls


def test_one_that_starts_again_before_it_is_deleted_is_stopped_again(rig, compute, application_id):
    rig.faulty.before["delete_application"] = lambda: rig.start(application_id)
    assert rig.applications().delete(compute) is None
    assert rig.describe(application_id)["state"] == "TERMINATED"
