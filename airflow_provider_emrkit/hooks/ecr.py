"""What ECR knows of an image."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.exceptions import ImageRefusedError
from airflow_provider_emrkit.hooks.errors import error_code
from airflow_provider_emrkit.hooks.patience import patiently

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_emrkit.jobs.image_reference import ImageReference

DEFAULT_TAG = "latest"  # Docker's, too
# Of an image for several architectures, or of one that its builder has signed or attested.
_INDEX_TYPES = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
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
    return str(_described(ecr, reference, pause)["imageDigest"])


def digests_of(ecr: Any, reference: ImageReference, pause: Callable[[float], bool]) -> tuple[str, ...]:
    """Give the digests that who runs an image may call it by: its tag's, and those it is an index of.

    DescribeImages tells the first, and BatchGetImage the others of an image for several architectures.

    :param ecr: boto3 client of ECR, in the region of the image's registry.
    :param reference: The image's name.
    :param pause: Waits some seconds, while ECR can't be reached; gives True when the work is to stop.
    :raises ImageRefusedError: when there is no such image.
    :raises botocore.exceptions.ClientError: when ECR refuses to say.

    >>> digests_of(clients.client("ecr"), image, stop.wait)  # doctest: +SKIP
    ('sha256:…',)
    """
    found = _described(ecr, reference, pause)
    digest = str(found["imageDigest"])
    if found.get("imageManifestMediaType") not in _INDEX_TYPES:
        return (digest,)
    request = {
        "registryId": found["registryId"],
        "repositoryName": found["repositoryName"],
        "imageIds": [{"imageDigest": digest}],
        "acceptedMediaTypes": list(_INDEX_TYPES),
    }
    images = patiently(lambda: ecr.batch_get_image(**request)["images"], pause)
    indexed = json.loads(images[0]["imageManifest"]).get("manifests", ()) if images else ()
    return (digest, *(str(manifest["digest"]) for manifest in indexed))


def _described(ecr: Any, reference: ImageReference, pause: Callable[[float], bool]) -> Mapping[str, Any]:
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
    first: Mapping[str, Any] = found[0]
    return first


def _not_there(reference: ImageReference, absent: str) -> ImageRefusedError:
    return ImageRefusedError(
        f"image {reference} is not in ECR, which has {absent}; put it there with "
        f"`emrkit image push {reference}`, or correct the name"
    )
