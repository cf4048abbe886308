"""What can't be read is put aside, for people to look at."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)


def put_aside(path: Path) -> None:
    """Rename a file or directory that can't be read, so that the server can begin without it."""
    names = (path.with_name(f"{path.name}.unreadable{number or ''}") for number in itertools.count())
    aside = next(name for name in names if not name.exists())
    log.warning("%s can't be read: it is put aside as %s, the server begins without it", path, aside.name)
    path.replace(aside)
