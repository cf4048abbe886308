"""moto's ECR with digests that are those of the manifests, as on AWS.

moto makes one of an image's layers, and where there are none, as in an index of several images, of a random
number up to a hundred: of two such images, now and then both have the same.
"""

from __future__ import annotations

from hashlib import sha256

from moto.ecr.models import Image


def use() -> None:
    """Let moto's images be like this from now on. Idempotent."""
    setattr(Image, "_create_digest", _create_digest)  # noqa: B010 - mypy lets no method be replaced


def _create_digest(self: Image) -> None:
    self._image_digest = f"sha256:{sha256(self.image_manifest.encode()).hexdigest()}"
