"""The directory that a package is put into: all of it, or nothing."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_emrkit.jobs.package_manifest import FILE_NAME
from airflow_provider_emrkit.projects.detect import OWNER
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEND = "name a directory of its own, or one that emrkit has written"
# What is being made, and what is being replaced, beside the directory itself.
_MADE, _OLD = "new", "old"


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give an empty directory, which takes the place of another when all has gone well.

    When something has not, what was there stays as it was, also when the process is killed.

    :param target: The directory to replace; it may be missing, or hold what was put there like this.
    :raises InvalidValueError: when it holds something else, or can't be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target.parent):
            _clear_up(target)
            _check(target)
            work = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
            held = _locked(work)
    except OSError as error:
        problem = f"can't be written: {error.strerror}"
        raise InvalidValueError(OWNER, "--output", str(target), problem, "name another") from error
    try:
        made = work / _MADE
        made.mkdir()
        yield made
        with _alone(target.parent):
            _check(target)
            _swap(made, target, work / _OLD)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        os.close(held)


def _swap(made: Path, target: Path, old: Path) -> None:
    if target.exists():
        # A directory can't take the place of one that is not empty.
        target.rename(old)
    try:
        made.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise


def _clear_up(target: Path) -> None:
    """Remove what processes that were killed have left, and put back what they had taken away."""
    for left in target.parent.glob(f"{_prefix(target)}*"):
        try:
            held = _locked(left)
        except OSError:
            continue  # its process lives
        if (left / _OLD).is_dir() and not target.exists():
            (left / _OLD).rename(target)
        shutil.rmtree(left, ignore_errors=True)
        os.close(held)


def _prefix(target: Path) -> str:
    return f".{target.name}.emrkit-"


# --- what is there ----------------------------------------------------------------------------------------


def _check(target: Path) -> None:
    """See that nothing of the user's is replaced."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise InvalidValueError(OWNER, "--output", str(target), "is no directory", _MEND)
    if os.path.ismount(target):
        problem = "is a disk of its own, which nothing can take the place of"
        raise InvalidValueError(OWNER, "--output", str(target), problem, "name a directory in it")
    names = {path.name for path in target.iterdir()} if target.is_dir() else set()
    if not names:
        return
    if strange := sorted(names - _written(target)):
        problem = f"holds {strange[0]!r}, which emrkit did not put there"
        raise InvalidValueError(OWNER, "--output", str(target), problem, _MEND)


def _written(target: Path) -> set[str]:
    """Give the names of what was written there, as the manifest lists it."""
    try:
        content = json.loads((target / FILE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    files = content.get("files") if isinstance(content, dict) else None
    return {FILE_NAME, *filter(_is_text, files)} if isinstance(files, list) else set()


def _is_text(value: object) -> bool:
    return isinstance(value, str)


# --- one process at a time --------------------------------------------------------------------------------


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Let one process at a time change what a directory holds."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _locked(directory: Path) -> int:
    """Mark a directory as one of a living process, until the handle is closed.

    :raises OSError: when it is another's.
    """
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle
