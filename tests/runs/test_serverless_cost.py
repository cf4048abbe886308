"""What a job run is billed for is told, and never at the cost of the run."""

from __future__ import annotations

import pytest
from faulty_emr import aws_error
from serverless_rig import ServerlessRig

from airflow_provider_emrkit.runs.serverless_cost import PAUSES, job_run_cost

JOB_RUN = {
    "billedResourceUtilization": {"vCPUHour": 0.5, "memoryGBHour": 2.0, "storageGBHour": 0.25},
    "totalResourceUtilization": {"vCPUHour": 0.4, "memoryGBHour": 1.6, "storageGBHour": 8.0},
    "totalExecutionDurationSeconds": 90,
    "queuedDurationMilliseconds": 1_500,
    "attempt": 3,
}


@pytest.fixture
def rig(localemr_server):
    return ServerlessRig(localemr_server)


def test_all_that_emr_serverless_tells_is_there():
    assert job_run_cost(JOB_RUN) == {
        "vcpu_hours": 0.5,
        "memory_gb_hours": 2.0,
        "storage_gb_hours": 0.25,
        "used": {"vcpu_hours": 0.4, "memory_gb_hours": 1.6, "storage_gb_hours": 8.0},
        "seconds": 90,
        "queued_seconds": 1.5,
        "attempts": 3,
    }


def test_a_run_that_has_ended_has_its_cost(rig):
    run = rig.ended()
    cost = rig.runs.cost(run, rig.status(run))
    assert cost is not None
    assert cost["vcpu_hours"] > 0


def test_it_is_waited_for_a_little_as_it_is_told_late(rig, monkeypatch):
    run = rig.ended()
    status, job_run = rig.status(run), rig.describe(run)
    late = [{}, {}, job_run]
    monkeypatch.setattr(rig.really, "get_job_run", lambda **_: {"jobRun": late.pop(0)})
    assert rig.runs.cost(run, status) is not None
    assert rig.pauses == list(PAUSES[:2])


def test_it_is_not_waited_for_for_ever(rig, monkeypatch):
    run = rig.ended()
    status = rig.status(run)
    monkeypatch.setattr(rig.really, "get_job_run", lambda **_: {"jobRun": {}})
    assert rig.runs.cost(run, status) is None
    assert rig.pauses == list(PAUSES)


def test_a_task_that_is_stopped_waits_no_more(rig, monkeypatch):
    run = rig.ended()
    status, rig.stopped = rig.status(run), True
    monkeypatch.setattr(rig.really, "get_job_run", lambda **_: {"jobRun": {}})
    assert rig.runs.cost(run, status) is None
    assert len(rig.pauses) == 1


def test_an_answer_that_is_late_too_is_asked_for_again(rig):
    run = rig.ended()
    status = rig.status(run)
    rig.emr.fail("get_job_run", *[aws_error("ThrottlingException", "slower")] * 2)
    assert rig.runs.cost(run, status) is not None
    assert rig.pauses == list(PAUSES[:2])


def test_answers_that_do_not_come_are_told_and_fail_nothing(rig, caplog):
    caplog.set_level("INFO")
    run = rig.ended()
    status = rig.status(run)
    rig.emr.fail("get_job_run", *[aws_error("ThrottlingException", "slower")] * (len(PAUSES) + 1))
    assert rig.runs.cost(run, status) is None
    assert rig.pauses == list(PAUSES)
    assert "could not be asked for" in caplog.text


def test_that_it_can_t_be_asked_for_fails_nothing(rig, caplog):
    caplog.set_level("INFO")
    run = rig.ended()
    status = rig.status(run)
    rig.emr.fail("get_job_run", aws_error("AccessDeniedException", "not yours"))
    assert rig.runs.cost(run, status) is None
    assert "could not be asked for: permission is missing: not yours" in caplog.text
