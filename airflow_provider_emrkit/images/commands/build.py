"""``emrkit image build``: build an image."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.images.building import built
from airflow_provider_emrkit.images.checking import checked
from airflow_provider_emrkit.images.commands.adding import OK, add_engine_option, say
from airflow_provider_emrkit.images.commands.check import tell_findings
from airflow_provider_emrkit.images.commands.targeting import add_target_options, options_of, target_of
from airflow_provider_emrkit.images.dockerfile import PLATFORMS
from airflow_provider_emrkit.images.engine import Build, ContainerEngine, EngineError
from airflow_provider_emrkit.images.naming import OWNER, size_text, tagged
from airflow_provider_emrkit.logs.text import one_line
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from airflow_provider_emrkit.images.commands.adding import Adding
    from airflow_provider_emrkit.images.findings import Target
    from airflow_provider_emrkit.jobs.image_reference import ImageReference

_EXAMPLES = """examples:
  emrkit image build --tag etl:1.4
  emrkit image build --tag etl:1.4 --release emr-6.15.0      and check the image for a release
  emrkit image build --tag etl:1.4 --target serverless --release emr-7.11.0
  emrkit image build app --tag etl:1.4 --file app/emr.Dockerfile
  emrkit image build --tag etl:1.4 --arch arm64 --build-arg UV_DEFAULT_INDEX=https://pypi.example.com/simple
"""


def add_to(adding: Adding) -> None:
    """Add the command to those of ``emrkit image``."""
    parser = adding.command("build", _run, "build an image from a Dockerfile", _EXAMPLES)
    parser.add_argument(
        "directory", nargs="?", default=".", metavar="DIR", help="what the build may copy from (default: .)"
    )
    parser.add_argument("--tag", required=True, metavar="NAME", help="name of the image, as etl:1.4")
    parser.add_argument("--file", metavar="FILE", help="the Dockerfile (default: DIR/Dockerfile)")
    parser.add_argument(
        "--arch",
        choices=tuple(PLATFORMS),
        default="x86_64",
        help="what instances or application are: arm64 for Graviton (default: %(default)s)",
    )
    parser.add_argument(
        "--build-arg",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="for an ARG of the Dockerfile (may be repeated); the image keeps it, so no passwords",
    )
    parser.add_argument("--release", metavar="LABEL", help="check the image for a release of EMR, too")
    add_target_options(parser)
    parser.add_argument("--network", default="", metavar="NAME", help="network of the build, as none or host")
    add_engine_option(parser)


def _run(given: argparse.Namespace) -> int:
    reference = tagged("--tag", given.tag)
    # Before a long build.
    target = target_of(given) if given.release else None
    file = _dockerfile(given.directory, given.file)
    engine = ContainerEngine.find(given.engine, os.environ)
    build = Build(
        given.directory,
        str(file),
        str(reference),
        platform=PLATFORMS[given.arch],
        arguments=tuple(given.build_arg),
        network=given.network,
    )
    _tell(reference, built(engine, build))
    code = _checked(engine, reference, target) if target else OK
    if code == OK:
        _tell_next(reference, options_of(given))
    return code


def _checked(engine: ContainerEngine, reference: ImageReference, target: Target) -> int:
    found = checked(engine, str(reference), target)
    if found is None:
        raise EngineError(f"{engine.name} does not have {reference} any more", "build it again")
    return tell_findings(found)


def _dockerfile(directory: str, file: str | None) -> Path:
    """Give the Dockerfile, which is there."""
    if not Path(directory).is_dir():
        raise InvalidValueError(OWNER, "DIR", directory, "is no directory", "name one that has a Dockerfile")
    found = Path(file) if file else Path(directory) / "Dockerfile"
    if not found.is_file():
        mend = "name another, or write one with: emrkit image new"
        raise InvalidValueError(OWNER, "--file", str(found), "is no file", mend)
    return found


def _tell(reference: ImageReference, image: Mapping[str, Any]) -> None:
    say(f"image  {reference}")
    say(f"id     {image.get('Id', '')}")
    architecture = one_line(str(image.get("Architecture", "")), 20)
    say(f"size   {size_text(int(image.get('Size') or 0))}, {architecture}\n")


def _tell_next(reference: ImageReference, options: str) -> None:
    if reference.ecr:
        say(f"next: emrkit image push {reference}{options}")
    else:
        name = "ACCOUNT.dkr.ecr.REGION.amazonaws.com/etl:1.4"
        say(f"next: emrkit image push {name} --source {reference}{options}")
