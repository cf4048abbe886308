from __future__ import annotations

import ast
import json
import re

import pytest

from airflow_provider_emrkit import (
    ClusterPool,
    ClusterSpec,
    DockerImage,
    DockerOnYarn,
    DynamicCluster,
    ExistingCluster,
    SparkJob,
)
from airflow_provider_emrkit.compute.docker_on_yarn import docker_configurations
from airflow_provider_emrkit.compute.image_fit import (
    ImageProblem,
    check_image_fits,
    image_problem,
    needs_ecr_login,
)
from airflow_provider_emrkit.validation import InvalidValueError

EMR6 = "emr-6.15.0"
REGION = "us-east-1"
ECR = f"123456789012.dkr.ecr.{REGION}.amazonaws.com"
DIGEST = f"sha256:{'0' * 64}"
PROVIDER = "yarn.nodemanager.runtime.linux.docker.docker-client-credential-provider.class"
AUTOMATIC = "yarn.nodemanager.runtime.linux.docker.ecr-auto-authentication.enabled"


def docker(**properties):
    nested = {name.replace("_", "."): value for name, value in properties.items()}
    nested = {
        name.replace("ro.mounts", "ro-mounts").replace("rw.mounts", "rw-mounts"): nested[name]
        for name in nested
    }
    return {
        "Classification": "container-executor",
        "Configurations": [{"Classification": "docker", "Properties": nested}],
    }


def trusting(*registries):
    return docker(docker_trusted_registries=",".join(registries))


def yarn(**properties):
    return {"Classification": "yarn-site", "Properties": properties}


KNOWS_ECR = yarn(**{PROVIDER: "org.example.Provider"})


def problem(image, *configurations, label=EMR6, region=REGION):
    image = DockerImage(image) if isinstance(image, str) else image
    return image_problem(image, release_label=label, configurations=configurations, region=region)


# --- releases ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["emr-6.0.0", "emr-6.1.0", EMR6, "emr-6.99.0"])
def test_emr_6_runs_images(label):
    assert problem("user/etl", trusting("user"), label=label) is None


@pytest.mark.parametrize("label", ["emr-4.9.6", "emr-5.36.2", "emr-spark-8.1.0"])
def test_other_releases_do_not_whatever_their_clusters_were_told(label):
    for configurations in ([], [trusting("user")]):
        found = problem("user/etl", *configurations, label=label)
        assert found.problem == f"can't run on {label}, for which AWS does not document Docker on YARN"
        assert "emr-6.15.0" in found.mend
        assert "EMR Serverless with a custom image" in found.mend


def test_emr_7_does_where_somebody_has_told_the_cluster_about_docker():
    assert "experimental_emr7=True" in problem("user/etl", label="emr-7.11.0").mend
    assert problem("user/etl", trusting("user"), label="emr-7.11.0") is None
    assert problem("user/etl", trusting("other"), label="emr-7.11.0").problem.startswith("is not trusted by")


@pytest.mark.parametrize("label", ["", "emr-9.0.0", "emr-7.x", "3.11.0"])
def test_a_release_that_nobody_knows_is_not_judged(label):
    assert problem("user/etl", trusting("user"), label=label) is None
    assert problem(f"{ECR}/etl", trusting(ECR), label=label) is None


@pytest.mark.parametrize(
    "image", [DockerImage(f"{ECR}/etl@{DIGEST}"), DockerImage(f"{ECR}/etl:1", pin_digest=True)]
)
def test_digests_are_refused_where_yarn_can_not_know_them_yet(image):
    configurations = trusting(ECR), KNOWS_ECR
    assert problem(image, *configurations) is None
    assert problem(image, *configurations, label="emr-6.9.0") is None
    found = problem(image, *configurations, label="emr-6.8.0")
    assert str(found) == (
        "is named by its digest, which YARN of emr-6.8.0 (Hadoop 3.2.1) does not take; "
        "use emr-6.15.0, or a tag that is never moved and no pin_digest"
    )


