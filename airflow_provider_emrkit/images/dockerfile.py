"""What the Dockerfiles of all targets have in common: how Python and libraries get into an image. Pure.

uv installs them, in a stage of its own: neither it nor caches nor the files of the build are in the image.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.requirements import CLUSTERS_OWN, Libraries

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WRITTEN = "Written by `emrkit image new`"
UV = "ghcr.io/astral-sh/uv:0.13.8"

LIBRARIES = "/opt/libraries"
PYTHONS = "/opt/python"
PYTHON = f"{PYTHONS}/current/bin/python3"

PLATFORMS = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}


@dataclass(frozen=True)
class Installed:
    """What uv installs into an image.

    :param python: Version of the Python that uv brings, as ``3.11``; empty for one that the base has.
    :param own_python: Path of the one that the base has.
    :param libraries: What the libraries are.
    :param wheels: Wheels of the project itself, relative to the build's directory.
    :param git: Command that installs git, for libraries that come from it.

    >>> Installed("3.11").into
    '/opt/python'
    """

    python: str = ""
    own_python: str = ""
    libraries: Libraries = field(default_factory=Libraries)
    wheels: tuple[str, ...] = ()
    git: str = "yum install -y git"

    @property
    def into(self) -> str:
        """The directory that the last stage copies."""
        return PYTHONS if self.python else LIBRARIES

    @property
    def has_libraries(self) -> bool:
        """Whether there are any."""
        return self.libraries.source != "none" or bool(self.wheels)

    @property
    def needs_uv(self) -> bool:
        """Whether there is anything to install."""
        return bool(self.python) or self.has_libraries

    def stage(self) -> str:
        """Write the stage called libraries, which begins with the one called base."""
        lines = ["FROM base AS libraries", *_MIRRORS, "COPY --from=uv /uv /usr/local/bin/uv"]
        if self.python:
            lines += _managed_python(self.python)
            options = f"--python {PYTHON} --break-system-packages"
        else:
            lines += ["ENV UV_NO_CACHE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never"]
            options = f"--python {self.own_python} --target {LIBRARIES}"
        return "\n".join([*lines, *self._install(options)])

    def copied(self) -> list[str]:
        """Write what the last stage takes from it."""
        lines = [f"COPY --from=libraries {self.into} {self.into}"]
        return lines if self.python else [*lines, *_seen_by(self.own_python)]

    def _install(self, options: str) -> list[str]:
        if not self.has_libraries:
            return list(NO_LIBRARIES)
        lines = []
        if self.libraries.needs_git:
            lines += ["# For what comes from git. This stage does not get into the image.", f"RUN {self.git}"]
        lines += ["WORKDIR /build", *_EXCLUDED]
        pip = f"{_READABLE} && uv pip install {options} {_GOES_ON}--excludes {_EXCLUSIONS}"
        if self.libraries.source != "none":
            export, listed = _exported(self.libraries, options.split()[1])
            # Of the project, too: its own libraries are to be those, and from where those are.
            pip += f" -r {listed}"
            lines += [*_copies(self.libraries.copies), *_run([*export, pip])]
        if self.wheels:
            names = " ".join(f"./{wheel}" for wheel in self.wheels)
            lines += [*_copies(self.wheels), *_run([f"{pip} {names}"])]
        return lines


def dockerignore(copies: Iterable[str]) -> str:
    """Write the ``.dockerignore``: a build sees what the Dockerfile copies, and nothing else.

    :param copies: What that is; directories end with ``/``.
    """
    why = f"# {WRITTEN}: the build sees what the Dockerfile copies, and no secrets."
    return "\n".join((why, "*", *(f"!{path.rstrip('/')}" for path in copies), ""))


def from_platform(arch: str) -> str:
    """Begin a stage with an image of an architecture; of the builder's own for an empty one."""
    return f"FROM --platform={PLATFORMS[arch]}" if arch else "FROM"


# --- the lines --------------------------------------------------------------------------------------------

_MIRRORS = (
    "# A mirror of PyPI: emrkit image build --build-arg UV_DEFAULT_INDEX=https://…",
    "ARG UV_DEFAULT_INDEX",
)
_GOES_ON = "\\\n        "
# For any user. A later chmod of all would copy the files of earlier layers, changed or not.
_READABLE = "umask 022"
# In the stage that does not get into the image.
_EXCLUSIONS, _LOCKED = "/tmp/excluded.txt", "/tmp/locked.txt"  # noqa: S108
_EXCLUDED = (
    "# PySpark comes with EMR, and stays out whoever asks for it.",
    f"RUN printf '%s\\n' {' '.join(CLUSTERS_OWN)} > {_EXCLUSIONS}",
)
NO_LIBRARIES = (
    "# No libraries: put a requirements.txt beside this file, and write it anew with",
    "# `emrkit image new --requirements requirements.txt --force`.",
)


def _managed_python(python: str) -> list[str]:
    return [
        f"ENV UV_NO_CACHE=1 UV_LINK_MODE=copy UV_PYTHON_INSTALL_DIR={PYTHONS}",
        "# In /opt, where any user can read it: the job runs as hadoop, who can't look into /root.",
        "ARG UV_PYTHON_INSTALL_MIRROR",
        f"RUN uv python install {python} \\",
        f"    && found=$(uv python find --managed-python {python}) \\",
        f'    && ln -s "$(dirname "$(dirname "$found")")" {PYTHONS}/current \\',
        f"    && chmod -R a+rX {PYTHONS}",
    ]


def _seen_by(python: str) -> list[str]:
    return [
        "# Python looks into the directories that such a file names; PYTHONPATH is EMR's.",
        f"RUN packages=$({python} -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))') \\",
        '    && mkdir -p "$packages" \\',
        f'    && echo \'import site; site.addsitedir("{LIBRARIES}")\' > "$packages/libraries.pth"',
    ]


def _exported(libraries: Libraries, python: str) -> tuple[list[str], str]:
    """Give the commands that write the list of libraries, and where it is then."""
    if libraries.source != "uv.lock":
        return [], libraries.file
    project = posixpath.dirname(libraries.file) or "."
    export = f"uv export --quiet --project {project} --python {python} --frozen {_GOES_ON}"
    return [f"{export}--no-default-groups --no-emit-project --prune pyspark --output-file {_LOCKED}"], _LOCKED


def _run(commands: Sequence[str]) -> list[str]:
    return " \\\n    && ".join([f"RUN {commands[0]}", *commands[1:]]).split("\n")


def _copies(paths: Iterable[str]) -> list[str]:
    """Copy each file to its own path: files of one directory at once, in as few layers."""
    files: dict[str, list[str]] = {}
    paths = tuple(paths)
    whole = tuple(path for path in paths if path.endswith("/"))
    for path in paths:
        if path not in whole and path.startswith(whole):
            continue
        files.setdefault(path if path.endswith("/") else posixpath.dirname(path), []).append(path)
    return [
        f"COPY {' '.join(found)} ./{directory.rstrip('/') + '/' if directory else ''}"
        for directory, found in files.items()
    ]
