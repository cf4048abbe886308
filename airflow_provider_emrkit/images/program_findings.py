"""Judges the Java and the Python of an image, for any target. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.findings import Finding
from airflow_provider_emrkit.images.spark_needs import dotted, needs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emrkit.images.findings import Target
    from airflow_provider_emrkit.images.probing import ImageFacts, Program
    from airflow_provider_emrkit.releases import Release

_JAVA_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


# --- Java -------------------------------------------------------------------------------------------------


def java_findings(facts: ImageFacts, target: Target) -> Iterator[Finding]:
    """Judge its Java."""
    java = facts.inside.java
    if java is None:
        there = facts.inside.java_found
        text = "JAVA_HOME is not set" + (f", though there is {there}" if there else ", and there is no Java")
        mend = "ENV JAVA_HOME=… in the Dockerfile: the directory above bin/java"
        yield Finding("error", "java", text, mend if there else target.begin_with("Java"))
    elif not java.works:
        text, mend = why_not(java)
        yield Finding("error", "java", f"JAVA_HOME does not lead to a Java: {text}", mend)
    else:
        yield _java_version(java, target)


def _java_version(java: Program, target: Target) -> Finding:
    found = _JAVA_VERSION.search(java.out)
    major = int(found[1]) if found and len(found[1]) < 4 else 0
    if not major:
        return Finding(
            "warning", "java", f"it does not tell its version: {java.out[:100]}", "see that it is a Java"
        )
    release = target.release
    text = f"Java {major} ({java.path})"
    if release is None or str(major) == release.java:
        return Finding("ok", "java", text)
    needs = needs_of(release.spark)
    mend = target.begin_with(f"Java {release.java}")
    if needs and major not in needs.javas:
        takes = " or ".join(map(str, needs.javas))
        return Finding(
            "error", "java", f"{text}: Spark {release.spark} of {release.label} takes {takes}", mend
        )
    text += f": {release.label} itself runs {release.java}, which AWS tests its Spark with"
    return Finding("warning", "java", text, mend)


# --- Python -----------------------------------------------------------------------------------------------


def python_findings(facts: ImageFacts, target: Target) -> Iterator[Finding]:
    """Judge the job's Python."""
    pythons = facts.inside.pythons
    chosen = next((one for one in pythons if one.path == target.python), None)
    if chosen is None or not chosen.works or not chosen.told:
        yield _no_python(chosen, [one for one in pythons if one.works and one.told], target)
        return
    yield _python_version(chosen, target)
    yield from _standard_library(chosen, target.release)
    yield from _pyspark(chosen, target)


def _no_python(chosen: Program | None, others: list[Program], target: Target) -> Finding:
    if chosen is None:
        text, mend = "it was not looked at", "look again"
    elif chosen.works:
        text, mend = (
            f"it is no Python 3: {chosen.out[:200]}",
            f"install Python, and link {target.python} to it",
        )
    else:
        text, mend = why_not(chosen)
    if others and others[0].path != target.python:
        mend = _another_python(others[0].path, target)
    whose = "which jobs are to run with" if target.is_serverless else "which EMR starts"
    return Finding("error", "python", f"{target.python}, {whose}: {text}", mend)


def _another_python(there: str, target: Target) -> str:
    named = f'SparkJob(env={{"PYSPARK_PYTHON": "{there}"}})'
    if target.is_serverless:
        return f"{named}, and check it with --python {there}"
    return f"RUN ln -sf {there} {target.python} in the Dockerfile, or {named}"


def _python_version(python: Program, target: Target) -> Finding:
    version = _numbers(python)
    text = f"Python {'.'.join(map(str, version))} ({target.python})"
    needs = needs_of(target.release.spark) if target.release else None
    if target.release and needs and not needs.takes(version[:2]):
        text += f": Spark {target.release.spark} of {target.release.label} takes {needs.pythons}"
        how = f"emrkit image new{target.options} --release {target.release.label}"
        return Finding("error", "python", text, f"install {dotted(needs.newest)}, as {how} has it")
    if target.is_serverless and not target.python.startswith("/usr/bin/python3"):
        text += f'; the job names it: SparkJob(env={{"PYSPARK_PYTHON": "{target.python}", …}})'
    return Finding("ok", "python", text)


def _standard_library(python: Program, release: Release | None) -> Iterator[Finding]:
    told = python.told.get("missing")
    missing = [str(one) for one in told] if isinstance(told, list) else []
    needed = [one for one in missing if one != "distutils"]
    if needed:
        text = f"its standard library lacks {', '.join(needed)}, which PySpark needs"
        mend = "install all of it: on Debian and Ubuntu python3 instead of python3-minimal"
        yield Finding("error", "python", text, mend)
    # Up to 3.5, Spark's pandas asks for it; Python 3.12 has none.
    if "distutils" in missing and release and int(release.spark.split(".")[0]) < 4:
        text = f"there is no distutils, with which Spark {release.spark} begins its work with pandas"
        yield Finding("warning", "python", text, "install python3-distutils or setuptools if jobs use pandas")


def _pyspark(python: Program, target: Target) -> Iterator[Finding]:
    found = python.told.get("pyspark")
    # EMR's images may put their own on the path.
    if not found or "amzn" in str(found):
        return
    release, whose = target.release, "EMR's" if target.is_serverless else "the cluster's"
    clash = release and found != release.spark
    own = f"{whose} {release.spark}" if release and clash else f"{whose} own"
    text = f"pyspark {found} is in the image, where {own} is used: "
    text += f"300 MB that {target.fetcher} fetches for nothing"
    text += ", and a version that can clash with it" if clash else ""
    mend = f"leave it out of the image, as emrkit image new{target.options} does"
    yield Finding("warning", "pyspark", text, mend)


def _numbers(python: Program) -> tuple[int, int, int]:
    version = python.told.get("version")
    numbers = [one for one in version if isinstance(one, int)] if isinstance(version, list) else []
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return major, minor, patch


# --- why a program does not start -------------------------------------------------------------------------


def why_not(program: Program) -> tuple[str, str]:
    """Tell why a program did not start for a job's user, and what mends it."""
    root = program.for_root
    if root is not None and root.works:
        place = root.real or (program.links[-1] if program.links else program.path)
        way = " -> ".join(dict.fromkeys((program.path, place)))
        text = f"only root can start it ({way}), and jobs run as hadoop"
        if place.startswith("/root/"):
            text += ", who can't see into /root"
            mend = (
                "install it elsewhere, as with UV_PYTHON_INSTALL_DIR=/opt/python: a link into /root won't do"
            )
            return text, mend
        return text, f"RUN chmod -R a+rX on the directory of {place} and those above it"
    seen = f" ({program.path} -> {program.links[-1]})" if program.links else ""
    if program.code == 127 or (root and root.code == 127):
        return f"{program.path} is not there{seen}", "install it, or set the path right"
    return f"it ends with code {program.code}{seen}: {program.out[:200]}", "see what it says"
