"""The rules of clusters and steps, without threads."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_provider_emrkit.localemr.emr import transitions
from airflow_provider_emrkit.localemr.emr.model import ClusterRecord, StepRecord
from airflow_provider_emrkit.localemr.run.contract import StepResult

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def cluster(*step_states, **settings):
    record = ClusterRecord(
        "j-1", "us-east-1", "c", {"ReleaseLabel": "emr-7.11.0"}, NOW, [], state="WAITING", keep_alive=True
    )
    for name, value in settings.items():
        setattr(record, name, value)
    for number, state in enumerate(step_states):
        record.steps[f"s-{number}"] = StepRecord(
            f"s-{number}", "step", "command-runner.jar", NOW, state=state
        )
    return record


@pytest.mark.parametrize(
    ("record", "started"),
    [
        pytest.param(cluster("PENDING", "PENDING"), "s-0", id="oldest-first"),
        pytest.param(cluster("COMPLETED", "PENDING"), "s-1", id="after-the-first"),
        pytest.param(cluster("RUNNING", "PENDING"), None, id="one-at-a-time"),
        pytest.param(cluster("CANCEL_PENDING", "PENDING"), None, id="not-before-it-is-cancelled"),
        pytest.param(cluster("RUNNING", "PENDING", step_concurrency=2), "s-1", id="two-at-a-time"),
        pytest.param(cluster("RUNNING", "RUNNING", "PENDING", step_concurrency=2), None, id="not-three"),
    ],
)
def test_which_step_starts_next(record, started):
    move = transitions.next_move(record, NOW)
    assert (move.step.id if isinstance(move, transitions.StartStep) else None) == started


@pytest.mark.parametrize(
    ("record", "move"),
    [
        pytest.param(cluster(), transitions.Wait(), id="kept-alive"),
        pytest.param(
            cluster("COMPLETED", keep_alive=False),
            transitions.Terminate("ALL_STEPS_COMPLETED", "Steps completed"),
            id="done",
        ),
        pytest.param(
            cluster("FAILED", "COMPLETED", keep_alive=False),
            transitions.Terminate("ALL_STEPS_COMPLETED", "Steps completed with errors"),
            id="done-with-errors",
        ),
        pytest.param(
            cluster("COMPLETED", keep_alive=False, termination_protected=True),
            transitions.Terminate("ALL_STEPS_COMPLETED", "Steps completed"),
            id="protection-does-not-keep-it-after-its-last-step",
        ),
        pytest.param(
            cluster(auto_termination=60, idle_since=NOW - timedelta(seconds=59)),
            transitions.Wait(NOW + timedelta(seconds=1)),
            id="idle-not-long-enough",
        ),
        pytest.param(
            cluster(auto_termination=60, idle_since=NOW - timedelta(seconds=60), termination_protected=True),
            transitions.Wait(),
            id="idle-but-protected",
        ),
    ],
)
def test_what_a_cluster_without_active_steps_does(record, move):
    assert transitions.next_move(record, NOW) == move


def test_an_idle_cluster_ends():
    record = cluster(auto_termination=60, idle_since=NOW - timedelta(seconds=60))
    assert isinstance(transitions.next_move(record, NOW), transitions.Terminate)


@pytest.mark.parametrize(
    ("state", "cluster_state", "result", "expected"),
    [
        pytest.param("RUNNING", "RUNNING", StepResult(True), "COMPLETED", id="success"),
        pytest.param("RUNNING", "RUNNING", StepResult(False, message="boom"), "FAILED", id="failure"),
        pytest.param("CANCEL_PENDING", "RUNNING", StepResult(False), "CANCELLED", id="cancelled"),
        pytest.param("CANCEL_PENDING", "RUNNING", StepResult(True), "COMPLETED", id="cancelled-too-late"),
        pytest.param("RUNNING", "TERMINATING", StepResult(False), "CANCELLED", id="cluster-ends"),
    ],
)
def test_how_a_step_ends(state, cluster_state, result, expected):
    record = cluster(state, state=cluster_state)
    step = record.steps["s-0"]
    transitions.finish_step(record, step, result, NOW)
    assert (step.state, step.ended) == (expected, NOW)
    assert (step.failure is not None) == (expected == "FAILED")


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("USER_REQUEST", "TERMINATED"),
        ("ALL_STEPS_COMPLETED", "TERMINATED"),
        ("STEP_FAILURE", "TERMINATED_WITH_ERRORS"),
        ("BOOTSTRAP_FAILURE", "TERMINATED_WITH_ERRORS"),
        ("VALIDATION_ERROR", "TERMINATED_WITH_ERRORS"),
        ("INTERNAL_ERROR", "TERMINATED_WITH_ERRORS"),
    ],
)
def test_the_reason_decides_the_end_state(code, end):
    record = cluster()
    transitions.begin_termination(record, code, "why", NOW)
    transitions.finish_termination(record, NOW)
    assert (record.state, record.reason_message) == (end, "why")


def test_the_first_reason_to_end_counts():
    record = cluster("PENDING")
    transitions.begin_termination(record, "STEP_FAILURE", "first", NOW)
    transitions.begin_termination(record, "USER_REQUEST", "second", NOW)
    assert (record.reason_code, record.steps["s-0"].state) == ("STEP_FAILURE", "CANCELLED")


def test_a_cluster_between_two_steps_is_running():
    record = cluster("COMPLETED", "PENDING", state="RUNNING")
    transitions.settle(record, NOW)
    assert record.state == "RUNNING"


def test_the_idle_time_counts_from_the_last_step_on():
    record = cluster("COMPLETED", state="RUNNING")
    transitions.settle(record, NOW)
    transitions.settle(record, NOW + timedelta(seconds=5))
    assert (record.state, record.idle_since) == ("WAITING", NOW)
