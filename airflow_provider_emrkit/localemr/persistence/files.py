"""An instance's state as files of its data directory: how much there is, and away with it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.record_file import JOURNAL_FILE
from airflow_provider_emrkit.localemr.run.directories import CLUSTERS, HISTORY, JOBS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

S3, SERVICES = "s3", "services"

# Clusters and runs; S3; the other services; what their work has left; and what was put aside of these.
_STATE = (f"{JOURNAL_FILE}*", S3, f"{S3}.*", SERVICES, CLUSTERS, JOBS, "event-logs", HISTORY)


def state_files(data_dir: Path) -> list[Path]:
    """Give the files and directories that are an instance's state; its logs are not."""
    return sorted(path for pattern in _STATE for path in data_dir.glob(pattern))


def state_bytes(data_dir: Path) -> int:
    """Say how much state there is on disk."""
    return sum(_size(file) for path in state_files(data_dir) for file in _files(path))


def remove_state(data_dir: Path) -> list[str]:
    """Remove all state of an instance that does not run.

    :return: The names of what was removed.
    :raises OSError: when something can't be removed.
    """
    paths = state_files(data_dir)
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return [path.name for path in paths]


def size_text(size: int) -> str:
    """Say a number of bytes for people.

    >>> size_text(12_345_678)
    '12.3 MB'
    """
    value, units = float(size), ["bytes", "KB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.0f} bytes" if units[0] == "bytes" else f"{value:.1f} {units[0]}"


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from path.rglob("*")
    else:
        yield path


def _size(path: Path) -> int:
    try:
        found = path.lstat()
    except OSError:  # a running instance removes files at any time
        return 0
    return found.st_blocks * 512