# --- trust ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "configurations",
    [
        [],
        [{"Classification": "spark-defaults", "Properties": {"a": "b"}}],
        [docker(docker_binary="/usr/bin/docker")],
        [{"Classification": "container-executor", "Properties": {"docker.trusted.registries": "user"}}],
        [{"Classification": "docker", "Properties": {"docker.trusted.registries": "user"}}],
    ],
)
def test_a_cluster_that_was_told_nothing_trusts_whom_emr_does(configurations):
    assert problem("local/etl", *configurations) is None
    assert problem("centos/etl", *configurations) is None
    assert problem("user/etl", *configurations).problem == (
        "is not trusted by the cluster, which trusts local, centos"
    )


def test_a_cluster_that_lists_registries_trusts_no_others():
    assert problem("user/etl", trusting(" user ", "other")) is None
    assert (
        problem("local/etl", trusting("user")).problem == "is not trusted by the cluster, which trusts user"
    )
    assert problem("local/etl", trusting("")).problem == "is not trusted by the cluster, which trusts nobody"


@pytest.mark.parametrize(
    ("image", "configurations", "label"),
    [
        ("user/etl", [], EMR6),
        ("user/etl", [trusting("local", "other")], EMR6),
        (f"{ECR}/etl:1", [], EMR6),
        (f"{ECR}/etl:1", [KNOWS_ECR], EMR6),
        (f"{ECR}/etl:1", [], "emr-6.5.0"),
        ("python:3.11", [trusting("local")], "emr-6.0.0"),
    ],
)
def test_the_mend_holds_all_that_the_cluster_lacks(image, configurations, label):
    found = problem(image, *configurations, label=label)
    assert found.mend.startswith("make the cluster with [")
    added = json.loads(found.mend.removeprefix("make the cluster with "))
    others = [item for item in configurations if item["Classification"] != "container-executor"]
    assert problem(image, *added, *others, label=label) is None


@pytest.mark.parametrize("other", [{"ecr_login": True}, {"client_config": "hdfs:///c"}])
def test_the_mend_has_no_login_that_somebody_else_does(other):
    assert PROVIDER in problem(f"{ECR}/etl").mend
    assert PROVIDER not in problem(DockerImage(f"{ECR}/etl", **other)).mend


def test_what_a_cluster_trusts_already_is_in_the_mend():
    assert (
        '"docker.trusted.registries": "local,other,user"'
        in problem("user/etl", trusting("local", "other")).mend
    )


def test_the_name_of_an_image_in_the_list_is_explained():
    assert problem(f"{ECR}/etl:1", trusting(f"{ECR}/etl")).problem.endswith(
        f"which trusts {ECR}/etl (each the beginning of images' names, up to a slash)"
    )


@pytest.mark.parametrize(
    "configurations",
    [
        None,
        "yarn-site",
        [None, "x", 3],
        [{"Classification": "container-executor"}],
        [{"Classification": "container-executor", "Configurations": None}],
        [{"Classification": "container-executor", "Configurations": [{"Classification": "docker"}]}],
        [
            {
                "Classification": "container-executor",
                "Configurations": [{"Classification": "docker", "Properties": 1}],
            }
        ],
        [docker(docker_trusted_registries=None)],
        [docker(docker_trusted_registries=["user"])],
    ],
)
def test_what_is_no_configuration_says_nothing(configurations):
    found = image_problem(
        DockerImage("user/etl"), release_label=EMR6, configurations=configurations, region=None
    )
    assert found.problem == "is not trusted by the cluster, which trusts local, centos"


