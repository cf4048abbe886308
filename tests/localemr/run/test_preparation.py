"""What a cluster and a job run have in common, when many are started at once."""

from __future__ import annotations

import subprocess
import sys
import textwrap

# In a process of its own: Python makes the table of its configuration once.
SEARCH = """
    import sysconfig, threading, time

    make = sysconfig._init_posix

    def make_slowly(table):
        time.sleep(0.5)
        make(table)

    sysconfig._CONFIG_VARS, sysconfig._CONFIG_VARS_INITIALIZED = None, False
    sysconfig._init_posix = make_slowly

    from airflow_provider_emrkit.localemr.run import preparation

    found = []
    threads = [threading.Thread(target=lambda: found.append(preparation.uv_program())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3, found
"""


def test_many_that_start_at_once_all_find_uv():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SEARCH)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
