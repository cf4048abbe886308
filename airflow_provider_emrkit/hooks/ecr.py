"""What ECR knows of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.exceptions import ImageRefusedError
from airflow_provider_emrkit.hooks.errors import error_code
from airflow_provider_emrkit.hooks.patience import patiently

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.jobs.image_reference import ImageReference

DEFAULT_TAG = "latest"  # Docker's, too
# What ECR answers when it does not have an image.
_ABSENT = {"ImageNotFoundException": "no image with this tag", "RepositoryNotFoundException": "no repository"}


def digest_of(ecr: Any, reference: ImageReference, pause: Callable[[float], bool]) -> str:
    """Give the digest of an image in ECR by its tag (DescribeImages); of an index for several architectures.

    :param ecr: boto3 client of ECR, in the region of the image's registry.
    :param reference: The image's name.
    :param pause: Waits some seconds, while ECR can't be reached; gives True when the work is to stop.
    :raises ImageRefusedError: when there is no such image.
    :raises botocore.exceptions.ClientError: when ECR refuses to say.

    >>> image = ImageReference.parse("123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.4")  # doctest: +SKIP
    >>> digest_of(clients.client("ecr"), image, stop.wait)  # doctest: +SKIP
    'sha256:…'
    """
    registry = reference.ecr
    if registry is None:
        raise ValueError(f"{reference} is not in ECR")
    request = {
        "registryId": registry.account,
        "repositoryName": reference.repository,
        "imageIds": [{"imageTag": reference.tag or DEFAULT_TAG}],
    }
    try:
        found = patiently(lambda: ecr.describe_images(**request)["imageDetails"], pause)
    except Exception as error:
        absent = _ABSENT.get(error_code(error))
        if absent is None:
            raise
        raise _not_there(reference, absent) from error
    if not found:
        raise _not_there(reference, _ABSENT["ImageNotFoundException"])
    return str(found[0]["imageDigest"])


def _not_there(reference: ImageReference, absent: str) -> ImageRefusedError:
    return ImageRefusedError(
        f"image {reference} is not in ECR, which has {absent}; put it there with "
        f"`emrkit image push {reference}`, or correct the name"
    )
