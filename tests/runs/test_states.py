from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_provider_emrkit.runs.states import RunState, RunStatus, step_state


@pytest.mark.parametrize(
    ("step", "cluster", "reason", "ever_ran", "state"),
    [
        pytest.param("PENDING", "STARTING", "", False, RunState.STARTING, id="cluster starts"),
        pytest.param("PENDING", "BOOTSTRAPPING", "", False, RunState.STARTING, id="cluster bootstraps"),
        pytest.param("PENDING", "RUNNING", "", False, RunState.QUEUED, id="behind other steps"),
        pytest.param("RUNNING", "", "", True, RunState.RUNNING, id="runs"),
        pytest.param("CANCEL_PENDING", "RUNNING", "", True, RunState.CANCELLING, id="being cancelled"),
        pytest.param("COMPLETED", "", "", True, RunState.SUCCEEDED, id="done"),
        pytest.param("FAILED", "TERMINATING", "STEP_FAILURE", True, RunState.FAILED, id="failed by itself"),
        pytest.param(
            "FAILED", "TERMINATING", "INSTANCE_FAILURE", True, RunState.LOST, id="failed with its nodes"
        ),
        pytest.param("CANCELLED", "WAITING", "", True, RunState.CANCELLED, id="cancelled"),
        pytest.param(
            "CANCELLED", "TERMINATING", "USER_REQUEST", True, RunState.CANCELLED, id="cluster ended by a user"
        ),
        pytest.param(
            "CANCELLED",
            "TERMINATED_WITH_ERRORS",
            "BOOTSTRAP_FAILURE",
            False,
            RunState.NEVER_RAN,
            id="bootstrap failed",
        ),
        pytest.param(
            "CANCELLED",
            "TERMINATED_WITH_ERRORS",
            "INSTANCE_FLEET_TIMEOUT",
            False,
            RunState.NEVER_RAN,
            id="no capacity",
        ),
        pytest.param(
            "CANCELLED", "TERMINATED_WITH_ERRORS", "INTERNAL_ERROR", False, RunState.NEVER_RAN, id="never up"
        ),
        pytest.param("INTERRUPTED", "TERMINATING", "INTERNAL_ERROR", True, RunState.LOST, id="interrupted"),
        pytest.param(
            "RUNNING", "TERMINATED", "INTERNAL_ERROR", True, RunState.LOST, id="cluster gone under it"
        ),
        pytest.param(
            "PENDING", "TERMINATED_WITH_ERRORS", "VALIDATION_ERROR", False, RunState.NEVER_RAN, id="invalid"
        ),
        pytest.param("", "TERMINATED", "USER_REQUEST", False, RunState.CANCELLED, id="no longer listed"),
        pytest.param("SOMETHING_NEW", "RUNNING", "", False, RunState.QUEUED, id="unknown to us"),
    ],
)
def test_a_step_is_judged_together_with_its_cluster(step, cluster, reason, ever_ran, state):
    assert step_state(step, cluster, reason, ever_ran) is state


def test_a_run_goes_on_until_a_state_that_stays():
    going_on = {RunState.STARTING, RunState.QUEUED, RunState.RUNNING, RunState.CANCELLING}
    assert {state for state in RunState if not state.is_final} == going_on


def test_a_status_survives_json():
    status = RunStatus(RunState.LOST, "INTERRUPTED", "m", "TERMINATED", "gone", 1.0, 2.5)
    status = replace(status, compute_code="INSTANCE_FAILURE", compute_errors=("A", "B"))
    data = status.to_dict()
    assert json.loads(json.dumps(data)) == data
    assert RunStatus.from_dict(data) == status


def test_a_status_that_another_version_wrote_is_read():
    old = {"state": "running", "detail": "RUNNING", "something_new": 1}
    assert RunStatus.from_dict(old) == RunStatus(RunState.RUNNING, "RUNNING")
