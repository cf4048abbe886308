"""``emrkit package``: take a Python project to EMR."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.account import add_account_options
from airflow_provider_emrkit.images.commands.adding import (
    FAILED,
    OK,
    Adding,
    add_engine_option,
    say,
    say_error,
)
from airflow_provider_emrkit.images.dockerfile import PLATFORMS
from airflow_provider_emrkit.jobs.package_manifest import FILE_NAME
from airflow_provider_emrkit.projects.detect import OWNER, detect
from airflow_provider_emrkit.projects.errors import PackagingError
from airflow_provider_emrkit.projects.output import replacing
from airflow_provider_emrkit.projects.packaging import Packaging, Wish
from airflow_provider_emrkit.projects.rights import Rights
from airflow_provider_emrkit.releases import known_labels, release
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    import argparse

    from airflow_provider_emrkit.projects.commands.imaging import Imaging
    from airflow_provider_emrkit.projects.manifest import Manifest
    from airflow_provider_emrkit.releases import Release

OUTPUT = "dist/emrkit"
_CLASSES = {"kedro": "KedroProject", "python": "PythonProject"}

_DESCRIPTION = """Take a Python project to EMR: its wheel, its libraries in one version each, the script that
Spark starts, a Dockerfile, and for Kedro the configuration without credentials. Known are pyproject.toml with
any build backend, uv, Poetry, setup.py, requirements.txt with modules, and Kedro.

Python and libraries get to the job in an archive (--archive), or in an image for EMR Serverless (--image).
All is written into one directory, dist/emrkit of the project, which a DAG reads with PythonProject.read or
KedroProject.read: .job(…) is then a SparkJob for any compute."""

_EXAMPLES = """examples:
  emrkit package --archive                     Python, libraries and project in an archive beside the job
  emrkit package etl --release emr-7.11.0 --python 3.11 --entry-point etl.cli:main
  emrkit package --image 123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.0 --push --create
  emrkit package --archive --allow-text base/parameters.yml:reset_password
  emrkit package --check venv.tar.gz --release emr-7.11.0
  emrkit package --account 123456789012 --region us-east-1 --reads s3://data/in --writes s3://data/out
