"""The Python for a Spark: localemr's own, or another of this machine; none is downloaded."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.spark.install import uv_environment, uv_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_emrkit.localemr.spark.versions import PythonVersion, SparkVersion

OWN_VERSION = (sys.version_info.major, sys.version_info.minor)
"""Version of the Python that runs this."""

_PYENV_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def own_python() -> Path:
    """Give the interpreter behind this process, outside of any virtual environment."""
    return Path(getattr(sys, "_base_executable", None) or sys.executable)


def find_python(spark: SparkVersion, environ: Mapping[str, str] | None = None) -> Path | None:
    """Find an interpreter that a Spark's Python jobs work with, without downloading one.

    :param environ: Environment to read; the process's own by default.
    """
    if spark.takes_python(OWN_VERSION):
        return own_python()
    env = os.environ if environ is None else environ
    return _known_to_uv(spark, env) or next(_of_pyenv(spark, env), None)


def _known_to_uv(spark: SparkVersion, env: Mapping[str, str]) -> Path | None:
    low, high = spark.python
    wanted = f">={low[0]}.{low[1]},<{high[0]}.{high[1] + 1}"
    argv = [uv_program(), "python", "find", "--no-python-downloads", "--no-project", "--system", wanted]
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=uv_environment(env),
    )
    found = done.stdout.strip()
    return Path(found) if done.returncode == 0 and found else None


def _of_pyenv(spark: SparkVersion, env: Mapping[str, str]) -> Iterator[Path]:
    """Give pyenv's interpreters, newest first; of those in PATH only the ones it is switched to work."""
    root = Path(env.get("PYENV_ROOT") or Path(env.get("HOME") or Path.home()) / ".pyenv")
    versions = root / "versions"
    found: list[tuple[tuple[int, ...], Path]] = []
    for home in versions.iterdir() if versions.is_dir() else ():
        name = _PYENV_VERSION.fullmatch(home.name)
        if name and os.access(home / "bin" / "python", os.X_OK):
            found.append((tuple(int(part) for part in name.groups()), home / "bin" / "python"))
    for version, program in sorted(found, reverse=True):
        minor: PythonVersion = version[0], version[1]
        if spark.takes_python(minor):
            yield program
