"""The text of a Dockerfile for EMR Serverless. Pure.

Its images begin with EMR's own of the same release, which brings Spark, Hadoop, Java and a Python. EMR
Serverless starts driver and executors in them by itself, as user ``hadoop``: an image's ``ENTRYPOINT`` and
``CMD`` start nothing, and which Python a job has is said by the job (``PYSPARK_PYTHON``).
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.dockerfile import (
    PLATFORMS,
    PYTHON,
    UV,
    Installed,
    from_platform,
)
from airflow_provider_emrkit.images.pythons import OLDEST_OF_UV, OWNER, check_version, version_of
from airflow_provider_emrkit.images.requirements import Libraries, path_inside
from airflow_provider_emrkit.images.spark_needs import release_with_serverless_images
from airflow_provider_emrkit.jobs.image_reference import ImageReference
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from airflow_provider_emrkit.releases import Release

GALLERY = "public.ecr.aws/emr-serverless/spark"
HOME = "/home/hadoop"
USER = "hadoop:hadoop"

_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*", re.ASCII)


@dataclass(frozen=True)
class ServerlessImage:
    """What a Dockerfile for EMR Serverless is written for. Paths are relative to the build's directory.

    :param release_label: Release of EMR, from ``emr-6.9.0`` on: that of the application.
    :param architecture: ``x86_64`` or ``arm64``, that of the application; empty for the builder's own.
    :param python: Version that uv installs, as ``3.11`` or ``3.11.9``; None for the release's own.
    :param libraries: What to install.
    :param wheels: Wheels of the project itself, which are installed after the libraries.
    :param conf_source: File that is put into ``/home/hadoop``, as Kedro's ``conf-etl.tar.gz``.
    :param packages: Packages of the system.
    :param base: Image to begin with in place of EMR's: one that is made of it.
    :raises InvalidValueError: when a field can't be right.

    >>> image = ServerlessImage("emr-7.11.0", python="3.11", wheels=("etl-1.0-py3-none-any.whl",))
    >>> image.first_image, image.python_path
    ('public.ecr.aws/emr-serverless/spark/emr-7.11.0:latest', '/opt/python/current/bin/python3')
    """

    release_label: str
    architecture: str = ""
    python: str | None = None
    libraries: Libraries = field(default_factory=Libraries)
    wheels: tuple[str, ...] = ()
    conf_source: str | None = None
    packages: tuple[str, ...] = ()
    base: str = ""

    def __post_init__(self) -> None:
        release_with_serverless_images(self.release_label)
        if self.architecture not in ("", *PLATFORMS):
            raise _refused("architecture", self.architecture, "is not known", f"use {' or '.join(PLATFORMS)}")
        if self.python is not None:
            _check_python(self.python)
        for wheel in self.wheels:
            if not path_inside(wheel, "wheels").endswith(".whl"):
                raise _refused("wheels", wheel, "is no wheel", "build one: its name ends with .whl")
        if self.conf_source is not None:
            path_inside(self.conf_source, "conf_source")
        for package in self.packages:
            if not _PACKAGE.fullmatch(package):
                mend = "name it as the release's package manager knows it"
                raise _refused("packages", package, "is no name of a package", mend)
        if self.base:
            try:
                ImageReference.parse(self.base)
            except InvalidValueError as error:
                raise error.moved(OWNER, "--base") from None

    @property
    def release(self) -> Release:
        """Its release."""
        return release_with_serverless_images(self.release_label)

    @property
    def first_image(self) -> str:
        """The image it begins with."""
        return self.base or f"{GALLERY}/{self.release_label}:latest"

    @property
    def package_manager(self) -> str:
        """What installs packages of the system: Amazon Linux 2 has yum, its successor dnf."""
        return "yum" if self.release.is_older_linux else "dnf"

    @property
    def python_path(self) -> str:
        """The job's Python in the image: what ``PYSPARK_PYTHON`` has to name."""
        return PYTHON if self.python else f"/usr/bin/python{self.release.python}"

    @property
    def conf_path(self) -> str | None:
        """Where :attr:`conf_source` is in the image."""
        return (
            None if self.conf_source is None else posixpath.join(HOME, posixpath.basename(self.conf_source))
        )

    @property
    def copies(self) -> tuple[str, ...]:
        """All that a build of it copies; directories end with ``/``."""
        conf = () if self.conf_source is None else (self.conf_source,)
        return (*self.libraries.copies, *self.wheels, *conf)

    @property
    def installed(self) -> Installed:
        """What is installed into it."""
        own = "" if self.python else self.python_path
        git = f"{self.package_manager} install -y git"
        return Installed(self.python or "", own, self.libraries, self.wheels, git)

    def dockerfile(self) -> str:
        """Write the Dockerfile."""
        parts = [_head(self), _bases(self)]
        parts += [self.installed.stage()] if self.installed.needs_uv else []
        return "\n\n".join([*parts, _last(self)]) + "\n"


