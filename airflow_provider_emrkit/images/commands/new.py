"""``emrkit image new``: write a Dockerfile."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.commands.adding import OK, say
from airflow_provider_emrkit.images.commands.targeting import (
    SERVERLESS,
    add_target_options,
    options_of,
    release_of,
)
from airflow_provider_emrkit.images.dockerfile import PLATFORMS, WRITTEN, dockerignore
from airflow_provider_emrkit.images.pyproject import from_pyproject
from airflow_provider_emrkit.images.pythons import chosen_python
from airflow_provider_emrkit.images.requirements import Libraries, from_requirements
from airflow_provider_emrkit.images.serverless_dockerfile import ServerlessImage
from airflow_provider_emrkit.images.yarn_dockerfile import EMRS_PYTHON, Recipe, dockerfile
from airflow_provider_emrkit.jobs.image_reference import ImageReference
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from airflow_provider_emrkit.images.commands.adding import Adding
    from airflow_provider_emrkit.releases import Release

OWNER = "image new"
REQUIREMENTS, PROJECT = "requirements.txt", "pyproject.toml"
DOCKERFILE, DOCKERIGNORE = "Dockerfile", ".dockerignore"

# A file of this size is no list of libraries.
MAX_BYTES = 20_000_000

_EXAMPLES = """examples:
  emrkit image new --release emr-6.15.0
  emrkit image new app --release emr-6.15.0 --python 3.9 --requirements app/requirements.txt
  emrkit image new --target serverless --release emr-7.11.0 --requirements requirements.txt
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
        "--base",
        metavar="IMAGE",
        help="begin with this image, which has Java (default: Corretto; EMR's own for EMR Serverless)",
    )
    parser.add_argument(
        "--arch", choices=tuple(PLATFORMS), help="what instances or application are: arm64 for Graviton"
    )
    parser.add_argument("--force", action="store_true", help="replace a Dockerfile that is there")
    add_target_options(parser)


def _run(given: argparse.Namespace) -> int:
    directory = Path(given.directory)
    if given.target == SERVERLESS:
        image = _serverless_image(given, directory)
        ignored = _write(directory, image.dockerfile(), image.copies, force=given.force)
        say(_told_serverless(given, image, ignored))
    else:
        recipe = _recipe(given, directory)
        ignored = _write(directory, dockerfile(recipe), recipe.libraries.copies, force=given.force)
        say(_told(given, recipe, ignored))
    return OK


# --- what it is written for -------------------------------------------------------------------------------


def _recipe(given: argparse.Namespace, directory: Path) -> Recipe:
    release = release_of(given, given.release)
    if given.base:
        try:
            ImageReference.parse(given.base)
        except InvalidValueError as error:
            raise error.moved(OWNER, "--base") from None
    libraries = _libraries(given, directory)
    python = chosen_python(release, given.python, libraries.python)
    return Recipe(release, python, libraries, given.base or "", given.arch or "")


def _serverless_image(given: argparse.Namespace, directory: Path) -> ServerlessImage:
    release = release_of(given, given.release)
    libraries = _libraries(given, directory)
    python = chosen_python(release, given.python, libraries.python)
    # The release's own is there already.
    own = given.python == release.python
    return ServerlessImage(
        given.release, given.arch or "", None if own else python, libraries, base=given.base or ""
    )


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


def _write(directory: Path, text: str, copies: Sequence[str], *, force: bool) -> str:
    """Write both files. A ``.dockerignore`` of the user's own is kept; what to do about it is given."""
    ignore = directory / DOCKERIGNORE
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / DOCKERFILE).open("w" if force else "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        if ignore.exists() and WRITTEN not in ignore.read_text(encoding="utf-8", errors="replace"):
            return f"{ignore} is yours, and was kept: the build needs what the Dockerfile copies"
        ignore.write_text(dockerignore(copies), encoding="utf-8", newline="\n")
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


_NAME = "123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.0"


def _told(given: argparse.Namespace, recipe: Recipe, ignored: str) -> str:
    release, emr7 = recipe.release, given.experimental_emr7
    notes = [*recipe.libraries.notes, *([ignored] if ignored else []), *_release_notes(recipe)]
    options = f'["{_NAME.partition("/")[0]}"]' + (", experimental_emr7=True" if emr7 else "")
    lines = [
        *_written(given, release, recipe.python, notes),
        f"and in the DAG (the job's Python is {EMRS_PYTHON} of the image, as EMR has it):",
        f'  SparkJob(entry_point="job.py", docker=DockerImage("{_NAME}"))',
        "on:" if emr7 else "and on a pool, whose clusters have to trust the registry:",
        f'  ClusterSpec(release_label="{release.label}", docker=DockerOnYarn({options}))',
    ]
    return "\n".join(lines)


def _told_serverless(given: argparse.Namespace, image: ServerlessImage, ignored: str) -> str:
    release, python = image.release, image.python or image.release.python
    notes = [*image.libraries.notes, *([ignored] if ignored else []), *_unknown(release)]
    lines = [
        *_written(given, release, python, notes),
        "and in the DAG:",
        f'  spec = ApplicationSpec("etl", "{release.label}", image="{_NAME}")',
        f'  python = "{image.python_path}"',
        '  job = SparkJob("job.py", env={"PYSPARK_PYTHON": python, "PYSPARK_DRIVER_PYTHON": python})',
        "  EmrSparkOperator(task_id=..., job=job, compute=ServerlessApplication(spec=spec))",
    ]
    return "\n".join(lines)


def _written(given: argparse.Namespace, release: Release, python: str, notes: Sequence[str]) -> list[str]:
    place = "" if given.directory == "." else f" {shlex.quote(given.directory)}"
    arch, target = f" --arch {given.arch}" if given.arch else "", options_of(given)
    serverless = " --target serverless" if given.target == SERVERLESS else ""
    return [
        f"wrote  {Path(given.directory) / DOCKERFILE}",
        f"for    {release.label}: Spark {release.spark}, Java {release.java}, Python {python}",
        *(f"note   {note}" for note in notes),
        "",
        "next, with a name of your own for the image:",
        f"  emrkit image build{place} --tag {_NAME}{arch}",
        f"  emrkit image check {_NAME} --release {release.label}{arch}{target}",
        f"  emrkit image push {_NAME}{serverless} --create",
        "",
    ]


def _unknown(release: Release) -> list[str]:
    if release.exact:
        return []
    return [f"{release.label} is not known yet; its versions are those of the release before."]


def _release_notes(recipe: Recipe) -> list[str]:
    notes = _unknown(recipe.release)
    if recipe.base:
        notes.append(f"`emrkit image check` tells whether {recipe.base} has bash, Java and JAVA_HOME.")
    if recipe.is_older_linux:
        notes.append("Amazon Linux 2 and Python 3.7 get no updates any more.")
    return notes
