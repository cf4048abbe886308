from __future__ import annotations

import copy
import json
import pickle
import re

import pytest

from airflow_provider_emrkit import ClusterPool, ClusterSpec, DockerImage, DockerOnYarn, InstanceRole
from airflow_provider_emrkit.compute.cluster_spec import spec_hash
from airflow_provider_emrkit.compute.configurations import properties_of
from airflow_provider_emrkit.compute.defaults import ClusterDefaults
from airflow_provider_emrkit.compute.docker_on_yarn import docker_configurations
from airflow_provider_emrkit.compute.pool_request import pool_cluster_request, pool_place, pool_spec_hash
from airflow_provider_emrkit.compute.request import run_job_flow_request
from airflow_provider_emrkit.templating import map_strings
from airflow_provider_emrkit.validation import InvalidValueError

EMR6 = "emr-6.15.0"
ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
IMAGE = DockerImage(f"{ECR}/etl:1.4")
HUB = DockerImage("user/etl")
PROVIDER = "yarn.nodemanager.runtime.linux.docker.docker-client-credential-provider.class"
PROVIDER_CLASS = "org.apache.hadoop.security.authentication.EcrDockerClientCredentialProvider"


def request(spec, image=None):
    return run_job_flow_request(spec, name="sales", image=image)


def docker_of(spec, image=None):
    return properties_of(request(spec, image).get("Configurations", []), "container-executor", "docker")


def yarn_of(spec, image=None):
    return properties_of(request(spec, image).get("Configurations", []), "yarn-site")


def refused(message):
    return pytest.raises(InvalidValueError, match=re.escape(message))


# --- registries -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "registry",
    [
        ECR,
        f"{ECR}/team",
        "docker.io",
        "localhost",
        "localhost:5000",
        "10.0.0.1:5000",
        "user",
        "user/team",
        "library",
        "local",
        "{{ var.value.registry }}",
    ],
)
def test_what_can_be_trusted(registry):
    assert DockerOnYarn([registry]).trusted_registries == (registry,)
    assert DockerOnYarn(privileged_registries=[registry]).privileged_registries == (registry,)


@pytest.mark.parametrize(
    ("registry", "message"),
    [
        ("", "'' is empty"),
        ("user,other", "is more than one; give one list item per registry"),
        (f"https://{ECR}", f"has a scheme; write '{ECR}'"),
        (f"{ECR}/", f"ends with a slash; write '{ECR}'"),
        (
            "Registry.example.com",
            "has capitals, which YARN compares letter by letter; write 'registry.example.com'",
        ),
        (f"{ECR}/etl:1.4", f"is the name of an image; give '{ECR}'"),
        (f"{ECR}/etl@sha256:{'0' * 64}", f"is the name of an image; give '{ECR}'"),
        ("user/etl:latest", "is the name of an image; give 'user'"),
        ("python:3.11", "is the name of an image; give 'library'"),
        ("user name", "is no registry; write it like"),
        ("user\n", "is no registry; write it like"),
        ("host:port", "is the name of an image; give 'library'"),
        ("*", "is no registry; write it like"),
        ("*.example.com", "is no registry; write it like"),
    ],
)
@pytest.mark.parametrize("name", ["trusted_registries", "privileged_registries"])
def test_what_can_not(name, registry, message):
    with refused(f"DockerOnYarn.{name}[1]: ") as caught:
        DockerOnYarn(**{name: ["user", registry]})
    assert message in str(caught.value)


def test_one_string_is_not_taken_for_a_list():
    with refused("DockerOnYarn.trusted_registries: 'user' is one string; pass a list: ['user']"):
        DockerOnYarn("user")


def test_the_experiment_is_a_switch():
    with refused("DockerOnYarn.experimental_emr7: 1 is of type int"):
        DockerOnYarn(experimental_emr7=1)


# --- the field of a cluster -------------------------------------------------------------------------------


@pytest.mark.parametrize("docker", [None, True, False, DockerOnYarn(["user"])])
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_a_cluster_says_whose_images_it_runs(docker, clone):
    spec = ClusterSpec(EMR6, docker=docker)
    assert clone(spec) == spec
    assert hash(clone(spec)) == hash(spec)


@pytest.mark.parametrize("docker", ["yes", 1, {"trusted_registries": []}])
def test_a_cluster_takes_nothing_else(docker):
    with refused(f"ClusterSpec.docker: {docker!r} is of type {type(docker).__name__}; give DockerOnYarn(…)"):
        ClusterSpec(EMR6, docker=docker)


