"""What an image has to install, read from a requirements.txt or a pyproject.toml. Pure.

Nothing is resolved here: the build's uv does that. What is looked for is what the build can't do: files it
does not see, secrets that the image would keep, and pyspark, which the cluster brings.
"""

from __future__ import annotations

import importlib
import importlib.util
import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Iterator

OWNER = "image new"
# What the cluster mounts, and what clashes with it.
CLUSTERS_OWN = ("pyspark", "py4j")
MAX_INCLUDES = 100
PROJECT_STAYS_OUT = "The project itself comes with the job (entry_point, py_files), not with the image."

# What needs no quotes in a Dockerfile, and is no pattern there.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_.+@=,~/-]+", re.ASCII)
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_OPTION = re.compile(r"(?P<name>--?[a-z-]+?)(?:[=\s]+(?P<value>.*))?", re.ASCII)
_SHORT = re.compile(r"(?P<name>-[rcief])(?P<value>[^\s-].*)", re.ASCII)
_LINE_OPTIONS = re.compile(r"\s+--(?:hash|config-settings?|global-option)[=\s].*$")
_URL = re.compile(r"(?P<scheme>[a-z][a-z+]*)://", re.IGNORECASE)
_USER_IN_URL = re.compile(r"[a-z][a-z+]*://[^/\s@]*@", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{[A-Za-z_]\w*\}", re.ASCII)
_ARCHIVES = (".whl", ".tar.gz", ".zip", ".tar.bz2")
_NAMED_URL = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^]]*\])?\s*@\s*(?P<place>\S+)", re.ASCII)
_LOCAL = re.compile(r"\.{0,2}/|file:", re.IGNORECASE)

_INCLUDES = {"-r": "-r", "--requirement": "-r", "-c": "-c", "--constraint": "-c"}
_EDITABLE = ("-e", "--editable")
_LINKS = ("-f", "--find-links")

Source = Literal["none", "requirements", "pyproject", "uv.lock"]


class ContextFiles(Protocol):
    """The files a build sees, by their paths relative to its directory, with ``/``."""

    def text(self, path: str) -> str | None:
        """Give a file's text; None where there is no such file.

        :raises InvalidValueError: when it can't be read as text.
        """

    def is_directory(self, path: str) -> bool | None:
        """Tell whether something is a directory; None where there is nothing."""


@dataclass(frozen=True)
class Libraries:
    """What an image has to install.

    :param source: What says so.
    :param file: The file that says so, relative to the build's directory.
    :param copies: All that the build needs, ``file`` among it; a directory ends with ``/``.
    :param needs_git: A library comes from a git repository.
    :param python: What the project says of its Python, as ``>=3.9``; empty for nothing.
    :param notes: What the user should know.

    >>> Libraries().source
    'none'
    """

    source: Source = "none"
    file: str = ""
    copies: tuple[str, ...] = ()
    needs_git: bool = False
    python: str = ""
    notes: tuple[str, ...] = ()


# --- requirements.txt -------------------------------------------------------------------------------------


def from_requirements(path: str, files: ContextFiles) -> Libraries:
    """Read a requirements.txt, with all it includes.

    :param path: Where it is, relative to the build's directory.
    :raises InvalidValueError: for a line that a build could not do, or whose secret the image would keep.
    """
    reading = _Reading(files)
    reading.read(path, "--requirements")
    notes = _notes(reading.left_out)
    return Libraries("requirements", path, tuple(reading.copies), reading.needs_git, notes=notes)


