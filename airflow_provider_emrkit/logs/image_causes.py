"""What a cause means for a job that runs in an image of its own. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_emrkit.jobs.image_reference import ImageReference
from airflow_provider_emrkit.logs.image_signals import PYTHON_HINT
from airflow_provider_emrkit.logs.signal import DOCKER
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_emrkit.logs.causes import Cause

_NOT_TRUSTED = re.compile(r"[Ii]mage:? (\S{1,600}) is not trusted")
_NO_MODULE = re.compile(r"ModuleNotFoundError|No module named")
_NO_PYTHON = re.compile(r"Cannot run program \"\S{0,200}python[\d.]*\"")
_OLDER_JAVA = re.compile(r"UnsupportedClassVersionError")
_DRIVER_IMAGE = "spark.yarn.appMasterEnv.YARN_CONTAINER_RUNTIME_DOCKER_IMAGE="


def image_of(arguments: Sequence[str]) -> str:
    """Find the image that a step's driver runs in; empty for none.

    >>> image_of(["--conf", "spark.yarn.appMasterEnv.YARN_CONTAINER_RUNTIME_DOCKER_IMAGE=etl:1", "job.py"])
    'etl:1'
    """
    named = (text.removeprefix(_DRIVER_IMAGE) for text in arguments if text.startswith(_DRIVER_IMAGE))
    return next(named, "")


def of_image(cause: Cause, image: str = "") -> Cause:
    """Say of a cause what may help a job that runs in an image.

    :param image: The image; empty where it is not known to have one.

    >>> from airflow_provider_emrkit.logs.causes import Cause
    >>> of_image(Cause("ModuleNotFoundError: No module named 'pandas'", "python"), "etl:1").hint
    "install it in the job's image (etl:1), or ship it with SparkJob.py_files"
    """
    not_trusted = _NOT_TRUSTED.search(cause.message)
    if cause.about == DOCKER and not_trusted:
        return replace(cause, hint=_trusting(not_trusted[1], cause.hint))
    if not image:
        return cause
    if _NO_MODULE.search(cause.message):
        hint = f"install it in the job's image ({image}), or ship it with SparkJob.py_files"
        return replace(cause, hint=hint)
    if _NO_PYTHON.search(cause.message):
        return replace(cause, kind=DOCKER, about=DOCKER, hint=PYTHON_HINT)
    if _OLDER_JAVA.search(cause.message) and cause.about != DOCKER:
        return replace(
            cause, hint=f"build it for the Java of the job's image ({image}), or take a newer Java there"
        )
    return cause


def _trusting(image: str, otherwise: str) -> str:
    """Give the very entry that lets a cluster run an image."""
    try:
        entry = ImageReference.parse(image).trusted_as
    except InvalidValueError:  # YARN took a name that Docker would not
        return otherwise
    return (
        f"trust its registry: ClusterSpec(docker=DockerOnYarn(trusted_registries=[{entry!r}])), or, for a "
        f"cluster of others, {entry} in docker.trusted.registries (classification container-executor, docker)"
    )