@pytest.mark.parametrize("label", ["emr-6.0.0", "emr-6.1.0", EMR6, "emr-6.99.0"])
def test_all_of_emr_6_runs_docker(label):
    assert ClusterSpec(label, docker=True).docker is True


@pytest.mark.parametrize("docker", [True, DockerOnYarn(["user"]), DockerOnYarn(experimental_emr7=True)])
@pytest.mark.parametrize("label", ["emr-4.9.6", "emr-5.36.2", "emr-spark-8.1.0", "emr-spark-8.0-preview"])
def test_other_releases_never_do(label, docker):
    with refused(f"ClusterSpec.docker: {docker!r} is not supported by {label}; use ") as caught:
        ClusterSpec(label, docker=docker, instance_collection="groups", size="tiny")
    assert "emr-6.15.0" in caught.value.mend
    assert "EMR Serverless with a custom image" in caught.value.mend
    assert "experimental" not in caught.value.mend


@pytest.mark.parametrize("docker", [True, DockerOnYarn(["user"])])
def test_emr_7_does_only_as_an_experiment(docker):
    with refused(
        "is not supported by emr-7.11.0; use an emr-6.x release, e.g. emr-6.15.0, EMR Serverless"
    ) as caught:
        ClusterSpec("emr-7.11.0", docker=docker)
    assert "ClusterSpec(docker=DockerOnYarn(experimental_emr7=True))" in caught.value.mend
    assert ClusterSpec("emr-7.11.0", docker=DockerOnYarn(experimental_emr7=True))


@pytest.mark.parametrize("docker", [None, False])
@pytest.mark.parametrize("label", ["emr-5.36.2", "emr-7.11.0", "emr-spark-8.1.0"])
def test_no_release_minds_that_it_is_not_to(label, docker):
    assert request(ClusterSpec(label, docker=docker)) == request(ClusterSpec(label))


def test_a_template_is_judged_when_it_has_been_rendered():
    spec = ClusterSpec("{{ release }}", docker=DockerOnYarn(["{{ registry }}"]))
    assert map_strings(
        spec, lambda text: {"{{ release }}": EMR6, "{{ registry }}": "user"}.get(text, text)
    ) == (ClusterSpec(EMR6, docker=DockerOnYarn(["user"])))
    with refused("is not supported by emr-5.36.2"):
        map_strings(spec, lambda text: {"{{ release }}": "emr-5.36.2"}.get(text, text))
    with refused("'user/etl:1' is the name of an image"):
        map_strings(spec, lambda text: {"{{ registry }}": "user/etl:1"}.get(text, text))


def test_a_registry_that_configurations_leave_out_is_not_listed_for_nothing():
    own = {"Classification": "docker", "Properties": {"docker.trusted.registries": "local, user"}}
    configurations = [{"Classification": "container-executor", "Configurations": [own]}]
    assert ClusterSpec(EMR6, configurations=configurations, docker=DockerOnYarn(["user"]))
    with refused(
        "docker.trusted_registries: 'other' is not in docker.trusted.registries, which configurations set"
    ):
        ClusterSpec(EMR6, configurations=configurations, docker=DockerOnYarn(["user", "other"]))


# --- what the cluster is told -----------------------------------------------------------------------------


def test_a_cluster_that_is_made_for_a_job_trusts_the_registry_of_its_image():
    assert docker_configurations(ClusterSpec("emr-6.8.0"), IMAGE) == [
        {
            "Classification": "container-executor",
            "Properties": {},
            "Configurations": [
                {
                    "Classification": "docker",
                    "Properties": {"docker.trusted.registries": f"local,centos,{ECR}"},
                }
            ],
        }
    ]


@pytest.mark.parametrize(
    ("docker", "image", "trusted"),
    [
        (None, HUB, "local,centos,user"),
        (True, HUB, "local,centos,user"),
        (True, None, "local,centos"),
        (DockerOnYarn(), HUB, "local,centos,user"),
        (DockerOnYarn(["b", "a", "b", "centos"]), None, "local,centos,b,a"),
        (DockerOnYarn(["b"]), HUB, "local,centos,b,user"),
        (DockerOnYarn(["user"]), HUB, "local,centos,user"),
        # One that is trusted already makes trust no wider.
        (
            DockerOnYarn(["example.com/team"]),
            DockerImage("example.com/team/etl"),
            "local,centos,example.com/team",
        ),
        (None, DockerImage("local/etl"), "local,centos"),
        (None, DockerImage("python:3.11"), "local,centos,library"),
    ],
)
def test_trust_is_what_emr_trusts_what_was_listed_and_what_the_job_needs(docker, image, trusted):
    assert docker_of(ClusterSpec(EMR6, docker=docker), image) == {"docker.trusted.registries": trusted}


