"""Lists of libraries that other tools read, and emrkit does not."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CONDA = "in its environment pip list --format=freeze > requirements.txt"
# Those that are all a project says of its libraries, and what writes them as a requirements.txt.
_EXPORTS = {
    "Pipfile": "pipenv requirements > requirements.txt",
    "Pipfile.lock": "pipenv requirements > requirements.txt",
    "pdm.lock": "pdm export --prod -o requirements.txt",
    "environment.yml": _CONDA,
    "environment.yaml": _CONDA,
}
# Those that --requirements takes as they are; which of them the job needs, only the user knows.
_LISTS = ("requirements.in", "requirements/*.txt", "requirements/*.in")


@dataclass(frozen=True)
class Unread:
    """A list of libraries that is not read.

    :param file: The list, relative to the project.
    :param mend: How its libraries are taken along.
    :param is_sure: Whether it is the project's own, where that lists its libraries nowhere else.

    >>> Unread("requirements.in", "say --requirements requirements.in").is_sure
    False
    """

    file: str
    mend: str
    is_sure: bool = False


def unread_lists(root: Path) -> Iterator[Unread]:
    """Find the lists of a project's libraries that emrkit does not read, those that are surely such first."""
    for name, export in _EXPORTS.items():
        if (root / name).is_file():
            yield Unread(name, f"run {export}, and say --requirements requirements.txt", is_sure=True)
    for pattern in _LISTS:
        for path in sorted(root.glob(pattern)):
            name = path.relative_to(root).as_posix()
            yield Unread(name, f"say --requirements {shlex.quote(str(path))}")
