"""ECR: an image's digest is that of its manifest."""

from __future__ import annotations

import hashlib
import json

import pytest

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.mark.parametrize(
    ("media_type", "content"),
    [(INDEX, {"manifests": []}), (MANIFEST, {"config": {}, "layers": [{"digest": "sha256:0", "size": 1}]})],
)
def test_the_digest_is_the_one_that_docker_computes(localemr_server, media_type, content):
    ecr = localemr_server.client("ecr")
    ecr.create_repository(repositoryName="etl")
    for tag in ("1", "2"):
        text = json.dumps(
            {"schemaVersion": 2, "mediaType": media_type, **content, "annotations": {"tag": tag}}
        )
        put = ecr.put_image(repositoryName="etl", imageManifest=text, imageTag=tag)
        assert put["image"]["imageId"]["imageDigest"] == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