# --- mounts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mount", "read_only", "writable", "fits"),
    [
        # Nothing said, nothing known.
        ("/models:/models:ro", None, None, True),
        ("/models:/models:rw", None, None, True),
        ("/models:/models:ro", None, "/other", True),
        ("/models:/models:rw", "/etc/passwd", None, True),
        # Said.
        ("/models:/models:ro", "/etc/passwd,/models", None, True),
        ("/models/a:/models:ro", "/etc/passwd, /models/", None, True),
        ("/models/../models/a:/m:ro", "/etc/passwd,/models", None, True),
        ("/models:/models:ro", "/etc/passwd", "/models", True),
        ("/models:/models:rw", "/etc/passwd", "/models", True),
        ("/models:/models:ro", "/etc/passwd,/", None, True),
        ("/models:/models:ro", "/etc/passwd", None, False),
        ("/models2:/models:ro", "/etc/passwd,/models", None, False),
        ("/models/../etc/shadow:/m:ro", "/etc/passwd,/models", None, False),
        ("/models:/models:rw", "/etc/passwd,/models", "/other", False),
        ("/models:/models:rw", "/etc/passwd,/models", "", False),
        ("/models:/models:ro+shared", "/etc/passwd", "/other", False),
        ("/models:/models:ro", "/etc/passwd,regex:.*", "/other", False),
        # EMR's disks may be among what containers write, unless that is said, too.
        ("/mnt/models:/models:ro", "/etc/passwd", None, True),
        ("/mnt1:/models:ro", "/etc/passwd", None, True),
        ("/mnt/models:/models:ro", "/etc/passwd", "/mnt/yarn", False),
        ("/mntx:/models:ro", "/etc/passwd", None, False),
        # Not known yet.
        ("/models:/models:ro", "/etc/passwd,{{ var.value.x }}", None, True),
        ("/data/{{ ds }}:/models:ro", "/etc/passwd", None, True),
    ],
)
def test_mounts_that_a_cluster_does_not_allow(mount, read_only, writable, fits):
    said = {"docker_allowed_ro_mounts": read_only, "docker_allowed_rw_mounts": writable}
    said = {name: value for name, value in said.items() if value is not None}
    found = problem(DockerImage("local/etl", mounts=[mount]), docker(**said))
    assert (found is None) is fits


def test_the_mend_of_a_mount_is_the_whole_list():
    image = DockerImage("local/etl", mounts=["/models:/m:ro"])
    assert str(problem(image, docker(docker_allowed_ro_mounts="/etc/passwd,/usr/lib"))) == (
        "is to mount /models, which the cluster's docker.allowed.ro-mounts does not allow: "
        "/etc/passwd,/usr/lib; "
        "make the cluster with docker.allowed.ro-mounts=/etc/passwd,/usr/lib,/models, or leave the mount out"
    )


def test_the_list_of_users_has_to_be_allowed_too():
    found = problem("local/etl", docker(docker_allowed_ro_mounts="/models"))
    assert found.mend == "make the cluster with docker.allowed.ro-mounts=/models,/etc/passwd"


# --- logging in to ECR ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "ecr_login", "client_config", "needed"),
    [
        ("emr-6.0.0", None, None, True),
        ("emr-6.0.1", None, None, True),
        ("emr-6.1.0", None, None, False),
        (EMR6, None, None, False),
        ("", None, None, False),
        ("emr-7.11.0", None, None, False),
        ("emr-6.0.0", None, "hdfs:///c", False),
        ("emr-6.0.0", False, None, False),
        (EMR6, True, None, True),
        ("", True, None, True),
    ],
)
def test_when_the_step_logs_in_itself(label, ecr_login, client_config, needed):
    image = DockerImage(f"{ECR}/etl", ecr_login=ecr_login, client_config=client_config)
    assert needs_ecr_login(image, label) is needed


def test_other_registries_need_no_login_to_ecr():
    assert not needs_ecr_login(DockerImage("user/etl"), "emr-6.0.0")
    assert not needs_ecr_login(DockerImage("public.ecr.aws/x/etl"), "emr-6.0.0")


def test_emr_logs_in_only_in_its_own_region():
    found = problem(f"{ECR}/etl", trusting(ECR), KNOWS_ECR, region="eu-west-1")
    assert found.problem == (
        "is in ECR of us-east-1, and EMR logs in only in the cluster's own region, eu-west-1"
    )
    assert "copy it to ECR of eu-west-1" in found.mend
    assert "ecr_login=True" in found.mend


@pytest.mark.parametrize("mend", [{"ecr_login": True}, {"client_config": "hdfs:///user/hadoop/config.json"}])
@pytest.mark.parametrize("configurations", [[], [yarn(**{AUTOMATIC: "false"})]])
def test_whoever_logs_in_otherwise_may_be_anywhere(mend, configurations):
    image = DockerImage(f"{ECR}/etl", **mend)
    assert problem(image, trusting(ECR), *configurations, region="eu-west-1") is None


