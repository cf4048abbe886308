"""Whether a Python in an archive runs where Spark unpacks it, whoever packed it."""

from __future__ import annotations

import lzma
import posixpath
import re
import tarfile
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.findings import Finding
from airflow_provider_emrkit.images.spark_needs import needs_of
from airflow_provider_emrkit.projects.elf import MAGIC, Elf
from airflow_provider_emrkit.releases import release

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PYTHON = "bin/python"
MEND = "pack it with emrkit package --archive, which takes a whole Python along, or use an image"
MAX_LINKS = 40
SHOWN = 6

# What every Linux of EMR has.
_SYSTEMS_LIBRARIES = re.compile(
    r"(?:ld-linux[\w.-]*|lib(?:c|m|dl|rt|pthread|util|resolv|gcc_s|stdc\+\+|z))\.so\.\d+", re.ASCII
)
_STANDARD_LIBRARY = re.compile(r"lib/python(?P<version>3\.\d+)/os\.py", re.ASCII)


@dataclass(frozen=True)
class ArchiveTarget:
    """Where an archive, or what else is packaged, is to run.

    :param release_label: Release of EMR.
    :param architecture: ``x86_64`` or ``arm64``.

    >>> ArchiveTarget("emr-7.11.0").glibc, ArchiveTarget("emr-6.15.0").glibc
    ((2, 34), (2, 26))
    """

    release_label: str
    architecture: str = "x86_64"

    @property
    def glibc(self) -> tuple[int, int]:
        """That of its Linux: Amazon Linux 2 has 2.26, Amazon Linux 2023 2.34."""
        return (2, 26) if release(self.release_label).is_older_linux else (2, 34)

    @property
    def uv_platform(self) -> str:
        """What uv calls the machines; it knows no manylinux between 2.17 and 2.28."""
        processor = "aarch64" if self.architecture == "arm64" else "x86_64"
        glibc = "2_17" if release(self.release_label).is_older_linux else "2_34"
        return f"{processor}-manylinux_{glibc}"


@dataclass
class _Seen:
    """What the archive holds."""

    files: set[str] = field(default_factory=set)
    links: dict[str, str] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)
    architectures: dict[str, str] = field(default_factory=dict)
    glibc: dict[str, tuple[int, int]] = field(default_factory=dict)
    needed: dict[str, str] = field(default_factory=dict)
    shebangs: list[str] = field(default_factory=list)


def check_archive(path: Path, target: ArchiveTarget) -> Iterator[Finding]:
    """Look through an archive of a Python environment, and tell what keeps it from running on EMR.

    :param path: A ``.tar.gz``, as ``emrkit package --archive``, venv-pack or conda-pack write them.
    :param target: Where it is to run.
    :raises OSError: when it can't be read.

    >>> list(check_archive(Path("environment.tar.gz"), ArchiveTarget("emr-7.11.0")))  # doctest: +SKIP
    [Finding(level='error', subject='bin/python', text='is a link that leads out of the archive …', …)]
    """
    try:
        seen = _look_through(path)
    except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError) as error:
        yield Finding("error", "archive", f"can't be read: {error}", "pack it again")
        return
    yield from _of_members(seen)
    yield from _of_python(seen, target)
    yield from _of_programs(seen, target)


def _look_through(path: Path) -> _Seen:
    seen = _Seen()
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            name = posixpath.normpath(member.name)
            if name.startswith(("/", "..")):
                seen.outside.append(name)
            elif member.issym():
                seen.links[name] = member.linkname
            elif member.islnk():
                seen.links[name] = posixpath.relpath(member.linkname, posixpath.dirname(name) or ".")
            elif member.isreg():
                seen.files.add(name)
                opened = archive.extractfile(member)
                _look_into(seen, name, opened.read() if opened and _may_matter(member, name) else b"")
    return seen


def _may_matter(member: tarfile.TarInfo, name: str) -> bool:
    return bool(member.mode & 0o111) or ".so" in posixpath.basename(name) or name.startswith("bin/")


def _look_into(seen: _Seen, name: str, content: bytes) -> None:
    if content.startswith(b"#!/") and name.startswith("bin/"):
        line = content.partition(b"\n")[0]
        if b"python" in line and not line.startswith(b"#!/usr/bin/env"):
            seen.shebangs.append(name)
    elf = Elf.parse(content) if content.startswith(MAGIC) else None
    if elf:
        seen.architectures.setdefault(elf.architecture, name)
        seen.glibc[name] = elf.glibc
        for library in elf.needed:
            seen.needed.setdefault(library, name)


