"""Operators that see to an application, as Airflow runs them, against a real local EMR."""

from __future__ import annotations

import json
import signal
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from airflow import DAG
from airflow_fixtures import context, deferred, payload_of, through_triggers, wait_for

from airflow_provider_emrkit import (
    ApplicationSpec,
    EmrApplicationDeleteOperator,
    EmrApplicationSetUpOperator,
    EmrApplicationStartOperator,
    EmrApplicationStopOperator,
    InvalidValueError,
)
from airflow_provider_emrkit.applications.calls import ApplicationCalls
from airflow_provider_emrkit.compute.tags import serverless_tags
from airflow_provider_emrkit.exceptions import (
    ApplicationStartError,
    ComputeNotFoundError,
    EmrKitError,
    RunTimedOutError,
    SubmitRefusedError,
)
from airflow_provider_emrkit.hooks.clients import AwsClients
from airflow_provider_emrkit.operators.begun import run_token
from airflow_provider_emrkit.testing.faults import faults
from airflow_provider_emrkit.triggers.application import EmrApplicationTrigger

NIGHTLY = ApplicationSpec("nightly", "emr-7.11.0")
ENDING = [EmrApplicationStopOperator, EmrApplicationDeleteOperator]
OF_ANY = [EmrApplicationStartOperator, *ENDING]


@pytest.fixture(autouse=True)
def _connections(emrkit_connection):
    pass


@pytest.fixture
def serverless(localemr_server: Any) -> Any:
    return localemr_server.client("emr-serverless")


@pytest.fixture
def application_id(ti):
    return EmrApplicationSetUpOperator(task_id="set_up", spec=NIGHTLY).execute(context(ti))


def state(serverless: Any, application_id: str) -> str:
    return str(serverless.get_application(applicationId=application_id)["application"]["state"])


def run(localemr_server: Any, application_id: str, name: str = "theirs", **request: Any) -> str:
    """Start a job run that lasts."""
    localemr_server.jobs.script(name, hold=True)
    answer = localemr_server.client("emr-serverless").start_job_run(
        applicationId=application_id,
        clientToken=name,
        executionRoleArn="arn:aws:iam::123456789012:role/job",
        name=name,
        jobDriver={"sparkSubmit": {"entryPoint": f"s3://code/{name}.py"}},
        **request,
    )
    run_id = str(answer["jobRunId"])
    emr = localemr_server.client("emr-serverless")
    wait_for(lambda: run_state(emr, application_id, run_id) == "RUNNING")
    return run_id


def run_state(serverless: Any, application_id: str, run_id: str) -> str:
    return str(serverless.get_job_run(applicationId=application_id, jobRunId=run_id)["jobRun"]["state"])


class TestArguments:
    @pytest.mark.parametrize("operator", OF_ANY)
    def test_an_application_is_named_by_its_id_or_its_spec(self, operator):
        with pytest.raises(InvalidValueError, match="application_id"):
            operator(task_id="do")
        with pytest.raises(InvalidValueError, match="application_id"):
            operator(task_id="do", application_id="00f1abcdefgh2i0j", spec=NIGHTLY)
        with pytest.raises(InvalidValueError, match="spec"):
            operator(task_id="do", spec="nightly")

    def test_only_a_spec_can_be_set_up(self):
        with pytest.raises(InvalidValueError, match="can't be set up"):
            EmrApplicationSetUpOperator(task_id="do", spec=NIGHTLY, application_id="00f1abcdefgh2i0j")
        with pytest.raises(InvalidValueError, match="start"):
            EmrApplicationSetUpOperator(task_id="do", spec=NIGHTLY, start="yes")
        with pytest.raises(InvalidValueError, match="deferrable"):
            EmrApplicationStartOperator(task_id="do", spec=NIGHTLY, deferrable="yes")

    @pytest.mark.parametrize("operator", ENDING)
    def test_flags_are_flags(self, operator):
        with pytest.raises(InvalidValueError, match="cancel_runs"):
            operator(task_id="do", spec=NIGHTLY, cancel_runs="yes")

    @pytest.mark.parametrize("operator", OF_ANY)
    def test_the_id_may_be_another_task_s_result(self, operator):
        with DAG("sales", schedule=None):
            set_up = EmrApplicationSetUpOperator(task_id="set_up", spec=NIGHTLY)
            task = operator(task_id="do", application_id=set_up.output)
        assert task.upstream_task_ids == {"set_up"}

    def test_templates_of_a_spec_are_rendered(self):
        task = EmrApplicationSetUpOperator(task_id="set_up", spec=ApplicationSpec("of-{{ x }}", "emr-7.11.0"))
        task.render_template_fields({"x": "monday"})
        assert task.spec.name == "of-monday"


