"""Judges what is known of an image: whether YARN on EMR runs jobs in it. Pure.

All that it cites of the image is hostile text: whoever shows it makes it plain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from airflow_provider_emrkit.images.dockerfile import EMRS_PYTHON, PLATFORMS
from airflow_provider_emrkit.images.naming import size_text
from airflow_provider_emrkit.images.spark_needs import dotted, needs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emrkit.images.probing import ImageFacts, Program
    from airflow_provider_emrkit.releases import Release

Level = Literal["ok", "warning", "error"]

# How images name the architectures of EMR's instances.
ARCHITECTURES = {platform.partition("/")[2]: arch for arch, platform in PLATFORMS.items()}
INSTANCES = {"amd64": "x86_64 instances, as m5", "arm64": "arm64 instances (Graviton), as m6g"}
# Each node fetches the image before its first container starts.
LARGE = 5_000_000_000

# YARN lets an image's own value of these stand (yarn.nodemanager.env-whitelist), or Spark follows them.
_CLUSTERS = re.compile(
    r"HADOOP_(COMMON_HOME|HDFS_HOME|CONF_DIR|YARN_HOME|HOME)|SPARK_HOME|SPARK_CONF_DIR|PYTHONHOME", re.ASCII
)
_SECRET = re.compile(
    r"AWS_(SECRET_ACCESS_KEY|SESSION_TOKEN)|.*(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY)", re.ASCII
)
_JAVA_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    :param level: ``ok``; ``warning``: jobs run, but; ``error``: no job runs, or no Python job.
    :param subject: What it is about, in a word.
    :param text: What was found.
    :param mend: What to do about it; empty where there is nothing to do.

    >>> Finding("error", "bash", "there is none", "install it").level
    'error'
    """

    level: Level
    subject: str
    text: str
    mend: str = ""


@dataclass(frozen=True)
class Target:
    """What an image is to run on.

    :param release: Release of EMR; None when nobody said.
    :param arch: ``x86_64`` or ``arm64``; None when nobody said.
    :param python: Path of the job's Python: what EMR sets, or what ``SparkJob.env`` has for PYSPARK_PYTHON.

    >>> Target().python
    '/usr/bin/python3'
    """

    release: Release | None = None
    arch: str | None = None
    python: str = EMRS_PYTHON


def findings_of(facts: ImageFacts, target: Target) -> list[Finding]:
    """Judge an image."""
    found = list(_of_the_image(facts, target))
    if facts.inside.problem:
        return [*found, _not_looked_into(facts), *_of_settings(facts)]
    return [
        *found,
        *_of_the_system(facts),
        *_of_java(facts, target),
        *_of_python(facts, target),
        *_of_starting(facts),
        *_of_settings(facts),
    ]


# --- what it is -------------------------------------------------------------------------------------------


def _of_the_image(facts: ImageFacts, target: Target) -> Iterator[Finding]:
    if facts.os != "linux":
        yield Finding("error", "system", f"it is for {facts.os}", "build it for linux")
    yield _architecture(facts, target.arch)
    size = size_text(facts.size)
    if facts.size > LARGE:
        mend = "leave out what jobs don't need; build in one stage and copy what is needed into another"
        yield Finding("warning", "size", f"{size}, which each node fetches before the job begins there", mend)
    else:
        yield Finding("ok", "size", size)


def _architecture(facts: ImageFacts, arch: str | None) -> Finding:
    has, wanted = facts.architecture, PLATFORMS.get(arch or "", "").partition("/")[2]
    if has not in ARCHITECTURES:
        mend = "build it for linux/amd64 or linux/arm64"
        return Finding("error", "architecture", f"{has or 'unknown'}, which no instance of EMR is", mend)
    if wanted and has != wanted:
        text = f"{has}, for {INSTANCES[has]}; on {arch} its programs end with an exec format error"
        return Finding("error", "architecture", text, f"emrkit image build --arch {arch}")
    return Finding("ok", "architecture", f"{has}, for {INSTANCES[has]}")


