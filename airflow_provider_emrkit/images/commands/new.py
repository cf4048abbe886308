"""``emrkit image new``: write a Dockerfile."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.commands.adding import OK, say
from airflow_provider_emrkit.images.dockerfile import (
    EMRS_PYTHON,
    PLATFORMS,
    WRITTEN,
    Recipe,
    chosen_python,
    dockerfile,
    dockerignore,
)
from airflow_provider_emrkit.images.pyproject import from_pyproject
from airflow_provider_emrkit.images.requirements import Libraries, from_requirements
from airflow_provider_emrkit.images.spark_needs import release_with_images
from airflow_provider_emrkit.jobs.image_reference import ImageReference
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    import argparse

    from airflow_provider_emrkit.images.commands.adding import Adding

OWNER = "image new"
REQUIREMENTS, PROJECT = "requirements.txt", "pyproject.toml"
DOCKERFILE, DOCKERIGNORE = "Dockerfile", ".dockerignore"

# A file of this size is no list of libraries.
MAX_BYTES = 20_000_000

_PYTHON = re.compile(r"3\.(0|[1-9]\d?)(\.(0|[1-9]\d?))?", re.ASCII)

_EXAMPLES = """examples:
  emrkit image new --release emr-6.15.0
  emrkit image new app --release emr-6.15.0 --python 3.9 --requirements app/requirements.txt
  emrkit image new --release emr-6.15.0 --project pyproject.toml --arch arm64 --force
"""


def add_to(adding: Adding) -> None:
    """Add the command to those of ``emrkit image``."""
    description = """Write a Dockerfile, and a .dockerignore, for images that jobs of a release of EMR run in.
Without --requirements and --project, a requirements.txt or pyproject.toml in DIR says what to install."""
    parser = adding.command("new", _run, "write a Dockerfile", _EXAMPLES, description)
    parser.add_argument(
        "directory", nargs="?", default=".", metavar="DIR", help="where to write it (default: .)"
    )
    parser.add_argument("--release", required=True, metavar="LABEL", help="release of EMR, as emr-6.15.0")
    parser.add_argument(
        "--python", metavar="VERSION", help="as 3.11 or 3.11.9 (default: the newest that Spark takes)"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--requirements", metavar="FILE", help="install what this requirements.txt lists")
    what.add_argument(
        "--project", metavar="FILE", help="install what this pyproject.toml, or its uv.lock, lists"
    )
    parser.add_argument(
        "--base", metavar="IMAGE", help="begin with this image, which has Java (default: Corretto)"
    )
    parser.add_argument(
        "--arch", choices=tuple(PLATFORMS), help="what the cluster's instances are: arm64 for Graviton"
    )
    parser.add_argument("--force", action="store_true", help="replace a Dockerfile that is there")
    parser.add_argument(
        "--experimental-emr7", action="store_true", help="take EMR 7 too, for which AWS documents no images"
    )


def _run(given: argparse.Namespace) -> int:
    directory = Path(given.directory)
    recipe = _recipe(given, directory)
    ignored = _write(directory, recipe, force=given.force)
    say(_told(given, recipe, ignored))
    return OK


# --- what it is written for -------------------------------------------------------------------------------


def _recipe(given: argparse.Namespace, directory: Path) -> Recipe:
    release = release_with_images(given.release, experimental_emr7=given.experimental_emr7)
    if given.python and not _PYTHON.fullmatch(given.python):
        mend = "write it like 3.11 or 3.11.9"
        raise InvalidValueError(OWNER, "--python", given.python, "is no version", mend)
    if given.base:
        try:
            ImageReference.parse(given.base)
        except InvalidValueError as error:
            raise error.moved(OWNER, "--base") from None
    libraries = _libraries(given, directory)
    python = chosen_python(release, given.python, libraries.python)
    return Recipe(release, python, libraries, given.base or "", given.arch or "")


def _libraries(given: argparse.Namespace, directory: Path) -> Libraries:
    files = _Directory(directory)
    if given.requirements:
        return from_requirements(_relative(given.requirements, directory, "--requirements"), files)
    if given.project:
        return from_pyproject(_relative(given.project, directory, "--project"), files)
    if files.is_directory(REQUIREMENTS) is False:
        return from_requirements(REQUIREMENTS, files)
    if files.is_directory(PROJECT) is False:
        return from_pyproject(PROJECT, files)
    return Libraries()


def _relative(path: str, directory: Path, option: str) -> str:
    """Give a file's path as the build will see it."""
    if Path(path).is_dir():
        raise InvalidValueError(OWNER, option, path, "is a directory", "name the file in it")
    # Its name may be a link; where that leads to is looked at when it is read.
    real = Path(path).parent.resolve() / Path(path).name
    return Path(os.path.relpath(real, directory.resolve())).as_posix()


