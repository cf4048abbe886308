"""What must be right before the demo starts anything; each finding says how to mend it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import demo.record
from demo.environment import allowed
from demo.ports import any_free, holder, is_free, next_free
from images.engine import Engine, EngineError

if TYPE_CHECKING:
    from demo.environment import Places
    from demo.record import Record

SET_UP = "make it with: python3 dev/bootstrap.py airflow-3.3 localemr demo-data"
NEEDED_GIB = 2.0
"""Spark takes 0.4 GiB, twice that while it is installed; the rest is for Airflow and the local S3."""

_GIB = 1024**3


def problems(places: Places, record: Record | None, *, needs_engine: bool = False) -> list[str]:
    """Return one line for each thing that stands in the way; none when the demo can start.

    :param record: What the latest demo in this folder left, see :mod:`demo.record`.
    :param needs_engine: Whether the demo's job brings an image.
    """
    if not Path("/proc/self/stat").exists():
        return [f"the demo needs Linux: it finds its processes in /proc, which {sys.platform} doesn't have"]
    busy = _other_demo(record)
    if busy:
        return [busy]
    found = [_program(places.airflow_env, "airflow"), _program(places.localemr_env, "emrkit")]
    found += [_port(places.airflow_port, "Airflow", "AIRFLOW_PORT")]
    found += [_port(places.localemr_port, "the local EMR", "LOCALEMR_PORT")]
    if places.airflow_port == places.localemr_port:
        found += [f"AIRFLOW_PORT and LOCALEMR_PORT are both {places.airflow_port}; give them two"]
    found += [_disk(places.folder), _engine(places) if needs_engine else ""]
    return [one for one in found if one]


def _other_demo(record: Record | None) -> str:
    if record is None or not (record.at_work or record.processes()):
        return ""
    if record.at_work:
        return f"another demo is running (pid {record.demo.pid}); wait for its end or stop it: make demo-stop"
    if record.kept:
        left = f"Airflow at {record.airflow_url} and AWS at {record.endpoint}"
        return f"an earlier demo has left {left} running; stop it: make demo-stop"
    return ""


def clear_up(path: Path, record: Record | None) -> int:
    """End what a demo that was killed has left behind; returns the number of processes."""
    if record is None or record.at_work or record.kept:
        return 0
    left = len(record.processes())
    record.stop()
    demo.record.remove(path)
    return left


def _program(environment: Path, name: str) -> str:
    if (environment / "bin" / name).exists():
        return ""
    return f"{environment} has no program {name!r}; {SET_UP}"


def _port(port: int, whose: str, variable: str) -> str:
    if is_free(port):
        return ""
    who = holder(port)
    by = f" by {who}" if who else ""
    mend = f"use another: make demo {variable}={next_free(port) or any_free()}"
    return f"port {port}, wanted for {whose}, is taken{by}; {mend}"


def _engine(places: Places) -> str:
    try:
        Engine.find(allowed(os.environ, places.root))
    except EngineError as error:
        return str(error)
    return ""


def _disk(folder: Path) -> str:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free / _GIB
    if free >= NEEDED_GIB:
        return ""
    return f"{existing} has {free:.1f} GiB left on its disk, the demo needs {NEEDED_GIB:.0f}; make room there"
