"""Which image a submission asks for, and what YARN would say to it."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.localemr.spark.image import (
    ImageRules,
    LaunchFailure,
    Mount,
    image_rules,
    requested_image,
)

IMAGE = "local/etl:1"
ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
DRIVER, EXECUTORS = "spark.yarn.appMasterEnv.", "spark.executorEnv."
NOT_ALLOWED = LaunchFailure(-1, message="Requested runtime not allowed.")


def asking(*prefixes: str, image: str = IMAGE, kind: str = "docker", mounts: str = "") -> dict[str, str]:
    named = {"TYPE": kind, "DOCKER_IMAGE": image, "DOCKER_MOUNTS": mounts}
    return {
        f"{prefix}YARN_CONTAINER_RUNTIME_{name}": text for prefix in prefixes for name, text in named.items()
    }


def asked(*args, mode: str = "cluster", rules: ImageRules | None = None, **fields):
    return requested_image(asking(*args, **fields), mode, rules or ImageRules(java="8"))


def test_who_asks_for_none_gets_none():
    assert requested_image({}, "cluster", ImageRules()) is None
    assert asked(DRIVER, EXECUTORS, kind="default") is None


def test_driver_and_executors_in_one_image_need_no_note():
    request = asked(DRIVER, EXECUTORS)
    assert (request.image, request.notes, request.refusal, request.java) == (IMAGE, (), None, "8")


@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_executors_alone_take_the_driver_along(mode):
    request = asked(EXECUTORS, mode=mode)
    assert request.image == IMAGE
    assert "the driver outside" in request.notes[0]


def test_in_deploy_mode_client_the_drivers_image_does_not_count():
    assert asked(DRIVER, mode="client") is None


def test_a_driver_alone_takes_the_executors_along():
    assert "executors outside" in asked(DRIVER).notes[0]


def test_of_two_images_the_drivers_counts():
    conf = {**asking(DRIVER), **asking(EXECUTORS, image="local/other:1")}
    request = requested_image(conf, "cluster", ImageRules())
    assert request.image == IMAGE
    assert "local/other:1" in request.notes[0]


def test_another_runtime_is_not_allowed():
    assert asked(DRIVER, kind="runc").refusal == NOT_ALLOWED


@pytest.mark.parametrize(
    ("image", "trusted", "runs"),
    [
        (IMAGE, None, True),
        ("centos/python:3", None, True),
        ("etl:1", None, False),
        ("localhost/etl:1", None, False),
        (f"{ECR}/etl:1", None, False),
        (f"{ECR}/etl:1", f"local,{ECR}", True),
        (f"{ECR}.evil.example/etl:1", f"local,{ECR}", False),
        ("etl:1", "library", True),
        ("user/etl:1", "library", False),
        ("user/etl:1", "user/", True),
        (IMAGE, "", False),
    ],
)
def test_trust_is_what_the_cluster_says(image, trusted, runs):
    properties = {} if trusted is None else {"docker.trusted.registries": trusted}
    docker = {"Classification": "docker", "Properties": properties}
    rules = image_rules("emr-6.15.0", [{"Classification": "container-executor", "Configurations": [docker]}])
    refusal = asked(DRIVER, image=image, rules=rules).refusal
    assert (refusal is None) is runs
    if refusal:
        assert refusal.summary == f"image: {image} is not trusted."


@pytest.mark.parametrize("label", ["emr-5.36.2", "emr-7.1.0"])
def test_a_release_without_docker_refuses(label):
    assert asked(DRIVER, rules=image_rules(label, [])).refusal == NOT_ALLOWED


def test_emr_7_may_be_configured_for_it():
    runtimes = {"yarn.nodemanager.runtime.linux.allowed-runtimes": "default, docker"}
    rules = image_rules("emr-7.1.0", [{"Classification": "yarn-site", "Properties": runtimes}])
    assert asked(DRIVER, rules=rules).refusal is None


@pytest.mark.parametrize(
    "image", ["--privileged", "-v/:/host/x", "local/a\n--privileged", "local/a b", "local/$(id)", "LOCAL", ""]
)
def test_what_is_no_name_of_an_image_is_refused(image):
    rules = ImageRules(trusted=("local", "library", "-v/"))
    refusal = asked(DRIVER, image=image, rules=rules).refusal
    assert refusal.exit_code == -1
    assert "name pattern" in refusal.message or "not set" in refusal.message


def test_mounts_are_read_as_yarn_reads_them():
    text = "/etc/passwd:/etc/passwd:ro,/a:/b,/c:/d:rw,/e:/f:ro+shared"
    request = asked(DRIVER, mounts=text)
    assert request.mounts == (
        Mount("/etc/passwd", "/etc/passwd"),
        Mount("/a", "/b", writable=True),
        Mount("/c", "/d", writable=True),
        Mount("/e", "/f"),
    )


@pytest.mark.parametrize(
    "mounts", ["/a", "/a:/b:rx", "/a:/b:ro,", "/a:/b:ro:x", "a:/b:ro", "/a:b:ro", "/a:/b:ro\n"]
)
def test_mounts_that_cannot_be_are_refused(mounts):
    refusal = asked(DRIVER, mounts=mounts).refusal
    assert "ount" in refusal.summary


def test_an_image_of_ecr_has_a_name_without_its_registry():
    assert asked(DRIVER, image=f"{ECR}/team/etl:1").names == (f"{ECR}/team/etl:1", "team/etl:1")
    assert asked(DRIVER).names == (IMAGE,)


def test_a_failure_is_told_as_yarn_tells_it():
    said = LaunchFailure(29, ("first", "second")).diagnostics("container_1")
    assert said[0] == "Exception from container-launch."
    assert {"Container id: container_1", "Exit code: 29", "Shell error output: first", "second"} <= set(said)
