"""What a server that was killed has left running: found again by what is in its data directory."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.engine.settings import RECORDS
from airflow_provider_emrkit.localemr.engine.sweeping import sweep_containers
from airflow_provider_emrkit.localemr.run.cluster import sweep
from airflow_provider_emrkit.localemr.run.directories import CLUSTERS, HISTORY, JOBS, TEMPORARY
from airflow_provider_emrkit.localemr.run.process import MARK, SESSION_FILE, Session

if TYPE_CHECKING:
    from pathlib import Path


def end_leftovers(data_dir: Path) -> None:
    """End everything that a server of this directory has started, and remove what was for its time only.

    :param data_dir: A data directory that nobody serves, or no longer.
    """
    for file in (data_dir / SESSION_FILE, data_dir / HISTORY / SESSION_FILE):
        session = Session.load(file)
        if session:
            session.sweep()
        file.unlink(missing_ok=True)
    for name in (HISTORY, TEMPORARY):
        shutil.rmtree(data_dir / name, ignore_errors=True)
    sweep_containers(data_dir / RECORDS)
    for name in (CLUSTERS, JOBS):
        sweep(data_dir / name)
        with contextlib.suppress(OSError):
            (data_dir / name).rmdir()


def mark_own_processes(data_dir: Path) -> None:
    """Make the processes that this one starts from now on be found later: installations, warm-ups.

    Steps have marks of their own.
    """
    session = Session(0, 0, secrets.token_hex(16))
    session.save(data_dir / SESSION_FILE)
    os.environ[MARK] = session.mark


def keep_temporary_files_in(data_dir: Path) -> None:
    """Let this process and those it starts have their temporary files where a later server finds them."""
    directory = data_dir / TEMPORARY
    directory.mkdir(mode=0o700, exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = os.fspath(directory)
