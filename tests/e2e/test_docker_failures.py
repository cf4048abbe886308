"""Jobs whose images can't run, or whose programs fail in them: what the task says of it."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from airflow import DAG
from airflow_fixtures import FakeTaskInstance

from airflow_provider_emrkit import DockerImage, EmrSparkOperator, ExistingCluster, SparkJob
from airflow_provider_emrkit.exceptions import (
    DockerError,
    EmrKitError,
    ImageRefusedError,
    JobNotFoundError,
    UserCodeError,
)
from airflow_provider_emrkit.runs.watch import Pace
from failures.docker import BASH, NO_TAG, arm_program, made_image, registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from images.engine import Engine

# The first of them may have to make the image, and to install Spark.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.usefixtures("connections")]

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
BUCKET = "emrkit-demo"
USES_SPARK = """\
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
rows = spark.range(3).count()
raise ValueError(f"{rows} rows are too few")
"""
NEEDS_A_MODULE = "import nowhere_to_be_found\n"
PROVIDER = "org.apache.hadoop.security.authentication.EcrDockerClientCredentialProvider"


class Missing(NamedTuple):
    """An image that a registry does not have.

    :param name: The image.
    :param registry: The registry.
    """

    name: str
    registry: str


@pytest.fixture
def connections(localemr: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The connections of somebody who works with the tests' local EMR."""
    from airflow_provider_emrkit.hooks.clients import forget_clients

    aws = {"conn_type": "aws", "login": "localemr", "password": "localemr"}
    extra = {
        "region_name": "us-east-1",
        "endpoint_url": localemr.endpoint,
        "staging_uri": f"s3://{BUCKET}/staging",
        "log_uri": f"s3://{BUCKET}/logs/",
    }
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws))
    monkeypatch.setenv("AIRFLOW_CONN_EMRKIT_DEFAULT", json.dumps({"conn_type": "emrkit", "extra": extra}))
    monkeypatch.setattr(EmrSparkOperator, "_pace", lambda self: Pace(poll=0.2, logs=0.2, drain=2.0))
    forget_clients()
    yield
    forget_clients()


@pytest.fixture(scope="module")
def missing(docker_engine: Engine) -> Iterator[Missing]:
    """An image whose registry answers, and does not have it."""
    if docker_engine.program != "docker":
        pytest.skip("podman asks no registry without TLS")
    with registry(NO_TAG) as name:
        yield Missing(name, name.partition("/")[0])


@pytest.fixture(scope="module")
def trusting(localemr: Any, missing: Missing, wait_until: Any) -> str:
    """A cluster that trusts the registries of the tests' images."""
    trust = {"docker.trusted.registries": f"{REGISTRY},{missing.registry}"}
    docker = [{"Classification": "docker", "Properties": trust}]
    yarn = {"yarn.nodemanager.runtime.linux.docker.docker-client-credential-provider.class": PROVIDER}
    configurations = [
        {"Classification": "container-executor", "Configurations": docker},
        {"Classification": "yarn-site", "Properties": yarn},
    ]
    return _cluster(localemr, wait_until, Configurations=configurations)


@pytest.fixture(scope="module")
def trusting_nobody(localemr: Any, wait_until: Any) -> str:
    """A cluster that nobody has told about images."""
    return _cluster(localemr, wait_until)


def _cluster(localemr: Any, wait_until: Any, **request: Any) -> str:
    instances = {"InstanceCount": 1, "MasterInstanceType": "m5.xlarge", "KeepJobFlowAliveWhenNoSteps": True}
    roles = {"JobFlowRole": "EMR_EC2_DefaultRole", "ServiceRole": "EMR_DefaultRole"}
    logs = {"LogUri": f"s3://{BUCKET}/logs/", "ReleaseLabel": "emr-6.15.0"}
    made = localemr.emr.run_job_flow(Name="team", Instances=instances, **logs, **roles, **request)
    cluster_id = str(made["JobFlowId"])
    wait_until(lambda: localemr.cluster_state(cluster_id) == "WAITING", "the cluster is up", 600)
    return cluster_id


