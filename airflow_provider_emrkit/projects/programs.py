"""The programs that build wheels and resolve libraries: uv, and pip where there is no uv."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import Version

from airflow_provider_emrkit.images.processes import run_captured
from airflow_provider_emrkit.logs.text import clean_line
from airflow_provider_emrkit.projects.errors import PackagingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A build may compile; one that takes longer than this hangs.
TIMEOUT = 1_800.0
# The end of what a failed program wrote is what says why.
SHOWN_LINES = 40

# The first uv that has all the options it is run with here; setup.cfg says it, too.
OLDEST_UV = "0.9.6"

# What the user's shell has set for another environment than the one that is built.
_FOREIGN = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__")


def find_uv(environ: Mapping[str, str]) -> str | None:
    """Find uv's program: on the PATH, or of the package ``uv``; None where there is none.

    :raises PackagingError: when it is older than :data:`OLDEST_UV`.
    """
    found = shutil.which("uv", path=environ.get("PATH")) or _uv_of_the_package()
    if found:
        told = run_program([found, "--version"], environ, "ask uv for its version")
        version = re.search(r"\d+\.\d+\.\d+", told)
        if version and Version(version.group()) < Version(OLDEST_UV):
            problem = f"{found} is uv {version.group()}, and {OLDEST_UV} or newer is needed"
            raise PackagingError(problem, "pip install -U uv")
    return found


def _uv_of_the_package() -> str | None:
    try:
        from uv import find_uv_bin
    except ImportError:
        return None
    try:
        return os.fspath(find_uv_bin())
    except FileNotFoundError:
        return None


def wheel_builder(uv: str | None, project: Path, target: Path) -> list[str]:
    """Give the program, with its arguments, that builds a project's wheel in an environment of its own.

    :param uv: uv's program; None for ``build`` or pip, of this Python.
    :param target: Directory that the wheel is written to.
    :raises PackagingError: when there is none of them.
    """
    if uv:
        return [uv, "build", "--wheel", "--no-create-gitignore", "--out-dir", str(target), "--", str(project)]
    if importlib.util.find_spec("build"):
        return [sys.executable, "-m", "build", "--wheel", "--outdir", str(target), str(project)]
    if importlib.util.find_spec("pip"):
        no_deps = ("--no-deps", "--disable-pip-version-check", "--no-cache-dir")
        return [sys.executable, "-m", "pip", "wheel", *no_deps, "--wheel-dir", str(target), str(project)]
    raise PackagingError("neither uv nor build nor pip is here to build the wheel", "pip install uv")


def run_program(argv: Sequence[str], environ: Mapping[str, str], what: str) -> str:
    """Run a program to its end; give what it wrote to standard output.

    :param environ: Its variables; those of another Python environment are left out.
    :param what: What it does, for the error: ``build the wheel``.
    :raises PackagingError: with the end of what it wrote, when it fails.
    """
    kept = {name: value for name, value in environ.items() if name not in _FOREIGN}
    try:
        ran = run_captured(argv, {**kept, "NO_COLOR": "1", "UV_NO_PROGRESS": "1"}, timeout=TIMEOUT)
    except TimeoutError as error:
        raise PackagingError(
            f"could not {what}: {error}", "run it by hand to see what it waits for"
        ) from None
    except OSError as error:
        mend = "install it anew: pip install --force-reinstall uv"
        raise PackagingError(f"could not {what}: {argv[0]}: {error.strerror}", mend) from error
    if ran.code:
        told = _end_of(ran.stderr, ran.stdout)
        raise PackagingError(f"could not {what} ({Path(argv[0]).name} ended with {ran.code}):\n{told}", "")
    return ran.stdout


def _end_of(*outputs: str) -> str:
    """Give the last lines of what a program wrote, safe to show."""
    lines = [clean_line(line) for text in reversed(outputs) for line in text.splitlines() if line.strip()]
    return "\n".join(f"  {line}" for line in lines[-SHOWN_LINES:])
