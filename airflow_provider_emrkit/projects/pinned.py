"""The text that uv writes of pinned libraries. Pure, apart from looking at what is on this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from airflow_provider_emrkit.images.requirements import canonical
from airflow_provider_emrkit.projects.detect import OWNER, REQUIREMENTS
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.projects.locks import Key

# With the lines of its hashes.
_LIBRARY = re.compile(r"^\S.*\n(?:[ \t].*\n)*", re.MULTILINE)
_VERSION = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)(?P<extras>\[[^\]]*\])?==(?P<version>[^\s;\\]+)", re.ASCII
)


class File(NamedTuple):
    """A file that a library is installed from.

    :param url: Its address.
    :param sha256: Its hash; empty where nobody knows it.

    >>> File("file:///srv/my%20wheels/etl-1.0-py3-none-any.whl", "").path
    PosixPath('/srv/my wheels/etl-1.0-py3-none-any.whl')
    """

    url: str
    sha256: str

    @property
    def path(self) -> Path | None:
        """Where it is on this machine; None for one of an index."""
        parts = urlsplit(self.url)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None


def libraries_in(text: str) -> list[str]:
    """Give the libraries, each with the lines of its hashes."""
    return _LIBRARY.findall(text)


def first_line(library: str) -> str:
    """Give what a library's line says, without the hashes."""
    return library.partition("\n")[0].rstrip(" \\")


def key_of(library: str) -> Key:
    """Give a library's name and version; empty ones for what has another form."""
    found = _VERSION.match(library)
    return (canonical(found["name"]), found["version"]) if found else ("", "")


def at(library: str, file: File | None) -> str:
    """Give a library by the address of its file; the hashes that a lock has of it are what counts."""
    found = _VERSION.match(library)
    if not file or not found:
        return library
    hashes = library.partition("\n")[2] or (f"    --hash=sha256:{file.sha256}\n" if file.sha256 else "")
    marker = first_line(library)[found.end() :]
    line = f"{found['name']}{found['extras'] or ''} @ {file.url}{marker}"
    return f"{line} \\\n{hashes}" if hashes else f"{line}\n"


def parted(text: str, root: Path) -> tuple[str, tuple[Path, ...]]:
    """Part what uv.lock names of this machine, as the other members of a workspace, from what is of indexes.

    :param root: What its paths count from.
    """
    libraries, own = "", []
    for one in libraries_in(text):
        # A member that only other machines need is taken along, too: it does no harm.
        path = root / first_line(one).partition(" ; ")[0]
        if one.startswith((".", "/")) and (path.is_dir() or path.suffix == ".whl"):
            own.append(path)
        else:
            libraries += one
    return libraries, tuple(own)


def taken_along(text: str, files: Mapping[Key, File]) -> tuple[str, tuple[Path, ...]]:
    """Part what comes from wheels of this machine (``--find-links``) from what others find, too."""
    libraries, own = "", []
    for one in libraries_in(text):
        path = files[key_of(one)].path if key_of(one) in files else None
        if path is None:
            libraries += one
        elif path.suffix == ".whl":
            own.append(path)
        else:
            raise InvalidValueError(
                OWNER, REQUIREMENTS, path.name, "is no wheel", "build one of it, beside it"
            )
    return libraries, tuple(own)
