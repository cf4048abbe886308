"""A wheel of modules that no build backend knows: files of a directory, as they are.

Format: https://packaging.python.org/specifications/binary-distribution-format/
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.requirements import canonical
from airflow_provider_emrkit.jobs.package_manifest import FILE_NAME
from airflow_provider_emrkit.projects.entrypoint import SCRIPT
from airflow_provider_emrkit.projects.errors import PackagingError
from airflow_provider_emrkit.projects.wheels import read_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from airflow_provider_emrkit.projects.detect import Project
    from airflow_provider_emrkit.projects.wheels import Wheel

# What is beside the modules of a project, and is none of it.
_TOOLS = ("setup", "conftest", "noxfile", "toxfile", "tasks", "fabfile", "dodo")
_NOT_PACKAGES = ("tests", "test", "docs", "examples", "benchmarks", "build", "dist", "node_modules")
# What is none of it unless it says that it is a package.
_BESIDE = ("dags", "notebooks", "scripts", "sql", "bin")
_NO_VERSION = "0"
_DATE = (1980, 1, 1, 0, 0, 0)
_WHEEL = "Wheel-Version: 1.0\nGenerator: emrkit\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_VERSION = re.compile(r"[0-9A-Za-z.!+_-]+", re.ASCII)
_OF_SRC = re.compile(rb"^[ \t]*(?:from[ \t]+src[\w.]*[ \t]+import|import[ \t]+src)\b", re.MULTILINE)
_COMMAND = re.compile(r"\w[\w.-]*", re.ASCII)


@dataclass(frozen=True)
class LeftOut:
    """Code of a project that is not in its wheel.

    :param path: Where it is, relative to the project.
    :param why: What is said of it, read after ``which``.
    :param mend: How it gets in; empty for what is beside a job: its tests, or what sets it up.

    >>> LeftOut("daily-job.py", "has a name that Python can't import", "rename it to daily_job.py").path
    'daily-job.py'
    """

    path: str
    why: str
    mend: str = ""

    @property
    def may_be_the_job(self) -> bool:
        """Whether it is a script that would run, had it another name; what is only imported fails loudly."""
        return bool(self.mend) and self.path.endswith(".py")


@dataclass(frozen=True)
class PlainCode:
    """The code at the top of a project that no build backend knows, and of its ``src``.

    :param places: The modules and packages that its wheel holds, and where they are, relative to the project.
    :param left_out: The code that its wheel does not hold. Python imports some of it all the same, where it
        runs in the project's directory.

    >>> PlainCode({"etl": "src/etl", "main": "main.py"}).in_src("etl")
    True
    """

    places: Mapping[str, str]
    left_out: tuple[LeftOut, ...] = ()

    def in_src(self, name: str) -> bool:
        """Tell whether a module or package is one of ``src``, which is no package itself."""
        return self.places[name].startswith("src/")

    @property
    def has_src(self) -> bool:
        """Whether any is."""
        return any(map(self.in_src, self.places))


def plain_wheel(project: Project, target: Path) -> Wheel:
    """Write the modules and packages of a project into a wheel; the same files give the same bytes.

    :param target: Directory that the wheel is put into.
    :raises PackagingError: when it has none.
    """
    name = re.sub(r"[^a-z0-9]+", "_", canonical(project.name or project.root.resolve().name)).strip("_")
    version = project.version if _VERSION.fullmatch(project.version) else _NO_VERSION
    code = plain_code(project.root)
    if not code.places:
        raise _without_modules(project.root, code)
    files = {name: file for place in code.places.values() for name, file in _files(project.root / place)}
    path = target / f"{name or 'project'}-{version.replace('-', '_')}-py3-none-any.whl"
    _write(path, files, _metadata(project, name or "project", version))
    return read_wheel(path)


def plain_code(root: Path) -> PlainCode:
    """Look at the modules and packages at a project's top, and of its ``src`` where that is no package.

    Of two of one name that of ``src`` is taken: the other one starts it on the developer's machine.
    """
    places: dict[str, str] = {}
    left: list[LeftOut] = []
    for path in _code(root):
        place = path.relative_to(root).as_posix()
        why = _why_left_out(path)
        if why is None and places.setdefault(path.stem, place) != place:
            why = f"has the name of {places[path.stem]}, which is taken", ""
        if why:
            left.append(LeftOut(place, *why))
    if _is_parted(root) and any(_imports_src(root / place) for place in places.values()):
        why = "has no __init__.py: what is in it is imported without src", "put an __init__.py into src"
        left.append(LeftOut("src", *why))
    return PlainCode(places, tuple(left))


def _code(root: Path) -> list[Path]:
    """Give the files and directories of code of src, where that is no package, and of a project's top."""
    found = [*root.iterdir()]
    if _is_parted(root):
        found.remove(root / "src")
        found += (root / "src").iterdir()
    return sorted(filter(_is_code, found), key=lambda path: (path.parent == root, path))


