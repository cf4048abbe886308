from __future__ import annotations

import logging
import threading
from types import SimpleNamespace

import pytest

from airflow_provider_emrkit.operators.stopping import Stopping

LOG = logging.getLogger("task")
TI = SimpleNamespace()


def judged(state: str | None, **kwargs) -> Stopping:
    stopping = Stopping(TI, ask=lambda ti: state, in_a_thread=True, **kwargs)
    stopping.judge(LOG)
    return stopping


def no_answer(ti: object) -> str:
    raise RuntimeError("no connection")


@pytest.mark.parametrize(
    "state", ["failed", "success", "skipped", "removed", "restarting", "upstream_failed", None]
)
def test_a_task_that_a_user_has_ended_takes_its_job_with_it(state):
    stopping = judged(state)
    assert stopping.is_set()
    assert stopping.leaves is False


@pytest.mark.parametrize(
    "state", ["running", "queued", "scheduled", "up_for_retry", "up_for_reschedule", "deferred"]
)
def test_a_task_that_is_to_go_on_keeps_its_job(state):
    stopping = judged(state)
    assert stopping.is_set()
    assert stopping.leaves
    assert stopping.why == f"the worker is stopped, the task is {state}"


@pytest.mark.parametrize("state", ["failed", "success", None, "running"])
def test_a_job_that_is_to_be_left_is_left_when_the_task_ends(state):
    assert judged(state, on_kill="leave").why == "on_kill is 'leave'"


@pytest.mark.parametrize("state", ["failed", "success", "restarting"])
def test_a_look_finds_that_a_user_has_ended_the_task(state):
    stopping = Stopping(TI, ask=lambda ti: state)
    stopping.look(LOG)
    assert stopping.is_set()
    assert stopping.wait(0.0)
    assert stopping.leaves is False


@pytest.mark.parametrize("ask", [lambda ti: "running", lambda ti: "queued", lambda ti: None, no_answer])
def test_a_look_at_a_task_that_goes_on_or_without_an_answer_changes_nothing(ask):
    stopping = Stopping(TI, ask=ask)
    stopping.look(LOG)
    assert not stopping.is_set()
    assert stopping.expect(0.0) is False


def test_a_look_believes_the_answer_that_it_has():
    states = iter(["failed"])
    stopping = Stopping(TI, ask=lambda ti: next(states))
    stopping.look(LOG)
    assert stopping.is_set()
    assert stopping.leaves is False


def test_a_task_that_is_only_tried_out_has_no_state_that_means_anything():
    stopping = Stopping(SimpleNamespace(test_mode=True), ask=lambda ti: "success")
    stopping.look(LOG)
    assert not stopping.is_set()


def test_a_job_that_is_to_be_left_ends_all_the_same_when_its_task_is_to_run_again():
    assert judged("restarting", on_kill="leave").leaves is False


def test_a_job_that_is_to_be_left_is_left_where_nobody_answers():
    stopping = Stopping(TI, on_kill="leave", ask=no_answer, in_a_thread=True)
    stopping.judge(LOG)
    assert stopping.why == "on_kill is 'leave'"


def test_a_job_that_is_to_be_left_is_left_where_there_is_nobody_to_ask():
    stopping = Stopping(None, on_kill="leave", ask=no_answer, in_a_thread=True)
    stopping.judge(LOG)
    assert stopping.leaves


def test_where_airflow_can_t_be_asked_the_job_goes_on(caplog):
    stopping = Stopping(TI, ask=no_answer, in_a_thread=True)
    stopping.judge(LOG)
    assert stopping.leaves
    assert "could not be asked" in stopping.why
    assert "no connection" in caplog.text


def test_where_there_is_nobody_to_ask_the_job_ends():
    stopping = Stopping(None, ask=lambda ti: "running", in_a_thread=True)
    stopping.judge(LOG)
    assert stopping.leaves is False


def test_a_later_judgement_counts():
    """First the worker is drained, then somebody marks the task while it is being stopped."""
    states = iter(["running", "failed"])
    stopping = Stopping(TI, ask=lambda ti: next(states), in_a_thread=True)
    stopping.judge(LOG)
    assert stopping.leaves
    stopping.judge(LOG)
    assert stopping.leaves is False


def test_nobody_is_stopped_before_it_is_known_what_for():
    asked, answer = threading.Event(), threading.Event()

    def ask(ti):
        asked.set()
        answer.wait(20)
        return "failed"

    stopping = Stopping(TI, ask=ask, in_a_thread=True)
    assert stopping.wait(0) is False
    judge = threading.Thread(target=stopping.judge, args=[LOG])
    judge.start()
    asked.wait(20)
    assert stopping.wait(0) is False
    answer.set()
    assert stopping.wait(20) is True
    judge.join()