def _not_looked_into(facts: ImageFacts) -> Finding:
    problem = facts.inside.problem
    if "exec format error" in problem.lower():
        text = f"this machine can't run {facts.architecture}, so what is inside was not looked at"
        emulating = f"docker run --privileged --rm tonistiigi/binfmt --install {facts.architecture}"
        mend = f"check it on such a machine, or let this one emulate it: {emulating}"
        return Finding("warning", "inside", text, mend)
    mend = "begin with an image that has a shell and bash, as amazoncorretto has"
    if not any(words in problem.lower() for words in ("not found", "no such file")):
        mend = "see whether the engine can start other images, as hello-world"
    return Finding("error", "inside", f"nothing can be started in it: {problem}", mend)


def _of_the_system(facts: ImageFacts) -> Iterator[Finding]:
    inside = facts.inside
    system = inside.system or "unknown"
    if inside.libc == "musl":
        text = f"{system} has musl for a C library: native libraries of Hadoop and Spark do not load"
        yield Finding(
            "error", "system", text, "begin with an image that has glibc, as amazoncorretto:8-al2023"
        )
    else:
        yield Finding("ok", "system", system)
    if not inside.bash:
        text = "there is no /bin/bash, with which YARN starts each container"
        yield Finding("error", "bash", text, "install it")
    if inside.lacks:
        text = f"{', '.join(inside.lacks)}: missing, and YARN's launch script calls it"
        yield Finding("error", "bash", text, "install coreutils")
    if inside.bash and not inside.lacks:
        yield Finding("ok", "bash", inside.bash)


# --- Java -------------------------------------------------------------------------------------------------


def _of_java(facts: ImageFacts, target: Target) -> Iterator[Finding]:
    java = facts.inside.java
    if java is None:
        there = facts.inside.java_found
        text = "JAVA_HOME is not set" + (f", though there is {there}" if there else ", and there is no Java")
        mend = "ENV JAVA_HOME=… in the Dockerfile: the directory above bin/java"
        yield Finding("error", "java", text, mend if there else "begin with an image that has Java")
    elif not java.works:
        text, mend = _why_not(java)
        yield Finding("error", "java", f"JAVA_HOME does not lead to a Java: {text}", mend)
    else:
        yield _java_version(java, target.release)


def _java_version(java: Program, release: Release | None) -> Finding:
    found = _JAVA_VERSION.search(java.out)
    major = int(found[1]) if found and len(found[1]) < 4 else 0
    if not major:
        return Finding(
            "warning", "java", f"it does not tell its version: {java.out[:100]}", "see that it is a Java"
        )
    text = f"Java {major} ({java.path})"
    if release is None or str(major) == release.java:
        return Finding("ok", "java", text)
    needs = needs_of(release.spark)
    mend = f"begin with an image that has Java {release.java}"
    if needs and major not in needs.javas:
        takes = " or ".join(map(str, needs.javas))
        return Finding(
            "error", "java", f"{text}: Spark {release.spark} of {release.label} takes {takes}", mend
        )
    text += f": {release.label} itself runs {release.java}, which AWS tests its Spark with"
    return Finding("warning", "java", text, mend)


# --- Python -----------------------------------------------------------------------------------------------


def _of_python(facts: ImageFacts, target: Target) -> Iterator[Finding]:
    pythons = facts.inside.pythons
    chosen = next((one for one in pythons if one.path == target.python), None)
    if chosen is None or not chosen.works or not chosen.told:
        yield _no_python(chosen, [one for one in pythons if one.works and one.told], target)
        return
    yield _python_version(chosen, target)
    yield from _standard_library(chosen, target)
    yield from _pyspark(chosen, target)
    set_by_image = facts.env.get("PYSPARK_PYTHON", target.python)
    if set_by_image != target.python:
        text = (
            f"the image sets PYSPARK_PYTHON={set_by_image}, but EMR's own, {target.python}, stands above it"
        )
        yield Finding("warning", "python", text, f'SparkJob(env={{"PYSPARK_PYTHON": "{set_by_image}"}})')


def _no_python(chosen: Program | None, others: list[Program], target: Target) -> Finding:
    if chosen is None:
        text, mend = "it was not looked at", "look again"
    elif chosen.works:
        text, mend = (
            f"it is no Python 3: {chosen.out[:200]}",
            f"install Python, and link {target.python} to it",
        )
    else:
        text, mend = _why_not(chosen)
    if others and others[0].path != target.python:
        there = others[0].path
        mend = f"RUN ln -sf {there} {target.python} in the Dockerfile"
        mend += f', or SparkJob(env={{"PYSPARK_PYTHON": "{there}"}})'
        return Finding("error", "python", f"{target.python}, which EMR starts: {text}", mend)
    return Finding("error", "python", f"{target.python}: {text}", mend)


