"""Processes are found by their marker, their session or their parents, and are gone after a stop."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid

import pytest

from demo.environment import Places, environment
from demo.processes import Child, all_processes, environment_of, members, process, stop

NAME = "EMRKIT_DEMO_ID"
_SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def marker():
    """A marker of this test alone; whatever carries it is ended after the test."""
    mark = (NAME, uuid.uuid4().hex)
    yield mark
    stop(mark, grace=0.1)


@pytest.fixture
def start(marker, tmp_path):
    """Start a Python program that carries the marker and return it when it has printed a line."""

    def start(program: str) -> Child:
        argv = [sys.executable, "-u", "-c", f"print('up', flush=True)\n{program}"]
        child = Child.start("program", argv, {**os.environ, NAME: marker[1]}, tmp_path / "program.log")
        _until(lambda: "up" in child.tail(100))
        return child

    return start


def _until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_process_knows_its_parent_session_and_start():
    me = process(os.getpid())
    assert me is not None
    assert (me.parent, me.session) == (os.getppid(), os.getsid(0))
    assert me in all_processes()


def test_a_process_that_has_ended_is_none_even_before_its_parent_has_looked():
    popen = subprocess.Popen(["true"])
    try:
        _until(lambda: process(popen.pid) is None)
    finally:
        popen.wait()


def test_the_environment_is_the_one_it_was_started_with(start, marker):
    assert environment_of(start(_SLEEP).process.pid)[NAME] == marker[1]


def test_the_environment_of_nobody_is_empty():
    assert environment_of(2**22 + 1) == {}


def test_a_child_has_a_session_of_its_own(start):
    child = start(_SLEEP)
    assert child.process.session == child.process.pid != os.getsid(0)


def test_members_are_found_by_marker_even_in_another_session(start, marker):
    popen = f"subprocess.Popen([sys.executable, '-c', {_SLEEP!r}], start_new_session=True)"
    program = f"import subprocess, sys; {popen}"
    parent = start(program)
    _until(lambda: not parent.running)
    # For a moment after its start the kernel shows nothing of its environment.
    _until(lambda: members(marker))
    assert len(members(marker)) == 1


def test_members_are_found_by_session_even_without_the_marker(start, marker):
    child = start(
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {_SLEEP!r}], env={{}}).wait()"
    )
    _until(lambda: len(members(marker)) == 2)
    assert child.process.pid in {one.pid for one in members(marker)}


def test_a_process_that_renames_itself_keeps_its_marker(marker, tmp_path):
    """As Airflow's do; its parents may have been killed, so that nothing else tells whose it is."""
    pytest.importorskip("setproctitle")
    places = Places(tmp_path, tmp_path, tmp_path, tmp_path, tmp_path, 1, 2)
    renamed = f"import setproctitle; setproctitle.setproctitle('x' * 9999); print('up', flush=True); {_SLEEP}"
    argv = [sys.executable, "-c", renamed]
    child = Child.start("renamed", argv, environment(os.environ, places, marker[1]), tmp_path / "log")
    _until(lambda: "up" in child.tail())
    assert [one.pid for one in members(marker)] == [child.process.pid]


def test_a_process_with_the_same_id_but_another_start_is_nobody_of_ours(start):
    child = start(_SLEEP)
    other = ("EMRKIT_DEMO_ID", "another")
    later = type(child.process)(child.process.pid, child.process.parent, child.process.session, started=1)
    assert members(other, [later]) == []
    assert child.process in members(other, [child.process])


def test_this_process_is_never_a_member(marker):
    assert os.getpid() not in {one.pid for one in members((NAME, os.environ.get(NAME, "none")))}


def test_stop_ends_all_and_says_that_nobody_is_left(start, marker):
    child = start(_SLEEP)
    assert stop(marker) == []
    assert members(marker) == []
    assert child.exit_code == -15


def test_stop_kills_who_does_not_listen(start, marker):
    child = start(
        f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {_SLEEP}"
    )
    _until(lambda: "deaf" in child.tail())
    assert stop(marker, grace=0.3) == []
    assert child.exit_code == -9


def test_a_child_keeps_the_last_lines_of_its_output(start):
    child = start("for number in range(30): print(number)")
    _until(lambda: not child.running)
    assert child.tail(2) == ["28", "29"]
    assert child.exit_code == 0


def test_terminate_waits_for_the_end(start):
    child = start(_SLEEP)
    child.terminate(10)
    assert not child.running


def test_a_program_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Child.start("nothing", [str(tmp_path / "nothing")], {}, tmp_path / "log")
