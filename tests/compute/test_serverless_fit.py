from __future__ import annotations

import re

import pytest

from airflow_provider_emrkit import ApplicationSpec, DockerImage, ServerlessApplication, SparkJob
from airflow_provider_emrkit.compute.serverless_fit import (
    check_application_image,
    check_serverless_fit,
    image_configuration,
)
from airflow_provider_emrkit.validation import InvalidValueError

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
IMAGE, OTHER = f"{HOST}/etl:1.4", f"{HOST}/other:2"
JOB = SparkJob("s3://c/a.py", docker=DockerImage(IMAGE))


def on(**fields):
    return ServerlessApplication(spec=ApplicationSpec("nightly", "emr-7.11.0", **fields))


def refused(message: str):
    return pytest.raises(InvalidValueError, match=re.escape(message))


@pytest.mark.parametrize(
    "compute",
    [
        on(image=IMAGE),
        on(driver_image=IMAGE, executor_image=IMAGE),
        on(image=OTHER, driver_image=IMAGE, executor_image=IMAGE),
        on(image="{{ var.value.image }}"),
        on(overrides={"imageConfiguration": {"imageUri": IMAGE}}),
        ServerlessApplication("00f1"),  # judged when it has been asked
    ],
)
def test_a_job_runs_in_its_image_where_the_application_has_it(compute):
    check_serverless_fit("EmrSparkOperator", JOB, compute)


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (
            on(),
            "whose drivers run the one of EMR and executors run the one of EMR; use ServerlessApplication(",
        ),
        (on(image=OTHER), f"whose drivers run {OTHER} and executors run {OTHER};"),
        (on(image=IMAGE, executor_image=OTHER), f"whose executors run {OTHER};"),
        (on(driver_image=IMAGE), "whose executors run the one of EMR;"),
        (on(image=f"{HOST}/etl:1.5"), f"whose drivers run {HOST}/etl:1.5"),
    ],
)
def test_and_nowhere_else(compute, message):
    with refused(f"EmrSparkOperator.job.docker: '{IMAGE}' is not the image of the application, {message}"):
        check_serverless_fit("EmrSparkOperator", JOB, compute)


def test_a_job_without_an_image_runs_in_any():
    check_serverless_fit("EmrSparkOperator", SparkJob("s3://c/a.py"), on(image=OTHER))


def test_an_image_whose_name_is_not_known_yet_is_not_judged():
    job = SparkJob("s3://c/a.py", docker=DockerImage("{{ var.value.image }}"))
    check_serverless_fit("EmrSparkOperator", job, on(image=OTHER))


def test_nothing_is_mounted_there():
    job = SparkJob("s3://c/a.py", docker=DockerImage(IMAGE, mounts=["/mnt/models:/models:ro"]))
    with refused(
        "job.docker.mounts: ['/mnt/models:/models:ro'] are to be mounted, and EMR Serverless mounts no"
    ):
        check_serverless_fit("EmrSparkOperator", job, on(image=IMAGE))


def test_arguments_are_counted():
    check_serverless_fit("EmrSparkOperator", SparkJob("s3://c/a.py", args=["x"] * 1024), on())
    with refused("SparkJob.args: 1025 arguments are more than"):
        check_serverless_fit("EmrSparkOperator", SparkJob("s3://c/a.py", args=["x"] * 1025), on())


WHOLE = {"imageUri": IMAGE, "resolvedImageDigest": "sha256:1"}
OWN = {"imageUri": OTHER}


@pytest.mark.parametrize(
    ("application", "driver", "executor"),
    [
        ({}, {}, {}),
        ({"imageConfiguration": WHOLE}, WHOLE, WHOLE),
        (
            {
                "imageConfiguration": WHOLE,
                "workerTypeSpecifications": {"Driver": {"imageConfiguration": OWN}},
            },
            OWN,
            WHOLE,
        ),
        (
            {
                "imageConfiguration": WHOLE,
                "workerTypeSpecifications": {"EXECUTOR": {"imageConfiguration": OWN}},
            },
            WHOLE,
            OWN,
        ),
        (
            {"imageConfiguration": WHOLE, "workerTypeSpecifications": {"driver": {"imageConfiguration": {}}}},
            WHOLE,
            WHOLE,
        ),
        ({"imageConfiguration": None, "workerTypeSpecifications": {"driver": {}}}, {}, {}),
    ],
)
def test_whose_image_is_whose(application, driver, executor):
    assert image_configuration(application, "driver") == driver
    assert image_configuration(application, "executor") == executor


def test_an_application_that_exists_is_judged_by_what_emr_says_of_it():
    check_application_image("SparkJob", JOB, {"imageConfiguration": WHOLE})
    with refused("is not the image of the application"):
        check_application_image("SparkJob", JOB, {"imageConfiguration": OWN})
    with refused("is not the image of the application"):
        check_application_image("SparkJob", JOB, {})


def test_the_mend_is_an_application_with_the_image():
    with refused(f"use ServerlessApplication(spec=ApplicationSpec(…, image='{IMAGE}')), or leave docker out"):
        check_serverless_fit("EmrSparkOperator", JOB, on())
