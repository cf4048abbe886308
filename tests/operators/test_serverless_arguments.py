"""What an operator takes for a job on EMR Serverless, judged when a DAG is parsed and when it is rendered."""

from __future__ import annotations

import copy
import re
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_emrkit import (
    ApplicationSpec,
    DockerImage,
    EmrSparkOperator,
    InvalidValueError,
    ServerlessApplication,
    SparkJob,
    Workers,
)
from airflow_provider_emrkit.compute.application_request import create_application_request
from airflow_provider_emrkit.compute.defaults import ApplicationDefaults
from airflow_provider_emrkit.operators.arguments import check_placement

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
JOB = SparkJob("s3://code/job.py", args=["--day", "{{ ds }}"])
SPEC = ApplicationSpec(
    "nightly-{{ params.stage }}",
    "{{ params.release }}",
    image=f"{HOST}/etl:{{{{ params.tag }}}}",
    drivers=Workers(1, 2, 8),
    configurations={"spark-defaults": {"spark.stage": "{{ params.stage }}"}},
    tags={"stage": "{{ params.stage }}"},
    overrides={"diskEncryptionConfiguration": {"encryptionKeyArn": "{{ params.stage }}"}},
)
PARAMS = {"stage": "test", "release": "emr-7.11.0", "tag": "1.4", "id": "00f1abc", "mode": "BATCH"}


def make(compute: Any, job: SparkJob = JOB) -> EmrSparkOperator:
    with DAG("sales", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc)):
        return EmrSparkOperator(task_id="load", job=job, compute=compute)


def rendered(compute: Any, job: SparkJob = JOB, **params: str) -> EmrSparkOperator:
    operator = copy.deepcopy(make(compute, job))
    operator.render_template_fields({"ds": "2026-11-29", "params": {**PARAMS, **params}})
    return operator


def refused(message: str):
    return pytest.raises(InvalidValueError, match=re.escape(message))


@pytest.mark.parametrize(
    "compute",
    [
        ServerlessApplication("00f1abc"),
        ServerlessApplication("{{ ti.xcom_pull('set_up') }}"),
        ServerlessApplication(spec=SPEC),
    ],
)
def test_a_job_can_run_on_an_application(compute):
    assert make(compute).compute == compute


def test_an_application_s_id_alone_is_no_compute():
    with refused("EmrSparkOperator.compute: '00f1abc' is nothing a job can run on; give a DynamicCluster"):
        make("00f1abc")


def test_a_job_s_image_is_judged_when_the_dag_is_parsed():
    job = SparkJob("s3://code/job.py", docker=DockerImage(f"{HOST}/etl:1.4"))
    plain = ApplicationSpec("nightly", "emr-7.11.0")
    with refused(f"EmrSparkOperator.job.docker: '{HOST}/etl:1.4' is not the image of the application"):
        make(ServerlessApplication(spec=plain), job)
    # YARN would not take it: emr-7.11.0 has no Docker there.
    make(ServerlessApplication(spec=ApplicationSpec("nightly", "emr-7.11.0", image=f"{HOST}/etl:1.4")), job)


def test_and_again_when_it_has_been_rendered():
    job = SparkJob("s3://code/job.py", docker=DockerImage(f"{HOST}/etl:1.4"))
    assert rendered(ServerlessApplication(spec=SPEC), job).compute.spec.image == f"{HOST}/etl:1.4"
    with refused(f"is not the image of the application, whose drivers run {HOST}/etl:1.5"):
        check_placement(rendered(ServerlessApplication(spec=SPEC), job, tag="1.5"))


def test_arguments_are_counted_when_the_dag_is_parsed():
    with refused("SparkJob.args: 1025 arguments are more than the 1,024 that EMR Serverless takes"):
        make(ServerlessApplication("00f1abc"), SparkJob("s3://code/job.py", args=["x"] * 1025))


def test_templates_are_rendered_however_deep():
    spec = rendered(ServerlessApplication(spec=SPEC)).compute.spec
    request = create_application_request(spec, ApplicationDefaults())
    assert request["name"] == request["tags"]["emrkit:application"] == "nightly-test"
    assert request["releaseLabel"] == "emr-7.11.0"
    assert request["imageConfiguration"]["imageUri"] == f"{HOST}/etl:1.4"
    assert request["runtimeConfiguration"][0]["properties"] == {"spark.stage": "test"}
    assert request["tags"]["stage"] == request["diskEncryptionConfiguration"]["encryptionKeyArn"] == "test"
    assert spec.drivers == Workers(1, 2, 8)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"stage": "a b"}, "ApplicationSpec.name: 'nightly-a b' is not well formed"),
        ({"stage": "ü"}, "ApplicationSpec.name: 'nightly-ü' is not well formed"),
        ({"release": "emr-6.8.0"}, "ApplicationSpec.image: "),
        ({"release": "emr-6.11.1"}, "ApplicationSpec.release_label: 'emr-6.11.1' is not among the releases"),
        ({"tag": ""}, "is no name of an image"),
    ],
)
def test_what_was_rendered_is_judged(params, message):
    with refused(message):
        rendered(ServerlessApplication(spec=SPEC), **params)


def test_so_is_how_the_job_is_to_run():
    compute = ServerlessApplication("{{ params.id }}", mode="{{ params.mode }}", max_attempts=3)
    assert rendered(compute).compute == ServerlessApplication("00f1abc", max_attempts=3)
    with refused(
        "ServerlessApplication.application_id: 'None' is not well formed; write it like 00f1abcdefgh2i0j"
    ):
        rendered(compute, id="None")
    with refused("ServerlessApplication.max_attempts: 3 is not for jobs of mode STREAMING"):
        rendered(compute, mode="STREAMING")
