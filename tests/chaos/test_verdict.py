"""What the chaos lets pass, and what it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from havoc.verdict import Execution, Step, Witnessed, judge, table

DONE = Step("j-1", "s-1", "job emrkit:0-0-1", "COMPLETED", 10.0, 20.0, "TERMINATED", 21.0, owned=True)
FAILED = replace(DONE, state="FAILED", cluster_state="TERMINATED_WITH_ERRORS")
AGAIN = replace(DONE, cluster_id="j-2", step_id="s-2", name="job emrkit:0-0-2", created=30.0, ended=40.0)
RAN = Execution("a", 12.0, 19.0, finished=True)
DIED = Execution("a", 12.0, 15.0, finished=False)
RAN_AGAIN = Execution("b", 32.0, 39.0, finished=True)
GOOD = Witnessed("dag", "run", "success", "success", 1, "s-1", (DONE,), (RAN,))
RETRIED = Witnessed("dag", "run", "success", "success", 2, "s-2", (FAILED, AGAIN), (DIED, RAN_AGAIN))
SHARED_DONE = replace(DONE, owned=False, cluster_ended=25.0)
MOVED = replace(RETRIED, steps=(SHARED_DONE, replace(AGAIN, owned=False)))


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(GOOD, id="at once"),
        pytest.param(RETRIED, id="after a failure"),
        pytest.param(replace(GOOD, tries=4), id="taken over"),
        pytest.param(
            replace(GOOD, expected="failed", state="failed", result_step=None, steps=(FAILED,)),
            id="fails itself",
        ),
        pytest.param(
            replace(RETRIED, steps=(replace(FAILED, ended=None), AGAIN)),
            id="lost with its cluster, no time told",
        ),
    ],
)
def test_a_good_end_is_let_pass(run):
    assert judge(run).complaints == ()


@pytest.mark.parametrize(
    ("run", "complaint"),
    [
        pytest.param(replace(GOOD, state="failed"), "is failed, must be success", id="wrong end"),
        pytest.param(replace(GOOD, result_step="s-9"), "names s-9 as its result", id="another's result"),
        pytest.param(replace(GOOD, executions=(DIED,)), "never came to its end", id="no work done"),
        pytest.param(
            replace(RETRIED, steps=(FAILED, replace(AGAIN, name=FAILED.name))),
            "2 steps were submitted for one attempt",
            id="one attempt twice",
        ),
        pytest.param(
            replace(RETRIED, steps=(DONE, AGAIN)), "although s-1 was completed", id="repeated although done"
        ),
        pytest.param(
            replace(RETRIED, steps=(replace(FAILED, ended=31.0), AGAIN)),
            "s-1 (FAILED) was alive",
            id="two at once",
        ),
        pytest.param(
            replace(RETRIED, executions=(replace(DIED, last=33.0), RAN_AGAIN)),
            "ran twice at once for 1.0 s",
            id="marks",
        ),
        pytest.param(
            replace(GOOD, executions=(DIED, RAN_AGAIN)), "ran 2 times, in 1 steps", id="ran more often"
        ),
        pytest.param(
            replace(GOOD, steps=(replace(DONE, state="RUNNING"),)), "is still RUNNING", id="step left"
        ),
        pytest.param(
            replace(GOOD, steps=(replace(DONE, cluster_state="WAITING"),)),
            "j-1 is still WAITING",
            id="cluster left",
        ),
    ],
)
def test_a_bad_end_is_told(run, complaint):
    assert any(complaint in text for text in judge(run).complaints)


def test_a_shared_cluster_may_go_on():
    assert judge(replace(GOOD, steps=(replace(DONE, owned=False, cluster_state="WAITING"),))).complaints == ()


def test_what_a_lost_shared_cluster_knew_is_excused_when_the_next_try_went_to_another_one():
    verdict = judge(MOVED)
    assert (verdict.complaints, len(verdict.excused)) == ((), 1)


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(replace(SHARED_DONE, cluster_ended=None), id="not lost"),
        pytest.param(replace(SHARED_DONE, cluster_ended=31.0), id="lost later"),
        pytest.param(replace(SHARED_DONE, cluster_id="j-2"), id="the same cluster"),
        pytest.param(DONE, id="a cluster of its own"),
    ],
)
def test_nothing_else_is_excused(step):
    assert judge(replace(MOVED, steps=(step, MOVED.steps[1]))).complaints != ()


def test_the_table_sums_up():
    runs = [GOOD, RETRIED, replace(GOOD, dag_id="other", state="failed")]
    lines = [line.split() for line in table(runs, [judge(run) for run in runs]).splitlines()]
    assert lines[1:] == [
        ["dag", "2", "2", "0", "3", "3", "3", "0", "0"],
        ["other", "1", "0", "1", "1", "1", "1", "0", "1"],
        ["all", "3", "2", "1", "4", "4", "4", "0", "1"],
    ]
