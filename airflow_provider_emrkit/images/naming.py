"""The names under which images are built and pushed. Pure."""

from __future__ import annotations

from airflow_provider_emrkit.jobs.image_reference import ImageReference
from airflow_provider_emrkit.validation import InvalidValueError

OWNER = "emrkit image"


def tagged(field: str, text: str) -> ImageReference:
    """Take the name of an image that is to be made; it says which version it is.

    :param field: Where it was written.
    :raises InvalidValueError: when Docker would not take it, or would add a tag of its own.

    >>> tagged("--tag", "etl:1.4").tag
    '1.4'
    """
    try:
        reference = ImageReference.parse(text)
    except InvalidValueError as error:
        raise error.moved(OWNER, field) from None
    if reference.digest:
        mend = f"give it a tag instead: {reference.name}:1.0"
        raise InvalidValueError(OWNER, field, text, "has a digest, which comes from what was built", mend)
    if not reference.tag:
        mend = f"give it a version: {reference.name}:1.0"
        raise InvalidValueError(OWNER, field, text, "has no tag; Docker would take latest", mend)
    return reference


def size_text(size: int) -> str:
    """Write an image's size as the engines do.

    >>> size_text(253_400_000), size_text(1_250_000_000)
    ('253 MB', '1.2 GB')
    """
    return f"{size / 1e6:,.0f} MB" if size < 1e9 else f"{size / 1e9:,.1f} GB"
