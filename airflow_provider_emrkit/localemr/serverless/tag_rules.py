"""Which tags applications and job runs can have; the model says the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.serverless.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_TAGS = 200


def checked_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Check all tags of a resource, and give them.

    :raises ApiError: ``ValidationException``.

    >>> checked_tags({"team": "data"})
    {'team': 'data'}
    """
    if len(tags) > MAX_TAGS:
        raise validation_error(f"A resource can have at most {MAX_TAGS} tags.")
    reserved = next((key for key in tags if key.lower().startswith("aws:")), None)
    if reserved is not None:
        raise validation_error(f"The tag '{reserved}' is not valid: the prefix aws: is reserved.")
    return dict(tags)
