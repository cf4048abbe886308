from __future__ import annotations

import logging
import threading
from types import SimpleNamespace

import pytest

from airflow_provider_emrkit.operators.stopping import Stopping

LOG = logging.getLogger("task")
TI = SimpleNamespace()


def judged(state: str | None, **kwargs) -> Stopping:
    stopping = Stopping(TI, ask=lambda ti: state, **kwargs)
    stopping.judge(LOG)
    return stopping


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


@pytest.mark.parametrize("state", ["failed", None, "running"])
def test_a_job_that_is_to_be_left_is_left_whatever_happens(state):
    assert judged(state, on_kill="leave").why == "on_kill is 'leave'"


def test_where_airflow_can_t_be_asked_the_job_goes_on(caplog):
    def ask(ti):
        raise RuntimeError("no connection")

    stopping = Stopping(TI, ask=ask)
    stopping.judge(LOG)
    assert stopping.leaves
    assert "could not be asked" in stopping.why
    assert "no connection" in caplog.text


def test_where_there_is_nobody_to_ask_the_job_ends():
    stopping = Stopping(None, ask=lambda ti: "running")
    stopping.judge(LOG)
    assert stopping.leaves is False


def test_a_later_judgement_counts():
    """First the worker is drained, then somebody marks the task while it is being stopped."""
    states = iter(["running", "failed"])
    stopping = Stopping(TI, ask=lambda ti: next(states))
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

    stopping = Stopping(TI, ask=ask)
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

    stopping = Stopping(TI, ask=ask)
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
