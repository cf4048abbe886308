from __future__ import annotations

import copy
import itertools
import pickle
import re

import pytest

from airflow_provider_emrkit import DockerImage
from airflow_provider_emrkit.jobs.docker_image import Mount
from airflow_provider_emrkit.templating import map_strings
from airflow_provider_emrkit.validation import InvalidValueError

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com/etl"
USERS = "/etc/passwd:/etc/passwd:ro"


def mounts_of(image):
    return image.variables()["YARN_CONTAINER_RUNTIME_DOCKER_MOUNTS"]


def test_the_variables_by_which_yarn_starts_its_containers():
    image = DockerImage(
        f"{ECR}:1.4", mounts=["/mnt/a:/a:rw"], client_config="hdfs:///user/hadoop/config.json"
    )
    assert image.variables() == {
        "YARN_CONTAINER_RUNTIME_TYPE": "docker",
        "YARN_CONTAINER_RUNTIME_DOCKER_IMAGE": f"{ECR}:1.4",
        "YARN_CONTAINER_RUNTIME_DOCKER_MOUNTS": f"{USERS},/mnt/a:/a:rw",
        "YARN_CONTAINER_RUNTIME_DOCKER_CLIENT_CONFIG": "hdfs:///user/hadoop/config.json",
    }


def test_without_a_client_configuration_none_is_named():
    assert "YARN_CONTAINER_RUNTIME_DOCKER_CLIENT_CONFIG" not in DockerImage(ECR).variables()


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ([], USERS),
        (["/a:/b:ro"], f"{USERS},/a:/b:ro"),
        ([USERS], USERS),
        (["/my/users:/etc/passwd:ro"], "/my/users:/etc/passwd:ro"),
        (["/my/users:/etc//passwd/:ro"], "/my/users:/etc//passwd/:ro"),
        (["/a:/b:ro", "/a:/b:ro"], f"{USERS},/a:/b:ro"),
    ],
)
def test_the_list_of_users_is_mounted_once(mounts, expected):
    assert mounts_of(DockerImage(ECR, mounts=mounts)) == expected


@pytest.mark.parametrize("mode", ["ro", "rw", "ro+shared", "rw+rprivate", "ro+rslave"])
def test_modes_of_mounts(mode):
    mount = Mount.parse(f"/mnt/models:/models:{mode}")
    assert (mount.source, mount.destination, mount.mode) == ("/mnt/models", "/models", mode)
    assert mount.is_read_only is mode.startswith("ro")
    assert DockerImage(ECR, mounts=[f"/mnt/models:/models:{mode}"]).mounts


@pytest.mark.parametrize(
    "mount",
    [
        "/a",
        "/a:/b",
        "/a:/b:",
        "/a:/b:rx",
        "/a:/b:ro+all",
        "a:/b:ro",
        "/a:b:ro",
        "./a:/b:ro",
        "/a:/b:ro:/c",
        "/a:/b:ro,/etc:/etc:rw",
        "/a,b:/c:ro",
        "/a:/b\n  privileged=true:ro",
        "/a:/b:ro\n",
        "volume:/b:rw",
    ],
)
def test_what_is_no_mount(mount):
    with pytest.raises(InvalidValueError, match=re.escape("DockerImage.mounts[1]: ")) as caught:
        DockerImage(ECR, mounts=["/x:/x:ro", mount])
    assert "write it like /mnt/models:/models:ro" in str(caught.value)


def test_two_mounts_of_one_destination_are_refused():
    with pytest.raises(
        InvalidValueError, match="has the destination of '/a:/x:ro'; give each one of its own"
    ):
        DockerImage(ECR, mounts=["/a:/x:ro", "/b:/x/:ro"])


def test_mounts_are_a_list():
    with pytest.raises(InvalidValueError, match=re.escape("DockerImage.mounts: '/a:/b:ro' is one string")):
        DockerImage(ECR, mounts="/a:/b:ro")


@pytest.mark.parametrize(
    "location", ["hdfs:///user/hadoop/config.json", "s3://b/config.json", "/user/x.json"]
)
def test_places_of_a_client_configuration(location):
    assert DockerImage("user/etl", client_config=location).client_config == location


@pytest.mark.parametrize("location", ["", "config.json", "hdfs:///a b", "hdfs:///a\n", "hdfs:///a,b"])
def test_what_is_no_place_of_a_client_configuration(location):
    with pytest.raises(InvalidValueError, match=re.escape("DockerImage.client_config: ")):
        DockerImage("user/etl", client_config=location)


