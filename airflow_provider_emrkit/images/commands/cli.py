"""``emrkit image``: the images that Spark jobs bring along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.images.commands import build, check, new, push
from airflow_provider_emrkit.images.commands.adding import Adding

if TYPE_CHECKING:
    import argparse

_DESCRIPTION = """The images that Spark jobs bring along: SparkJob(docker=DockerImage(...)) on the clusters of
EMR; with --target serverless those of applications of EMR Serverless: ApplicationSpec(image=...).
Docker or Podman does the work on this machine."""

_EXAMPLES = """examples:
  emrkit image new --release emr-6.15.0               write a Dockerfile
  emrkit image build --tag NAME --release emr-6.15.0  build it, and check the image
  emrkit image check NAME --release emr-6.15.0        does EMR run jobs in it?
  emrkit image push NAME --create                     push it, and make its repository in ECR
  where NAME is like 123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.4
"""


def add_parser(commands: Any, formatter: type[argparse.HelpFormatter]) -> None:
    """Add ``image`` and its commands to a parser.

    :param commands: What ``add_subparsers`` returned.
    """
    image = commands.add_parser(
        "image",
        help="make, check, build and push images for Spark jobs",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=formatter,
    )
    adding = Adding(
        image.add_subparsers(dest="action", required=True, metavar="COMMAND"),
        formatter,
    )
    for command in (new, build, check, push):
        command.add_to(adding)
