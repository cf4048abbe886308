"""What an image has to install, read from a requirements.txt. Pure.

Nothing is resolved here: the build's uv does that. What is looked for is what the build can't do: files it
does not see, secrets that the image would keep, and pyspark, which the cluster brings.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

OWNER = "image new"
# What the cluster mounts, and what clashes with it.
CLUSTERS_OWN = ("pyspark", "py4j")
MAX_INCLUDES = 100

# What needs no quotes in a Dockerfile, and is no pattern there.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_.!+@=,~/-]+", re.ASCII)
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_OPTION = re.compile(r"(?P<name>--?[a-z-]+?)(?:[=\s]+(?P<value>.*))?", re.ASCII)
_SHORT = re.compile(r"(?P<name>-[rcief])(?P<value>[^\s-].*)", re.ASCII)
HASHES = re.compile(r"(?:\s+--hash[=\s]\S+)+$")
_URL = re.compile(r"(?P<scheme>[a-z][a-z+]*)://", re.IGNORECASE)
_USER_IN_URL = re.compile(r"[a-z][a-z+]*://[^/\s@]*@", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{[A-Za-z_]\w*\}", re.ASCII)
_ARCHIVES = (".whl", ".tar.gz", ".zip", ".tar.bz2")
_NAMED_URL = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^]]*\])?\s*@\s*(?P<place>\S+)", re.ASCII)
_LOCAL = re.compile(r"\.{0,2}/|file:", re.IGNORECASE)

INCLUDES = {"-r": "-r", "--requirement": "-r", "-c": "-c", "--constraint": "-c"}
EDITABLE = ("-e", "--editable")
LINKS = ("-f", "--find-links")
INDEXES = ("-i", "--index-url", "--extra-index-url")
_FOR_UV = (*INDEXES, "--no-index", "--no-binary", "--only-binary", "--require-hashes")
# What pip knows in such a file, and uv takes no notice of.
_PASSED_OVER = ("--pre", "--prefer-binary", "--trusted-host", "--use-feature")

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
    notes = left_out_notes(reading.left_out)
    notes += tuple(f"{one} means nothing to uv, which installs the libraries." for one in reading.passed_over)
    return Libraries("requirements", path, tuple(reading.copies), reading.needs_git, notes=notes)


@dataclass
class _Reading:
    files: ContextFiles
    copies: dict[str, None] = field(default_factory=dict)
    left_out: dict[str, None] = field(default_factory=dict)
    passed_over: dict[str, None] = field(default_factory=dict)
    needs_git: bool = False

    def read(self, path: str, named_by: str) -> None:
        """Read a file, unless it has been read."""
        if path in self.copies:
            return
        text = self.files.text(path_inside(path, named_by))
        if text is None:
            raise problem_at(named_by, path, "is no file", "mend its path")
        if len(self.copies) >= MAX_INCLUDES:
            raise problem_at(named_by, path, "is one include too many", "put them into fewer files")
        self.copies[path] = None
        for number, line in lines_of(text):
            self._line(line, path, f"{path}, line {number}")

    def _line(self, line: str, path: str, where: str) -> None:
        refuse_secrets(line, where)
        name, value = option_of(line)
        if name in INCLUDES:
            self.read(path_beside(path, value, where), where)
        elif name in EDITABLE:
            mend = "build a wheel of it and give the wheel, or add it to the job's py_files"
            raise problem_at(where, line, "is an editable install, which an image can't have", mend)
        elif name in LINKS:
            self._place(value, path, where) if not _URL.match(value) else None
        elif name in _PASSED_OVER:
            self.passed_over[name] = None
        elif not name:
            self._requirement(HASHES.sub("", line), path, where)
        elif name not in _FOR_UV:
            raise problem_at(where, line, "is no option that uv takes, which installs it", "take it out")

    def _requirement(self, text: str, path: str, where: str) -> None:
        named = _NAMED_URL.match(text)
        if named:
            self._leave_out(named["name"])
            self._place(named["place"], path, where)
        elif _URL.match(text) or _LOCAL.match(text) or text.lower().split(";")[0].strip().endswith(_ARCHIVES):
            self._place(text.split(";")[0].strip(), path, where)
        else:
            self._leave_out(name_of(text, where))

    def _place(self, place: str, path: str, where: str) -> None:
        """Take in where a library comes from: a URL, or a path that the build has to see."""
        place = place.partition("#")[0]
        scheme = _URL.match(place)
        kind = scheme["scheme"].lower() if scheme else ""
        if kind in ("http", "https", "s3") or (kind.startswith("git") and not kind.endswith("file")):
            self.needs_git = self.needs_git or kind.startswith("git")
            return
        if kind and not kind.endswith("file"):
            raise problem_at(
                where, place, "is of a kind that uv does not install from", "use git, or a wheel"
            )
        if kind or place.lower().startswith("file:"):
            mend = "write it as a path relative to this file, like ./wheels/etl-1.0-py3-none-any.whl"
            raise problem_at(where, place, "is a path of this machine", mend)
        # Of a library with extras: ./etl-1.0-py3-none-any.whl[aws]
        found = path_beside(path, re.sub(r"\[[^]]*\]$", "", place), where)
        directory = self.files.is_directory(found)
        if directory is None:
            raise problem_at(where, place, "is neither a file nor a directory", "mend its path")
        self.copies[f"{found}/" if directory else found] = None

    def _leave_out(self, name: str) -> None:
        if canonical(name) in CLUSTERS_OWN:
            self.left_out[canonical(name)] = None


def lines_of(text: str) -> Iterator[tuple[int, str]]:
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


def option_of(line: str) -> tuple[str, str]:
    """Split a line with an option of pip's; the name is empty for a requirement."""
    if not line.startswith("-"):
        return "", ""
    found = _SHORT.fullmatch(line) or _OPTION.fullmatch(line)
    return (found["name"], (found["value"] or "").strip().strip("'\"")) if found else (line, "")


