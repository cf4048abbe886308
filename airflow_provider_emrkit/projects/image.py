"""The image of a package for EMR Serverless: its Dockerfile, and what builds, checks and pushes it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.building import BuildError, built
from airflow_provider_emrkit.images.checking import checked
from airflow_provider_emrkit.images.dockerfile import PLATFORMS, dockerignore
from airflow_provider_emrkit.images.engine import Build
from airflow_provider_emrkit.images.findings import Target
from airflow_provider_emrkit.images.requirements import Libraries
from airflow_provider_emrkit.images.serverless_dockerfile import ServerlessImage
from airflow_provider_emrkit.logs.text import one_line
from airflow_provider_emrkit.projects.errors import PackagingError
from airflow_provider_emrkit.projects.wheels import read_wheel
from airflow_provider_emrkit.releases import release

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from airflow_provider_emrkit.images.engine import ContainerEngine
    from airflow_provider_emrkit.jobs.image_reference import ImageReference
    from airflow_provider_emrkit.projects.manifest import Manifest

DOCKERFILE, DOCKERIGNORE = "Dockerfile", ".dockerignore"


def image_of(manifest: Manifest, made: Path) -> ServerlessImage:
    """Give the image that has a package in it.

    :param made: Directory of the package.
    :raises InvalidValueError: when its release takes none.
    """
    listed = (made / manifest.requirements).read_text(encoding="utf-8")
    libraries = [line for line in listed.splitlines() if line and not line.startswith(("#", "-"))]
    needs_git = any("git+" in line for line in libraries)
    copies = (manifest.requirements,)
    return ServerlessImage(
        manifest.release,
        architecture=manifest.architecture,
        python=manifest.python,
        libraries=Libraries("requirements", *copies, copies, needs_git) if libraries else Libraries(),
        wheels=tuple(path.name for path in wheels_in(made, manifest.wheel)),
        conf_source=manifest.conf_source,
    )


def wheels_in(made: Path, first: str) -> list[Path]:
    """Give the wheels of a package: its project's, then those of what else the project has of its machine."""
    others = sorted(path for path in made.glob("*.whl") if path.name != first)
    return [made / first, *others]


def write_dockerfile(image: ServerlessImage, made: Path) -> None:
    """Write what the image is built from, beside the package."""
    for name, text in ((DOCKERFILE, image.dockerfile()), (DOCKERIGNORE, dockerignore(image.copies))):
        (made / name).write_text(text, encoding="utf-8", newline="\n")


def build_image(
    engine: ContainerEngine,
    image: ServerlessImage,
    made: Path,
    reference: ImageReference,
    arguments: Sequence[str] = (),
) -> None:
    """Build the image of a package.

    :param arguments: ``NAME=value`` for the Dockerfile's ``ARG``.
    :raises PackagingError: when the engine can't; it has told why.
    """
    build = Build(
        os.fspath(made),
        os.fspath(made / DOCKERFILE),
        str(reference),
        platform=PLATFORMS[image.architecture],
        arguments=tuple(arguments),
    )
    try:
        built(engine, build)
    except BuildError as error:
        raise PackagingError(f"{engine.name} could not build {reference}", "see above") from error


def importable(manifest: Manifest, made: Path) -> tuple[str, ...]:
    """Give the modules of a package that can be imported to see whether they are there.

    Not the module that is the job itself: importing it may run it.
    """
    module, function = manifest.module.partition(":")[::2]
    is_package = module in read_wheel(made / manifest.wheel).packages
    return (module,) if function or is_package else ()


def check_image(
    engine: ContainerEngine,
    image: ServerlessImage,
    reference: ImageReference,
    modules: Sequence[str],
    say: Callable[[str], None],
) -> None:
    """See that EMR Serverless runs jobs in an image, and that its Python has the project.

    :param modules: What of the project has to be importable.
    :param say: Gets what was found, a line each.
    :raises PackagingError: when no job would run.
    """
    target = Target(
        release(image.release_label), image.architecture, image.python_path, "serverless", tuple(modules)
    )
    found = checked(engine, str(reference), target)
    if found is None:
        raise PackagingError(f"{engine.name} has built {reference}, and does not have it", "build it again")
    for finding in found.findings:
        if finding.level != "ok":
            told = f"{finding.text}; {finding.mend}" if finding.mend else finding.text
            say(f"image  {finding.level}: {finding.subject}: {one_line(told)}")
    if found.errors:
        errors = "an error" if found.errors == 1 else f"{found.errors} errors"
        problem = f"{reference} has {errors} with which EMR Serverless runs no job"
        raise PackagingError(problem, "see above")
