"""The text of a Dockerfile for Docker on YARN. Pure.

EMR mounts its Spark and Hadoop into the container (``/docker/usr/lib``), so that the image needs Java, Python
and libraries. ``spark-env`` of EMR names ``/usr/bin/python3`` as the job's Python, and YARN starts the
container as user hadoop.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.requirements import CLUSTERS_OWN, Libraries
from airflow_provider_emrkit.images.spark_needs import Version, dotted, needs_of
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from airflow_provider_emrkit.releases import Release

OWNER = "image new"
WRITTEN = "Written by `emrkit image new`"

CORRETTO = "public.ecr.aws/amazoncorretto/amazoncorretto"
UV = "ghcr.io/astral-sh/uv:0.13.8"
# Wheels of today ask for a glibc that Amazon Linux 2 (2.26) does not have, and its updates have ended.
NEWER_LINUX, OLDER_LINUX = "al2023", "al2"
# The Pythons that a base has as its own: what Amazon keeps up to date, where a job takes it.
OWN_PYTHONS = {(3, 7): OLDER_LINUX, (3, 9): NEWER_LINUX}
OLDEST_OF_UV = (3, 8)

LIBRARIES = "/opt/libraries"
PYTHONS = "/opt/python"
PYTHON = f"{PYTHONS}/current/bin/python3"
EMRS_PYTHON = "/usr/bin/python3"

PLATFORMS = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}


@dataclass(frozen=True)
class Recipe:
    """What a Dockerfile is written for.

    :param release: Release of EMR.
    :param python: ``3.11``, or ``3.11.9``; see :func:`chosen_python`.
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


# --- which Python -----------------------------------------------------------------------------------------


def version_of(python: str) -> Version:
    """Give major and minor of a version.

    >>> version_of("3.11.9")
    (3, 11)
    """
    major, minor = python.split(".")[:2]
    return int(major), int(minor)


def chosen_python(release: Release, wanted: str | None, project: str = "") -> str:
    """Choose the Python of an image: what is wanted, otherwise the newest that release and project take.

    Not the release's own, which for EMR 6 is 3.7: it has had no update since 2023, and few libraries take it.

    :param wanted: Such as ``3.11`` or ``3.11.9``.
    :param project: What the project asks for, as ``>=3.9,<3.12``.
    :raises InvalidValueError: when release or project does not take it.
    """
    needs = needs_of(release.spark)
    if needs is None:
        return wanted or release.python
    if wanted:
        if not needs.takes(version_of(wanted)):
            problem = f"is no Python that Spark {release.spark} of {release.label} takes"
            raise InvalidValueError(OWNER, "--python", wanted, problem, f"use one of {needs.pythons}")
        if not _project_takes(project, wanted):
            mend = f"the project asks for {project}: choose another, or change its requires-python"
            raise InvalidValueError(OWNER, "--python", wanted, "is not for this project", mend)
        return wanted
    # Older ones than these nobody can install.
    oldest = max(needs.oldest, min(OWN_PYTHONS))
    for minor in range(needs.newest[1], oldest[1] - 1, -1):
        if _project_takes(project, f"3.{minor}"):
            return f"3.{minor}"
    problem = f"leaves no Python that Spark {release.spark} of {release.label} takes"
    mend = f"change it to take one of {needs.pythons}, or choose another release"
    raise InvalidValueError(OWNER, "requires-python", project, problem, mend)


def _project_takes(project: str, python: str) -> bool:
    if not project:
        return True
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        asked = SpecifierSet(project)
    except InvalidSpecifier:
        mend = "write it like >=3.9,<3.12"
        raise InvalidValueError(OWNER, "requires-python", project, "is no range of versions", mend) from None
    # 3.11 stands for any of its patches: >=3.11.4 takes it.
    patches = [python] if python.count(".") > 1 else [f"{python}.{patch}" for patch in range(40)]
    return any(asked.contains(patch) for patch in patches)


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


# --- the text ---------------------------------------------------------------------------------------------


def dockerfile(recipe: Recipe) -> str:
    """Write the Dockerfile."""
    check_python(recipe)
    python = _own_python(recipe) if recipe.own_python else _managed_python(recipe)
    parts = [_head(recipe), _bases(recipe), *python]
    return "\n\n".join(parts) + "\n"


def dockerignore(recipe: Recipe) -> str:
    """Write the ``.dockerignore``: a build sees what the Dockerfile copies, and nothing else."""
    why = f"# {WRITTEN}: the build sees what the Dockerfile copies, and no secrets."
    return "\n".join((why, "*", *(f"!{path.rstrip('/')}" for path in recipe.libraries.copies), ""))


def _head(recipe: Recipe) -> str:
    release, java = recipe.release, "Java" if recipe.base else f"Java {recipe.release.java}"
    return f"""\
# Spark jobs of {release.label} in containers of their own image (Docker on YARN).
# The cluster brings Spark {release.spark} and Hadoop, this image {java}, Python {recipe.python}, libraries.
# {WRITTEN}, and yours to change: `emrkit image check` tells whether EMR can run it."""


def _bases(recipe: Recipe) -> str:
    platform = f"--platform={PLATFORMS[recipe.arch]} " if recipe.arch else ""
    why = f"# Java {recipe.release.java} is what {recipe.release.label} runs; JAVA_HOME is set in there."
    lines = ["# It has to have bash, Java and JAVA_HOME." if recipe.base else why]
    if recipe.is_older_linux:
        lines.append("# Amazon Linux 2 for its Python 3.7: neither gets updates any more.")
    lines += [f"FROM {platform}{recipe.first_image} AS base"]
    if recipe.own_python:
        lines.append("RUN test -x /usr/bin/python3 || (yum install -y python3 && yum clean all)")
    if not recipe.own_python or recipe.libraries.source != "none":
        lines = [f"FROM {platform}{UV} AS uv", "", *lines]
    return "\n".join(lines)


