"""Processes told apart by id and start time."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.processes import Process

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


def start():
    child = subprocess.Popen(SLEEP, stdout=subprocess.PIPE, text=True)
    child.stdout.readline()
    return child


def test_a_process_is_alive_until_it_ends_even_before_it_is_reaped():
    with start() as child:
        process = Process.of(child.pid)
        assert process.is_alive
        assert not process.wait_gone(0)
        process.send(signal.SIGKILL)
        assert process.wait_gone(10)


# Its first thread ends alone: exit() of the system, not of the C library.
ENDS_ITS_FIRST_THREAD = """
import ctypes, platform, socket, threading
held = socket.create_server(("127.0.0.1", 0))
print(held.getsockname()[1], flush=True)
threading.Thread(target=input).start()
ctypes.CDLL(None).syscall(60 if platform.machine() == "x86_64" else 93, 0)
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_a_process_is_gone_when_the_last_of_its_threads_has_let_go_of_its_port():
    command = [sys.executable, "-c", ENDS_ITS_FIRST_THREAD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        port = int(child.stdout.readline())
        process = Process.of(child.pid)
        assert not process.wait_gone(0.5)
        process.send(signal.SIGKILL)
        assert process.wait_gone(60)
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))


def test_another_process_of_the_same_id_is_not_the_same():
    later = Process(os.getpid(), "another time")
    assert not later.is_alive
    # Would end this very test otherwise.
    later.send(signal.SIGKILL)


def test_there_is_no_process_of_an_id_that_is_not_used():
    assert Process.of(2**22 + 1) is None


def test_descendants():
    script = f"""
import subprocess
child = subprocess.Popen({SLEEP!r}, stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as child:
        grandchild = int(child.stdout.readline())
        found = Process.of(os.getpid()).descendants()
        assert {child.pid, grandchild} <= {process.pid for process in found}
        for process in found:
            if process.pid in (child.pid, grandchild):
                process.send(signal.SIGKILL)
