"""What the chaos lets pass, and what it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from havoc.job_run_verdict import second_applications
from havoc.verdict import Execution, Step, TaskLog, Witnessed, judge, table

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


JOB_DONE = Step(
    "00a", "00r1", "job emrkit:0-0-1", "SUCCESS", 10.0, 20.0, "STARTED", None, owned=False, vcpu_hours=0.1
)
JOB_FAILED = replace(JOB_DONE, state="FAILED")
JOB_AGAIN = replace(JOB_DONE, step_id="00r2", name="job emrkit:0-0-2", created=30.0, ended=40.0)
WHOLE = TaskLog([("a", 1), ("a", 2), ("a", 3)])
JOB = Witnessed(
    "serverless",
    "run",
    "success",
    "success",
    1,
    "00r1",
    (JOB_DONE,),
    (replace(RAN, marks=3),),
    logs=(WHOLE,),
    result_vcpu_hours=0.1,
)
JOB_FAILS = replace(
    JOB,
    expected="failed",
    state="failed",
    result_step=None,
    result_vcpu_hours=None,
    steps=(JOB_FAILED,),
    logs=(replace(WHOLE, raised="UserCodeError", billed=True),),
)
CANCELLED = replace(JOB_DONE, state="CANCELLED", ended=25.0)
STOPPED = replace(JOB_FAILS, stopped=24.0, steps=(CANCELLED,), executions=(DIED,), logs=(TaskLog(),))
WENT_ON = replace(STOPPED, steps=(replace(JOB_FAILED, ended=100.0),))
TOOK_OVER = replace(
    JOB, tries=2, logs=(TaskLog([("a", 1)]), replace(WHOLE, marks=[("a", 1), ("a", 2), ("a", 3)]))
)


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(JOB, id="at once"),
        pytest.param(TOOK_OVER, id="taken over"),
        pytest.param(JOB_FAILS, id="fails itself"),
        pytest.param(replace(JOB_FAILS, logs=(TaskLog(),)), id="its last try died before it saw the end"),
        pytest.param(
            replace(JOB_FAILS, logs=(TaskLog(),), steps=(), executions=()), id="no try lived to submit it"
        ),
        pytest.param(
            replace(JOB_FAILS, logs=(TaskLog(raised="StagingError"),), steps=(), executions=()),
            id="no try could submit it",
        ),
        pytest.param(STOPPED, id="ended by a user"),
        pytest.param(
            replace(STOPPED, logs=(TaskLog(raised="RunFailedError"),)),
            id="ended by a user, seen to fail just then",
        ),
        pytest.param(replace(STOPPED, steps=(), executions=()), id="ended by a user before it was submitted"),
    ],
)
def test_a_job_run_s_good_end_is_let_pass(run):
    assert (judge(run).complaints, judge(run).excused) == ((), ())


@pytest.mark.parametrize(
    ("run", "complaint"),
    [
        pytest.param(
            replace(JOB, steps=(JOB_DONE, replace(JOB_DONE, step_id="00r2", created=30.0))),
            "2 steps were submitted for one attempt",
            id="one attempt twice",
        ),
        pytest.param(
            replace(JOB, steps=(JOB_DONE, JOB_AGAIN)),
            "although 00r1 was completed",
            id="repeated although done",
        ),
        pytest.param(
            replace(JOB, steps=(replace(JOB_DONE, state="RUNNING"),)), "is still RUNNING", id="left active"
        ),
        pytest.param(replace(JOB_FAILS, steps=()), "nothing was submitted", id="never submitted"),
        pytest.param(
            replace(JOB_FAILS, steps=(JOB_DONE,)),
            "is failed, but 00r1 is SUCCESS",
            id="failed, though it is done",
        ),
        pytest.param(
            replace(JOB, steps=(JOB_FAILED,)),
            "but the completed steps are []",
            id="succeeded, though it failed",
        ),
        pytest.param(
            replace(JOB, result_vcpu_hours=None), "its result says None", id="no cost in the result"
        ),
        pytest.param(
            replace(JOB_FAILS, logs=(replace(WHOLE, raised="UserCodeError"),)),
            "does not say what is billed",
            id="a failure's cost is not told",
        ),
        pytest.param(
            replace(JOB, logs=(TaskLog([("a", 1), ("a", 2), ("a", 2), ("a", 3)]),)),
            "shows line 2 of a after line 2",
            id="a line twice",
        ),
        pytest.param(
            replace(JOB, logs=(TaskLog([("a", 1), ("a", 3), ("a", 2)]),)),
            "shows line 3 of a after line 1",
            id="out of order",
        ),
        pytest.param(
            replace(TOOK_OVER, logs=(TaskLog([("a", 2), ("a", 1)]), WHOLE)),
            "try 1: its log shows line 1",
            id="out of order in an earlier try",
        ),
        pytest.param(
            replace(JOB, logs=(TaskLog([("a", 1), ("a", 2)]),)),
            "lacks lines [3] of 3",
            id="the last line lost",
        ),
        pytest.param(
            replace(JOB_FAILS, logs=(replace(JOB_FAILS.logs[0], marks=[("a", 2), ("a", 3)]),)),
            "lacks lines [1] of 3",
            id="a failure's first line lost",
        ),
        pytest.param(WENT_ON, "00r1 (FAILED) ended 76 s later", id="goes on after a user's end"),
        pytest.param(
            replace(STOPPED, steps=(replace(CANCELLED, ended=None),)), "ended never", id="never seen to end"
        ),
        pytest.param(
            replace(
                STOPPED, steps=(CANCELLED, replace(JOB_AGAIN, state="CANCELLED", created=70.0, ended=71.0))
            ),
            "was submitted 46 s after",
            id="submitted after a user's end",
        ),
        pytest.param(
            replace(WENT_ON, unwatched=(75.0,)), "ended 76 s later", id="a death too late to excuse it"
        ),
    ],
)
def test_a_job_run_s_bad_end_is_told(run, complaint):
    assert any(complaint in text for text in judge(run).complaints)


def test_a_job_run_that_goes_on_is_excused_when_whoever_watched_it_died_as_the_user_came():
    done = replace(JOB_DONE, ended=100.0)
    verdict = judge(replace(WENT_ON, steps=(done,), unwatched=(20.0,)))
    assert (verdict.complaints, len(verdict.excused)) == ((), 1)


def test_a_second_application_of_a_name_is_told():
    assert second_applications(["chaos", "other", "chaos"]) == ["2 applications are named chaos"]
    assert second_applications(["chaos", "other"]) == []
