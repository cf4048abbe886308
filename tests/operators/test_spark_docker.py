"""A job with an image from its DAG to EMR: here and in the triggerer, on every kind of cluster, once."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow import DAG
from airflow_fixtures import Collected, FakeTaskInstance, context, deferred, payload_of, wait_for

from airflow_provider_emrkit import (
    ClusterPool,
    ClusterSpec,
    DockerImage,
    DockerOnYarn,
    DynamicCluster,
    EmrSparkOperator,
    ExistingCluster,
    InvalidValueError,
    SparkJob,
)
from airflow_provider_emrkit.exceptions import ImageRefusedError
from airflow_provider_emrkit.hooks.clients import AwsClients
from airflow_provider_emrkit.operators import pooled as pooled_module
from airflow_provider_emrkit.runs.watch import Pace

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
IMAGE = DockerImage(f"{HOST}/etl:1.4", pin_digest=True)
JOB = SparkJob("s3://code/job.py", docker=IMAGE)
SPEC = ClusterSpec("emr-6.15.0", size="tiny", cloudwatch_logs=False)
NEW = DynamicCluster(SPEC)
POOL = ClusterPool("medium", replace(SPEC, docker=DockerOnYarn([HOST])), max_clusters=1, wait_timeout=30)


@pytest.fixture(autouse=True)
def _quick(emrkit_connection, monkeypatch):
    monkeypatch.setattr(EmrSparkOperator, "_pace", lambda self: Pace(poll=0.05, logs=0.02, drain=0.1))
    monkeypatch.setattr(pooled_module, "PAUSE", 0.2)


@pytest.fixture
def digest(localemr_server):
    """The digest of the image, which is in ECR."""
    return push(localemr_server, "1.4")


@pytest.fixture
def said():
    log, collected = logging.getLogger("airflow_provider_emrkit.runs.image_setup"), Collected()
    level = log.level
    log.setLevel(logging.INFO)
    log.addHandler(collected)
    yield collected
    log.removeHandler(collected)
    log.setLevel(level)


def push(server: Any, *tags: str) -> str:
    ecr = server.client("ecr")
    if not ecr.describe_repositories()["repositories"]:
        ecr.create_repository(repositoryName="etl")
    media_type = "application/vnd.oci.image.index.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": media_type, "manifests": [], "annotations": {"of": tags[0]}}
    found = [
        ecr.put_image(
            repositoryName="etl",
            imageManifest=json.dumps(manifest),
            imageManifestMediaType=media_type,
            imageTag=tag,
        )
        for tag in tags
    ]
    return str(found[0]["image"]["imageId"]["imageDigest"])


def make(job: SparkJob = JOB, compute: Any = NEW, **kwargs: Any) -> EmrSparkOperator:
    with DAG("sales", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc)):
        return EmrSparkOperator(task_id=kwargs.pop("task_id", "load"), job=job, compute=compute, **kwargs)


def steps(emr: Any) -> list[list[str]]:
    """Give the arguments of all steps."""
    return [
        step["Config"]["Args"]
        for one in emr.list_clusters()["Clusters"]
        for step in emr.list_steps(ClusterId=one["Id"])["Steps"]
    ]


def images(args: list[str]) -> set[str]:
    """Give the images that a step names."""
    sign = "YARN_CONTAINER_RUNTIME_DOCKER_IMAGE="
    return {arg.partition(sign)[2] for arg in args if sign in arg}


# --- what is refused before there is a task -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("compute", "match"),
    [
        pytest.param(DynamicCluster(replace(SPEC, docker=False)), "docker=False", id="told to refuse"),
        pytest.param(DynamicCluster(replace(SPEC, release_label="emr-5.36.0")), "emr-5.36.0", id="emr-5"),
        pytest.param(
            DynamicCluster(replace(SPEC, release_label="emr-7.11.0")), "experimental_emr7", id="emr-7"
        ),
        pytest.param(replace(POOL, spec=SPEC), r"DockerOnYarn\(trusted_registries=", id="pool without any"),
        pytest.param(
            replace(POOL, spec=replace(SPEC, docker=DockerOnYarn(["other"]))), HOST, id="pool of others"
        ),
    ],
)
def test_a_dag_whose_clusters_can_t_run_the_image_does_not_load(compute, match):
    with pytest.raises(InvalidValueError, match=match):
        make(compute=compute)


def test_a_dag_with_templates_loads_and_the_rendered_task_is_refused(localemr_server, emr, ti):
    operator = make(compute=DynamicCluster(replace(SPEC, release_label="{{ release }}")))
    operator.render_template_fields({"release": "emr-5.36.0"})
    with pytest.raises(InvalidValueError, match=r"emr-5\.36\.0"):
        operator.execute(context(ti))
    assert emr.list_clusters()["Clusters"] == []


# --- what runs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_job_on_a_new_cluster_runs_in_the_image_of_that_moment(
    localemr_server, emr, ti, digest, said, deferrable
):
    localemr_server.runner.script("sales.load", stdout=["24 rows"])
    operator = make(deferrable=deferrable)
    if deferrable:
        value = operator.execute_complete(context(ti), payload_of(deferred(operator, ti)))
    else:
        value = operator.execute(context(ti))
    assert value["state"] == "COMPLETED"
    [args] = steps(emr)
    assert images(args) == {f"{HOST}/etl@{digest}"}
    assert said.lines == [
        f"Image {HOST}/etl:1.4 is {digest}",
        f"Driver and executors run in image {HOST}/etl@{digest}",
    ]


def test_a_job_on_a_cluster_that_can_t_run_it_is_refused_and_nothing_is_submitted(
    emr, ti, waiting_cluster, digest
):
    with pytest.raises(ImageRefusedError, match=rf"cluster {waiting_cluster} .* emr-7\.11\.0"):
        make(compute=ExistingCluster(waiting_cluster)).execute(context(ti))
    assert steps(emr) == []


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_job_on_a_pool_runs_in_the_image_of_the_moment_it_was_ordered(
    localemr_server, emr, ti, digest, said, deferrable
):
    """Also when it waits for room, here or in the triggerer, and its tag has moved meanwhile."""
    localemr_server.runner.script("sales.other", hold=True)
    localemr_server.runner.script("sales.load", stdout=["24 rows"])
    deferred(make(task_id="other", compute=POOL, deferrable=True), FakeTaskInstance(task_id="other"))
    localemr_server.runner.wait_started("sales.other")
    operator = make(compute=POOL, deferrable=deferrable)
    pinned = len(said.lines) + 1

    def move() -> None:
        wait_for(lambda: len(said.lines) > pinned)  # both lines of it
        assert push(localemr_server, "new", "1.4") != digest
        localemr_server.runner.finish("sales.other")

    with ThreadPoolExecutor() as pool:
        moved = pool.submit(move)
        if deferrable:
            trigger = deferred(operator, ti)
            moved.result()
            value = operator.execute_complete(context(ti), payload_of(trigger))
        else:
            value = operator.execute(context(ti))
            moved.result()
    assert value["state"] == "COMPLETED"
    assert [images(args) for args in steps(emr)] == [{f"{HOST}/etl@{digest}"}] * 2
    [cluster] = emr.list_clusters()["Clusters"]
    described = emr.describe_cluster(ClusterId=cluster["Id"])["Cluster"]
    assert HOST in json.dumps(described["Configurations"])


def test_an_order_for_a_pool_that_ecr_does_not_know_the_image_of_is_never_placed(
    localemr_server, emr, ti, monkeypatch
):
    monkeypatch.setattr(AwsClients, "has_own_endpoint", False)  # on a laptop, the engine may have it
    with pytest.raises(ImageRefusedError, match=r"no repository; .* `emrkit image push"):
        make(compute=POOL, deferrable=True).execute(context(ti))
    assert emr.list_clusters()["Clusters"] == []
    listed = localemr_server.client("s3").list_objects_v2(Bucket="staging")
    assert "Contents" not in listed


def test_a_step_on_emr_6_0_logs_in_before_its_job(localemr_server, emr, ti, said):
    localemr_server.runner.script("sales.load", stdout=["24 rows"])
    job = replace(JOB, docker=replace(IMAGE, pin_digest=False))
    make(job, DynamicCluster(replace(SPEC, release_label="emr-6.0.0"))).execute(context(ti))
    [args] = steps(emr)
    assert args[:2] == ["bash", "-c"]
    assert args[args.index("--", 4) + 1] == "spark-submit"
    assert said.lines == [f"Driver and executors run in image {HOST}/etl:1.4"]


def test_a_retry_that_goes_on_with_a_job_asks_nothing_of_its_image(localemr_server, emr, digest, said):
    """The image may be gone from ECR by now, and the cluster may be one that is refused today."""
    localemr_server.runner.script("sales.load", hold=True)
    first = FakeTaskInstance(max_tries=1)
    deferred(make(deferrable=True), first)
    localemr_server.runner.wait_started("sales.load")
    before = list(said.lines)
    localemr_server.client("ecr").delete_repository(repositoryName="etl", force=True)
    retry = make(deferrable=True)
    retry.compute = DynamicCluster(replace(SPEC, docker=False))
    again = deferred(retry, FakeTaskInstance(try_number=2, max_tries=1, xcoms=first.xcoms))
    localemr_server.runner.finish("sales.load")
    assert payload_of(again)["state"] == "ended"
    assert said.lines == before
    assert len(steps(emr)) == 1
