from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_emrkit.exceptions import ExistingRunError
from airflow_provider_emrkit.runs.earlier import ON_EXISTING, Found, decide
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.states import RunState, RunStatus
from airflow_provider_emrkit.runs.token import RunToken
from airflow_provider_emrkit.validation import InvalidValueError

# The third try: the task was cleared after its first, which has made the second and third another generation.
THIRD = RunToken("sales", "manual__1", "load", -1, generation=4, try_number=3)
SECOND = replace(THIRD, try_number=2)
FIRST = replace(THIRD, generation=2, try_number=1)
FOURTH = replace(THIRD, try_number=4)
CLEARED_AGAIN = replace(THIRD, generation=7, try_number=4)
OTHER_TASK = replace(THIRD, task_id="save", try_number=2)

ALIVE = [RunState.STARTING, RunState.QUEUED, RunState.RUNNING]
IN_VAIN = [RunState.FAILED, RunState.CANCELLED, RunState.NEVER_RAN, RunState.LOST]


def found(token: RunToken, state: RunState, cluster: str = "WAITING", step_id: str | None = None) -> Found:
    run = JobRun(
        "step",
        "j-1",
        f"s-{token.try_number}" if step_id is None else step_id,
        str(token),
        token.marked(),
        "us-east-1",
        submitted_at=1_000.0 * token.try_number,
        relaunch=token.relaunch,
    )
    return Found(run, RunStatus(state, state.name, compute_state=cluster), token.mark)


@pytest.mark.parametrize("state", ALIVE)
def test_a_retry_goes_on_with_what_is_alive(state):
    one = found(SECOND, state)
    decision = decide([one], THIRD)
    assert (decision.attach, [*decision.end], [*decision.wait_for]) == (one, [], [])


def test_a_retry_goes_on_with_what_is_done():
    one = found(SECOND, RunState.SUCCEEDED, cluster="TERMINATED")
    assert decide([one], THIRD).attach == one


@pytest.mark.parametrize("on_existing", ON_EXISTING)
@pytest.mark.parametrize("state", IN_VAIN)
def test_what_ended_in_vain_is_submitted_anew(state, on_existing):
    decision = decide([found(SECOND, state)], THIRD, on_existing)
    assert (decision.attach, [*decision.end], [*decision.wait_for]) == (None, [], [])


def test_nothing_found_is_nothing_to_do():
    decision = decide([], THIRD)
    assert (decision.attach, [*decision.end], [*decision.wait_for]) == (None, [], [])


def test_a_cleared_task_runs_again_though_it_was_done():
    assert decide([found(FIRST, RunState.SUCCEEDED)], THIRD).attach is None


@pytest.mark.parametrize("on_existing", ON_EXISTING)
@pytest.mark.parametrize("state", ALIVE)
def test_what_a_cleared_task_has_left_is_ended(state, on_existing):
    left = found(FIRST, state)
    decision = decide([left], THIRD, on_existing)
    assert (decision.attach, [*decision.end]) == (None, [left.run])


def test_what_a_cleared_task_has_left_is_ended_also_where_there_is_something_to_go_on_with():
    left, alive = found(FIRST, RunState.RUNNING), found(SECOND, RunState.RUNNING)
    decision = decide([left, alive], THIRD)
    assert (decision.attach, [*decision.end]) == (alive, [left.run])


@pytest.mark.parametrize("token", [FIRST, SECOND])
def test_what_is_being_cancelled_is_waited_for(token):
    going = found(token, RunState.CANCELLING)
    decision = decide([going], THIRD)
    assert (decision.attach, [*decision.end], [*decision.wait_for]) == (None, [], [going.run])


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING])
def test_what_is_on_a_cluster_that_terminates_has_no_future(state):
    going = found(SECOND, state, cluster="TERMINATING")
    decision = decide([going], THIRD)
    assert (decision.attach, [*decision.wait_for]) == (None, [going.run])


