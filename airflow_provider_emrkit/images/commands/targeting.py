"""What an image is for, on the command line: ``--target``, and the release."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from airflow_provider_emrkit.images.findings import Kind, Target
from airflow_provider_emrkit.images.spark_needs import release_with_images, release_with_serverless_images
from airflow_provider_emrkit.images.yarn_dockerfile import EMRS_PYTHON
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    import argparse

    from airflow_provider_emrkit.releases import Release

OWNER = "emrkit image"
KINDS = get_args(Kind)
SERVERLESS = "serverless"


def add_target_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--target``, and what belongs to one of them."""
    add_target_option(parser)
    parser.add_argument(
        "--experimental-emr7",
        action="store_true",
        help="yarn: take EMR 7 too, for which AWS documents no images",
    )


def add_target_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--target``."""
    parser.add_argument(
        "--target",
        choices=KINDS,
        default="yarn",
        help="what runs it: YARN on the clusters of EMR, or EMR Serverless (default: %(default)s)",
    )


def release_of(given: argparse.Namespace, label: str) -> Release:
    """Look up a release that runs images where they are to run.

    :raises InvalidValueError: for any other.
    """
    if given.target != SERVERLESS:
        return release_with_images(label, experimental_emr7=given.experimental_emr7)
    if given.experimental_emr7:
        problem, mend = "is for Docker on YARN", "leave it out: EMR Serverless runs images on EMR 7"
        raise InvalidValueError(OWNER, "--experimental-emr7", True, problem, mend)
    return release_with_serverless_images(label)


def target_of(
    given: argparse.Namespace, *, python: str | None = None, modules: tuple[str, ...] = ()
) -> Target:
    """Give what an image is to be checked for.

    :param python: Path of the job's Python; None for EMR's on YARN, and for the image's on EMR Serverless.
    :param modules: Modules that it has to be able to import.
    """
    release = release_of(given, given.release) if given.release else None
    if python is None:
        python = "" if given.target == SERVERLESS else EMRS_PYTHON
    return Target(release, given.arch, python, given.target, modules)


def options_of(given: argparse.Namespace) -> str:
    """Give the options that say what an image is for, as a user writes them after a command."""
    serverless = " --target serverless" if given.target == SERVERLESS else ""
    return serverless + (" --experimental-emr7" if given.experimental_emr7 else "")