class TestSetUp:
    def test_its_result_is_the_application_s_id(self, ti, serverless, application_id):
        assert state(serverless, application_id) == "CREATED"
        again = EmrApplicationSetUpOperator(task_id="set_up", spec=NIGHTLY).execute(context(ti))
        assert again == application_id

    def test_it_is_started_when_that_is_asked_for(self, ti, serverless):
        task = EmrApplicationSetUpOperator(task_id="set_up", spec=NIGHTLY, start=True)
        assert state(serverless, task.execute(context(ti))) == "STARTED"


class RaisedIntoIt(BaseException):
    """As the handler of 2.x raises its own into a task."""


class TestStart:
    @pytest.mark.parametrize("by", ["id", "spec"])
    def test_its_result_is_the_application_s_id(self, ti, serverless, application_id, by):
        which = {"application_id": application_id} if by == "id" else {"spec": NIGHTLY}
        task = EmrApplicationStartOperator(task_id="start", **which)
        assert task.execute(context(ti)) == application_id
        assert state(serverless, application_id) == "STARTED"

    def test_one_that_is_not_there_is_told(self, ti):
        with pytest.raises(ComputeNotFoundError, match="00nothing"):
            EmrApplicationStartOperator(task_id="start", application_id="00nothing").execute(context(ti))

    def test_the_wait_ends_with_the_task(self, ti, localemr_server, application_id, serverless):
        localemr_server.jobs.hold_prepares()
        task = EmrApplicationStartOperator(task_id="start", application_id=application_id)

        def kill() -> None:
            wait_for(lambda: state(serverless, application_id) == "STARTING")
            task.on_kill()

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(EmrKitError, match="Airflow stopped the task"):
            task.execute(context(ti))
        killer.join(20)
        localemr_server.jobs.release_prepares()

    @pytest.mark.parametrize("raises", [False, True], ids=["3.x", "2.x"])
    def test_a_worker_that_goes_does_not_end_the_start(self, ti, localemr_server, serverless, raises):
        for_ever = replace(NIGHTLY, idle_minutes=None)
        application_id = EmrApplicationSetUpOperator(task_id="set_up", spec=for_ever).execute(context(ti))
        localemr_server.jobs.hold_prepares()
        task = EmrApplicationStartOperator(task_id="start", spec=for_ever)

        def handler(number: int, frame: Any) -> None:
            task.on_kill()
            if raises:
                raise RaisedIntoIt

        def stop_worker() -> None:
            wait_for(lambda: state(serverless, application_id) == "STARTING")
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

        before = signal.signal(signal.SIGUSR1, handler)
        stopper = threading.Thread(target=stop_worker)
        stopper.start()
        try:
            with pytest.raises((EmrKitError, RaisedIntoIt)):
                task.execute(context(ti))
        finally:
            stopper.join(20)
            signal.signal(signal.SIGUSR1, before)
        assert state(serverless, application_id) == "STARTING"
        localemr_server.jobs.release_prepares()


@pytest.mark.usefixtures("waits_elsewhere")
class TestDeferred:
    @pytest.mark.parametrize("operator", [EmrApplicationStartOperator, EmrApplicationSetUpOperator])
    def test_a_start_is_waited_for_in_the_triggerer(
        self, ti, localemr_server, serverless, application_id, operator, when_told
    ):
        localemr_server.jobs.hold_prepares()
        when_told("is STARTING, and to be started", localemr_server.jobs.release_prepares)
        options = {"start": True} if operator is EmrApplicationSetUpOperator else {}
        task = operator(task_id="do", spec=NIGHTLY, deferrable=True, **options)
        result, triggers = through_triggers(task, ti)
        assert (result, state(serverless, application_id)) == (application_id, "STARTED")
        assert {type(one) for one in triggers} == {EmrApplicationTrigger}

    def test_so_are_the_job_runs_that_keep_a_setup_from_its_update(
        self, ti, localemr_server, serverless, application_id, when_told
    ):
        run(localemr_server, application_id)
        when_told("is to be updated: it has the job runs", lambda: localemr_server.jobs.finish("theirs"))
        changed = replace(NIGHTLY, idle_minutes=5)
        task = EmrApplicationSetUpOperator(task_id="set_up", spec=changed, deferrable=True)
        result, _ = through_triggers(task, ti)
        found = serverless.get_application(applicationId=result)["application"]
        assert (result, found["autoStopConfiguration"]["idleTimeoutMinutes"]) == (application_id, 5)

    def test_a_worker_that_waits_here_defers_nothing(self, ti, application_id):
        task = EmrApplicationStartOperator(task_id="start", application_id=application_id, deferrable=False)
        assert through_triggers(task, ti) == (application_id, [])

    def test_a_start_that_fails_is_told_as_on_a_worker(self, ti, localemr_server, application_id):
        task = EmrApplicationStartOperator(task_id="start", application_id=application_id, deferrable=True)
        failed = {"failed_application": {"message": "no addresses left in subnet-1"}}
        with (
            faults(localemr_server.endpoint_url, **failed),
            pytest.raises(ApplicationStartError, match=r"did not start.*no addresses left in subnet-1"),
        ):
            through_triggers(task, ti)

    def test_execution_timeout_ends_it(self, ti, localemr_server, application_id):
        localemr_server.jobs.hold_prepares()
        task = EmrApplicationStartOperator(
            task_id="start",
            application_id=application_id,
            deferrable=True,
            execution_timeout=timedelta(seconds=1),
        )
        told = rf"waited longer than execution_timeout \(0:00:01\): application {application_id} is"
        with pytest.raises(RunTimedOutError, match=told):
            through_triggers(task, ti)
        localemr_server.jobs.release_prepares()

    def test_a_trigger_that_can_t_watch_fails_the_task(self, ti, localemr_server, application_id):
        localemr_server.jobs.hold_prepares()
        task = EmrApplicationStartOperator(task_id="start", application_id=application_id, deferrable=True)
        trigger = deferred(task, ti)
        trigger.emrkit_conn_id = "not_there"
        with pytest.raises(SubmitRefusedError, match="not_there"):
            task.execute_again(context(ti), payload_of(trigger))
        localemr_server.jobs.release_prepares()


