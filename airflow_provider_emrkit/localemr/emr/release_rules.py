"""Release labels, in EMR's words when they are wrong or too old for something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.emr.errors import validation_error
from airflow_provider_emrkit.releases import Feature, Release, parse_label, release

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def requested_release(request: Mapping[str, Any]) -> Release:
    """Give the release of a RunJobFlow request.

    :raises ApiError: ``ValidationException``.
    """
    label, ami = request.get("ReleaseLabel"), request.get("AmiVersion")
    if label and ami:
        raise validation_error(
            "Only one AMI version and release label may be specified. "
            f"Provided AMI: {ami}, release label: {label}."
        )
    if not label:
        raise validation_error(
            "ReleaseLabel is required; clusters with an AmiVersion can't be created any more."
        )
    return release_of(label)


def release_of(label: str) -> Release:
    """Look a release label up.

    :raises ApiError: ``ValidationException``, in EMR's words, for a label that is none.
    """
    try:
        return release(label)
    except ValueError as error:
        raise validation_error(f"The supplied release label is invalid: {label}.") from error


def need(known: Release, feature: Feature, name: str) -> None:
    """Check that a release has a feature.

    :param name: The member of the request that asks for it.
    :raises ApiError: ``ValidationException``.
    """
    if not known.supports(feature):
        raise _not_supported(known, name)


def need_since(known: Release, first: str, name: str) -> None:
    """Check that a release is not older than the ``emr-`` label that brought something.

    :raises ApiError: ``ValidationException``.
    """
    since = parse_label(first)
    if known.label.family == since.family and known.label < since:
        raise _not_supported(known, name)


def _not_supported(known: Release, name: str) -> Exception:
    return validation_error(f"{name} is not supported by release {known.label}.")