def test_a_login_that_was_given_itself_is_not_shown():
    with pytest.raises(InvalidValueError, match="is the configuration itself; put it where") as caught:
        DockerImage("user/etl", client_config='{"auths": {"example.com": {"auth": "aHVudGVyMg=="}}}')
    assert "aHVu" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"uri": None}, "DockerImage.uri: None is of type NoneType; give a string"),
        ({"uri": ""}, "DockerImage.uri: '' is empty"),
        ({"uri": "Etl"}, "DockerImage.uri: 'Etl' is no name of an image; write it like"),
        (
            {"uri": "[::1]:5000/etl"},
            "has an IPv6 address, which YARN does not take; give the registry's host",
        ),
        (
            {"uri": "Reg.example.com/etl:1"},
            "has capitals in its host, which YARN takes for another one; write reg.",
        ),
        ({"uri": "etl@sha512:" + "0" * 128}, "has a digest that YARN does not know; give its sha256"),
        (
            {"uri": "user/etl", "ecr_login": True},
            "DockerImage.ecr_login: True is for images in ECR, not for user/etl",
        ),
        ({"uri": "user/etl", "pin_digest": True}, "DockerImage.pin_digest: True is for images in ECR"),
        (
            {"uri": "public.ecr.aws/x/etl", "ecr_login": True},
            "is for images in ECR, not for public.ecr.aws/x/etl",
        ),
        ({"uri": ECR, "ecr_login": "yes"}, "DockerImage.ecr_login: 'yes' is of type str; use True or False"),
        ({"uri": ECR, "pin_digest": None}, "DockerImage.pin_digest: None is of type NoneType"),
        (
            {"uri": ECR, "ecr_login": True, "client_config": "hdfs:///c"},
            "client_config: 'hdfs:///c' is the login's when ecr_login=True; leave one of the two out",
        ),
    ],
)
def test_what_can_not_be_an_image(arguments, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        DockerImage(**arguments)


def test_an_image_pinned_by_hand_is_taken():
    uri = f"{ECR}:1.4@sha256:{'0' * 64}"
    assert DockerImage(uri).variables()["YARN_CONTAINER_RUNTIME_DOCKER_IMAGE"] == uri


def test_templates_are_judged_when_they_have_been_rendered():
    image = DockerImage("{{ var.value.image }}", mounts=["{{ a }}:/a:ro"], ecr_login=True)
    rendered = map_strings(
        image, lambda text: text.replace("{{ var.value.image }}", ECR).replace("{{ a }}", "/a")
    )
    assert rendered == DockerImage(ECR, mounts=["/a:/a:ro"], ecr_login=True)
    with pytest.raises(InvalidValueError, match="ecr_login: True is for images in ECR"):
        map_strings(image, lambda text: text.replace("{{ var.value.image }}", "user/etl"))
    with pytest.raises(InvalidValueError, match=re.escape("mounts[0]: 'a:/a:ro' is no mount")):
        map_strings(image, lambda text: text.replace("{{ a }}", "a"))


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_airflow_can_copy_and_pickle_it(clone):
    image = DockerImage(ECR, mounts=["/a:/a:ro"])
    assert clone(image) == image
    assert hash(clone(image)) == hash(image)


def test_yarn_takes_every_name_that_is_taken_here():
    # DockerLinuxContainerRuntime.java and docker-util.c of Hadoop 3.2 and later, but for the digest.
    pattern = re.compile(r"(([a-zA-Z0-9.-]+)(:\d+)?/)?([a-z0-9_./-]+)(:[\w.-]+)?", re.ASCII)
    registries = (
        "",
        "localhost/",
        "localhost:1/",
        "a-b.c:65535/",
        "10.0.0.1/",
        "[::1]:5000/",
        "A.example.com/",
        "a_b.c/",
    )
    names = ("a", "0", "a.b", "a__b", "a---b", "a/b", "a/b_c/d.e")
    taken = 0
    for parts in itertools.product(registries, names, ("", ":1", ":_x", ":A.b-c")):
        text = "".join(parts)
        try:
            DockerImage(text)
        except InvalidValueError:
            continue
        taken += 1
        assert pattern.fullmatch(text)
    assert taken == 6 * len(names) * 4
