"""Which Python an image has: what is wanted, what Spark takes, what the project takes. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.spark_needs import Version, needs_of
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from airflow_provider_emrkit.releases import Release

OWNER = "image new"
# Older ones nobody can install: the oldest that a base has as its own.
OLDEST = (3, 7)
OLDEST_OF_UV = (3, 8)

_VERSION = re.compile(r"3\.(0|[1-9]\d?)(\.(0|[1-9]\d?))?", re.ASCII)


def version_of(python: str) -> Version:
    """Give major and minor of a version.

    >>> version_of("3.11.9")
    (3, 11)
    """
    major, minor = python.split(".")[:2]
    return int(major), int(minor)


def check_version(python: str) -> None:
    """Check that it is a version of Python 3, as ``3.11`` or ``3.11.9``.

    :raises InvalidValueError: otherwise.
    """
    if not _VERSION.fullmatch(python):
        mend = "write it like 3.11 or 3.11.9"
        raise InvalidValueError(OWNER, "--python", python, "is no version", mend)


def chosen_python(release: Release, wanted: str | None, project: str = "") -> str:
    """Choose the Python of an image: what is wanted, otherwise the newest that release and project take.

    Not the release's own, which for EMR 6 is 3.7: it has had no update since 2023, and few libraries take it.

    :param wanted: Such as ``3.11`` or ``3.11.9``.
    :param project: What the project asks for, as ``>=3.9,<3.12``.
    :raises InvalidValueError: when release or project does not take it.

    >>> from airflow_provider_emrkit.releases import release
    >>> chosen_python(release("emr-7.11.0"), None, ">=3.9,<3.11")
    '3.10'
    """
    if wanted:
        check_version(wanted)
    needs = needs_of(release.spark)
    if needs is None:
        return wanted or release.python
    if wanted:
        if not needs.takes(version_of(wanted)):
            problem = f"is no Python that Spark {release.spark} of {release.label} takes"
            raise InvalidValueError(OWNER, "--python", wanted, problem, f"use one of {needs.pythons}")
        if not _project_takes(project, wanted):
            mend = f"the project asks for {project}: choose another, or change its requires-python"
            raise InvalidValueError(OWNER, "--python", wanted, "is not for this project", mend)
        return wanted
    for minor in range(needs.newest[1], max(needs.oldest, OLDEST)[1] - 1, -1):
        if _project_takes(project, f"3.{minor}"):
            return f"3.{minor}"
    problem = f"leaves no Python that Spark {release.spark} of {release.label} takes"
    mend = f"change it to take one of {needs.pythons}, or choose another release"
    raise InvalidValueError(OWNER, "requires-python", project, problem, mend)


def _project_takes(project: str, python: str) -> bool:
    if not project:
        return True
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        asked = SpecifierSet(project)
    except InvalidSpecifier:
        mend = "write it like >=3.9,<3.12"
        raise InvalidValueError(OWNER, "requires-python", project, "is no range of versions", mend) from None
    # 3.11 stands for any of its patches: >=3.11.4 takes it.
    patches = [python] if python.count(".") > 1 else [f"{python}.{patch}" for patch in range(40)]
    return any(asked.contains(patch) for patch in patches)
