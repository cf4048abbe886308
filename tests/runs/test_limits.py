from __future__ import annotations

import json
import pickle
from dataclasses import replace

import pytest

from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.limits import Breach, Limits, breach, next_deadline
from airflow_provider_emrkit.runs.states import RunState, RunStatus
from airflow_provider_emrkit.validation import InvalidValueError

RUN = JobRun("step", "j-1", "s-1", "t-1", "sales", "us-east-1", submitted_at=1_000.0)
OWN = replace(RUN, owns_cluster=True)

STARTING = RunStatus(RunState.STARTING, "PENDING")
QUEUED = RunStatus(RunState.QUEUED, "PENDING")
RUNNING = RunStatus(RunState.RUNNING, "RUNNING", started_at=1_500.0)


@pytest.mark.parametrize(
    ("limits", "run", "status", "deadline", "which"),
    [
        pytest.param(Limits(total=60), RUN, None, 1_060, "total", id="before the first look"),
        pytest.param(Limits(total=60), RUN, RUNNING, 1_060, "total", id="as a whole, since its submission"),
        pytest.param(Limits(starting=60), OWN, STARTING, 1_060, "starting", id="its cluster starts"),
        pytest.param(Limits(queued=60), RUN, QUEUED, 1_060, "queued", id="queued on a cluster of others"),
        pytest.param(
            Limits(queued=60),
            OWN,
            replace(QUEUED, compute_ready_at=1_400.0),
            1_460,
            "queued",
            id="queued, counted since its cluster was up",
        ),
        pytest.param(
            Limits(queued=60),
            RUN,
            replace(QUEUED, compute_ready_at=10.0),
            1_060,
            "queued",
            id="queued, not counted before its submission",
        ),
        pytest.param(Limits(running=60), RUN, RUNNING, 1_560, "running", id="running, since its start"),
        pytest.param(
            Limits(running=60),
            RUN,
            replace(RUNNING, state=RunState.CANCELLING),
            1_560,
            "running",
            id="being cancelled, and still running",
        ),
    ],
)
def test_a_limit_is_passed_at_its_deadline_and_not_before(limits, run, status, deadline, which):
    assert next_deadline(limits, run, status) == deadline
    assert breach(limits, run, status, deadline - 0.1) is None
    found = breach(limits, run, status, deadline)
    assert found is not None
    assert (found.which, found.seconds) == (which, 60)


@pytest.mark.parametrize(
    ("limits", "run", "status"),
    [
        pytest.param(Limits(), RUN, RUNNING, id="no limits"),
        pytest.param(Limits(starting=1, queued=1), OWN, RUNNING, id="parts that are over"),
        pytest.param(Limits(running=1, queued=1), OWN, STARTING, id="parts that are still to come"),
        pytest.param(Limits(starting=1, running=1), RUN, QUEUED, id="it is queued"),
        pytest.param(Limits(queued=1), OWN, QUEUED, id="nobody knows since when its own cluster is up"),
        pytest.param(Limits(starting=1, queued=1, running=1), RUN, None, id="before the first look"),
        pytest.param(Limits(queued=1), RUN, replace(QUEUED, detail="not listed"), id="EMR does not list it"),
        pytest.param(
            Limits(running=1), RUN, replace(RUNNING, started_at=None), id="nobody knows when it started"
        ),
        pytest.param(
            Limits(1, 1, 1, 1), RUN, replace(RUNNING, state=RunState.SUCCEEDED), id="it has ended in time"
        ),
    ],
)
def test_what_does_not_hold_now_is_not_judged(limits, run, status):
    assert next_deadline(limits, run, status) is None
    assert breach(limits, run, status, 1e10) is None


@pytest.mark.parametrize(
    ("limits", "which"),
    [
        pytest.param(Limits(total=100, running=10), "total", id="the whole: 1100, the part: 1510"),
        pytest.param(Limits(total=600, running=10), "running", id="the whole: 1600, the part: 1510"),
        pytest.param(Limits(total=510, running=10), "running", id="at once: the part says more"),
    ],
)
def test_of_several_limits_the_first_one_that_passed_is_told_however_late_one_looks(limits, which):
    for now in (2_000.0, 1e9):
        found = breach(limits, RUN, RUNNING, now)
        assert found is not None
        assert found.which == which


def test_the_next_deadline_is_the_nearest_one():
    assert next_deadline(Limits(total=600, running=10), RUN, RUNNING) == 1_510


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.5, "0.5 s"), (59, "59 s"), (60, "1 min"), (90, "90 s"), (3_600, "1 h"), (97_200, "27 h")],
)
def test_the_sentence_names_the_run_the_limit_and_its_length(seconds, words):
    found = breach(Limits(running=seconds), RUN, RUNNING, 1e9)
    sentence = f"step s-1 on cluster j-1 ran for more than {words} (limit running)"
    assert found == Breach("running", seconds, sentence)


def test_limits_go_through_json_and_pickle_and_ignore_what_a_later_version_wrote():
    limits = Limits(total=3_600, queued=60.5)
    written = json.loads(json.dumps(limits.to_dict()))
    assert written == {"total": 3_600, "queued": 60.5}
    assert Limits.from_dict({**written, "dreaming": 1}) == limits
    assert pickle.loads(pickle.dumps(limits)) == limits
    assert Limits.from_dict({}) == Limits()


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), True, "60"])
def test_a_limit_that_can_t_be_one_is_refused(value):
    with pytest.raises(InvalidValueError, match=r"Limits\.queued: .*; give a number of seconds above 0"):
        Limits(queued=value)
