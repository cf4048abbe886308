"""What is installed in the cache directory, how large it is, and which releases it is for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_emrkit.releases import known_labels, release

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_FOLDERS = {"spark": "Spark", "java": "Java"}


class Installed(NamedTuple):
    """One thing in the cache.

    :param name: e.g. ``Spark 3.5.6``.
    :param size: Its bytes.
    :param labels: Releases that hold it.
    """

    name: str
    size: int
    labels: tuple[str, ...] = ()


def inventory(cache_dir: Path) -> list[Installed]:
    """List the installed Sparks, Javas and class archives, and downloads that were interrupted."""
    found = [*_packages(cache_dir), *_archives(cache_dir / "archives")]
    return sorted(found, key=lambda one: one.name)


def _packages(cache_dir: Path) -> Iterator[Installed]:
    for folder, title in _FOLDERS.items():
        for path in _entries(cache_dir / folder):
            if not path.name.startswith(".") and path.is_dir():
                labels = _labels(path.name) if folder == "spark" else ()
                yield Installed(f"{title} {path.name}", _size(path), labels)
            elif path.name.endswith(".downloads"):
                version = path.name.removeprefix(".").removesuffix(".downloads")
                yield Installed(f"{title} {version} (interrupted download)", _size(path))


def _archives(folder: Path) -> Iterator[Installed]:
    for path in _entries(folder):
        if path.suffix == ".jsa":
            spark = path.name.removeprefix("spark-").partition("-")[0]
            yield Installed(f"Spark {spark} class archive", path.stat().st_size)


def _entries(folder: Path) -> Iterable[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else ()


def _labels(spark: str) -> tuple[str, ...]:
    return tuple(label for label in known_labels() if release(label).spark == spark)


def _size(folder: Path) -> int:
    return sum(entry.stat(follow_symlinks=False).st_size for entry in _files(folder))


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(folder / entry.name)
            else:
                yield entry
