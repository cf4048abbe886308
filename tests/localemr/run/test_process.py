"""All processes of a step are gone at the end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.run.process import MARK, Session, StepProcess

needs_proc = pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")

# A child in another process group, like pyspark.daemon, one in another session, and a plain one.
TREE = """
import os, subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
children = [
    subprocess.Popen(sleep),
    subprocess.Popen(sleep, preexec_fn=os.setpgrp),
    subprocess.Popen(sleep, start_new_session=True),
    subprocess.Popen(sleep, env={}, preexec_fn=os.setpgrp),
]
print(*[child.pid for child in children], flush=True)
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
WAIT = "time.sleep(600)\n"


def start(code: str, cwd: Path) -> StepProcess:
    return StepProcess(
        [sys.executable, "-c", code], env={"PATH": os.defpath}, cwd=cwd, mark=os.urandom(8).hex()
    )


def children(process: StepProcess) -> list[int]:
    """Give the ids of the tree, when the one in another session can be told by its environment."""
    pids = [int(pid) for pid in os.read(process.pipes[0].fileno(), 4096).split()]
    if Path("/proc").is_dir():
        wait_environment(pids[2])
    return pids


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def wait_environment(pid: int) -> None:
    """Wait until a process shows its environment: for a moment after its start the kernel has none of it."""
    deadline, pause = time.monotonic() + 10, threading.Event()
    while MARK.encode() not in Path(f"/proc/{pid}/environ").read_bytes():
        assert time.monotonic() < deadline
        pause.wait(0.01)


def test_what_a_command_leaves_behind_is_ended_with_it(tmp_path):
    process = start(TREE, tmp_path)
    pids = children(process)
    assert process.wait() == 0
    assert [pid for pid in pids if running(pid)] == []


@needs_proc
@pytest.mark.parametrize("code", [TREE + WAIT, STUBBORN + TREE + WAIT], ids=["willing", "ignores-SIGTERM"])
def test_cancel_ends_the_whole_tree(tmp_path, code):
    process = start(code, tmp_path)
    pids = children(process)
    process.cancel(grace=0.3)
    assert process.wait_for(10) not in (0, None)
    assert [pid for pid in pids if running(pid)] == []


def test_force_does_not_ask(tmp_path):
    process = start(STUBBORN + TREE + WAIT, tmp_path)
    children(process)
    process.cancel(force=True)
    assert process.wait_for(10) == -9


def test_sigterm_leaves_time_to_clean_up(tmp_path):
    code = (
        "import signal, sys, time, pathlib\n"
        "def end(*_): pathlib.Path('cleaned').touch(); sys.exit(3)\n"
        "signal.signal(signal.SIGTERM, end); print('ready', flush=True); time.sleep(600)"
    )
    process = start(code, tmp_path)
    os.read(process.pipes[0].fileno(), 100)
    process.cancel()
    process.cancel()
    assert process.wait_for(10) == 3
    assert (tmp_path / "cleaned").exists()


def test_wait_gives_up_after_its_time(tmp_path):
    process = start("import time; time.sleep(600)", tmp_path)
    assert process.wait_for(0.05) is None
    process.cancel(force=True)
    process.wait()


def test_cancel_after_the_end_does_nothing(tmp_path):
    process = start("", tmp_path)
    process.wait()
    process.cancel()


@needs_proc
def test_another_process_can_end_it_after_a_restart(tmp_path):
    process = start(TREE + WAIT, tmp_path)
    pids = children(process)
    process.session.save(tmp_path / "process.json")
    reaper = threading.Thread(target=process.wait)  # as init would, once we are dead
    reaper.start()
    Session.load(tmp_path / "process.json").sweep()
    reaper.join(10)
    assert [pid for pid in [process.session.sid, *pids] if running(pid)] == []


@needs_proc
def test_a_command_can_be_found_before_it_has_said_its_id(tmp_path):
    seen = []

    class Killed(BaseException):
        """The server dies right after it has started the command."""

    class Interrupted(StepProcess):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            seen.append(self)
            raise Killed

    with pytest.raises(Killed):
        Interrupted.start(
            [sys.executable, "-c", "import time; time.sleep(600)"], env={}, cwd=tmp_path, directory=tmp_path
        )
    (process,) = seen
    reaper = threading.Thread(target=process.wait)
    reaper.start()
    wait_environment(process.session.sid)
    Session.load(tmp_path / "process.json").sweep()
    reaper.join(10)
    assert not reaper.is_alive()


def test_a_session_without_a_process_owns_nothing(tmp_path):
    assert Session(0, 0, "no process has this").pids() == []


@needs_proc
def test_a_process_that_got_the_same_id_later_is_left_alone(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        Session(sid=other.pid, started=1, mark="not its mark").sweep()
        time.sleep(0.1)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("text", [None, "", "{}", '{"sid": "x"}', "[]"])
def test_a_file_that_tells_nothing_is_passed_over(tmp_path, text):
    path = tmp_path / "process.json"
    if text is not None:
        path.write_text(text)
    assert Session.load(path) is None


def test_the_environment_is_the_one_given_and_the_mark(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    process = StepProcess(["/usr/bin/env"], env={"A": "1"}, cwd=tmp_path, mark="m")
    out = os.read(process.pipes[0].fileno(), 4096).decode()
    process.wait()
    assert set(out.split()) == {"A=1", f"{MARK}=m"}