def options_in(text: str, names: Collection[str]) -> list[str]:
    """Give what a requirements.txt says with some of pip's options."""
    found = (option_of(line) for _, line in lines_of(text))
    return [value for name, value in found if name in names and value]


def name_of(text: str, where: str) -> str:
    """Give the name of the library that a requirement is about."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text).name
    except InvalidRequirement:
        mend = "write it like pandas==2.2.3, a URL, or a path that begins with ./"
        raise problem_at(where, text, "is no requirement", mend) from None


def refuse_secrets(line: str, where: str) -> None:
    """Refuse a line that holds a login, or needs one that the build does not have."""
    if _USER_IN_URL.search(line) and not re.search(r"git\+ssh://git@|ssh://git@", line):
        mend = "take it out: a build has no login; put wheels beside the file, and say --find-links ./wheels"
        raise problem_at(where, "a URL", "holds a login, which the image would keep", mend)
    if variable := _VARIABLE.search(line):
        raise problem_at(
            where, variable.group(), "is a variable that the build does not have", "write it out"
        )


# --- also of a pyproject.toml -----------------------------------------------------------------------------


def left_out_notes(left_out: dict[str, None]) -> tuple[str, ...]:
    """Say which of the cluster's own libraries the image does without."""
    if not left_out:
        return ()
    names = " and ".join(left_out)
    return (f"{names} is left out: the cluster mounts its own Spark, and a second one would clash with it.",)


def canonical(name: str) -> str:
    """Write the name of a library as indexes do."""
    return re.sub(r"[-_.]+", "-", name).lower()


def path_beside(path: str, other: str, where: str) -> str:
    """Give a path that a file names, relative to the build's directory."""
    if other.startswith("/") or _URL.match(other):
        mend = "use a path relative to this file"
        raise problem_at(where, other, "is not in the directory of the build", mend)
    return path_inside(posixpath.normpath(posixpath.join(posixpath.dirname(path), other)), where)


def path_inside(path: str, where: str) -> str:
    """Give a path that the build sees, and that a Dockerfile can name."""
    if path.startswith("/") or path.split("/")[0] == "..":
        mend = "move it there, or write the Dockerfile into a directory above both"
        problem = "is outside the directory of the build, and a build sees nothing else"
        raise problem_at(where, path, problem, mend)
    if not _PLAIN_PATH.fullmatch(path):
        mend = "rename it: letters, digits and . _ ! + @ = , ~ - need no quotes in a Dockerfile"
        raise problem_at(where, path, "can't be written into a Dockerfile", mend)
    return path


def problem_at(where: str, value: object, problem: str, mend: str) -> InvalidValueError:
    """Make the error for something that a file says."""
    return InvalidValueError(OWNER, where, value, problem, mend)
