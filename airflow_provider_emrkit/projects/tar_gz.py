"""Archives whose bytes do not tell when, where and by whom they were made."""

from __future__ import annotations

import contextlib
import gzip
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Archives of an environment are large, and hardly get smaller by more work.
LEVEL = 6


@contextlib.contextmanager
def writing(target: Path) -> Iterator[tarfile.TarFile]:
    """Open a ``.tar.gz`` to be written; who adds members sees to it that they have no owner and time.

    >>> with writing(Path("conf.tar.gz")) as archive:  # doctest: +SKIP
    ...     archive.addfile(member)
    """
    with (
        target.open("wb") as file,
        gzip.GzipFile("", "wb", LEVEL, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        yield archive
