"""The digests of custom images, which EMR Serverless finds out in ECR."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_URI = re.compile(r"\d{12}\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.[^/]+/(?P<name>[^:@]+)(?P<end>[:@].+)")


class ImageDigests:
    """Finds digests in the images' URIs, else in this server's ECR.

    An image that ECR does not know has no digest: it may be one of this machine.

    :param client_for: Gives the ECR client of a region.

    >>> ImageDigests(client_for)(["123456789012.dkr.ecr.us-east-1.amazonaws.com/jobs:1"])  # doctest: +SKIP
    {'123456789012.dkr.ecr.us-east-1.amazonaws.com/jobs:1': 'sha256:…'}
    """

    def __init__(self, client_for: Callable[[str], Any]) -> None:
        self._client_for = client_for

    def __call__(self, uris: Iterable[str]) -> dict[str, str]:
        """Give the digests of images, by their URI."""
        found = {uri: self._digest(uri) for uri in set(uris)}
        return {uri: digest for uri, digest in found.items() if digest}

    def _digest(self, uri: str) -> str | None:
        parts = _URI.fullmatch(uri)
        if parts is None:
            return None
        if parts["end"].startswith("@"):
            return parts["end"][1:]
        image = {"imageTag": parts["end"][1:]}
        try:
            answer = self._client_for(parts["region"]).describe_images(
                repositoryName=parts["name"], imageIds=[image]
            )
        except (ClientError, BotoCoreError):
            return None
        return next((str(found["imageDigest"]) for found in answer["imageDetails"]), None)
