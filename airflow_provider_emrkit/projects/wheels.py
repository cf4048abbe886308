"""A project's wheel: built by its backend, or made of plain modules; and what it says of itself."""

from __future__ import annotations

import configparser
import email.parser
import os
import re
import shutil
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from airflow_provider_emrkit.projects.errors import PackagingError
from airflow_provider_emrkit.projects.programs import find_uv, run_program, wheel_builder
from airflow_provider_emrkit.projects.secrets import named_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

# The oldest date that a zip file knows: the same sources give the same bytes.
EPOCH = "315532800"
_OF_EXTRA = re.compile(r"\bextra\s*==")


@dataclass(frozen=True)
class Wheel:
    """A wheel, and what it says of itself.

    :param path: Its file.
    :param name: Name of the project.
    :param version: Its version.
    :param requires_python: The Pythons it takes, as ``>=3.10``; empty for all.
    :param requires: The libraries it needs, as its metadata lists them.
    :param modules: The dotted names of the modules inside, packages among them.
    :param packages: Those that are packages.
    :param scripts: The commands it brings, with ``module:function`` each.

    >>> read_wheel(Path("etl-1.0-py3-none-any.whl")).scripts  # doctest: +SKIP
    mappingproxy({'etl': 'etl.cli:main'})
    """

    path: Path
    name: str
    version: str
    requires_python: str = ""
    requires: tuple[str, ...] = ()
    modules: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()
    scripts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def needs(self) -> tuple[str, ...]:
        """The libraries it needs whoever installs it, without those of its extras."""
        return tuple(one for one in self.requires if not _OF_EXTRA.search(one.partition(";")[2]))

    @property
    def tags(self) -> str:
        """The Pythons and machines it is for, as ``py3-none-any``."""
        return "-".join(self.path.stem.split("-")[-3:])

    @property
    def top_level(self) -> tuple[str, ...]:
        """The names that can be imported."""
        return tuple(sorted({module.partition(".")[0] for module in self.modules}))


def build_wheel(project: Path, target: Path, scratch: Path, environ: Mapping[str, str]) -> Wheel:
    """Build a project's wheel with the backend it names, in an environment of its own.

    :param target: Directory that the wheel is put into.
    :param scratch: Directory for what is left over, which is nobody else's.
    :param environ: Variables of the build.
    :raises PackagingError: with what the backend wrote, when it fails.
    """
    made = scratch / "wheel"
    made.mkdir(parents=True)
    argv = wheel_builder(find_uv(environ), project.resolve(), made)
    variables = {**environ, "SOURCE_DATE_EPOCH": environ.get("SOURCE_DATE_EPOCH", EPOCH)}
    run_program(argv, {**variables, **_setuptools_elsewhere(scratch)}, f"build the wheel of {project}")
    wheels = sorted(made.glob("*.whl"))
    if len(wheels) != 1:
        names = ", ".join(path.name for path in wheels) or "none"
        raise PackagingError(f"the build of {project} should make one wheel, and made {names}", "mend it")
    # The two directories may be on different disks, where nothing is renamed from one to the other.
    return read_wheel(Path(shutil.move(wheels[0], target / wheels[0].name)))


def copied_wheel(source: Path, target: Path) -> Wheel:
    """Take a wheel that is there.

    :param target: Directory that it is put into.
    :raises PackagingError: when it is none, or is not there.
    """
    try:
        copy = Path(shutil.copyfile(source, target / source.name))
    except OSError as error:
        raise PackagingError(f"{source} can't be read: {error.strerror}", "build it anew") from error
    return read_wheel(copy)


def _setuptools_elsewhere(scratch: Path) -> dict[str, str]:
    """Let setuptools work outside of the project: modules deleted since stay in its ``build/`` for good."""
    for name in ("build", "egg"):
        (scratch / name).mkdir()
    config = scratch / "setuptools.cfg"
    config.write_text(
        f"[build]\nbuild_base = {scratch / 'build'}\n[egg_info]\negg_base = {scratch / 'egg'}\n",
        encoding="utf-8",
    )
    return {"DIST_EXTRA_CONFIG": os.fspath(config)}


# --- reading ----------------------------------------------------------------------------------------------


def read_wheel(path: Path) -> Wheel:
    """Read what a wheel says of itself.

    :raises PackagingError: when it is no wheel.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            folder = next(name.split("/")[0] for name in names if name.endswith(".dist-info/METADATA"))
            metadata = archive.read(f"{folder}/METADATA").decode("utf-8")
            points = f"{folder}/entry_points.txt"
            scripts = _scripts(archive.read(points).decode("utf-8")) if points in names else {}
    except (OSError, zipfile.BadZipFile, StopIteration, ValueError) as error:
        raise PackagingError(f"{path.name} is no wheel that can be read: {error}", "build it anew") from error
    fields = email.parser.HeaderParser().parsestr(metadata)
    return Wheel(
        path,
        str(fields.get("Name", "")),
        str(fields.get("Version", "")),
        str(fields.get("Requires-Python", "")),
        tuple(map(str, fields.get_all("Requires-Dist") or ())),
        frozenset(filter(None, map(_module, names))),
        frozenset(filter(None, (_module(name) for name in names if name.endswith("/__init__.py")))),
        MappingProxyType(scripts),
    )


def secrets_of(wheel: Wheel) -> list[str]:
    """Give the files of a wheel that are called what secrets are called, and are no code."""
    with zipfile.ZipFile(wheel.path) as archive:
        names = archive.namelist()
    return sorted(
        name for name in names if not name.endswith(".py") and named_secret(name.rpartition("/")[2])
    )


def _scripts(text: str) -> dict[str, str]:
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    if not parser.has_section("console_scripts"):
        return {}
    # Extras behind the function, as in "etl.cli:main [aws]", are long gone.
    return {name: value.partition("[")[0].strip() for name, value in parser.items("console_scripts")}


def _module(name: str) -> str:
    """Give the dotted name of a module in a wheel; empty for other files."""
    parts = name.split("/")
    if not name.endswith(".py") or parts[0].endswith((".dist-info", ".data")):
        return ""
    parts[-1] = parts[-1].removesuffix(".py")
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts) if all(part.isidentifier() for part in parts) else ""
