"""What Spark asks of the image it runs in, and which releases of EMR run images at all. Pure.

Pythons: the classifiers of each PySpark on PyPI, which is what its own tests ran with. Java: the overview
page of each version's documentation ("Spark runs on Java …").
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from airflow_provider_emrkit.compute.docker_on_yarn import DockerOnYarn, release_mend
from airflow_provider_emrkit.releases import Release, release
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

Version = tuple[int, int]


@dataclass(frozen=True)
class SparkNeeds:
    """The Pythons and Javas that a version of Spark takes.

    :param oldest: Oldest Python.
    :param newest: Newest Python.
    :param javas: Major versions of Java.

    >>> needs_of("3.4.1").takes((3, 11)), needs_of("3.4.1").takes((3, 12))
    (True, False)
    """

    oldest: Version
    newest: Version
    javas: tuple[int, ...]

    def takes(self, python: Version) -> bool:
        """Tell whether it takes a Python."""
        return self.oldest <= python <= self.newest

    @property
    def pythons(self) -> str:
        """The Pythons in words."""
        return f"{dotted(self.oldest)} to {dotted(self.newest)}"


_NEEDS: Mapping[str, SparkNeeds] = MappingProxyType(
    {
        "2.4": SparkNeeds((3, 4), (3, 7), (8,)),
        "3.0": SparkNeeds((3, 6), (3, 8), (8, 11)),
        "3.1": SparkNeeds((3, 6), (3, 9), (8, 11)),
        "3.2": SparkNeeds((3, 6), (3, 10), (8, 11)),
        "3.3": SparkNeeds((3, 7), (3, 10), (8, 11, 17)),
        "3.4": SparkNeeds((3, 7), (3, 11), (8, 11, 17)),
        "3.5": SparkNeeds((3, 8), (3, 11), (8, 11, 17)),
        "4.0": SparkNeeds((3, 9), (3, 13), (17, 21)),
        "4.1": SparkNeeds((3, 10), (3, 14), (17, 21)),
    }
)


def needs_of(spark: str) -> SparkNeeds | None:
    """Give what a version of Spark needs; None for one that is not known.

    :param spark: Such as ``3.4.1``.
    """
    return _NEEDS.get(".".join(spark.split(".")[:2]))


def dotted(version: Version) -> str:
    """Write a version as people do.

    >>> dotted((3, 11))
    '3.11'
    """
    return ".".join(map(str, version))


def release_with_images(label: str, *, experimental_emr7: bool = False) -> Release:
    """Look up a release that runs jobs in containers of their own images.

    :param experimental_emr7: Take EMR 7 too, for which AWS does not document it.
    :raises InvalidValueError: for any other.
    """
    found = release(label)
    mend = release_mend(label, DockerOnYarn(experimental_emr7=experimental_emr7))
    if not mend:
        return found
    if found.label.family == "emr" and found.label.major > 6:
        mend += " (here: --target serverless, or --experimental-emr7)"
    raise InvalidValueError("releases", "label", label, "does not run jobs in images of their own", mend)


def release_with_serverless_images(label: str) -> Release:
    """Look up a release that runs jobs in images of their own on EMR Serverless: ``emr-6.9.0`` and later.

    :raises InvalidValueError: for any other.
    """
    found = release(label)
    if not found.supports("serverless"):
        problem = "is no release of EMR Serverless"
    elif not found.supports("serverless_images"):
        problem = "does not run jobs in images of their own on EMR Serverless"
    else:
        return found
    mend = "use emr-6.9.0 or a later one that EMR Serverless has"
    raise InvalidValueError("releases", "label", label, problem, mend)
