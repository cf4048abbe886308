"""A Python of this machine, and a copy of it that runs wherever it is put."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_emrkit.projects.elf import Elf, with_rpath
from airflow_provider_emrkit.projects.errors import PackagingError
from airflow_provider_emrkit.projects.programs import run_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# Of the standard library: what no job needs, and what is of this machine alone.
_NOT_TAKEN = frozenset(
    {"__pycache__", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "site-packages"}
)
_NOT_TAKEN_FILES = ("_tkinter.", "EXTERNALLY-MANAGED")
# Those of a distribution have their parts all over the system.
_SYSTEMS = (Path("/usr"), Path("/"))

_FACTS = (
    "import json, platform, sys; print(json.dumps([sys.base_prefix, '%d.%d' % sys.version_info[:2], "
    "platform.python_version(), sys.platform, platform.machine()]))"
)


@dataclass(frozen=True)
class Interpreter:
    """A Python that is installed on this machine.

    :param prefix: Where it is installed.
    :param version: Such as ``3.11``.
    :param full_version: Such as ``3.11.7``.
    :param platform: ``linux``, ``darwin``.
    :param machine: ``x86_64``, ``aarch64``.
    :param managed: Whether uv installed it: such a one runs on any Linux.

    >>> Interpreter(Path("/opt/python"), "3.11", "3.11.7", "linux", "aarch64").architecture
    'arm64'
    """

    prefix: Path
    version: str
    full_version: str
    platform: str
    machine: str
    managed: bool = False

    @property
    def architecture(self) -> str:
        """Its machine, as EMR calls it."""
        return "arm64" if self.machine in ("aarch64", "arm64") else self.machine


def find_interpreter(
    uv: str, python: str, environ: Mapping[str, str], say: Callable[[str], None]
) -> Interpreter:
    """Find a Python: one that uv manages, which it installs where it can; otherwise any of this machine.

    :param uv: uv's program.
    :param python: A version, as ``3.11``, or the path of a Python.
    :raises PackagingError: when there is none.
    """
    if os.sep in python:
        return _asked(python, environ, managed=False)
    find = [uv, "python", "find", "--no-project", "--system", "--no-python-downloads"]
    try:
        return _asked(run_program([*find, "--managed-python", python], environ, "find a Python"), environ)
    except PackagingError:
        say(f"no Python {python} of uv's here: uv python install {python}")
    try:
        run_program([uv, "python", "install", "--no-bin", python], environ, "install a Python")
        return _asked(run_program([*find, "--managed-python", python], environ, "find a Python"), environ)
    except PackagingError as error:
        say(f"uv could not install it, one of this machine is taken instead ({_last_line(error)})")
    try:
        found = run_program([*find, python], environ, "find a Python")
    except PackagingError:
        mend = f"install it: uv python install {python}"
        raise PackagingError(f"there is no Python {python} on this machine", mend) from None
    return _asked(found, environ, managed=False)


def _asked(path: str, environ: Mapping[str, str], *, managed: bool = True) -> Interpreter:
    told = run_program([path.strip(), "-I", "-c", _FACTS], environ, f"ask {path.strip()} what it is")
    prefix, version, full_version, platform, machine = json.loads(told)
    return Interpreter(Path(prefix), version, full_version, platform, machine, managed)


def _last_line(error: PackagingError) -> str:
    return error.problem.splitlines()[-1].strip()


def copy_interpreter(interpreter: Interpreter, target: Path) -> None:
    """Copy a Python, without the packages it has, so that the copy finds its own parts wherever it is.

    :param target: A directory that does not exist yet.
    :raises PackagingError: when a copy of it could not run elsewhere.
    """
    prefix, name = interpreter.prefix, f"python{interpreter.version}"
    if prefix in _SYSTEMS:
        mend = f"take one of uv's (uv python install {interpreter.version}), or an image"
        raise PackagingError(
            f"Python {interpreter.full_version} is the system's own, and can't be taken along", mend
        )
    library = Path("lib", name)
    if not (prefix / library / "os.py").is_file():
        mend = f"take one of uv's (uv python install {interpreter.version}), or an image"
        raise PackagingError(f"Python {interpreter.full_version} has no standard library in {prefix}", mend)
    shutil.copytree(prefix / library, target / library, symlinks=True, ignore=_not_taken)
    (target / library / "site-packages").mkdir()
    for found in (prefix / "lib").glob(f"lib{name}*.so*"):
        shutil.copy2(found, target / "lib" / found.name, follow_symlinks=False)
    (target / "bin").mkdir()
    # The file itself: a link would lead to this machine's.
    shutil.copy2((prefix / "bin" / name).resolve(), target / "bin" / name)
    for link in ("python3", "python"):
        (target / "bin" / link).symlink_to(name)
    for file in _files(target):
        _relocate(file, prefix, target)


def _not_taken(_: str, names: Iterable[str]) -> set[str]:
    return {
        name
        for name in names
        if name in _NOT_TAKEN
        or name.startswith(("config-", *_NOT_TAKEN_FILES))
        or name.endswith((".pyc", ".a"))
    }


def _files(root: Path) -> list[Path]:
    return [Path(folder, name) for folder, _, names in os.walk(root) for name in names]


def _relocate(file: Path, prefix: Path, target: Path) -> None:
    """Make what a file says of the place it was installed in true of any place."""
    if file.is_symlink():
        leads_to = file.readlink()
        if leads_to.is_relative_to(prefix):
            file.unlink()
            file.symlink_to(os.path.relpath(target / leads_to.relative_to(prefix), file.parent))
        return
    with file.open("rb") as opened:
        content = opened.read(4)
        content += opened.read() if content == b"\x7fELF" else b""
    elf = Elf.parse(content)
    if elf is None or not elf.rpath.startswith(str(prefix)):
        return
    libraries = os.path.relpath(target / "lib", file.parent)
    changed = with_rpath(content, elf, f"$ORIGIN/{libraries}")
    if changed is None:
        problem = f"{file.name} looks for its libraries in {elf.rpath}, and can't be told to look elsewhere"
        raise PackagingError(problem, "take a Python of uv's (uv python install), or an image")
    mode = file.stat().st_mode
    file.unlink()  # it may be a hard link
    file.write_bytes(changed)
    file.chmod(mode)