def _managed_python(recipe: Recipe) -> list[str]:
    stage = [
        "FROM base AS libraries",
        *_MIRRORS,
        "COPY --from=uv /uv /usr/local/bin/uv",
        f"ENV UV_NO_CACHE=1 UV_LINK_MODE=copy UV_PYTHON_INSTALL_DIR={PYTHONS}",
        "# In /opt, where any user can read it: the job runs as hadoop, who can't look into /root.",
        "ARG UV_PYTHON_INSTALL_MIRROR",
        f"RUN uv python install {recipe.python} \\",
        f"    && found=$(uv python find --managed-python {recipe.python}) \\",
        f'    && ln -s "$(dirname "$(dirname "$found")")" {PYTHONS}/current',
        *_install(recipe, f"--python {PYTHON} --break-system-packages", PYTHONS),
    ]
    last = [
        "FROM base",
        f"COPY --from=libraries {PYTHONS} {PYTHONS}",
        f"# EMR starts {EMRS_PYTHON}. The system's own tools may need the one that was there: install",
        "# packages of the system above, in the stage called base.",
        f"RUN ln -sf {PYTHON} {EMRS_PYTHON} \\",
        f"    && {_CHECK}",
        _END,
    ]
    return ["\n".join(stage), "\n".join(last)]


def _own_python(recipe: Recipe) -> list[str]:
    if recipe.libraries.source == "none":
        return ["\n".join(("FROM base", *_NO_LIBRARIES, f"RUN {_CHECK}", _END))]
    stage = [
        "FROM base AS libraries",
        *_MIRRORS,
        "COPY --from=uv /uv /usr/local/bin/uv",
        "ENV UV_NO_CACHE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never",
        *_install(recipe, f"--python {EMRS_PYTHON} --target {LIBRARIES}", LIBRARIES),
    ]
    last = [
        "FROM base",
        f"COPY --from=libraries {LIBRARIES} {LIBRARIES}",
        "# Python looks into the directories that such a file names; PYTHONPATH is YARN's.",
        f"RUN packages=$({EMRS_PYTHON} -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))') \\",
        '    && mkdir -p "$packages" \\',
        f'    && echo \'import site; site.addsitedir("{LIBRARIES}")\' > "$packages/libraries.pth" \\',
        f"    && {_CHECK}",
        _END,
    ]
    return ["\n".join(stage), "\n".join(last)]


# A build that ends well has both.
_CHECK = f'{EMRS_PYTHON} --version && "$JAVA_HOME/bin/java" -version'
_MIRRORS = (
    "# A mirror of PyPI: emrkit image build --build-arg UV_DEFAULT_INDEX=https://…",
    "ARG UV_DEFAULT_INDEX",
)
_NO_LIBRARIES = (
    "# No libraries: put a requirements.txt beside this file, and write it anew with",
    "# `emrkit image new --requirements requirements.txt --force`.",
)
_END = (
    "# No ENTRYPOINT, CMD or USER: YARN starts `bash launch_container.sh` in here, as the user of the job.\n"
    "# No SPARK_HOME, HADOOP_CONF_DIR or PYTHONPATH either: those are the cluster's."
)


def _install(recipe: Recipe, where: str, made: str) -> list[str]:
    """Install the libraries with uv, by its options that say where."""
    libraries = recipe.libraries
    if libraries.source == "none":
        return list(_NO_LIBRARIES)
    lines = ["WORKDIR /build", *_copies(libraries)]
    if libraries.needs_git:
        lines = [
            "# For what comes from git. This stage does not get into the image.",
            f"RUN {_git(recipe)}",
            *lines,
        ]
    lines += [
        "# PySpark comes with the cluster, and stays out whoever asks for it.",
        f"RUN printf '%s\\n' {' '.join(CLUSTERS_OWN)} > /tmp/excluded.txt \\",
    ]
    if libraries.source == "uv.lock":
        project = posixpath.dirname(libraries.file) or "."
        lines += [
            f"    && uv export --quiet --project {project} --python {where.split()[1]} --frozen \\",
            "        --no-dev --no-emit-project --prune pyspark --output-file /tmp/locked.txt \\",
        ]
    file = "/tmp/locked.txt" if libraries.source == "uv.lock" else libraries.file  # noqa: S108 - in the build
    return [
        *lines,
        f"    && uv pip install {where} \\",
        f"        --excludes /tmp/excluded.txt -r {file} \\",
        f"    && chmod -R a+rX {made}",
    ]


def _git(recipe: Recipe) -> str:
    if recipe.base:
        return "command -v git || yum install -y git || (apt-get update && apt-get install -y git)"
    return "yum install -y git"


def _copies(libraries: Libraries) -> list[str]:
    """Copy each file to its own path: files of one directory at once, in as few layers."""
    files: dict[str, list[str]] = {}
    whole = tuple(path for path in libraries.copies if path.endswith("/"))
    for path in libraries.copies:
        if path not in whole and path.startswith(whole):
            continue
        files.setdefault(path if path.endswith("/") else posixpath.dirname(path), []).append(path)
    return [
        f"COPY {' '.join(paths)} ./{directory.rstrip('/') + '/' if directory else ''}"
        for directory, paths in files.items()
    ]
