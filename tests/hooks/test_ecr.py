from __future__ import annotations

import json
from types import SimpleNamespace

import boto3
import pytest
from faulty_emr import aws_error, throttled, unreachable
from moto import mock_aws

from airflow_provider_emrkit.exceptions import ImageRefusedError
from airflow_provider_emrkit.hooks.ecr import digest_of, digests_of
from airflow_provider_emrkit.hooks.emrkit import EmrKitHook
from airflow_provider_emrkit.jobs.image_reference import ImageReference

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
IMAGE = ImageReference.parse(f"{HOST}/team/etl:1.4")
INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.fixture
def ecr():
    with mock_aws():
        ecr = boto3.client("ecr", region_name="eu-west-1")
        ecr.create_repository(repositoryName="team/etl")
        yield ecr


def push(ecr, tag, media_type="application/vnd.oci.image.manifest.v1+json", manifests=()):
    manifest = {"schemaVersion": 2, "mediaType": media_type, "manifests": list(manifests), "layers": []}
    manifest["config"] = {"mediaType": "x", "size": 1, "digest": f"sha256:{'b' * 64}"}
    text = json.dumps({**manifest, "annotations": {"tag": tag}})
    request = {"repositoryName": "team/etl", "imageManifest": text, "imageManifestMediaType": media_type}
    pushed = ecr.put_image(**request, imageTag=tag)
    return pushed["image"]["imageId"]["imageDigest"]


def never(seconds):
    raise AssertionError("nothing to wait for")


def test_a_tag_is_looked_up_in_the_registry_of_the_name(ecr):
    digest = push(ecr, "1.4")
    asked = []
    ecr.meta.events.register("before-parameter-build.ecr", lambda params, **_: asked.append(dict(params)))
    assert digest_of(ecr, IMAGE, never) == digest
    [request] = asked
    assert (request["registryId"], request["repositoryName"]) == ("123456789012", "team/etl")


def test_no_tag_is_docker_s_latest(ecr):
    digest = push(ecr, "latest")
    assert digest_of(ecr, ImageReference.parse(f"{HOST}/team/etl"), never) == digest


def test_an_image_for_several_architectures_is_its_index(ecr):
    digest = push(ecr, "1.4", INDEX)
    assert digest_of(ecr, IMAGE, never) == digest


def test_an_image_may_be_called_by_its_own_digest_alone(ecr):
    digest = push(ecr, "1.4")
    assert digests_of(ecr, IMAGE, never) == (digest,)


def test_an_index_may_be_called_by_those_of_its_platforms_too(ecr):
    digest = push(ecr, "1.4", INDEX, manifests=[{"digest": "sha256:arm"}, {"digest": "sha256:x86"}])
    assert digests_of(ecr, IMAGE, never) == (digest, "sha256:arm", "sha256:x86")


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        pytest.param(f"{HOST}/team/etl:9", "no image with this tag", id="tag"),
        pytest.param(f"{HOST}/nowhere:1.4", "no repository", id="repository"),
    ],
)
def test_what_is_not_there_is_told_with_what_puts_it_there(ecr, name, absent):
    with pytest.raises(ImageRefusedError, match=rf"{absent}; .* `emrkit image push {name}`") as caught:
        digest_of(ecr, ImageReference.parse(name), never)
    assert caught.value.retryable is False


class Failing:
    def __init__(self, *errors):
        self.errors = list(errors)

    def describe_images(self, **request):
        if self.errors:
            raise self.errors.pop(0)
        return {"imageDetails": [{"imageDigest": "sha256:1"}]}


def test_throttling_and_lost_connections_are_waited_for():
    pauses = []
    assert (
        digest_of(Failing(throttled(), unreachable()), IMAGE, lambda s: bool(pauses.append(s))) == "sha256:1"
    )
    assert len(pauses) == 2


def test_a_wait_ends_when_the_task_is_stopped():
    with pytest.raises(type(throttled())):
        digest_of(Failing(throttled(), throttled()), IMAGE, lambda seconds: True)


def test_another_refusal_is_left_to_who_asks():
    with pytest.raises(type(throttled()), match="AccessDenied"):
        digest_of(Failing(aws_error("AccessDeniedException", "no")), IMAGE, never)


def test_an_empty_answer_is_no_image():
    with pytest.raises(ImageRefusedError, match="no image with this tag"):
        digest_of(SimpleNamespace(describe_images=lambda **_: {"imageDetails": []}), IMAGE, never)


def test_the_call_is_one_that_ecr_knows():
    model = boto3.client("ecr", region_name="eu-west-1").meta.service_model
    shape = model.operation_model("DescribeImages")
    assert {"registryId", "repositoryName", "imageIds"} <= set(shape.input_shape.members)
    assert "imageDigest" in shape.output_shape.members["imageDetails"].member.members
    named = {error.name for error in shape.error_shapes}
    assert {"ImageNotFoundException", "RepositoryNotFoundException"} <= named


def test_a_client_is_of_the_region_that_is_asked_for(emrkit_connection):
    clients = EmrKitHook().clients
    own, other = clients.client("ecr"), clients.client("ecr", region="eu-west-1")
    assert (own.meta.region_name, other.meta.region_name) == (clients.region_name, "eu-west-1")
    assert clients.client("ecr", region="eu-west-1") is other
    assert clients.client("ecr", region=clients.region_name) is own