@dataclass
class _Reading:
    files: ContextFiles
    copies: dict[str, None] = field(default_factory=dict)
    left_out: dict[str, None] = field(default_factory=dict)
    needs_git: bool = False

    def read(self, path: str, named_by: str) -> None:
        """Read a file, unless it has been read."""
        if path in self.copies:
            return
        text = self.files.text(_inside(path, named_by))
        if text is None:
            raise _problem(named_by, path, "is no file", "mend its path")
        if len(self.copies) >= MAX_INCLUDES:
            raise _problem(named_by, path, "is one include too many", "put them into fewer files")
        self.copies[path] = None
        for number, line in _lines(text):
            self._line(line, path, f"{path}, line {number}")

    def _line(self, line: str, path: str, where: str) -> None:
        _refuse_secrets(line, where)
        name, value = _option(line)
        if name in _INCLUDES:
            self.read(_beside(path, value, where), where)
        elif name in _EDITABLE:
            mend = "build a wheel of it and give the wheel, or add it to the job's py_files"
            raise _problem(where, line, "is an editable install, which an image can't have", mend)
        elif name in _LINKS:
            self._place(value, path, where) if not _URL.match(value) else None
        elif not name:
            self._requirement(_LINE_OPTIONS.sub("", line), path, where)

    def _requirement(self, text: str, path: str, where: str) -> None:
        named = _NAMED_URL.match(text)
        if named:
            self._leave_out(named["name"])
            self._place(named["place"], path, where)
        elif _URL.match(text) or _LOCAL.match(text) or text.lower().split(";")[0].strip().endswith(_ARCHIVES):
            self._place(text.split(";")[0].strip(), path, where)
        else:
            self._leave_out(_name_of(text, where))

    def _place(self, place: str, path: str, where: str) -> None:
        """Take in where a library comes from: a URL, or a path that the build has to see."""
        place = place.partition("#")[0]
        scheme = _URL.match(place)
        if scheme and scheme["scheme"].lower() != "file":
            self.needs_git = self.needs_git or scheme["scheme"].lower().startswith("git")
            return
        if place.lower().startswith("file:"):
            mend = "write it as a path relative to this file, like ./wheels/etl-1.0-py3-none-any.whl"
            raise _problem(where, place, "is a path of this machine", mend)
        # Of a library with extras: ./etl-1.0-py3-none-any.whl[aws]
        found = _beside(path, re.sub(r"\[[^]]*\]$", "", place), where)
        directory = self.files.is_directory(found)
        if directory is None:
            raise _problem(where, place, "is neither a file nor a directory", "mend its path")
        self.copies[f"{found}/" if directory else found] = None

    def _leave_out(self, name: str) -> None:
        if _canonical(name) in CLUSTERS_OWN:
            self.left_out[_canonical(name)] = None


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Give the lines that say something, with continued ones joined, and their numbers."""
    begun, joined = 0, ""
    for number, raw in enumerate([*text.splitlines(), ""], 1):
        begun = begun or number
        # A comment ends a continuation, as pip has it.
        if raw.endswith("\\") and not raw.lstrip().startswith("#"):
            joined += raw[:-1] + " "
            continue
        line = _COMMENT.sub("", joined + raw).strip()
        if line:
            yield begun, line
        begun, joined = 0, ""


def _option(line: str) -> tuple[str, str]:
    """Split a line with an option of pip's; the name is empty for a requirement."""
    if not line.startswith("-"):
        return "", ""
    found = _SHORT.fullmatch(line) or _OPTION.fullmatch(line)
    return (found["name"], (found["value"] or "").strip().strip("'\"")) if found else (line, "")


def _name_of(text: str, where: str) -> str:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text).name
    except InvalidRequirement:
        mend = "write it like pandas==2.2.3, a URL, or a path that begins with ./"
        raise _problem(where, text, "is no requirement", mend) from None


def _refuse_secrets(line: str, where: str) -> None:
    if _USER_IN_URL.search(line) and not re.search(r"git\+ssh://git@|ssh://git@", line):
        mend = "take it out, and give the build the login in another way: UV_INDEX_URL by a BuildKit secret"
        raise _problem(where, "a URL", "holds a login, which the image would keep", mend)
    if variable := _VARIABLE.search(line):
        raise _problem(where, variable.group(), "is a variable that the build does not have", "write it out")


# --- pyproject.toml ---------------------------------------------------------------------------------------


def from_pyproject(path: str, files: ContextFiles) -> Libraries:
    """Read what a project depends on: from the ``uv.lock`` beside it, otherwise from its ``[project]`` table.

    The project itself is not installed: it comes with the job.

    :raises InvalidValueError: for a project whose dependencies the build could not tell.
    """
    text = files.text(_inside(path, "--project"))
    if text is None:
        raise _problem("--project", path, "is no file", "name a pyproject.toml")
    tables = _toml(text, path)
    project = tables.get("project")
    if not isinstance(project, dict) or _is_dynamic(project):
        raise _without_dependencies(tables, path)
    python = project.get("requires-python", "")
    names = _project_names(project, path)
    left_out = {name: None for name in names if name in CLUSTERS_OWN}
    sources = _sources(tables, path)
    lock = _beside(path, "uv.lock", path)
    locked = files.text(lock)
    if locked is not None:
        sources += _locked_sources(_toml(locked, lock), lock)
    needs_git = "git" in sources or any("git+" in one for one in project.get("dependencies") or ())
    return Libraries(
        "pyproject" if locked is None else "uv.lock",
        path,
        (path,) if locked is None else (path, lock),
        needs_git,
        python if isinstance(python, str) else "",
        (*_notes(left_out), PROJECT_STAYS_OUT),
    )