@pytest.fixture
def fail(tmp_path: Path) -> Any:
    """Run a job that has to fail; give the error of its task."""

    def fail(cluster_id: str, text: str = USES_SPARK, **job: Any) -> EmrKitError:
        entry = tmp_path / "job.py"
        entry.write_text(text, encoding="utf-8")
        dag_id = f"fails_{uuid.uuid4().hex[:8]}"
        with DAG(dag_id, schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc)):
            operator = EmrSparkOperator(
                task_id="job", job=SparkJob(str(entry), **job), compute=ExistingCluster(cluster_id)
            )
        with pytest.raises(EmrKitError) as caught:
            operator.execute({"ti": FakeTaskInstance(dag_id=dag_id, task_id="job")})
        return caught.value

    return fail


def _told(error: EmrKitError) -> tuple[type[EmrKitError], str, str]:
    assert error.cause is not None
    return type(error), error.cause.message, error.cause.hint


def test_an_image_that_the_cluster_does_not_trust_is_refused_before_anything_is_sent(
    fail: Any, localemr: Any, trusting_nobody: str, example_image: str
) -> None:
    error = fail(trusting_nobody, docker=DockerImage(example_image))
    assert type(error) is ImageRefusedError
    assert f"image {example_image} is not trusted by the cluster" in str(error)
    assert f'"docker.trusted.registries": "local,centos,{REGISTRY}"' in str(error)
    assert localemr.steps(trusting_nobody) == []


def test_one_that_was_sent_past_the_judgement_is_refused_by_yarn(
    fail: Any, trusting_nobody: str, example_image: str
) -> None:
    runtime = {"TYPE": "docker", "DOCKER_IMAGE": example_image}
    conf = {f"spark.yarn.appMasterEnv.YARN_CONTAINER_RUNTIME_{key}": value for key, value in runtime.items()}
    kind, message, hint = _told(fail(trusting_nobody, conf=conf))
    assert (kind, message) == (DockerError, f"image: {example_image} is not trusted")
    assert f"DockerOnYarn(trusted_registries=['{REGISTRY}'])" in hint


def test_an_image_that_its_registry_does_not_have_is_told_in_docker_s_words(
    fail: Any, trusting: str, missing: Missing
) -> None:
    kind, message, hint = _told(fail(trusting, docker=DockerImage(missing.name)))
    assert kind is DockerError
    assert f"manifest for {missing.name} not found: manifest unknown" in message
    assert "emrkit image push" in hint


def test_an_image_for_another_processor_is_told(fail: Any, trusting: str, docker_engine: Engine) -> None:
    programs = dict.fromkeys((BASH, "/bin/sh"), arm_program())
    with made_image(f"{REGISTRY}/etl:arm", programs, "linux/arm64") as name:
        kind, message, hint = _told(fail(trusting, docker=DockerImage(name)))
    assert kind is DockerError
    assert "exec format error" in message.lower()
    assert "Graviton" in hint


@pytest.fixture
def without_python(docker_engine: Engine, example_image: str) -> Iterator[str]:
    """The example's image, but for its Python."""
    container, name = f"emrkit-test-{uuid.uuid4().hex[:8]}", f"{REGISTRY}/etl:no-python"
    pythons = ["/usr/bin/python3", "/usr/bin/python3.11"]
    docker_engine.run("run", f"--name={container}", "--network=none", example_image, "rm", "-f", *pythons)
    docker_engine.run("commit", container, name)
    docker_engine.run("rm", container)
    yield name
    docker_engine.run("rmi", name)


def test_an_image_without_python_is_told(fail: Any, trusting: str, without_python: str) -> None:
    kind, message, hint = _told(fail(trusting, docker=DockerImage(without_python)))
    assert kind is DockerError
    assert 'Cannot run program "python3"' in message
    assert "PYSPARK_PYTHON" in hint


def test_a_job_that_fails_in_its_image_is_told_by_its_own_traceback(
    fail: Any, trusting: str, example_image: str
) -> None:
    error = fail(trusting, docker=DockerImage(example_image))
    assert _told(error)[:2] == (UserCodeError, "ValueError: 3 rows are too few")
    assert error.cause.place == "job.py line 5"


def test_a_module_that_the_image_lacks_is_to_be_installed_there(
    fail: Any, trusting: str, example_image: str
) -> None:
    kind, message, hint = _told(fail(trusting, NEEDS_A_MODULE, docker=DockerImage(example_image)))
    assert (kind, message) == (JobNotFoundError, "ModuleNotFoundError: No module named 'nowhere_to_be_found'")
    assert f"the job's image ({example_image})" in hint
