"""Which image the jobs of an application get: decided by what EMR and ECR say of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.serverless_fit import WORKERS, image_configuration
from airflow_provider_emrkit.releases import release
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class ApplicationImage:
    """An image of an application.

    :param workers: Whose it is: ``driver``, ``executor``, or both.
    :param uri: Its name.
    :param resolved: The digest that jobs get while the application stays as it is; empty where EMR says none.
    :param at_start: Whether EMR finds out its digest when the application starts, and not with each job.

    >>> ApplicationImage(("driver",), "123456789012.dkr.ecr.eu-west-1.amazonaws.com/etl:1", "", True).is_fixed
    False
    """

    workers: tuple[str, ...]
    uri: str
    resolved: str
    at_start: bool

    @property
    def is_fixed(self) -> bool:
        """Whether it is named by its digest, which never means another image."""
        return "@" in self.uri


def images_of(application: Mapping[str, Any]) -> tuple[ApplicationImage, ...]:
    """Give the images of an application; none where its workers run EMR's own.

    :param application: GetApplication's ``application``.
    """
    found: dict[tuple[str, str, bool], list[str]] = {}
    for worker in WORKERS:
        config = image_configuration(application, worker)
        if config.get("imageUri"):
            resolved = str(config.get("resolvedImageDigest") or "")
            key = str(config["imageUri"]), resolved, resolves_at_start(application, config)
            found.setdefault(key, []).append(worker)
    return tuple(ApplicationImage(tuple(workers), *key) for key, workers in found.items())


def resolves_at_start(application: Mapping[str, Any], image: Mapping[str, Any] | None = None) -> bool:
    """Tell whether an application's images are resolved to digests when it starts.

    :param image: The image's own configuration; by default the application's.
    """
    for config in (image or {}, application.get("imageConfiguration") or {}):
        asked = config.get("applicationLevelDigestResolution")
        if asked is not None:
            return bool(asked)
    if application.get("initialCapacity"):  # workers that are kept ready have their image already
        return True
    try:
        return not release(application["releaseLabel"]).supports("serverless_digest_per_run")
    except InvalidValueError:
        return True


def outdated_images(
    application: Mapping[str, Any], present: Mapping[str, Sequence[str]]
) -> list[ApplicationImage]:
    """Give the images whose tags mean others by now than those a job would get.

    :param application: GetApplication's ``application``.
    :param present: The digests that each image may be known by in ECR; none where that is not known.
    """
    if application["state"] != "STARTED":
        return []  # resolved anew when it starts
    return [
        image
        for image in images_of(application)
        if image.at_start
        and not image.is_fixed
        and image.resolved
        and present.get(image.uri)
        and image.resolved not in present[image.uri]
    ]


def expected_digests(application: Mapping[str, Any], present: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Give the digests that EMR may name the image by which the driver of a job gets now.

    Of an image for several architectures it names the index, or what there is for its own architecture.

    :param application: GetApplication's ``application``.
    :param present: As for :func:`outdated_images`.
    :return: None where they are not known.
    """
    image = driver_image(application)
    if image is None:
        return ()
    if image.is_fixed:
        return (image.uri.partition("@")[2],)
    if image.at_start and application["state"] == "STARTED":
        return (image.resolved,) if image.resolved else ()
    return tuple(present.get(image.uri) or ())


def worker_images(described: Mapping[str, Any]) -> dict[str, str]:
    """Give the image of each sort of workers; empty for EMR's own.

    :param described: GetApplication's ``application``, or GetJobRun's ``jobRun``.

    >>> worker_images({"workerTypeSpecifications": {"DRIVER": {"imageConfiguration": {"imageUri": "etl:1"}}}})
    {'driver': 'etl:1', 'executor': ''}
    """
    return {worker: str(image_configuration(described, worker).get("imageUri") or "") for worker in WORKERS}


def driver_image(application: Mapping[str, Any]) -> ApplicationImage | None:
    """Give the image that drivers run in; None for EMR's own."""
    return next((image for image in images_of(application) if "driver" in image.workers), None)