def _is_parted(root: Path) -> bool:
    return (root / "src").is_dir() and not (root / "src" / "__init__.py").is_file()


def _imports_src(module: Path) -> bool:
    return module.is_file() and bool(_OF_SRC.search(module.read_bytes()))


def _is_code(path: Path) -> bool:
    if path.name.startswith(".") or not os.access(path, os.R_OK):
        return False
    if path.is_file():
        return path.suffix == ".py"
    is_environment = (path / "pyvenv.cfg").is_file()
    is_output = (path / FILE_NAME).is_file() and (path / SCRIPT).is_file()
    return not is_environment and not is_output and any(path.glob("*.py"))


def _why_left_out(path: Path) -> tuple[str, str] | None:
    """Say why code is not taken, and how it would be; None when it is taken."""
    name, others = (path.stem, _TOOLS) if path.is_file() else (path.name, _NOT_PACKAGES)
    is_bare = path.is_dir() and not (path / "__init__.py").is_file()
    if name in others:
        return "is by its name no part of the job", ""
    if name in _BESIDE and is_bare:
        return "is by its name no part of the job, as it has no __init__.py", ""
    if name == "__init__":
        return "belongs to no package of the wheel", ""
    if not name.isidentifier() or name == "__main__":
        return "has a name that Python can't import", f"rename it to {_importable(name)}{path.suffix}"
    if is_bare:
        return "has no __init__.py: nothing can import from it", f"put an __init__.py into {path.name}"
    return None


def _importable(name: str) -> str:
    found = re.sub(r"\W+", "_", name).strip("_")
    return found if found.isidentifier() else f"job_{found}"


def _without_modules(root: Path, code: PlainCode) -> PackagingError:
    for one in code.left_out:
        if one.mend:
            return PackagingError(f"{root} holds no modules but {one.path}, which {one.why}", one.mend)
    return PackagingError(f"{root} holds no modules", "put a module there, or a package with an __init__.py")


def _files(code: Path) -> Iterator[tuple[str, Path]]:
    """Give the files of a module or package by their names in the wheel.

    Of a package all but hidden and compiled ones, and no links out of it.
    """
    root = code.resolve()
    for path in [code] if code.is_file() else code.rglob("*"):
        parts = path.relative_to(code).parts
        hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
        if not hidden and path.suffix != ".pyc" and path.is_file() and path.resolve().is_relative_to(root):
            yield path.relative_to(code.parent).as_posix(), path


def _metadata(project: Project, name: str, version: str) -> Mapping[str, str]:
    folder = f"{name}-{version.replace('-', '_')}.dist-info"
    fields = ["Metadata-Version: 2.1", f"Name: {name.replace('_', '-')}", f"Version: {version}"]
    if project.requires_python.isprintable() and project.requires_python:
        fields.append(f"Requires-Python: {project.requires_python}")
    fields += [f"Requires-Dist: {one}" for one in project.dependencies if one.isprintable()]
    commands = [
        f"{name} = {what}\n"
        for name, what in project.scripts.items()
        if _COMMAND.fullmatch(name) and what.isprintable()
    ]
    return {
        f"{folder}/METADATA": "\n".join([*fields, ""]),
        f"{folder}/WHEEL": _WHEEL,
        **({f"{folder}/entry_points.txt": "".join(["[console_scripts]\n", *commands])} if commands else {}),
        f"{folder}/RECORD": "",
    }


def _write(path: Path, files: Mapping[str, Path], metadata: Mapping[str, str]) -> None:
    *others, record = metadata
    contents = {name: files[name].read_bytes() for name in sorted(files)}
    contents |= {name: metadata[name].encode() for name in others}
    lines = [f"{_quoted(name)},{_digest(content)},{len(content)}\n" for name, content in contents.items()]
    contents[record] = "".join([*lines, f"{record},,\n"]).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            member = zipfile.ZipInfo(name, _DATE)
            member.external_attr = 0o100644 << 16
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)


def _quoted(name: str) -> str:
    """Write a name as a field of CSV."""
    return '"' + name.replace('"', '""') + '"' if re.search(r'[",\r\n]', name) else name


def _digest(content: bytes) -> str:
    found = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
    return f"sha256={found.decode().rstrip('=')}"
