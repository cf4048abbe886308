"""The libraries of a project, in one version each: what the requirements.txt beside its wheel lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.images.pyproject import toml_tables
from airflow_provider_emrkit.images.requirements import CLUSTERS_OWN, canonical, refuse_secrets
from airflow_provider_emrkit.projects.detect import (
    OWNER,
    POETRY_LOCK,
    PYPROJECT,
    REQUIREMENTS,
    UV_LOCK,
    read_text,
)
from airflow_provider_emrkit.projects.errors import PackagingError
from airflow_provider_emrkit.projects.indexes import explicit_indexes_of, indexes_behind, indexes_of
from airflow_provider_emrkit.projects.listed import Listed, read_listed
from airflow_provider_emrkit.projects.locks import index_of, key, locked_libraries, pinned_by_poetry
from airflow_provider_emrkit.projects.pinned import (
    File,
    at,
    first_line,
    key_of,
    libraries_in,
    parted,
    taken_along,
)
from airflow_provider_emrkit.projects.programs import find_uv, run_program
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from airflow_provider_emrkit.projects.archive_check import ArchiveTarget
    from airflow_provider_emrkit.projects.detect import Project
    from airflow_provider_emrkit.projects.locks import Key
    from airflow_provider_emrkit.projects.wheels import Wheel

_HEAD = "# All libraries of the project, in one version each. Written by `emrkit package`.\n"
_UNPINNED = "the versions are those of today: `uv lock` in the project keeps them"
_NOT_ASKED = "explicit indexes are left out: only a lock says what comes from them"
_LOCAL = ("-e ", ".", "/", "file:")
# The name of a library that a requirement gives the address of.
_FROM_ELSEWHERE = re.compile(
    r"^[ \t]*([A-Za-z0-9][A-Za-z0-9._-]*)[ \t]*(?:\[[^\]\n]*\][ \t]*)?@[ \t]", re.MULTILINE
)
# What uv says of a library that has no wheel, and how many libraries may be built.
_WITHOUT_WHEEL = re.compile(r"Wheels are required for `([\w.-]+)")
_MOST_BUILT = 15


class Pinning:
    """Writes the libraries of a project.

    :param project: The project.
    :param wheel: Its wheel, which says what it needs.
    :param python: Version of the Python that the libraries are for.
    :param where: The machines that they are for.
    :param environ: Variables of the programs that are run.

    >>> Pinning(project, wheel, "3.11", where, os.environ).write(target, scratch)  # doctest: +SKIP
    'uv.lock'
    """

    def __init__(
        self,
        project: Project,
        wheel: Wheel,
        python: str,
        where: ArchiveTarget,
        environ: Mapping[str, str],
    ) -> None:
        self._project = project
        self._wheel = wheel
        self._python = python
        self._where = where
        self._environ = environ
        # What comes from directories and wheels of this machine: they are taken along.
        self.own: tuple[Path, ...] = ()
        self._needed = wheel.needs
        self._indexes: tuple[str, ...] = project.indexes
        self._sources = self._left_out = self._not_asked = ""

    def write(self, target: Path, scratch: Path, given: Path | None = None) -> str:
        """Write the requirements.txt; give what the versions come from, in words.

        :param scratch: Directory for what is left over.
        :param given: A requirements.txt that the user names; it goes before all others.
        :raises PackagingError: when there is no solution, or no uv.
        :raises InvalidValueError: for a library that nobody else could install, or that comes with a login.
        """
        made = scratch / REQUIREMENTS
        listed = self._listed(given)
        if not self._is_locked(given):
            self._indexes += self._named(indexes_behind)
            self._not_asked = _NOT_ASKED if self._named(explicit_indexes_of) else ""
        told = self._pin(made, scratch, given, listed)
        text = made.read_text(encoding="utf-8") if made.exists() else ""
        if self._project.lock == UV_LOCK and not given:
            text, self.own = parted(text, self._project.workspace or self._project.root)
            text = self._from_their_indexes(text, scratch)
        elif listed.file and listed.folders:
            files = self._files(listed.file, [*self._asked(), "--constraint", str(made)])
            text, self.own = taken_along(text, files)
        for line in text.splitlines():
            _check(line)
        workspace = self._project.workspace
        around = indexes_of(_tables(workspace)) if workspace else ()
        indexes = dict.fromkeys((*self._indexes, *around, *listed.indexes))
        places = [f"--extra-index-url {url}\n" for url in indexes]
        places += [f"--find-links {url}\n" for url in listed.links]
        target.write_text(_HEAD + "".join(places if text else ()) + text, encoding="utf-8", newline="\n")
        told += self._sources + self._left_out
        return f"{told}; {self._not_asked}" if text and self._not_asked else told

    def _listed(self, given: Path | None) -> Listed:
        """Read the requirements.txt that counts: beside the project's own list, one all pinned."""
        beside, lock = self._project.requirements, self._project.lock
        if given:
            return read_listed(given.absolute())
        if not beside or lock == UV_LOCK or (lock and self._needed):
            return Listed()
        listed = read_listed(beside.absolute())
        if listed.is_pinned or not self._needed:
            return listed
        if _names(listed.libraries) - _names(self._needed):
            self._left_out = f"; {beside.name} is left out: --requirements {beside.name} takes it"
        return Listed()

    def _is_locked(self, given: Path | None) -> bool:
        """Whether a lock says the versions, and the index that each library comes from."""
        lock = self._project.lock
        return not given and (lock == UV_LOCK or (lock == POETRY_LOCK and bool(self._needed)))

    def _pin(self, made: Path, scratch: Path, given: Path | None, listed: Listed) -> str:
        """Write what uv says; give what the versions come from, in words."""
        if not given and self._project.lock == UV_LOCK:
            self._export(made)
            return UV_LOCK
        if self._needed and not given:
            return self._pin_needed(made, scratch, listed)
        if listed.file:
            self._compile(listed.file, made)
            name = given or listed.file.name
            return f"{name}; {_UNPINNED.partition(':')[0]} where it does not say them"
        return "the project needs no libraries"

    def _pin_needed(self, made: Path, scratch: Path, listed: Listed) -> str:
        needed = scratch / "needed.in"
        needed.write_text("".join(f"{one}\n" for one in self._needed), encoding="utf-8")
        if self._project.lock == POETRY_LOCK:
            self._compile_locked(needed, made, scratch)
            return POETRY_LOCK
        if listed.file:
            what = f"pin the libraries to the versions of {listed.file.name}"
            self._compile(needed, made, ("--constraint", str(listed.file)), what)
            return f"{listed.file.name}; {_UNPINNED.partition(':')[0]} where it does not say them"
        self._compile(needed, made)
        return f"the project's dependencies; {_UNPINNED}"

    def _export(self, made: Path) -> None:
        options = ["--project", str(self._project.root), "--locked", "--no-emit-project"]
        options += ["--no-default-groups", "--no-editable"]
        self._run_uv(["export", *options, *_output(made)], "read uv.lock")

    def _compile(
        self, source: Path, made: Path, more: Sequence[str] = (), what: str = "pin the libraries"
    ) -> None:
        options = [
            *self._place(),
            *self._asked(),
            "--no-emit-package",
            self._wheel.name,
            "--generate-hashes",
        ]
        words = ["pip", "compile", *options, *more, *_output(made), "--", str(source)]
        # PySpark has no wheels, nor has what is fetched from elsewhere than an index.
        built = [*CLUSTERS_OWN[:1], self._wheel.name, *_FROM_ELSEWHERE.findall(read_text(source) or "")]
        while len(built) < _MOST_BUILT:
            missing = self._compile_wheels(words, built)
            if missing is None:
                return
            if missing in ("", *built):
                break
            # It has none for these machines: it is built where it is installed, if that goes.
            built.append(missing)
            self._sources = "; not all of them have wheels for these machines"
        try:
            self._run_uv(words, what)
        except PackagingError as error:
            raise PackagingError(error.problem, error.mend or self._not_asked) from None

    def _place(self) -> list[str]:
        """Give where uv works, and for what."""
        # A path in a requirements.txt counts from where its reader is: from the project's directory, for all.
        place = ["--directory", str(self._project.root)]
        return [*place, "--python-version", self._python, "--python-platform", self._where.uv_platform]

    def _asked(self) -> list[str]:
        # uv reads its own tables, and not Poetry's.
        return [f"--extra-index-url={url}" for url in self._indexes]

    def _named(self, which: Callable[[Mapping[str, Any]], tuple[str, ...]]) -> tuple[str, ...]:
        """Give indexes that the project, or the workspace that it is in, names."""
        roots = (root for root in (self._project.workspace, self._project.root) if root)
        return tuple(url for root in roots for url in which(_tables(root)))

    def _compile_wheels(self, words: Sequence[str], built: Sequence[str]) -> str | None:
        """Let uv take versions that have wheels: it would take newer ones, which are compiled for hours.

        :param built: Libraries that this is not asked of.
        :return: None when that went, else the library that has no wheel; empty for another trouble.
        """
        only = ["--only-binary", ":all:", *(word for name in built for word in ("--no-binary", name))]
        try:
            self._run_uv([*words[:2], *only, *words[2:]], "pin the libraries")
        except PackagingError as error:
            found = _WITHOUT_WHEEL.search(str(error))
            return found[1] if found else ""
        return None

    def _compile_locked(self, source: Path, made: Path, scratch: Path) -> None:
        """Let uv keep to the versions of a poetry.lock; who needs what, the wheel says."""
        tables = locked_libraries(self._project.root, POETRY_LOCK)
        file = scratch / "constraints.txt"
        pinned = "".join(f"{line}\n" for line in pinned_by_poetry(tables))
        file.write_text(self._from_their_indexes(pinned, scratch), encoding="utf-8")
        self._compile(source, made, ("--constraint", str(file)))
        known = {canonical(str(one.get("name"))) for one in tables}
        if missing := sorted(_names(made.read_text(encoding="utf-8").splitlines()) - known):
            problem = f"{POETRY_LOCK} does not have {missing[0]}, which the project needs"
            raise PackagingError(problem, "run: poetry lock")

    def _from_their_indexes(self, text: str, scratch: Path) -> str:
        """Give what a lock has from an explicit index, or one behind the others, by its address there.

        An index that is named for all would be asked for all, and before PyPI.
        """
        urls = (*self._named(explicit_indexes_of), *self._named(indexes_behind))
        apart = {url.rstrip("/") for url in urls}
        if not apart:
            return text
        root = self._project.workspace or self._project.root
        known = {key(one): index_of(one) for one in locked_libraries(root, self._project.lock)}
        asked: dict[str, list[str]] = {}
        for one in libraries_in(text):
            if (index := known.get(key_of(one), "")) in apart:
                asked.setdefault(index, []).append(first_line(one))
        files: dict[Key, File] = {}
        for index, lines in asked.items():
            file = scratch / "asked.in"
            file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            files |= self._files(file, ["--no-deps", "--index", index])
        return "".join(at(one, files.get(key_of(one))) for one in libraries_in(text))

    def _files(self, source: Path, options: Sequence[str]) -> dict[Key, File]:
        """Ask uv which file of each library these machines take."""
        words = [*self._place(), "--quiet", "--no-header", "--generate-hashes", "--format", "pylock.toml"]
        told = self._run_uv(["pip", "compile", *words, *options, "--", str(source)], "find the libraries")
        found = {}
        for package in toml_tables(told, "pylock.toml").get("packages", ()):
            file = next(iter(package.get("wheels", ())), package.get("sdist"))
            if file and "url" in file:
                found[key(package)] = File(file["url"], file.get("hashes", {}).get("sha256", ""))
        return found

    def _run_uv(self, words: Sequence[str], what: str) -> str:
        uv = find_uv(self._environ)
        if uv is None:
            raise PackagingError(f"could not {what}: uv is not installed", "pip install uv")
        return run_program([uv, *words], self._environ, what)


def _tables(root: Path) -> dict[str, Any]:
    return toml_tables(read_text(root / PYPROJECT) or "", PYPROJECT)


def _output(made: Path) -> list[str]:
    left_out = [option for name in CLUSTERS_OWN for option in ("--no-emit-package", name)]
    return ["--quiet", "--no-header", "--no-annotate", *left_out, "--output-file", str(made)]


def _names(requirements: Iterable[str]) -> set[str]:
    """Give the names of the libraries that some lines ask for."""
    found = (re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line) for line in requirements)
    return {canonical(one.group()) for one in found if one}


def _check(line: str) -> None:
    """Refuse a library that only this machine can install, and one that comes with a login."""
    try:
        refuse_secrets(line, REQUIREMENTS)
    except InvalidValueError as error:
        raise error.moved(OWNER, REQUIREMENTS) from None
    if line.startswith(_LOCAL) or "file:" in line.partition(" @ ")[2]:
        mend = "publish it to an index, or make it part of the project"
        raise InvalidValueError(OWNER, REQUIREMENTS, line, "comes from a directory of this machine", mend)