def test_a_stop_that_nobody_can_judge_in_time_is_no_reason_to_end_the_job():
    asked, answer = threading.Event(), threading.Event()

    def ask(ti):
        asked.set()
        answer.wait(20)
        return "failed"

    stopping = Stopping(TI, ask=ask, in_a_thread=True)
    judge = threading.Thread(target=stopping.judge, args=[LOG])
    judge.start()
    asked.wait(20)
    stopping.settle(0.01)
    assert stopping.leaves
    answer.set()
    judge.join()
    assert stopping.leaves is False


def test_where_no_stop_has_begun_there_is_nothing_to_wait_for():
    stopping = Stopping(TI, ask=lambda ti: "running")
    stopping.settle(20)
    assert stopping.leaves is False


class Line:
    """The line to an Airflow that answers nobody but the task's own code."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)
        self.asked_by: list[threading.Thread] = []

    def __call__(self, ti: object) -> str:
        self.asked_by.append(threading.current_thread())
        return self.states.pop(0)


def killed(stopping: Stopping) -> None:
    """Do what the handler of a signal does; gives nothing to wait for."""
    thread = threading.Thread(target=stopping.judge, args=[LOG])
    thread.start()
    assert stopping.expect(20) is False
    thread.join(20)


def settles(stopping: Stopping) -> bool:
    stopping.settle(0)
    return stopping.is_set()


@pytest.mark.parametrize(
    "comes_back",
    [
        pytest.param(lambda stopping: stopping.wait(20), id="waits"),
        pytest.param(Stopping.is_set, id="looks"),
        pytest.param(settles, id="is interrupted"),
    ],
)
@pytest.mark.parametrize(("state", "leaves"), [("failed", False), ("running", True)])
def test_where_a_thread_must_not_ask_the_task_s_own_code_does(comes_back, state, leaves):
    line = Line(state)
    stopping = Stopping(TI, ask=line, in_a_thread=False)
    killed(stopping)
    assert line.asked_by == []
    assert comes_back(stopping) is True
    assert stopping.leaves is leaves
    assert line.asked_by == [threading.current_thread()]


def test_the_task_s_own_code_asks_once_for_a_stop():
    line = Line("failed")
    stopping = Stopping(TI, ask=line, in_a_thread=False)
    killed(stopping)
    assert [stopping.wait(20), stopping.is_set(), settles(stopping)] == [True] * 3
    assert len(line.asked_by) == 1


def test_code_that_waits_is_woken_to_ask():
    line = Line("failed")
    stopping = Stopping(TI, ask=line, in_a_thread=False)
    woken = []
    task = threading.Thread(target=lambda: woken.append(stopping.wait(60)))
    task.start()
    stopping.judge(LOG)
    task.join(20)
    assert woken == [True]
    assert line.asked_by == [task]


def test_a_job_whose_task_does_not_get_to_ask_is_left_and_the_log_can_say_why():
    stopping = Stopping(TI, ask=Line(), in_a_thread=False)
    killed(stopping)
    assert stopping.leaves
    assert "only the task's own code can ask Airflow" in stopping.why


def test_a_later_stop_is_asked_for_again_by_the_task_s_own_code():
    stopping = Stopping(TI, ask=Line("running", "failed"), in_a_thread=False)
    killed(stopping)
    assert stopping.is_set()
    assert stopping.leaves
    killed(stopping)
    assert stopping.is_set()
    assert stopping.leaves is False


def test_a_task_that_a_user_has_ended_is_not_left_because_it_is_stopped_again():
    stopping = Stopping(TI, ask=Line("failed"), in_a_thread=False)
    killed(stopping)
    assert stopping.is_set()
    killed(stopping)
    assert stopping.leaves is False


def test_a_handler_waits_for_an_answer_that_a_thread_can_get():
    answer = threading.Event()
    stopping = Stopping(TI, ask=lambda ti: "failed" if answer.wait(20) else None, in_a_thread=True)
    judge = threading.Thread(target=stopping.judge, args=[LOG])
    judge.start()
    assert stopping.expect(0) is False
    answer.set()
    assert stopping.expect(20) is True
    judge.join(20)


def test_a_handler_waits_for_nothing_that_the_interrupted_code_holds():
    """A signal may come at the moment in which the task's wait has its event's lock."""
    stopping = judged("failed")
    with stopping._for_the_task._cond:
        handler = threading.Thread(target=stopping.expect, args=[20], daemon=True)
        handler.start()
        handler.join(20)
        assert not handler.is_alive()