@pytest.mark.parametrize(("docker", "image"), [(None, None), (False, None), (False, IMAGE)])
def test_a_cluster_without_images_is_told_nothing(docker, image):
    assert docker_configurations(ClusterSpec(EMR6, docker=docker), image) == []
    assert json.dumps(request(ClusterSpec(EMR6, docker=docker), image)) == json.dumps(
        request(ClusterSpec(EMR6))
    )


def test_privileged_containers_only_where_asked_for():
    spec = ClusterSpec(EMR6, docker=DockerOnYarn(["user"], ["user/admin"]))
    assert docker_of(spec)["docker.privileged-containers.registries"] == "user/admin"


@pytest.mark.parametrize(
    ("label", "docker", "image", "told"),
    [
        ("emr-6.8.0", None, IMAGE, False),
        ("emr-6.9.0", None, IMAGE, True),
        (EMR6, None, IMAGE, True),
        (EMR6, None, HUB, False),
        (EMR6, DockerOnYarn([ECR]), None, True),
        (EMR6, DockerOnYarn([f"{ECR}/team"]), None, True),
        (EMR6, DockerOnYarn(["user"], [ECR]), None, True),
        (EMR6, True, None, False),
    ],
)
def test_since_emr_6_9_a_cluster_is_told_how_to_log_in_to_ecr(label, docker, image, told):
    assert (yarn_of(ClusterSpec(label, docker=docker), image) or {}).get(PROVIDER) == (
        PROVIDER_CLASS if told else None
    )


def test_emr_7_is_told_all_that_emr_6_knows_by_itself():
    docker = DockerOnYarn(experimental_emr7=True)
    spec = ClusterSpec("emr-7.11.0", docker=docker)
    yarn, executor = yarn_of(spec, IMAGE), docker_of(spec, IMAGE)
    runtime = "yarn.nodemanager.runtime.linux"
    assert yarn["yarn.nodemanager.container-executor.class"].endswith(".LinuxContainerExecutor")
    assert yarn[f"{runtime}.allowed-runtimes"] == "default,docker"
    assert yarn[f"{runtime}.docker.allowed-container-networks"] == "host"
    assert yarn[PROVIDER] == PROVIDER_CLASS
    assert executor["module.enabled"] == "true"
    assert executor["docker.trusted.registries"] == f"local,centos,{ECR}"
    allowed = executor["docker.allowed.ro-mounts"].split(",")
    for mount in yarn[f"{runtime}.docker.default-ro-mounts"].split(","):
        assert mount.split(":")[0] in allowed
    assert PROVIDER not in yarn_of(spec, HUB)


@pytest.mark.parametrize("label", ["emr-5.36.2", "emr-7.11.0", "emr-spark-8.1.0"])
def test_a_release_that_can_not_is_told_nothing(label):
    assert docker_configurations(ClusterSpec(label), IMAGE) == []


@pytest.mark.parametrize("label", ["emr-6.0.0", "emr-6.8.0", EMR6, "emr-7.11.0"])
def test_emr_accepts_the_request(emr_accepts, label):
    docker = DockerOnYarn(["user"], ["user"], experimental_emr7=True)
    emr_accepts("RunJobFlow", request(ClusterSpec(label, docker=docker), IMAGE))


# --- beside what the author wrote -------------------------------------------------------------------------


def test_properties_that_are_set_stay_and_the_others_are_added():
    own = [
        {"Classification": "spark-defaults", "Properties": {"spark.x": "1"}},
        {
            "Classification": "container-executor",
            "Properties": {"banned.users": "root"},
            "Configurations": [
                {"Classification": "cgroups", "Properties": {"root": "/sys/fs/cgroup"}},
                {
                    "Classification": "docker",
                    "Properties": {"docker.allowed.ro-mounts": "/etc/passwd,/models"},
                },
            ],
        },
        {"Classification": "yarn-site", "Properties": {"yarn.x": "1"}},
    ]
    spec = ClusterSpec(EMR6, size="tiny", configurations=own)
    assert request(spec, IMAGE)["Configurations"] == [
        {"Classification": "spark-defaults", "Properties": {"spark.x": "1"}},
        {
            "Classification": "container-executor",
            "Properties": {"banned.users": "root"},
            "Configurations": [
                {"Classification": "cgroups", "Properties": {"root": "/sys/fs/cgroup"}},
                {
                    "Classification": "docker",
                    "Properties": {
                        "docker.allowed.ro-mounts": "/etc/passwd,/models",
                        "docker.trusted.registries": f"local,centos,{ECR}",
                    },
                },
            ],
        },
        {"Classification": "yarn-site", "Properties": {"yarn.x": "1", PROVIDER: PROVIDER_CLASS}},
    ]