def _check_python(python: str) -> None:
    check_version(python)
    if version_of(python) < OLDEST_OF_UV:
        mend = "leave it out for the release's own, or use a later one"
        raise _refused("--python", python, "can't be installed by uv", mend)


def _refused(field: str, value: object, problem: str, mend: str) -> InvalidValueError:
    return InvalidValueError(OWNER, field, value, problem, mend)


# --- the text ---------------------------------------------------------------------------------------------


def _head(image: ServerlessImage) -> str:
    release = image.release
    python = f"Python {image.python}" if image.python else f"libraries for its Python {release.python}"
    return f"""\
# Spark jobs of {release.label} on EMR Serverless, in an image of their own.
# EMR's image brings Spark {release.spark}, Hadoop and Java {release.java}; this one adds {python}.
# Written by emrkit, and yours to change: `emrkit image check --target serverless` tells whether
# EMR Serverless can run it."""


def _bases(image: ServerlessImage) -> str:
    start = from_platform(image.architecture)
    lines = [f"{start} {UV} AS uv", ""] if image.installed.needs_uv else []
    lines += [
        f"# An application of {image.release.label} takes images of that release. EMR goes on building",
        "# what has this tag; for the same image each time write its digest after it: …:latest@sha256:…",
        f"{start} {image.first_image} AS base",
        "USER root",
    ]
    if image.release.is_older_linux:
        lines.append(
            "# Amazon Linux 2, whose glibc is 2.26: libraries come as wheels for manylinux_2_26 or older."
        )
    lines += _packages(image)
    return "\n".join(lines)


def _packages(image: ServerlessImage) -> list[str]:
    manager = image.package_manager
    if not image.packages:
        return [f"# Packages of the system go here: RUN {manager} install -y … && {manager} clean all"]
    return [f"RUN {manager} install -y {' '.join(image.packages)} \\", f"    && {manager} clean all"]


def _last(image: ServerlessImage) -> str:
    lines = ["FROM base"]
    lines += image.installed.copied() if image.installed.needs_uv else []
    if image.conf_source is not None:
        lines.append(f"COPY --chown={USER} {image.conf_source} {image.conf_path}")
    lines += [
        "# The job says it, too: spark.emr-serverless.driverEnv.PYSPARK_PYTHON, …PYSPARK_DRIVER_PYTHON and",
        "# spark.executorEnv.PYSPARK_PYTHON. The system's own python3 is left to its tools.",
        f"ENV PYSPARK_PYTHON={image.python_path} PYSPARK_DRIVER_PYTHON={image.python_path}",
        "# EMR Serverless runs it as hadoop, and so do the checks from here on.",
        f"USER {USER}",
        f'RUN {image.python_path} --version && "$JAVA_HOME/bin/java" -version \\',
        '    && test -x "$SPARK_HOME/bin/spark-submit"',
        "# No ENTRYPOINT or CMD: EMR Serverless starts its own. What a job starts is its entry point in S3.",
    ]
    return "\n".join(lines)