def _of_members(seen: _Seen) -> Iterator[Finding]:
    for name in seen.outside[:SHOWN]:
        yield Finding("error", "archive", f"has a member outside of itself: {name}", "pack it again")
    for name in sorted(seen.links):
        end = _end_of(seen, name)
        if end is None:
            text = f"is a link in a circle, to {seen.links[name]}: “Too many levels of symbolic links”"
            yield Finding("error", name, text, MEND)
        elif end.startswith(("/", "..")):
            yield _leads_out(name, end)


def _end_of(seen: _Seen, name: str) -> str | None:
    """Follow links to their end; None where they have none."""
    for _ in range(MAX_LINKS):
        leads_to = _first_link(seen, name)
        if leads_to is None:
            return name
        name = leads_to
        if name.startswith(("/", "..")):
            return name
    return None


def _first_link(seen: _Seen, name: str) -> str | None:
    """Give a path with the first link on it followed; None where there is no link on it."""
    parts = name.split("/")
    for count in range(1, len(parts) + 1):
        link = seen.links.get("/".join(parts[:count]))
        if link is not None:
            return posixpath.normpath(posixpath.join(*parts[: count - 1], link, *parts[count:]))
    return None


def _leads_out(name: str, end: str) -> Finding:
    if not posixpath.basename(name).startswith("python"):
        text = f"is a link that leads out of the archive, to {end}"
        return Finding("error", name, text, "copy what it leads to instead")
    text = (
        f"is a link that leads out of the archive, to {end}: where Spark unpacks it there is no such Python, "
        "or one that is a link itself (“Too many levels of symbolic links”). Environments of venv and "
        "virtualenv have such a link, also when venv-pack packed them"
    )
    return Finding("error", name, text, MEND)


def _of_python(seen: _Seen, target: ArchiveTarget) -> Iterator[Finding]:
    if PYTHON not in seen.files and PYTHON not in seen.links:
        members = sorted((*seen.files, *seen.links))
        below = next((name for name in members if name.endswith(f"/{PYTHON}")), None)
        if below:
            folder = below.removesuffix(f"/{PYTHON}")
            yield Finding("error", PYTHON, f"is below {folder}/", "pack that directory's content, not itself")
        else:
            yield Finding("error", PYTHON, "is not in the archive", MEND)
        return
    versions = sorted(found["version"] for found in map(_STANDARD_LIBRARY.fullmatch, seen.files) if found)
    if not versions:
        home = "; pyvenv.cfg says where it was" if "pyvenv.cfg" in seen.files else ""
        text = f"has no standard library beside it: it is that of the machine it was packed on{home}"
        yield Finding("error", PYTHON, text, MEND)
        return
    spark = release(target.release_label).spark
    needs = needs_of(spark)
    version = tuple(map(int, versions[-1].split(".")))
    if needs and not needs.takes((version[0], version[1])):
        text = f"is Python {versions[-1]}, which Spark {spark} of {target.release_label} does not take"
        yield Finding("error", PYTHON, text, f"pack one of {needs.pythons}")


def _of_programs(seen: _Seen, target: ArchiveTarget) -> Iterator[Finding]:
    for architecture, name in seen.architectures.items():
        if architecture != target.architecture:
            text = f"is for {architecture}, and the job runs on {target.architecture}"
            yield Finding("error", name, text, "pack it on such a machine, or change the architecture")
    newer = {name: glibc for name, glibc in seen.glibc.items() if glibc > target.glibc}
    if newer:
        name = max(newer, key=lambda one: (newer[one], one))
        asked, has = (".".join(map(str, one)) for one in (newer[name], target.glibc))
        text = f"{name} asks for glibc {asked}, and {target.release_label} has {has}: it does not start there"
        mend = "take a Python of uv's (uv python install) and wheels, not builds of this machine; or an image"
        yield Finding("warning", "glibc", text, mend)
    names = {posixpath.basename(name) for name in (*seen.files, *seen.links)}
    missing = sorted(
        library
        for library in seen.needed
        if library not in names and not _SYSTEMS_LIBRARIES.fullmatch(library)
    )
    if missing:
        shown = ", ".join(f"{one} (of {posixpath.basename(seen.needed[one])})" for one in missing[:SHOWN])
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        text = f"are the machine's it was packed on: {shown}{more}; {target.release_label} may lack them"
        yield Finding("warning", "libraries", text, "take a Python of uv's (uv python install), or an image")
    if seen.shebangs:
        shown = ", ".join(seen.shebangs[:SHOWN])
        text = f"of {shown} name a Python by its whole path, which is not there when the archive is unpacked"
        yield Finding("warning", "first lines", text, "start them as ./environment/bin/python -m …")
