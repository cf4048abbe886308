"""What a requirements.txt says, with all the files that it includes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.requirements import (
    EDITABLE,
    HASHES,
    INCLUDES,
    LINKS,
    lines_of,
    option_of,
    options_in,
)
from airflow_provider_emrkit.projects.detect import read_text
from airflow_provider_emrkit.projects.indexes import indexes_in, without_logins

if TYPE_CHECKING:
    from pathlib import Path

_PINNED = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(\[[^\]]*\])?\s*={2,3}\s*[^\s,;*]+\s*(;.*)?", re.ASCII)


@dataclass(frozen=True)
class Listed:
    """What a requirements.txt says.

    :param file: The file; None for none.
    :param libraries: Its lines that ask for a library, without hashes.
    :param indexes: Where to look for them besides PyPI, without logins.
    :param links: Pages with links to wheels (``--find-links``), without logins.
    :param folders: Directories with wheels, of this machine.

    >>> Listed(libraries=("six==1.17.0", "toml")).is_pinned
    False
    """

    file: Path | None = None
    libraries: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()

    @property
    def is_pinned(self) -> bool:
        """Whether it says one version of each library, as pip-tools writes it."""
        return bool(self.libraries) and all(map(_PINNED.fullmatch, self.libraries))


def read_listed(file: Path) -> Listed:
    """Read a requirements.txt, and what it includes.

    :raises InvalidValueError: when one of the files is no text.
    """
    texts: dict[Path, str] = {}
    libraries = _read(file, texts, constrains=False)
    indexes = [url for text in texts.values() for url in indexes_in(text)]
    links = [(path, link) for path, text in texts.items() for link in options_in(text, LINKS)]
    folders = (path.parent / link.removeprefix("file://") for path, link in links)
    return Listed(
        file,
        tuple(libraries),
        tuple(dict.fromkeys(indexes)),
        without_logins(link for _, link in links),
        tuple(dict.fromkeys(folder for folder in folders if folder.is_dir())),
    )


def _read(file: Path, texts: dict[Path, str], *, constrains: bool) -> list[str]:
    """Read a file that has not been read; give the libraries that it asks for, and does not only limit."""
    text = read_text(file)
    if text is None or file in texts:
        return []
    texts[file] = text
    libraries = []
    for _, line in lines_of(text):
        name, value = option_of(line)
        if name in INCLUDES:
            limits = constrains or INCLUDES[name] == "-c"
            libraries += _read((file.parent / value).resolve(), texts, constrains=limits)
        elif not constrains and (not name or name in EDITABLE):
            libraries.append(HASHES.sub("", line))
    return libraries