class _Directory:
    """The files of a directory that a build sees."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def text(self, path: str) -> str | None:
        if self.is_directory(path) is not False:
            return None
        try:
            with (self._root / path).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
            if len(content) <= MAX_BYTES:
                return content.decode("utf-8-sig")
        except OSError as error:
            raise _unreadable(path, f"can't be read: {error.strerror}") from error
        except UnicodeDecodeError:
            raise _unreadable(path, "is no text in UTF-8") from None
        raise _unreadable(path, f"is larger than {MAX_BYTES // 1_000_000} MB")

    def is_directory(self, path: str) -> bool | None:
        found = self._root / path
        if not found.exists():
            return None
        # A build follows no link out of its directory.
        if not found.resolve().is_relative_to(self._root.resolve()):
            raise _unreadable(path, "is a link out of the directory of the build")
        return found.is_dir()


def _unreadable(path: str, problem: str) -> InvalidValueError:
    return InvalidValueError(OWNER, "file", path, problem, "put a text file there")


# --- writing ----------------------------------------------------------------------------------------------


def _write(directory: Path, recipe: Recipe, *, force: bool) -> str:
    """Write both files. A ``.dockerignore`` of the user's own is kept; what to do about it is given."""
    text, ignore = dockerfile(recipe), directory / DOCKERIGNORE
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / DOCKERFILE).open("w" if force else "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        if ignore.exists() and WRITTEN not in ignore.read_text(encoding="utf-8", errors="replace"):
            return f"{ignore} is yours, and was kept: the build needs what the Dockerfile copies"
        ignore.write_text(dockerignore(recipe), encoding="utf-8", newline="\n")
    except FileExistsError as error:
        if not isinstance(error.filename, str | os.PathLike) or Path(error.filename).name != DOCKERFILE:
            raise InvalidValueError(
                OWNER, "DIR", str(directory), "is no directory", "name another"
            ) from error
        mend = "say --force to replace it"
        raise InvalidValueError(OWNER, "DIR", str(directory), "has a Dockerfile", mend) from None
    except OSError as error:
        problem = f"can't be written to: {error.strerror}"
        raise InvalidValueError(OWNER, "DIR", str(directory), problem, "name another") from error
    return ""


# --- what comes next --------------------------------------------------------------------------------------


def _told(given: argparse.Namespace, recipe: Recipe, ignored: str) -> str:
    label, name = recipe.release.label, "123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.0"
    place = "" if given.directory == "." else f" {shlex.quote(given.directory)}"
    arch = f" --arch {recipe.arch}" if recipe.arch else ""
    emr7 = " --experimental-emr7" if given.experimental_emr7 else ""
    notes = [*recipe.libraries.notes, *([ignored] if ignored else []), *_release_notes(recipe)]
    lines = [f"wrote  {Path(given.directory) / DOCKERFILE}"]
    lines += [
        f"for    {label}: Spark {recipe.release.spark}, Java {recipe.release.java}, Python {recipe.python}"
    ]
    lines += [f"note   {note}" for note in notes]
    lines += [
        "",
        "next, with a name of your own for the image:",
        f"  emrkit image build{place} --tag {name}{arch}",
        f"  emrkit image check {name} --release {label}{arch}{emr7}",
        f"  emrkit image push {name} --create",
        "",
        f"and in the DAG (the job's Python is {EMRS_PYTHON} of the image, as EMR has it):",
        f'  SparkJob(entry_point="job.py", docker=DockerImage("{name}"))',
    ]
    options = f'["{name.partition("/")[0]}"]' + (", experimental_emr7=True" if emr7 else "")
    spec = f'ClusterSpec(release_label="{label}", docker=DockerOnYarn({options}))'
    lines += ["and on a pool, whose clusters have to trust the registry:" if not emr7 else "on:", f"  {spec}"]
    return "\n".join(lines)


def _release_notes(recipe: Recipe) -> list[str]:
    notes = []
    if not recipe.release.exact:
        notes.append(
            f"{recipe.release.label} is not known yet; its versions are those of the release before."
        )
    if recipe.base:
        notes.append(f"`emrkit image check` tells whether {recipe.base} has bash, Java and JAVA_HOME.")
    if recipe.is_older_linux:
        notes.append("Amazon Linux 2 and Python 3.7 get no updates any more.")
    return notes
