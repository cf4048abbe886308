"""Only what a test started itself is ever killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest
from havoc.victims import NotOursError, Victims

from demo.processes import process


def until(condition):
    deadline = time.monotonic() + 10
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


@pytest.fixture
def start(tmp_path):
    """Run a shell script; it and all it started are ended when the test is over."""
    started = []

    def start(script):
        file = tmp_path / f"{len(started)}.sh"
        file.write_text(script)
        popen = subprocess.Popen(["bash", str(file)], start_new_session=True)
        started.append(popen)
        return process(popen.pid)

    yield start
    for popen in started:
        os.killpg(popen.pid, signal.SIGKILL)
        popen.wait()


@pytest.fixture
def executor(start, tmp_path):
    """A process with a worker that has a task."""
    (tmp_path / "task").write_text('exec -a "airflow worker -- 01a1" sleep 60\n')
    (tmp_path / "worker").write_text(f"bash {tmp_path}/task\nread -t 60 <> <(:)\n")
    root = start(
        f"""bash -c 'exec -a "airflow worker -- LocalExecutor: 01a1" bash {tmp_path}/worker'; true"""
    )
    return Victims([root])


def test_a_process_of_somebody_else_is_not_killed(start):
    ours, foreign = start("sleep 60; true"), start("sleep 60; true")
    with pytest.raises(NotOursError, match=f"pid {foreign.pid} "):
        Victims([ours]).kill(foreign)
    with pytest.raises(NotOursError):
        Victims([ours]).kill_tree(foreign)
    assert process(foreign.pid) is not None


def test_a_later_process_with_the_same_id_is_not_killed(start):
    ours = start("sleep 60; true")
    earlier = type(ours)(ours.pid, ours.parent, ours.session, ours.started - 1)
    for victims in (Victims([ours]), Victims([earlier])):
        with pytest.raises(NotOursError):
            victims.kill(earlier)
    assert process(ours.pid) is not None


def test_a_tree_is_killed_whole(start):
    root = start("bash -c 'sleep 60; true' & sleep 60; true")
    victims = Victims([root])
    tree = until(lambda: len(victims.below(root)) == 4 and victims.below(root))
    victims.kill_tree(root)
    until(lambda: all(process(one.pid) is None for one in tree))


def test_a_worker_and_its_task_are_found(executor):
    (worker,) = until(executor.workers)
    assert worker.task.parent == worker.supervisor.pid


@pytest.mark.parametrize("with_task", [True, False])
def test_a_lost_supervisor_takes_its_task_along_or_leaves_it(executor, with_task):
    (worker,) = until(executor.workers)
    assert executor.kill_supervisor(worker, with_task=with_task)
    until(lambda: process(worker.supervisor.pid) is None)
    if with_task:
        until(lambda: process(worker.task.pid) is None)
    else:
        assert process(worker.task.pid) is not None


def test_a_worker_whose_task_has_ended_goes_on(executor):
    (worker,) = until(executor.workers)
    executor.kill(worker.task)
    until(lambda: process(worker.task.pid) is None)
    assert not executor.kill_supervisor(worker, with_task=True)
    assert process(worker.supervisor.pid) is not None
