"""A Python with all a project needs, in one archive that a Spark job brings along.

Spark unpacks it in the working directory of driver and executors (``--archives …#environment``), where
``./environment/bin/python`` runs the job. An environment of ``venv`` or virtualenv would not do: its Python
is a link to one of the machine it was made on.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.requirements import CLUSTERS_OWN
from airflow_provider_emrkit.projects.archive_check import ArchiveTarget, check_archive
from airflow_provider_emrkit.projects.errors import PackagingError
from airflow_provider_emrkit.projects.interpreter import copy_interpreter, find_interpreter
from airflow_provider_emrkit.projects.programs import find_uv, run_program
from airflow_provider_emrkit.projects.tar_gz import writing

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_provider_emrkit.images.findings import Finding

# What an installer notes of this machine, or of the time.
_NOTES = ("direct_url.json", "uv_cache.json", "uv_build.json", "REQUESTED")
# What makes a script find the Python beside it; to that Python, it is a text that does nothing.
_SHEBANG = b'#!/bin/sh\n\'\'\'exec\' "$(dirname -- "$(realpath -- "$0")")/python" "$0" "$@"\n\' \'\'\'\n'


@dataclass(frozen=True)
class Packed:
    """An environment that was packed.

    :param path: The archive.
    :param python: Version of its Python, as ``3.11.7``.
    :param size: Its size, in bytes.
    :param findings: What might keep it from running on EMR.

    >>> Packed(Path("dist/environment.tar.gz"), "3.11.7", 31_000_000).findings
    ()
    """

    path: Path
    python: str
    size: int
    findings: tuple[Finding, ...] = field(default=())


def pack_environment(
    requirements: Path | None,
    wheels: Sequence[Path],
    python: str,
    target: Path,
    say: Callable[[str], None],
    *,
    release_label: str,
    architecture: str = "x86_64",
    project: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Packed:
    """Pack a Python, what a requirements file lists and a project's wheels into an archive.

    The same versions give the same bytes. Without what Spark brings itself (pyspark, py4j).

    :param requirements: A requirements file; None for what the wheels ask for alone.
    :param wheels: Wheels of the project.
    :param python: A version, as ``3.11``, or the path of a Python.
    :param target: The archive to write, ``….tar.gz``; it is left as it was when this fails.
    :param say: Gets a line about each long step.
    :param release_label: Release of EMR that it is for.
    :param architecture: ``x86_64`` or ``arm64``, that of the application or the instances.
    :param project: Directory of the project, whose indexes uv knows by their names; the working directory by
        default.
    :param environ: Variables of the programs that are run; this process's by default.
    :raises PackagingError: when it can't be packed, or would run nowhere but here.
    """
    environ = os.environ if environ is None else environ
    uv = find_uv(environ)
    if uv is None:
        raise PackagingError("an archive is packed by uv, which is not here", "pip install uv")
    wanted = ArchiveTarget(release_label, architecture)
    check_machine(architecture)
    interpreter = find_interpreter(uv, python, environ, say)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        root, archive = Path(folder, "environment"), Path(folder, target.name)
        say(f"copying Python {interpreter.full_version} of {interpreter.prefix}")
        copy_interpreter(interpreter, root)
        say("installing the packages")
        _install(uv, root, requirements, wheels, wanted, project or Path.cwd(), environ)
        _forget_this_machine(root)
        _try(root, environ)
        say(f"writing {target.name}")
        write_tar_gz(root, archive)
        findings = tuple(check_archive(archive, wanted))
        _refuse(findings)
        archive.replace(target)
    packed = Packed(target, interpreter.full_version, target.stat().st_size, findings)
    say(f"{target.name}: Python {packed.python}, {packed.size / 1e6:.0f} MB")
    for one in packed.findings:
        say(f"{one.level}: {one.subject}: {one.text}; {one.mend}")
    return packed


def check_machine(architecture: str) -> None:
    """See that the machine is one that the archive's Python is found on.

    :raises PackagingError: when it is not.
    """
    here = "arm64" if platform.machine() in ("aarch64", "arm64") else platform.machine()
    if not sys.platform.startswith("linux") or here != architecture:
        problem = f"an archive for Linux on {architecture} can't be packed on {sys.platform} on {here}"
        raise PackagingError(problem, "pack it in a container or a CI of that kind, or package an image")


def _install(
    uv: str,
    root: Path,
    requirements: Path | None,
    wheels: Sequence[Path],
    wanted: ArchiveTarget,
    project: Path,
    environ: Mapping[str, str],
) -> None:
    if requirements is None and not wheels:
        return
    # Nothing can be of such a Python, so that these packages are not installed, whoever asks for them.
    without = root.parent / "overrides.txt"
    without.write_text("".join(f"{name}; python_version < '0'\n" for name in CLUSTERS_OWN))
    # The login of an index is in variables that have the name which the project gives it.
    command = [uv, "pip", "install", "--project", str(project)]
    command += ["--python", str(root / "bin" / "python"), "--prefix", str(root)]
    command += ["--link-mode", "copy", "--overrides", str(without), "--quiet"]
    command += ["--python-platform", wanted.uv_platform]
    command += ["--requirements", str(requirements)] if requirements else []
    # By name and address: uv reads a path with a space in it as a requirement.
    command += ["--", *(f"{one.name.partition('-')[0]} @ {one.resolve().as_uri()}" for one in wheels)]
    run_program(command, environ, "install the packages")


def _forget_this_machine(root: Path) -> None:
    """Take out what would differ with the directory or the time the environment was made in."""
    (root / ".lock").unlink(missing_ok=True)  # uv's
    for script in (root / "bin").iterdir():
        if not script.is_symlink():
            _relocate_script(script, root)
    for folder, _, names in os.walk(root):
        if folder.endswith(".dist-info"):
            for note in set(_NOTES).intersection(names):
                Path(folder, note).unlink()
            _shorten_record(Path(folder, "RECORD"))


def _relocate_script(script: Path, root: Path) -> None:
    content = script.read_bytes()
    first, _, rest = content.partition(b"\n")
    if first.startswith(b"#!") and os.fsencode(root) in first:
        script.write_bytes(_SHEBANG + rest)


def _shorten_record(record: Path) -> None:
    if record.is_file():
        lines = record.read_text("utf-8").splitlines()
        kept = [
            line for line in lines if not line.startswith("../") and not any(f"/{n}," in line for n in _NOTES)
        ]
        record.write_text("".join(f"{line}\n" for line in sorted(kept)), "utf-8")


def _try(root: Path, environ: Mapping[str, str]) -> None:
    """See that the copy runs, and takes its parts from nowhere else."""
    program = "import ctypes, hashlib, ssl, sys, zlib; print(sys.base_prefix)"
    told = run_program(
        [str(root / "bin" / "python"), "-I", "-B", "-c", program], environ, "run the copied Python"
    )
    if Path(told.strip()).resolve() != root.resolve():
        mend = "take a Python of uv's (uv python install), or an image"
        raise PackagingError(f"the copied Python takes its library from {told.strip()}", mend)


def _refuse(findings: Sequence[Finding]) -> None:
    bad = next((one for one in findings if one.level == "error"), None)
    if bad:
        raise PackagingError(f"the archive would not run: {bad.subject}: {bad.text}", bad.mend)


def write_tar_gz(root: Path, target: Path) -> None:
    """Write a directory's content as an archive; the same content gives the same bytes.

    :param root: The directory; its content is at the top of the archive.
    """
    with writing(target) as archive:
        for path in _sorted(root):
            entry = archive.gettarinfo(str(path), path.relative_to(root).as_posix())
            _without_owner(entry)
            if entry.isreg():
                with path.open("rb") as content:
                    archive.addfile(entry, content)
            else:
                archive.addfile(entry)


def _without_owner(entry: tarfile.TarInfo) -> None:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    if not entry.issym():
        entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644


def _sorted(root: Path) -> Iterator[Path]:
    for path in sorted(root.iterdir(), key=lambda one: one.name):
        if path.name == "__pycache__":
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _sorted(path)