def _python_version(python: Program, target: Target) -> Finding:
    version = _numbers(python)
    text = f"Python {'.'.join(map(str, version))} ({target.python})"
    needs = needs_of(target.release.spark) if target.release else None
    if target.release and needs and not needs.takes(version[:2]):
        text += f": Spark {target.release.spark} of {target.release.label} takes {needs.pythons}"
        mend = f"install {dotted(needs.newest)}, as emrkit image new --release {target.release.label} has it"
        return Finding("error", "python", text, mend)
    return Finding("ok", "python", text)


def _standard_library(python: Program, target: Target) -> Iterator[Finding]:
    told = python.told.get("missing")
    missing = [str(one) for one in told] if isinstance(told, list) else []
    needed = [one for one in missing if one != "distutils"]
    if needed:
        text = f"its standard library lacks {', '.join(needed)}, which PySpark needs"
        mend = "install all of it: on Debian and Ubuntu python3 instead of python3-minimal"
        yield Finding("error", "python", text, mend)
    # Up to 3.5, Spark's pandas asks for it; Python 3.12 has none.
    if "distutils" in missing and target.release and int(target.release.spark.split(".")[0]) < 4:
        text = f"there is no distutils, with which Spark {target.release.spark} begins its work with pandas"
        yield Finding("warning", "python", text, "install python3-distutils or setuptools if jobs use pandas")


def _pyspark(python: Program, target: Target) -> Iterator[Finding]:
    found = python.told.get("pyspark")
    if found:
        clash = target.release and found != target.release.spark
        own = f"the cluster's {target.release.spark}" if target.release and clash else "the cluster's own"
        text = (
            f"pyspark {found} is in the image, where {own} is used: 300 MB that each node fetches for nothing"
        )
        text += ", and a version that can clash with it" if clash else ""
        yield Finding("warning", "pyspark", text, "leave it out of the image, as emrkit image new does")


def _numbers(python: Program) -> tuple[int, int, int]:
    version = python.told.get("version")
    numbers = [one for one in version if isinstance(one, int)] if isinstance(version, list) else []
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return major, minor, patch


# --- how it is started ------------------------------------------------------------------------------------


def _of_starting(facts: ImageFacts) -> Iterator[Finding]:
    shown = " ".join(facts.entrypoint)
    if not facts.entrypoint:
        yield Finding("ok", "entrypoint", "none")
    elif facts.inside.hands_on is not False:
        text = f"{shown}: YARN gives it `bash launch_container.sh`, which it has to start"
        yield Finding("warning", "entrypoint", text, "ENTRYPOINT [] in the Dockerfile, unless jobs need it")
    else:
        text = f"{shown}: YARN gives it `bash launch_container.sh` for arguments, and it does not start that"
        yield Finding("error", "entrypoint", text, "ENTRYPOINT [] in the Dockerfile")
    if facts.command:
        yield Finding("ok", "command", f"{' '.join(facts.command)}: YARN starts its own instead")
    if facts.user not in ("", "root", "0", "0:0"):
        yield Finding("ok", "user", f"{facts.user}: YARN starts it as the user of the job instead")


def _of_settings(facts: ImageFacts) -> Iterator[Finding]:
    clusters = [name for name in facts.env if _CLUSTERS.fullmatch(name)]
    if clusters:
        text = f"the image sets {', '.join(clusters)}, and that stands above what the cluster says"
        yield Finding("warning", "settings", text, "leave them out of the Dockerfile")
    secrets = [name for name, value in facts.env.items() if value and _SECRET.fullmatch(name.upper())]
    if secrets:
        text = f"{', '.join(secrets)} looks like a secret, and whoever may pull the image can read it"
        mend = "take it out, change it, and let the job read it from AWS Secrets Manager"
        yield Finding("warning", "settings", text, mend)


# --- why a program does not start -------------------------------------------------------------------------


def _why_not(program: Program) -> tuple[str, str]:
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