def _sources(tables: dict[str, Any], path: str) -> list[str]:
    """Give the kinds of places that uv is told to take libraries from."""
    uv = tables.get("tool", {}).get("uv", {})
    kinds = []
    for name, found in uv.get("sources", {}).items():
        for one in found if isinstance(found, list) else [found]:
            _refuse_secrets(str(one.get("url", "") or one.get("git", "")), path)
            _refuse_local(name, one.keys() & {"path", "workspace"}, path)
            kinds += list(one)
    return kinds


def _locked_sources(lock: dict[str, Any], path: str) -> list[str]:
    kinds = []
    for package in lock.get("package", ()):
        source = package.get("source", {})
        # The project itself is at "." of its lock.
        local = {
            kind for kind in ("editable", "directory", "path", "virtual") if source.get(kind, ".") != "."
        }
        _refuse_local(str(package.get("name")), local, path)
        for place in source.values():
            _refuse_secrets(str(place), path)
        kinds += list(source)
    return kinds


def _refuse_local(name: str, kinds: set[str], path: str) -> None:
    if kinds:
        mend = "build wheels of such projects, and list all in a requirements.txt, with paths like ./wheels/…"
        raise _problem(path, name, "comes from a directory beside the project", mend)


def _toml(text: str, path: str) -> dict[str, Any]:
    # Python 3.10 has none of its own.
    found = next((one for one in ("tomllib", "tomli") if importlib.util.find_spec(one)), None)
    if found is None:
        mend = "run emrkit with Python 3.11 or later, or install tomli"
        raise _problem("--project", path, "can't be read by Python 3.10", mend)
    try:
        return dict(importlib.import_module(found).loads(text))
    except ValueError as error:
        raise _problem("--project", path, f"is no TOML: {error}", "mend it") from None


def _is_dynamic(project: dict[str, Any]) -> bool:
    return "dependencies" not in project and "dependencies" in (project.get("dynamic") or ())


def _without_dependencies(tables: dict[str, Any], path: str) -> InvalidValueError:
    tools = tables.get("tool")
    if isinstance(tools, dict) and "poetry" in tools:
        mend = "poetry export --only main --output requirements.txt, and give --requirements requirements.txt"
        return _problem("--project", path, "has Poetry's own table, which only Poetry reads", mend)
    mend = "list them in [project] dependencies, or give --requirements"
    return _problem("--project", path, "does not say what the project depends on", mend)


def _project_names(project: dict[str, Any], path: str) -> list[str]:
    found = project.get("dependencies") or []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise _problem(path, found, "is no list of dependencies", "mend [project] dependencies")
    for one in found:
        _refuse_secrets(one, path)
    return [_canonical(_name_of(one, path)) for one in found]


# --- both -------------------------------------------------------------------------------------------------


def _notes(left_out: dict[str, None]) -> tuple[str, ...]:
    if not left_out:
        return ()
    names = " and ".join(left_out)
    return (f"{names} is left out: the cluster mounts its own Spark, and a second one would clash with it.",)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _beside(path: str, other: str, where: str) -> str:
    """Give a path that a file names, relative to the build's directory."""
    if other.startswith("/") or _URL.match(other):
        mend = "use a path relative to this file"
        raise _problem(where, other, "is not in the directory of the build", mend)
    return _inside(posixpath.normpath(posixpath.join(posixpath.dirname(path), other)), where)


def _inside(path: str, where: str) -> str:
    if path.startswith("/") or path.split("/")[0] == "..":
        mend = "move it there, or write the Dockerfile into a directory above both"
        problem = "is outside the directory of the build, and a build sees nothing else"
        raise _problem(where, path, problem, mend)
    if not _PLAIN_PATH.fullmatch(path):
        mend = "rename it: letters, digits and . _ + @ = , ~ - need no quotes in a Dockerfile"
        raise _problem(where, path, "can't be written into a Dockerfile", mend)
    return path


def _problem(where: str, value: object, problem: str, mend: str) -> InvalidValueError:
    return InvalidValueError(OWNER, where, value, problem, mend)
