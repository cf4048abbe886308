from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.pacing import (
    LONG_AFTER,
    MAX_REMEMBERED,
    SOON,
    SOON_INTERVAL,
    Situation,
    UsualTimes,
    pause,
)
from airflow_provider_emrkit.runs.states import RunState, RunStatus

RUN = JobRun("step", "j-1", "s-1", "t-1", "sales.load emrkit:0123456789abcdef-0-1", "us-east-1")
QUEUED = RunStatus(RunState.QUEUED, "PENDING")
RUNNING = RunStatus(RunState.RUNNING, "RUNNING", started_at=0.0)
BASE = 10.0


@pytest.mark.parametrize(
    ("situation", "seconds"),
    [
        pytest.param(Situation(None), BASE, id="nothing is known yet"),
        pytest.param(Situation(QUEUED), SOON_INTERVAL, id="about to start"),
        pytest.param(Situation(QUEUED, SOON), BASE, id="waits for longer"),
        pytest.param(Situation(QUEUED, spare=0.5), BASE, id="the quota is short"),
        pytest.param(Situation(QUEUED, alone=False), BASE, id="one of many"),
        pytest.param(Situation(RUNNING, 100), BASE, id="runs"),
        pytest.param(Situation(RUNNING, 2 * LONG_AFTER * BASE), 2 * BASE, id="runs for long"),
        pytest.param(Situation(RUNNING, 86_400), 6 * BASE, id="runs for a day"),
        pytest.param(Situation(QUEUED, 86_400), 6 * BASE, id="waits for a day"),
        pytest.param(Situation(RUNNING, 5, pushed=True), 120, id="events tell"),
        pytest.param(Situation(None, pushed=True), 120, id="events will tell"),
    ],
)
def test_a_run_is_looked_at_soon_where_something_is_about_to_happen(situation, seconds):
    assert pause(BASE, situation) == seconds


@pytest.mark.parametrize(
    ("base", "longest"),
    [pytest.param(2.0, 12.0, id="six times"), pytest.param(30.0, 60.0, id="a minute"), (300.0, 300.0)],
)
def test_nobody_waits_much_longer_than_they_wished(base, longest):
    assert pause(base, Situation(RUNNING, 1e9)) == longest


def test_events_leave_a_look_a_minute_at_most():
    assert pause(1.0, Situation(RUNNING, pushed=True)) == 60


@pytest.mark.parametrize(
    ("ran", "seconds"),
    [
        pytest.param(1_000, 50, id="in the middle"),
        pytest.param(1_680, 20, id="the usual end is near, so no look comes too late for it"),
        pytest.param(1_900, BASE, id="about the usual end"),
        pytest.param(2_200, BASE, id="a little late"),
        pytest.param(2_400, 60, id="takes longer than usual"),
    ],
)
def test_the_usual_end_is_not_slept_through(ran, seconds):
    situation = Situation(RUNNING, unchanged_for=ran, usual_seconds=2_000, now=ran)
    assert pause(BASE, situation) == seconds


def succeeded(seconds: float) -> RunStatus:
    return RunStatus(RunState.SUCCEEDED, "COMPLETED", started_at=100.0, ended_at=100.0 + seconds)


def test_usual_times_are_those_of_the_same_task_whichever_its_run():
    times = UsualTimes()
    times.learn(RUN, succeeded(600))
    again = replace(RUN, step_id="s-2", name="sales.load emrkit:fedcba9876543210-0-1")
    assert times.of(again) == 600
    times.learn(again, succeeded(200))
    assert times.of(RUN) == 400
    assert times.of(replace(RUN, name="other emrkit:0123456789abcdef-0-1")) is None


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(RunStatus(RunState.FAILED, "FAILED", started_at=1.0, ended_at=2.0), id="failed"),
        pytest.param(replace(succeeded(1), ended_at=None), id="nobody knows when it ended"),
    ],
)
def test_nothing_is_learnt_from_runs_that_tell_nothing(status):
    times = UsualTimes()
    times.learn(RUN, status)
    assert times.of(RUN) is None


def test_what_is_remembered_has_an_end():
    times = UsualTimes()
    for number in range(MAX_REMEMBERED + 1):
        times.learn(replace(RUN, name=f"job-{number}"), succeeded(1))
    assert times.of(replace(RUN, name="job-0")) is None
    assert times.of(replace(RUN, name="job-1")) == 1
