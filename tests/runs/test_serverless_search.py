"""What a later try of a task finds of its earlier ones on EMR Serverless."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from faulty_emr import aws_error, throttled
from serverless_rig import ROLE, TOKEN, ServerlessRig

from airflow_provider_emrkit.compute.application_spec import ApplicationSpec
from airflow_provider_emrkit.compute.serverless import ServerlessApplication
from airflow_provider_emrkit.exceptions import SubmitDeniedError, SubmitRefusedError
from airflow_provider_emrkit.runs.serverless_search import PAGES
from airflow_provider_emrkit.runs.states import RunState
from airflow_provider_emrkit.runs.step_search import LATE_LIST

SECOND = replace(TOKEN, try_number=2)


@pytest.fixture
def rig(localemr_server):
    return ServerlessRig(localemr_server)


def earlier(rig, token=SECOND, since=None, **options):
    return rig.runs.earlier(rig.compute(**options), token, since)


def test_a_run_that_goes_on_is_found_with_all_that_is_to_be_known(rig):
    run = rig.held(grace_seconds=60)
    (found,) = earlier(rig, grace_seconds=60)
    assert replace(found.run, submitted_at=0.0) == replace(run, submitted_at=0.0)
    assert (found.status.state, found.mark) == (RunState.RUNNING, TOKEN.mark)
    assert found.is_worth_keeping


def test_a_run_that_waits_in_the_queue_is_found(localemr_server):
    rig = ServerlessRig(localemr_server, schedulerConfiguration={"maxConcurrentRuns": 1})
    rig.held("first", token=replace(TOKEN, task_id="another"))
    waiting = rig.wait(rig.submit(), "QUEUED")
    (found,) = earlier(rig)
    assert (found.run.job_run_id, found.status.state) == (waiting.job_run_id, RunState.QUEUED)


def test_others_are_not_taken_for_its_own(rig):
    rig.submit(token=replace(TOKEN, task_id="another"))
    rig.submit(token=replace(TOKEN, run_id="manual__2"))
    assert earlier(rig) == []


def test_all_tries_and_generations_are_found_the_newest_first(rig):
    tries = [(0, 1), (0, 2), (1, 3)]
    for generation, number in tries:
        rig.submit(token=replace(TOKEN, generation=generation, try_number=number))
    found = earlier(rig, replace(TOKEN, generation=1, try_number=4))
    assert [(one.mark.generation, one.mark.try_number) for one in found] == tries[::-1]


def test_what_was_over_before_the_dag_run_is_of_another_one(rig):
    rig.ended()
    rig.held("long", token=replace(TOKEN, generation=1))
    found = earlier(rig, since=time.time() + 3600)
    assert [one.mark.generation for one in found] == [1]


def test_a_second_look_is_taken_for_the_try_before_which_may_have_submitted_just_now(rig):
    rig.submit()
    rig.emr.hide("list_job_runs", 2)
    assert len(earlier(rig)) == 1
    assert rig.pauses == [LATE_LIST]


def test_no_application_has_no_runs(localemr_server):
    rig = ServerlessRig(localemr_server)
    spec = ServerlessApplication(spec=ApplicationSpec("none", "emr-7.11.0"), execution_role_arn=ROLE)
    assert rig.runs.earlier(spec, TOKEN, None) == []


def test_all_pages_are_looked_at(rig, monkeypatch):
    rig.submit()
    listed = rig.really.list_job_runs
    monkeypatch.setattr(rig.really, "list_job_runs", lambda **request: listed(**request, maxResults=1))
    for number in range(3):
        rig.submit(token=replace(TOKEN, task_id=f"another{number}"))
    assert len(earlier(rig)) == 1


def test_what_goes_on_is_found_before_any_number_of_others_that_are_over(rig, monkeypatch):
    run = rig.held()
    rig.ended("other", token=replace(TOKEN, task_id="another"))
    listed = rig.really.list_job_runs
    monkeypatch.setattr(rig.really, "list_job_runs", lambda **request: listed(**request, maxResults=1))
    monkeypatch.setattr("airflow_provider_emrkit.runs.serverless_search.PAGES", 1)
    (found,) = earlier(rig)
    assert found.run.job_run_id == run.job_run_id


def test_a_list_without_an_end_is_not_read_for_ever(rig, monkeypatch, caplog):
    monkeypatch.setattr(rig.really, "list_job_runs", lambda **_: {"jobRuns": [], "nextToken": "1"})
    assert earlier(rig, TOKEN) == []
    assert len(rig.emr.sent("list_job_runs")) == 2 * PAGES
    assert "there are more" in caplog.text


def test_throttling_is_sat_out(rig):
    rig.submit()
    rig.emr.fail("list_job_runs", throttled(), throttled())
    rig.emr.fail("get_job_run", throttled())
    assert len(earlier(rig)) == 1


@pytest.mark.parametrize("call", ["get_application", "list_job_runs", "get_job_run"])
def test_nothing_is_submitted_when_nobody_knows(rig, call):
    rig.submit()
    rig.emr.fail(call, aws_error("AccessDeniedException", "not yours"))
    with pytest.raises(SubmitRefusedError, match="not yours") as caught:
        earlier(rig)
    assert isinstance(caught.value, SubmitDeniedError)