def test_a_region_that_is_not_known_is_not_judged():
    assert problem(f"{ECR}/etl", trusting(ECR), KNOWS_ECR, region=None) is None


@pytest.mark.parametrize(("label", "fits"), [("emr-6.8.0", True), ("emr-6.9.0", False), (EMR6, False)])
def test_since_emr_6_9_a_cluster_has_to_be_told_how(label, fits):
    assert problem(f"{ECR}/etl", trusting(ECR), KNOWS_ECR, label=label) is None
    found = problem(f"{ECR}/etl", trusting(ECR), label=label)
    assert (found is None) is fits
    if found:
        assert found.problem == f"is in ECR, to which {label} logs in only where it is told how"
        assert f"yarn-site's {PROVIDER}=org.apache.hadoop" in found.mend
        assert "ecr_login=True" in found.mend


def test_a_cluster_may_be_told_not_to():
    found = problem(f"{ECR}/etl", trusting(ECR), KNOWS_ECR, yarn(**{AUTOMATIC: " False"}))
    assert found.problem == "is in ECR, to which the cluster is told not to log in"
    assert problem("user/etl", trusting("user"), yarn(**{AUTOMATIC: "false"})) is None


def test_emr_6_0_does_not_log_in_by_itself():
    assert problem(f"{ECR}/etl", trusting(ECR), label="emr-6.0.0", region="eu-west-1") is None
    found = problem(DockerImage(f"{ECR}/etl", ecr_login=False), trusting(ECR), label="emr-6.0.0")
    assert str(found) == (
        "is in ECR, to which emr-6.0.0 does not log in by itself; "
        "leave ecr_login=False out, or give DockerImage a client_config"
    )


@pytest.mark.parametrize("label", ["emr-6.0.0", "emr-6.1.0", "emr-6.9.0", EMR6, "emr-7.11.0"])
@pytest.mark.parametrize(
    "image", ["user/etl", "python:3.11", f"{ECR}/etl:1", "localhost:5000/etl", "local/x"]
)
def test_a_cluster_that_is_made_for_an_image_can_run_it(label, image):
    spec = ClusterSpec(label, docker=DockerOnYarn(experimental_emr7=True))
    assert problem(image, *docker_configurations(spec, DockerImage(image)), label=label) is None


# --- when a DAG is parsed ---------------------------------------------------------------------------------


def check(image, compute, **arguments):
    docker = DockerImage(image) if isinstance(image, str) else image
    check_image_fits("EmrSparkOperator", SparkJob("a.py", docker=docker), compute, **arguments)


def dynamic(label=EMR6, **fields):
    return DynamicCluster(ClusterSpec(label, **fields))


def pool(label=EMR6, **fields):
    return ClusterPool("medium", ClusterSpec(label, **fields), max_clusters=1)


def refused(message):
    return pytest.raises(InvalidValueError, match=re.escape(message))


@pytest.mark.parametrize("docker", [None, True, DockerOnYarn(), DockerOnYarn(["other"])])
def test_a_cluster_of_its_own_is_set_up_for_a_jobs_image(docker):
    check(f"{ECR}/etl", dynamic(docker=docker), region=REGION)


def test_a_cluster_of_its_own_can_refuse_images():
    with refused(
        "EmrSparkOperator.job.docker: 'user/etl' is an image, which the cluster is told to refuse; "
        "leave docker=False out of its ClusterSpec"
    ):
        check("user/etl", dynamic(docker=False))


@pytest.mark.parametrize("label", ["emr-5.36.2", "emr-7.11.0", "emr-spark-8.1.0"])
@pytest.mark.parametrize("make", [dynamic, pool])
def test_a_release_without_docker_is_told_before_anything_runs(make, label):
    with refused(f"EmrSparkOperator.job.docker: 'user/etl' can't run on {label}, for which"):
        check("user/etl", make(label))


def test_the_experiment_with_emr_7_is_let_through():
    check(f"{ECR}/etl", dynamic("emr-7.11.0", docker=DockerOnYarn(experimental_emr7=True)), region=REGION)
    check("user/etl", pool("emr-7.11.0", docker=DockerOnYarn(["user"], experimental_emr7=True)))


