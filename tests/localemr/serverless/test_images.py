"""Where the digests of images come from."""

from __future__ import annotations

import json

import pytest

from airflow_provider_emrkit.localemr.serverless.images import ImageDigests

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


@pytest.fixture
def digests(localemr_server):
    return ImageDigests(lambda region: localemr_server.client("ecr", region))


def test_a_digest_in_the_uri_is_the_digest(digests):
    uri = f"{HOST}/team/jobs@sha256:{'a' * 64}"
    assert digests([uri]) == {uri: "sha256:" + "a" * 64}


def test_the_digest_of_a_tag_is_what_ecr_says(digests, localemr_server):
    ecr = localemr_server.client("ecr")
    ecr.create_repository(repositoryName="team/jobs")
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {}, "layers": []})
    pushed = ecr.put_image(repositoryName="team/jobs", imageManifest=manifest, imageTag="1")
    uri = f"{HOST}/team/jobs:1"
    assert digests([uri, uri]) == {uri: pushed["image"]["imageId"]["imageDigest"]}


def test_an_image_that_ecr_does_not_know_has_none(digests):
    assert digests([f"{HOST}/nothing:1"]) == {}
    assert digests([]) == {}