class TestEnd:
    @pytest.mark.parametrize("operator", ENDING)
    def test_one_that_is_not_there_is_no_trouble(self, ti, operator):
        assert operator(task_id="end", spec=NIGHTLY).execute(context(ti)) is None
        assert operator(task_id="end", application_id="00nothing").execute(context(ti)) is None

    def test_an_idle_one_is_stopped(self, ti, serverless, application_id):
        EmrApplicationStartOperator(task_id="start", spec=NIGHTLY).execute(context(ti))
        task = EmrApplicationStopOperator(task_id="stop", application_id=application_id)
        assert task.execute(context(ti)) == state(serverless, application_id) == "STOPPED"
        assert task.execute(context(ti)) == "STOPPED"

    def test_an_idle_one_is_deleted(self, ti, serverless, application_id):
        task = EmrApplicationDeleteOperator(task_id="delete", spec=NIGHTLY)
        for _ in range(2):
            task.execute(context(ti))
            assert state(serverless, application_id) == "TERMINATED"

    @pytest.mark.parametrize("operator", ENDING)
    def test_a_busy_one_is_left_as_it_is(self, ti, localemr_server, serverless, application_id, operator):
        run_id = run(localemr_server, application_id)
        operator(task_id="end", spec=NIGHTLY).execute(context(ti))
        assert run_state(serverless, application_id, run_id) == "RUNNING"
        assert state(serverless, application_id) == "STARTED"

    @pytest.mark.parametrize("operator", ENDING)
    def test_a_teardown_waits_for_the_job_runs_of_its_own_dag_run(
        self, ti, localemr_server, serverless, application_id, operator, monkeypatch
    ):
        ours = replace(ti, run_id="scheduled__2024-01-01T00:00:00+00:00", task_id="group.j\u00f6b")
        run_id = run(localemr_server, application_id, tags=serverless_tags(run_token(ours).tags()))
        really, looks = ApplicationCalls.run_tags, []

        def run_tags(self, *which):
            looks.append(which)
            localemr_server.jobs.finish("theirs")
            return really(self, *which)

        monkeypatch.setattr(ApplicationCalls, "run_tags", run_tags)
        with DAG("sales", schedule=None):
            set_up = EmrApplicationSetUpOperator(task_id="set_up", spec=NIGHTLY)
            tear_down = operator(task_id="tear_down", spec=NIGHTLY).as_teardown(setups=set_up)
        tear_down.execute(context(replace(ours, task_id="group.tear_down")))
        assert looks == [(application_id, run_id)]
        assert run_state(serverless, application_id, run_id) == "SUCCESS"
        assert state(serverless, application_id) in ("STOPPED", "TERMINATED")

    @pytest.mark.parametrize("operator", ENDING)
    def test_its_runs_are_cancelled_when_asked(
        self, ti, localemr_server, serverless, application_id, operator
    ):
        run_id = run(localemr_server, application_id)
        operator(task_id="end", spec=NIGHTLY, cancel_runs=True).execute(context(ti))
        assert run_state(serverless, application_id, run_id) == "CANCELLED"
        assert state(serverless, application_id) in ("STOPPED", "TERMINATED")


def test_a_link_leads_to_the_console_where_that_shows_something(ti, monkeypatch):
    task = EmrApplicationStopOperator(task_id="stop", spec=NIGHTLY)
    task.execute(context(ti))
    assert "emrkit_links" not in ti.xcoms
    monkeypatch.setattr(AwsClients, "has_own_endpoint", False)
    task.execute(context(ti))
    assert "us-east-1.console.aws.amazon.com" in json.dumps(ti.xcoms["emrkit_links"])
    assert [link.name for link in task.operator_extra_links] == ["EMR Serverless"]
