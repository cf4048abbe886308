"""The text of a Dockerfile for Docker on YARN. Pure.

EMR mounts its Spark and Hadoop into the container (``/docker/usr/lib``), so that the image needs Java, Python
and libraries. ``spark-env`` of EMR names ``/usr/bin/python3`` as the job's Python, and YARN starts the
container as user hadoop.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.dockerfile import (
    NO_LIBRARIES,
    PYTHON,
    UV,
    WRITTEN,
    Installed,
    from_platform,
)
from airflow_provider_emrkit.images.pythons import OLDEST_OF_UV, OWNER, version_of
from airflow_provider_emrkit.images.requirements import Libraries
from airflow_provider_emrkit.images.spark_needs import Version, dotted
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from airflow_provider_emrkit.releases import Release

CORRETTO = "public.ecr.aws/amazoncorretto/amazoncorretto"
# Wheels of today ask for a glibc that Amazon Linux 2 (2.26) does not have, and its updates have ended.
NEWER_LINUX, OLDER_LINUX = "al2023", "al2"
# The Pythons that a base has as its own: what Amazon keeps up to date, where a job takes it.
OWN_PYTHONS = {(3, 7): OLDER_LINUX, (3, 9): NEWER_LINUX}

EMRS_PYTHON = "/usr/bin/python3"


@dataclass(frozen=True)
class Recipe:
    """What a Dockerfile is written for.

    :param release: Release of EMR.
    :param python: ``3.11``, or ``3.11.9``; see :func:`airflow_provider_emrkit.images.pythons.chosen_python`.
    :param libraries: What to install.
    :param base: Image to begin with, which has Java; empty for Amazon Corretto.
    :param arch: ``x86_64`` or ``arm64``; empty for that of the machine that builds.

    >>> from airflow_provider_emrkit.releases import release
    >>> Recipe(release("emr-6.15.0"), "3.11").first_image
    'public.ecr.aws/amazoncorretto/amazoncorretto:8-al2023-jdk'
    """

    release: Release
    python: str
    libraries: Libraries = field(default_factory=Libraries)
    base: str = ""
    arch: str = ""

    @property
    def version(self) -> Version:
        """Major and minor version of its Python."""
        return version_of(self.python)

    @property
    def own_python(self) -> bool:
        """Whether the Python is that of the base."""
        return not self.base and self.python == dotted(self.version) and self.version in OWN_PYTHONS

    @property
    def first_image(self) -> str:
        """The image it begins with."""
        linux = OWN_PYTHONS.get(self.version, NEWER_LINUX) if self.own_python else NEWER_LINUX
        return self.base or f"{CORRETTO}:{self.release.java}-{linux}-jdk"

    @property
    def is_older_linux(self) -> bool:
        """Whether that is Amazon Linux 2."""
        return self.own_python and OWN_PYTHONS[self.version] == OLDER_LINUX

    @property
    def installed(self) -> Installed:
        """What is installed into it."""
        git = "yum install -y git"
        if self.base:
            git = f"command -v git || {git} || (apt-get update && apt-get install -y git)"
        python, own = ("", EMRS_PYTHON) if self.own_python else (self.python, "")
        return Installed(python, own, self.libraries, git=git)


def check_python(recipe: Recipe) -> None:
    """Check that the recipe's Python can be had.

    :raises InvalidValueError: otherwise.
    """
    if recipe.own_python or recipe.version >= OLDEST_OF_UV:
        return
    shown = dotted(recipe.version)
    problem = "can't be installed by uv"
    if recipe.version in OWN_PYTHONS:
        mend = f"say --python {shown}, without --base: it is Amazon Linux's own then"
    else:
        mend = "use 3.7, which Amazon Linux 2 has, or a later one"
    raise InvalidValueError(OWNER, "--python", recipe.python, problem, mend)


def dockerfile(recipe: Recipe) -> str:
    """Write the Dockerfile."""
    check_python(recipe)
    installed = recipe.installed
    parts = [_head(recipe), _bases(recipe)]
    parts += [installed.stage()] if installed.needs_uv else []
    return "\n\n".join([*parts, _last(recipe)]) + "\n"


def _head(recipe: Recipe) -> str:
    release, java = recipe.release, "Java" if recipe.base else f"Java {recipe.release.java}"
    return f"""\
# Spark jobs of {release.label} in containers of their own image (Docker on YARN).
# The cluster brings Spark {release.spark} and Hadoop, this image {java}, Python {recipe.python}, libraries.
# {WRITTEN}, and yours to change: `emrkit image check` tells whether EMR can run it."""


def _bases(recipe: Recipe) -> str:
    start = from_platform(recipe.arch)
    why = f"# Java {recipe.release.java} is what {recipe.release.label} runs; JAVA_HOME is set in there."
    lines = ["# It has to have bash, Java and JAVA_HOME." if recipe.base else why]
    if recipe.is_older_linux:
        lines.append("# Amazon Linux 2 for its Python 3.7: neither gets updates any more.")
    lines += [f"{start} {recipe.first_image} AS base"]
    if recipe.own_python:
        lines.append("RUN test -x /usr/bin/python3 || (yum install -y python3 && yum clean all)")
    if recipe.installed.needs_uv:
        lines = [f"{start} {UV} AS uv", "", *lines]
    return "\n".join(lines)


def _last(recipe: Recipe) -> str:
    installed = recipe.installed
    lines = ["FROM base", *(installed.copied() if installed.needs_uv else NO_LIBRARIES)]
    if recipe.own_python:
        return "\n".join([*lines, f"RUN {_CHECK}", _END])
    lines += [
        f"# EMR starts {EMRS_PYTHON}. The system's own tools may need the one that was there: install",
        "# packages of the system above, in the stage called base.",
        f"RUN ln -sf {PYTHON} {EMRS_PYTHON} \\",
        f"    && {_CHECK}",
        _END,
    ]
    return "\n".join(lines)


# A build that ends well has both.
_CHECK = f'{EMRS_PYTHON} --version && "$JAVA_HOME/bin/java" -version'
_END = (
    "# No ENTRYPOINT, CMD or USER: YARN starts `bash launch_container.sh` in here, as the user of the job.\n"
    "# No SPARK_HOME, HADOOP_CONF_DIR or PYTHONPATH either: those are the cluster's."
)