def test_a_list_of_registries_is_not_silently_more():
    nested = {"Classification": "docker", "Properties": {"docker.trusted.registries": "mine"}}
    own = [{"Classification": "container-executor", "Configurations": [nested]}]
    spec = ClusterSpec(EMR6, configurations=own, docker=True)
    assert docker_of(spec, IMAGE) == {"docker.trusted.registries": "mine"}


def test_a_property_in_a_second_part_of_a_classification_counts():
    own = [
        {"Classification": "yarn-site", "Properties": {"a": "b"}},
        {"Classification": "yarn-site", "Properties": {PROVIDER: "mine"}},
    ]
    sent = request(ClusterSpec(EMR6, size="tiny", configurations=own), IMAGE)["Configurations"]
    assert sent[:2] == own


def test_drivers_are_kept_off_spot_nodes_all_the_same():
    spec = ClusterSpec(EMR6, task=InstanceRole(["m5.xlarge"], count=2, market="spot"))
    assert yarn_of(spec, IMAGE) == {**yarn_of(spec), PROVIDER: PROVIDER_CLASS}


def test_overrides_have_the_last_word():
    spec = ClusterSpec(EMR6, docker=True, overrides={"Configurations": None})
    assert "Configurations" not in request(spec, IMAGE)


def test_a_request_does_not_share_data_with_another():
    first = request(ClusterSpec("emr-7.11.0", docker=DockerOnYarn(experimental_emr7=True)), IMAGE)
    for item in first["Configurations"]:
        item["Properties"].clear()
    assert yarn_of(ClusterSpec("emr-7.11.0", docker=DockerOnYarn(experimental_emr7=True)), IMAGE)


# --- hashes and pools -------------------------------------------------------------------------------------


def test_the_digest_of_a_spec_tells_whose_images_it_runs():
    kinds = [None, True, False, DockerOnYarn(), DockerOnYarn(["user"]), DockerOnYarn(["user", "other"])]
    assert len({spec_hash(ClusterSpec(EMR6, docker=docker)) for docker in kinds}) == len(kinds)


def test_clusters_that_are_there_are_what_their_specs_still_ask_for():
    digest = "8d97750f811f132166b66b6e2d7624228e629619103e3d15f89ab0bc8956f6f8"
    assert spec_hash(ClusterSpec(EMR6)) == digest
    assert pool_spec_hash(pool_request(None)) == "ec306f73fc5e"


def pool_of(docker, **arguments):
    return ClusterPool("medium", ClusterSpec(EMR6, size="tiny", docker=docker), max_clusters=1, **arguments)


def pool_request(docker):
    pool = pool_of(docker)
    return pool_cluster_request(pool, ClusterDefaults(), pool_place(pool, "s3://bucket/emrkit"))


def test_the_clusters_of_a_pool_are_told_whose_images_they_run():
    configurations = pool_request(DockerOnYarn([ECR]))["Configurations"]
    assert properties_of(configurations, "container-executor", "docker") == {
        "docker.trusted.registries": f"local,centos,{ECR}"
    }
    assert properties_of(configurations, "yarn-site") == {PROVIDER: PROVIDER_CLASS}


def test_clusters_of_a_pool_that_run_other_images_are_of_another_kind():
    kinds = [None, DockerOnYarn(), DockerOnYarn(["user"]), DockerOnYarn([ECR])]
    assert len({pool_spec_hash(pool_request(docker)) for docker in kinds}) == len(kinds)
    assert pool_spec_hash(pool_request(False)) == pool_spec_hash(pool_request(None))


def test_a_pool_has_to_say_whose_images_it_runs():
    with refused(
        "ClusterPool.spec.docker: True would trust the registry of the job that comes first; "
        "name all of them: docker=DockerOnYarn(trusted_registries=[…])"
    ):
        pool_of(True)
