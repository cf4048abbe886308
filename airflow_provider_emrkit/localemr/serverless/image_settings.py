"""Which images the workers of an application run in, and when their tags are resolved. Pure.

A tag is resolved to a digest when the application starts (``applicationLevelDigestResolution`` true), and all
its job runs have that image until it is started again; or each time a job run's attempt is started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.serverless.errors import validation_error
from airflow_provider_emrkit.releases import release

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_AT_START = "applicationLevelDigestResolution"
# What UpdateApplication changes while an application is STARTED.
_OF_CAPACITY, _OF_IMAGES = {"maximumCapacity"}, {"imageConfiguration", "workerTypeSpecifications"}
_OF_REQUESTS = {"applicationId", "clientToken"}


def without_empty_images(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the images that have no URI: that is how UpdateApplication removes them."""
    kept = dict(settings)
    if "imageUri" not in kept.get("imageConfiguration", {}):
        kept.pop("imageConfiguration", None)
    workers = {
        name: worker
        for name, worker in kept.pop("workerTypeSpecifications", {}).items()
        if "imageUri" in worker.get("imageConfiguration", {})
    }
    return {**kept, "workerTypeSpecifications": workers} if workers else kept


def check_images(settings: Mapping[str, Any]) -> None:
    """Refuse images that EMR Serverless does not take.

    :raises ApiError: ``ValidationException``.
    """
    known = release(settings["releaseLabel"])
    for config in _configs(settings):
        if not known.supports("serverless_images"):
            raise validation_error(
                f"Custom images are not supported by release {known.label}; they begin with emr-6.9.0."
            )
        if config.get(_AT_START) is False and settings.get("initialCapacity"):
            raise validation_error(
                f"{_AT_START} can't be false for an application with initialCapacity, as its workers run "
                "before there is a job."
            )


def resolves_at_start(config: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Tell whether the tag of an ``imageConfiguration`` is resolved when its application starts.

    :param settings: The application's.
    """
    if _AT_START in config:
        return bool(config[_AT_START])
    late = release(settings["releaseLabel"]).supports("serverless_digest_per_run")
    return not late or bool(settings.get("initialCapacity"))


def image_uris(settings: Mapping[str, Any], *, at_start: bool) -> list[str]:
    """List the images of an application whose tags are resolved at its start, or else for each job run."""
    return [
        str(config["imageUri"])
        for config in _configs(settings)
        if resolves_at_start(config, settings) is at_start
    ]


def has_same_images(settings: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    """Tell whether an application's images, and when they are resolved, are those of other settings."""
    first, second = (
        [(config["imageUri"], resolves_at_start(config, which)) for config in _configs(which)]
        for which in (settings, others)
    )
    return first == second


def worker_images(settings: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Give the URIs of the images that an application's drivers and executors run in."""
    common = settings.get("imageConfiguration", {}).get("imageUri")
    own = {
        name.lower(): worker.get("imageConfiguration", {}).get("imageUri")
        for name, worker in settings.get("workerTypeSpecifications", {}).items()
    }
    return own.get("driver") or common, own.get("executor") or common


def may_change_while_started(settings: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Tell whether an UpdateApplication request may be carried out while the application is STARTED.

    Its maximum capacity may always change; its images where they are resolved for each job run, which they
    can't be where workers are started beforehand.

    :param settings: The application's.
    """
    asked = set(request) - _OF_REQUESTS
    if not asked or not asked <= _OF_CAPACITY | _OF_IMAGES:
        return False
    return not asked & _OF_IMAGES or not (
        settings.get("initialCapacity") or image_uris(settings, at_start=True)
    )


def _configs(settings: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for holder in (settings, *settings.get("workerTypeSpecifications", {}).values()):
        config = holder.get("imageConfiguration", {})
        if "imageUri" in config:
            yield config
