"""The note in a finished environment that says what it was made from."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import TYPE_CHECKING

from environments.catalog import UV

if TYPE_CHECKING:
    from pathlib import Path

    from environments.catalog import Environment, Layout

_NAME = ".emrkit-stamp.json"


def fingerprint(environment: Environment, layout: Layout) -> str:
    """Hash everything an environment depends on.

    The Python is the one that runs this, also where another one is chosen for the environment: asking which
    one that would be takes longer than the rest.
    """
    files = [layout.lock(environment.name), layout.lock(UV)]
    if environment.project:
        files.append(layout.project_metadata)
    parts = [sys.version, sys.base_prefix, str(layout.root), *(file.read_text() for file in files)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def path(environment: Environment, layout: Layout) -> Path:
    """Return where the note is."""
    return layout.directory(environment.name) / _NAME


def read(environment: Environment, layout: Layout) -> str | None:
    """Return what an environment was made from; None when it is not finished or its Python is gone."""
    if not layout.python(environment.name).exists():
        return None
    try:
        value = json.loads(path(environment, layout).read_text())["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return value if isinstance(value, str) else None


def write(environment: Environment, layout: Layout, value: str) -> None:
    """Note that the environment is finished."""
    path(environment, layout).write_text(
        json.dumps({"fingerprint": value, "environment": environment.name}) + "\n"
    )


def remove(environment: Environment, layout: Layout) -> None:
    """Take the note away before anything changes: an interrupted change must not look finished."""
    path(environment, layout).unlink(missing_ok=True)
