"""A job run that is to end does, and what is said of it is true."""

from __future__ import annotations

from dataclasses import replace

import pytest
from faulty_emr import aws_error, throttled, timed_out
from serverless_rig import TOKEN, ServerlessRig


@pytest.fixture
def rig(localemr_server):
    return ServerlessRig(localemr_server)


def test_a_run_is_cancelled_and_seen_to_end(rig):
    run = rig.held()
    ended = rig.runs.end(run, 20.0)
    assert (ended.done, ended.ended, ended.message) == (True, True, f"{run} is CANCELLED")
    assert rig.describe(run)["state"] == "CANCELLED"


def test_a_run_in_the_queue_is_cancelled_too(localemr_server):
    rig = ServerlessRig(localemr_server, schedulerConfiguration={"maxConcurrentRuns": 1})
    rig.held("first", token=replace(TOKEN, task_id="another"))
    waiting = rig.wait(rig.submit(), "QUEUED")
    assert rig.runs.end(waiting, 20.0).ended


def test_a_run_has_its_grace(rig):
    rig.runs.end(rig.held(grace_seconds=45), 20.0)
    (request,) = rig.emr.sent("cancel_job_run")
    assert request["shutdownGracePeriodInSeconds"] == 45


def test_by_default_the_grace_is_emr_serverless_own(rig):
    rig.runs.end(rig.held(), 20.0)
    (request,) = rig.emr.sent("cancel_job_run")
    assert set(request) == {"applicationId", "jobRunId"}


def test_a_grace_that_is_not_taken_does_not_keep_the_run_alive(rig):
    rig.emr.fail("cancel_job_run", aws_error("ValidationException", "grace"))
    assert rig.runs.end(rig.held(grace_seconds=45), 20.0).ended
    assert "shutdownGracePeriodInSeconds" not in rig.emr.sent("cancel_job_run")[1]


def test_a_run_that_takes_its_time_is_going_and_needs_nobody(rig):
    rig.server.jobs.script("slow", hold=True, ignores_cancel=True)
    run = rig.wait(rig.submit("slow", grace_seconds=1800), "RUNNING")
    ended = rig.runs.end(run, 1.0)
    assert (ended.done, ended.ended) == (True, False)
    assert "CANCELLING" in ended.message
    assert "1800 s" in ended.message
    rig.server.jobs.finish("slow")  # or the server's reset waits for it before it kills it


@pytest.mark.parametrize("state", ["SUCCESS", "FAILED", "CANCELLED"])
def test_what_is_over_is_not_cancelled(rig, state):
    if state == "CANCELLED":
        run = rig.held()
        rig.runs.end(run, 20.0)
    else:
        run = rig.ended() if state == "SUCCESS" else rig.failed()
    ended = rig.runs.end(run, 20.0)
    assert ended.ended
    assert state in ended.message


def test_it_may_be_asked_for_twice(rig):
    run = rig.held()
    assert [rig.runs.end(run, 20.0).ended for _ in range(2)] == [True, True]


def test_a_cancel_that_is_throttled_is_tried_again_beyond_the_patience(rig):
    run = rig.held()
    rig.emr.fail("cancel_job_run", *[throttled() for _ in range(8)])
    assert rig.runs.end(run, 3.4).done
    assert len(rig.emr.sent("cancel_job_run")) == 9


def test_a_cancel_that_never_comes_through_is_told(rig):
    run = rig.held()
    rig.emr.fail("cancel_job_run", *[throttled() for _ in range(200)])
    ended = rig.runs.end(run, 3.4)
    assert not ended.done
    assert "still RUNNING" in ended.message
    assert "Rate exceeded" in ended.message


def test_an_answer_that_is_lost_does_no_harm(rig):
    run = rig.held()
    rig.emr.fail("cancel_job_run", timed_out(), done=True)
    assert rig.runs.end(run, 20.0).ended


def test_who_may_not_cancel_says_so_at_once(rig):
    run = rig.held()
    rig.emr.fail("cancel_job_run", aws_error("AccessDeniedException", "emr-serverless:CancelJobRun"))
    ended = rig.runs.end(run, 20.0)
    assert not ended.done
    assert "permission is missing" in ended.message
    assert rig.pauses == []


def test_who_may_not_look_has_cancelled_all_the_same(rig):
    run = rig.held()
    rig.emr.fail("get_job_run", aws_error("AccessDeniedException", "emr-serverless:GetJobRun"))
    ended = rig.runs.end(run, 20.0)
    assert not ended.done
    assert "was told to end, but it is not known whether it does" in ended.message
    rig.wait(run, "CANCELLED")


def test_a_run_that_is_not_there_can_t_be_ended(rig):
    run = replace(rig.ended(), job_run_id="00none")
    ended = rig.runs.end(run, 20.0)
    assert not ended.done
    assert "does not exist" in ended.message


def test_the_application_goes_on(rig):
    assert rig.runs.release(rig.ended()).done
    assert rig.really.get_application(applicationId=rig.application_id)["application"]["state"] == "STARTED"