"""


def add_parser(commands: Any, formatter: type[argparse.HelpFormatter]) -> None:
    """Add ``package`` to a parser.

    :param commands: What ``add_subparsers`` returned.
    """
    adding = Adding(commands, formatter)
    parser = adding.command("package", _run, "take a Python project to EMR", _EXAMPLES, _DESCRIPTION)
    parser.add_argument(
        "directory", nargs="?", default=".", metavar="DIR", help="directory of the project (default: .)"
    )
    parser.add_argument("--output", metavar="DIR", help=f"where to put it (default: {OUTPUT} of the project)")
    parser.add_argument("--json", action="store_true", help=f"print {FILE_NAME}")
    _add_project(parser)
    _add_image(parser)
    _add_rights(parser)


def _add_project(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--release",
        metavar="LABEL",
        default=_newest(),
        help="release of EMR it is for (default: %(default)s)",
    )
    parser.add_argument(
        "--arch",
        choices=tuple(PLATFORMS),
        default="x86_64",
        help="what the machines are: arm64 for Graviton (default: %(default)s)",
    )
    parser.add_argument(
        "--python", metavar="VERSION", help="as 3.11 (default: the newest that Spark and project take)"
    )
    parser.add_argument(
        "--entry-point",
        metavar="NAME",
        help="what a run calls, as etl.cli:main (default: what the project says)",
    )
    parser.add_argument(
        "--requirements", metavar="FILE", help="its libraries (default: what the project says)"
    )
    parser.add_argument(
        "--allow-text",
        action="append",
        default=[],
        metavar="FILE:KEY",
        help="text of Kedro's configuration that looks like a password and is none, named as the error names "
        "it (may be repeated)",
    )


def _add_image(parser: argparse.ArgumentParser) -> None:
    way = parser.add_mutually_exclusive_group()
    way.add_argument(
        "--archive", action="store_true", help="put Python, libraries and project into an archive"
    )
    way.add_argument(
        "--check",
        metavar="FILE",
        help="make nothing, but tell whether an archive of venv-pack or conda-pack runs on the release",
    )
    way.add_argument(
        "--image", metavar="NAME", help="build an image of them for EMR Serverless, and check it"
    )
    parser.add_argument("--push", action="store_true", help="push the image, and note its digest")
    parser.add_argument("--create", action="store_true", help="make its repository in ECR if there is none")
    parser.add_argument(
        "--build-arg",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="for an ARG of the Dockerfile (may be repeated); the image keeps it, so no passwords",
    )
    add_engine_option(parser)
    add_account_options(parser)


def _add_rights(parser: argparse.ArgumentParser) -> None:
    rights = parser.add_argument_group(
        "policies", "written for the account and region of --image, or of --account and --region"
    )
    rights.add_argument("--account", metavar="ID", help="AWS account of the application")
    words: dict[str, Any] = {"action": "append", "default": [], "metavar": "URI"}
    rights.add_argument("--reads", **words, help="what runs read, as s3://bucket/prefix (may be repeated)")
    rights.add_argument("--writes", **words, help="what runs read, write and delete (may be repeated)")
    rights.add_argument("--logs", **words, help="where EMR Serverless archives logs (may be repeated)")
    rights.add_argument("--glue", action="store_true", help="runs use the Glue Data Catalog")
    rights.add_argument(
        "--application",
        action="append",
        default=[],
        metavar="ID",
        help="for this application alone (may be repeated; default: all of account and region)",
    )


def _newest() -> str:
    return [label for label in known_labels() if label.startswith("emr-7.")][-1]


# --- doing it ---------------------------------------------------------------------------------------------


def _run(given: argparse.Namespace) -> int:
    _check(given)
    if given.check:
        return _judge(given)
    try:
        return _package(given)
    except PackagingError as error:
        say_error(str(error))
        return FAILED


def _judge(given: argparse.Namespace) -> int:
    from airflow_provider_emrkit.projects.archive_check import ArchiveTarget
    from airflow_provider_emrkit.projects.commands.judging import judge_archive

    target = ArchiveTarget(str(_release(given.release).label), given.arch)
    return judge_archive(given.check, target, as_json=given.json)


def _check(given: argparse.Namespace) -> None:
    if given.push and not given.image:
        raise InvalidValueError(OWNER, "--push", True, "pushes an image", "name it: --image NAME")
    if given.create and not given.push:
        raise InvalidValueError(OWNER, "--create", True, "is for an image that is pushed", "add --push")
    if given.requirements and not Path(given.requirements).is_file():
        raise InvalidValueError(OWNER, "--requirements", given.requirements, "is no file", "mend its path")


def _package(given: argparse.Namespace) -> int:
    project = detect(Path(given.directory).resolve())
    wish = Wish(
        _release(given.release),
        given.arch,
        given.python,
        given.entry_point,
        Path(given.requirements) if given.requirements else None,
        given.archive,
        tuple(given.allow_text),
    )
    imaging = _imaging(given)
    rights = _rights(given, imaging)
    output = Path(given.output or Path(given.directory, OUTPUT))
    with replacing(output) as made, tempfile.TemporaryDirectory(prefix="emrkit-") as scratch:
        manifest = Packaging(wish, os.environ, say_error).run(project, made, Path(scratch))
        _write_rights(made, rights, has_image=imaging is not None)
        if imaging:
            manifest = imaging.run(manifest, made, rights)
        files = sorted(path.name for path in made.iterdir())
        manifest = replace(manifest, files=tuple(files))
        _write(made / FILE_NAME, manifest.text())
    _tell(given, output, manifest)
    return OK


def _release(label: str) -> Release:
    try:
        return release(label)
    except InvalidValueError as error:
        raise error.moved(OWNER, "--release") from None


def _imaging(given: argparse.Namespace) -> Imaging | None:
    """Find the engine, and see that the image's name is one, before the long work."""
    if not given.image:
        return None
    from airflow_provider_emrkit.projects.commands.imaging import Imaging

    return Imaging.prepared(given, os.environ, say_error)


def _rights(given: argparse.Namespace, imaging: Imaging | None) -> Rights | None:
    registry = imaging.reference.ecr if imaging else None
    account = given.account or (registry.account if registry else None)
    region = given.region or (registry.region if registry else None)
    asked = [name for name in ("reads", "writes", "logs", "glue", "application") if getattr(given, name)]
    if account and region:
        rights = Rights(account, region, given.application, given.reads, given.writes, given.logs, given.glue)
        rights.policies(has_image=True)  # what can't be right is told before the long work
        return rights
    if asked or given.account:
        name = f"--{asked[0]}" if asked else "--account"
        value = getattr(given, asked[0] if asked else "account")
        raise InvalidValueError(OWNER, name, value, "is for policies", "give both --account and --region")
    return None


def _write_rights(made: Path, rights: Rights | None, *, has_image: bool) -> None:
    policies = rights.policies(has_image=has_image) if rights else {}
    for name, policy in policies.items():
        _write(made / name, json.dumps(policy, indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


# --- what comes next --------------------------------------------------------------------------------------


def _tell(given: argparse.Namespace, output: Path, manifest: Manifest) -> None:
    if given.json:
        say(manifest.text().rstrip())
        return
    say(f"wrote  {output}: {', '.join((*manifest.files, FILE_NAME))}")
    say(f"for    {manifest.release}, {manifest.architecture}, Python {manifest.python}")
    if manifest.image:
        say(f"image  {manifest.image}")
    if manifest.image_digest:
        say(f"digest {manifest.image_digest}")
    if manifest.image or manifest.archive:
        reader = f"{_CLASSES[manifest.kind]}.read({json.dumps(str(output.resolve()))})"
        say(f"\nin a DAG, with the directory beside it:\n  {reader}.job()")
    else:
        say("\nnothing brings its libraries to the job yet: say --archive, or --image NAME --push")
