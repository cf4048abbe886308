"""The room an environment needs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from environments.problems import BootstrapError, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

_MIB = 1024 * 1024


def uv_cache(environ: Mapping[str, str], root: Path) -> Path:
    """Return uv's cache folder, where it puts what it downloads.

    :param root: The checkout; the folder is below it when the user's own can't be written (a read-only home).
    """
    if environ.get("UV_CACHE_DIR"):
        return Path(environ["UV_CACHE_DIR"])
    own = Path(environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "/")) / ".cache") / "uv"
    return own if os.access(_existing(own), os.W_OK) else root / ".cache" / "uv"


def _existing(path: Path) -> Path:
    return next(parent for parent in (path, *path.parents) if parent.exists())


def check_room(name: str, size_mib: int, places: list[Path]) -> None:
    """Refuse to begin what would not fit.

    :param places: Folders, existing or not, each of which is about to get up to ``size_mib``.
    :raises BootstrapError: naming the first place that is too small.
    """
    for place in map(_existing, places):
        free_mib = shutil.disk_usage(place).free // _MIB
        if free_mib < size_mib:
            raise BootstrapError(
                f"no space for the environment {name}: {place} has {free_mib} MiB free of {size_mib}",
                "free some space, or move the checkout (and UV_CACHE_DIR) to a larger disk",
                kind=Kind.NO_SPACE,
            )
