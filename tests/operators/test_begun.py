from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from airflow_provider_emrkit._compat import AIRFLOW_V_3_3_PLUS
from airflow_provider_emrkit.exceptions import SubmitRefusedError
from airflow_provider_emrkit.operators.begun import has_begun, note_begun
from airflow_provider_emrkit.runs.token import RunToken

pytestmark = pytest.mark.skipif(not AIRFLOW_V_3_3_PLUS, reason="Airflow keeps notes of tasks from 3.3 on")

TOKEN = RunToken("sales", "manual__1", "load", -1, 12, 1)
LOG = logging.getLogger("task")


class Store:
    """What a task instance keeps, behind Airflow's API."""

    def __init__(self, status_code: int | None = None) -> None:
        self.kept: dict[str, int] = {}
        self.status_code = status_code

    def get(self, key: str) -> int | None:
        # As the SDK has it, there is no note of an unknown task instance.
        return self.kept.get(key)

    def set(self, key: str, value: int) -> None:
        if self.status_code:
            from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
            from airflow.sdk.execution_time.comms import ErrorResponse

            detail = {"status_code": self.status_code, "message": "no", "detail": None}
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail))
        self.kept[key] = value


def test_a_try_that_airflow_runs_again_from_its_start_has_begun():
    context = {"task_state_store": Store()}
    assert not has_begun(context, TOKEN, LOG)
    note_begun(context, TOKEN, LOG)
    assert has_begun(context, TOKEN, LOG)


def test_a_cleared_task_begins_anew():
    context = {"task_state_store": Store()}
    note_begun(context, TOKEN, LOG)
    assert not has_begun(context, replace(TOKEN, generation=13), LOG)


def test_a_later_try_always_asks():
    assert has_begun({"task_state_store": Store()}, replace(TOKEN, try_number=2), LOG)


@pytest.mark.parametrize("status_code", [404, 409, 410])
def test_a_try_that_airflow_has_replaced_submits_nothing(status_code):
    context = {"task_state_store": Store(status_code)}
    assert not has_begun(context, TOKEN, LOG)
    with pytest.raises(SubmitRefusedError, match="replaced it by another one; nothing was submitted"):
        note_begun(context, TOKEN, LOG)


def test_a_job_is_submitted_though_airflow_could_not_note_it(caplog):
    note_begun({"task_state_store": Store(500)}, TOKEN, LOG)
    assert "could not note that this try has begun" in caplog.text
