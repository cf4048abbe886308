"""The workers a job run would have, what they use and what is billed."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_provider_emrkit.localemr.serverless import transitions
from airflow_provider_emrkit.localemr.serverless.model import RunRecord, Token
from airflow_provider_emrkit.localemr.serverless.workers import Size, workers_of

NOW = datetime(2026, 11, 28, tzinfo=timezone.utc)


def workers(parameters="", properties=None):
    spark = {
        "entryPoint": "s3://code/job.py",
        **({"sparkSubmitParameters": parameters} if parameters else {}),
    }
    overrides = {
        "applicationConfiguration": [{"classification": "spark-defaults", "properties": properties or {}}]
    }
    request = {"jobDriver": {"sparkSubmit": spark}, "configurationOverrides": overrides}
    settings = {"releaseLabel": "emr-7.11.0"}
    attempts = transitions.first_attempt(NOW)
    run = RunRecord("00r", "00a", "r", request, settings, NOW, NOW, "me", Token("t", ""), attempts=attempts)
    return workers_of(run)


def test_the_defaults():
    found = workers()
    assert found.driver == found.executor == Size(cpu=4, memory_gb=16, disk_gb=20)
    assert found.executors == 3


@pytest.mark.parametrize(
    ("parameters", "properties"),
    [
        ("--conf spark.executor.cores=2 --conf spark.executor.memory=6g", {}),
        ("--executor-cores 2 --executor-memory 6g", {}),
        ("", {"spark.executor.cores": "2", "spark.executor.memory": "6g"}),
        ("--executor-cores=2 --executor-memory 6g", {"spark.executor.cores": "8"}),
    ],
)
def test_sizes_are_read_wherever_they_are_said(parameters, properties):
    assert workers(parameters, properties).executor == Size(cpu=2, memory_gb=7, disk_gb=20)


@pytest.mark.parametrize(
    "parameters",
    [
        "--num-executors 5",
        "--conf spark.executor.instances=5",
        "--conf spark.dynamicAllocation.initialExecutors=5",
    ],
)
def test_the_number_of_executors(parameters):
    assert workers(parameters).executors == 5


def test_disk_and_overhead():
    found = workers(
        "--conf spark.emr-serverless.driver.disk=100G --conf spark.driver.memory=8g "
        "--conf spark.driver.memoryOverhead=4g"
    )
    assert found.driver == Size(cpu=4, memory_gb=12, disk_gb=100)


@pytest.mark.parametrize("parameters", ["--conf 'not closed", "--conf spark.driver.cores=many", "-"])
def test_what_cannot_be_read_counts_as_not_said(parameters):
    assert workers(parameters).driver.cpu == 4


def test_what_is_used_is_size_times_time():
    found = workers("--conf spark.executor.instances=1")
    assert found.used(1800) == {"vCPUHour": 4.0, "memoryGBHour": 16.0, "storageGBHour": 20.0}
    # Begun seconds count.
    assert found.used(0.1)["vCPUHour"] == pytest.approx(8 / 3600, abs=0.001)


def test_a_minute_at_least_is_billed_and_twenty_gb_of_disk_are_free():
    found = workers("--conf spark.executor.instances=1 --conf spark.emr-serverless.executor.disk=80g")
    assert found.billed(1) == found.billed(60)
    assert found.billed(3600) == {"vCPUHour": 8.0, "memoryGBHour": 32.0, "storageGBHour": 60.0}


@pytest.mark.parametrize(
    ("maximum", "is_enough"),
    [
        ({}, True),
        ({"cpu": "8 vCPU", "memory": "32 GB"}, True),
        ({"cpu": "8vcpu", "memory": "32GB", "disk": "40 GB"}, True),
        ({"cpu": "7", "memory": "32 GB"}, False),
        ({"cpu": "8", "memory": "31 GB"}, False),
        ({"cpu": "8", "memory": "32 GB", "disk": "39 GB"}, False),
    ],
)
def test_a_run_needs_its_driver_and_one_executor(maximum, is_enough):
    assert workers().least.fits(maximum) == is_enough


@pytest.mark.parametrize("number", ["9" * 9, "9" * 400, "9" * 5000], ids=["many", "no-float", "no-integer"])
def test_absurd_numbers_of_a_job_have_figures_too(number):
    found = workers(f"--num-executors {number} --executor-cores {number} --executor-memory {number}g")
    assert found.used(3600)["vCPUHour"] > found.executors > 10**8
    assert found.billed(3600)["memoryGBHour"] > found.executors