def test_what_is_done_on_a_cluster_that_terminates_is_done():
    done = found(SECOND, RunState.SUCCEEDED, cluster="TERMINATING")
    assert decide([done], THIRD).attach == done


def test_nobody_waits_for_what_is_being_cancelled_when_nothing_is_submitted():
    going, alive = found(FIRST, RunState.CANCELLING), found(SECOND, RunState.RUNNING)
    decision = decide([going, alive], THIRD)
    assert (decision.attach, [*decision.wait_for]) == (alive, [])


def test_of_two_the_newer_goes_on_and_the_other_is_ended():
    """There should not be two; a job must not run twice for one task."""
    older, newer = found(SECOND, RunState.RUNNING), found(replace(SECOND, relaunch=1), RunState.RUNNING)
    for order in ([older, newer], [newer, older]):
        decision = decide(order, THIRD)
        assert (decision.attach, [*decision.end]) == (newer, [older.run])


def test_a_try_that_runs_twice_finds_its_own_work():
    own = found(THIRD, RunState.RUNNING)
    assert decide([own], THIRD).attach == own


def test_a_cluster_that_never_got_its_step_is_ended():
    empty = found(SECOND, RunState.STARTING, cluster="STARTING", step_id="")
    decision = decide([empty], THIRD)
    assert (decision.attach, [*decision.end]) == (None, [empty.run])


def test_other_tasks_are_others():
    decision = decide([found(OTHER_TASK, RunState.RUNNING)], THIRD, "fail")
    assert (decision.attach, [*decision.end]) == (None, [])


@pytest.mark.parametrize("state", ALIVE)
def test_fresh_ends_what_is_alive(state):
    one = found(SECOND, state)
    decision = decide([one], THIRD, "fresh")
    assert (decision.attach, [*decision.end]) == (None, [one.run])


def test_fresh_does_not_care_for_what_is_done():
    decision = decide([found(SECOND, RunState.SUCCEEDED)], THIRD, "fresh")
    assert (decision.attach, [*decision.end]) == (None, [])


@pytest.mark.parametrize("state", [*ALIVE, RunState.SUCCEEDED])
def test_fail_names_what_is_alive_or_done(state):
    with pytest.raises(ExistingRunError, match=rf"step s-2 on cluster j-1, which try 2 .* is {state.name}"):
        decide([found(SECOND, state)], THIRD, "fail")


@pytest.mark.parametrize("on_existing", ON_EXISTING)
@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.CANCELLING])
def test_a_try_that_was_replaced_touches_nothing(state, on_existing):
    """A worker that was taken for dead may come back when its task was cleared and runs again."""
    with pytest.raises(
        ExistingRunError, match=r"try 4 of this task has replaced try 3.*nothing was submitted"
    ):
        decide([found(CLEARED_AGAIN, state), found(SECOND, RunState.RUNNING)], THIRD, on_existing)


def test_a_later_try_of_the_same_generation_is_gone_on_with():
    later = found(FOURTH, RunState.RUNNING)
    assert decide([later], THIRD).attach == later


def test_a_generation_may_be_a_smaller_number_than_the_one_before():
    """Airflow makes it of the task's retries, which an author may change: only tries count up."""
    left = found(replace(FIRST, generation=9), RunState.RUNNING)
    decision = decide([left], THIRD)
    assert (decision.attach, [*decision.end]) == (None, [left.run])


def test_a_word_that_is_not_known_is_named():
    with pytest.raises(InvalidValueError, match="'reuse' is not known; use one of attach, fresh, fail"):
        decide([], THIRD, "reuse")


def test_work_older_than_that_of_an_earlier_try_is_of_a_dag_run_that_was_deleted():
    old = found(SECOND, RunState.SUCCEEDED)
    first = found(replace(THIRD, try_number=1), RunState.FAILED)
    recreated = replace(first, run=replace(first.run, submitted_at=old.run.submitted_at + 1))
    assert decide([old, recreated], THIRD).attach is None
    assert decide([old, first], THIRD).attach == old