@pytest.mark.parametrize("make", [dynamic, pool])
def test_the_request_that_is_sent_is_judged(make):
    check("user/etl", make(configurations=[trusting("user")]))
    check("user/etl", make(overrides={"Configurations": [trusting("user")]}))
    with refused("is not trusted by the cluster, which trusts other; make the cluster with [{"):
        check("user/etl", make(configurations=[trusting("other")]))
    with refused("is not trusted by the cluster, which trusts other; make the cluster with [{"):
        check(
            "user/etl", make(overrides={"Configurations": [trusting("other")]}, docker=DockerOnYarn(["user"]))
        )
    with refused("is not trusted by the cluster, which trusts local, centos"):
        check("user/etl", make(overrides={"Configurations": []}, docker=DockerOnYarn(["user"])))


@pytest.mark.parametrize(
    ("docker", "trusted"),
    [
        (None, ["user"]),
        (DockerOnYarn(), ["user"]),
        (DockerOnYarn(["other"], ["other/admin"]), ["other", "user"]),
    ],
)
def test_a_pool_has_to_name_the_registry_and_the_text_to_paste_mends_it(docker, trusted):
    with refused("EmrSparkOperator.job.docker: 'user/etl' is not trusted by the cluster") as caught:
        check("user/etl", pool(docker=docker))
    text = caught.value.mend.removeprefix("give the pool's ClusterSpec docker=")
    assert ast.parse(text)
    mended = eval(text, {"DockerOnYarn": DockerOnYarn})
    assert list(mended.trusted_registries) == trusted
    check("user/etl", pool(docker=mended))


def test_a_pool_that_refuses_images_says_so():
    with refused("is an image, which the cluster is told to refuse"):
        check("user/etl", pool(docker=False))


@pytest.mark.parametrize("make", [dynamic, pool])
def test_the_region_counts_where_it_is_known(make):
    compute = make(docker=DockerOnYarn([ECR]))
    check(f"{ECR}/etl", compute)
    with refused("is in ECR of us-east-1, and EMR logs in only in the cluster's own region, eu-west-1"):
        check(f"{ECR}/etl", compute, region="eu-west-1")


@pytest.mark.parametrize(
    ("image", "compute"),
    [
        ("{{ var.value.image }}", pool()),
        ("user/etl", DynamicCluster(ClusterSpec("{{ release }}"))),
        ("user/etl", ClusterPool("x", ClusterSpec("{{ release }}"), max_clusters=1)),
        (f"{ECR}/etl", pool(docker=DockerOnYarn(["{{ var.value.registry }}"]))),
        ("user/etl", pool(configurations=[trusting("{{ var.value.registry }}")])),
        ("user/etl", dynamic(size="{{ size }}")),
    ],
)
def test_templates_are_not_judged_yet(image, compute):
    check(image, compute)


@pytest.mark.parametrize("make", [dynamic, pool])
def test_a_release_without_docker_is_told_of_an_image_whose_name_is_a_template_too(make):
    with refused("EmrSparkOperator.job.docker: '{{ var.value.image }}' can't run on emr-7.11.0, for which"):
        check("{{ var.value.image }}", make("emr-7.11.0"))
    with refused("is named by its digest, which YARN of emr-6.8.0"):
        check(DockerImage("{{ var.value.image }}", pin_digest=True), make("emr-6.8.0"))
    check("{{ var.value.image }}", make("emr-7.11.0", configurations=[trusting("user")]))
    experiment = DockerOnYarn(["{{ var.value.registry }}"], experimental_emr7=True)
    check("{{ var.value.image }}", make("emr-7.11.0", docker=experiment))


def test_an_existing_cluster_is_judged_when_it_has_been_asked():
    check("user/etl", ExistingCluster("j-1"))


def test_a_job_without_an_image_fits_everywhere():
    for compute in (dynamic("emr-5.36.2"), pool("emr-7.11.0"), dynamic(docker=False)):
        check_image_fits("EmrSparkOperator", SparkJob("a.py"), compute)


def test_a_problem_reads_as_one_line():
    assert str(ImageProblem("is not there", "push it")) == "is not there; push it"
