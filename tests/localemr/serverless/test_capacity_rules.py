"""Which workers an application can have from its start."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.localemr.aws_json import ApiError
from airflow_provider_emrkit.localemr.serverless.capacity_rules import check_capacity
from airflow_provider_emrkit.releases import release


def capacity(cpu: str, memory: str, count: int = 1, maximum=None, **config) -> dict:
    worker = {"cpu": cpu, "memory": memory, **config}
    initial = {"EXECUTOR": {"workerCount": count, "workerConfiguration": worker}}
    return {"initialCapacity": initial, **({"maximumCapacity": maximum} if maximum else {})}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"maximumCapacity": {"cpu": "1 vCPU", "memory": "2 GB"}},
        {"initialCapacity": {"DRIVER": {"workerCount": 1}}},
        capacity("1 vCPU", "2 GB"),
        capacity("2vcpu", "5GB"),
        capacity("4", "30"),
        capacity("8 vCPU", "60 GB", disk="200 GB"),
        capacity("16 vCPU", "120 GB", disk="2000 GB", diskType="SHUFFLE_OPTIMIZED"),
        capacity("4 vCPU", "16 GB", 10, {"cpu": "40 vCPU", "memory": "160 GB", "disk": "200 GB"}),
    ],
)
def test_workers_that_emr_serverless_has(settings):
    check_capacity(settings, release("emr-7.11.0"))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (capacity("3 vCPU", "8 GB"), "it must be one of 1, 2, 4, 8, 16"),
        (capacity("1 vCPU", "9 GB"), "2 to 8 GB"),
        (capacity("16 vCPU", "36 GB"), "in steps of 8 GB"),
        (capacity("4 vCPU", "16 GB", disk="19 GB"), "20 to 200 GB"),
        (capacity("4 vCPU", "16 GB", disk="201 GB"), "20 to 200 GB"),
        (capacity("4 vCPU", "16 GB", disk="2001 GB", diskType="shuffle_optimized"), "20 to 2000 GB"),
        (
            capacity("4 vCPU", "16 GB", 11, {"cpu": "40 vCPU", "memory": "400 GB"}),
            "initialCapacity of 44 vCPU",
        ),
        (
            capacity("4 vCPU", "16 GB", 2, {"cpu": "40 vCPU", "memory": "400 GB", "disk": "30 GB"}),
            "40 GB disk",
        ),
    ],
)
def test_workers_that_it_has_not(settings, problem):
    with pytest.raises(ApiError) as caught:
        check_capacity(settings, release("emr-7.11.0"))
    assert caught.value.code == "ValidationException"
    assert problem in caught.value.message


def test_large_disks_began_with_a_release():
    settings = capacity("4 vCPU", "16 GB", disk="500 GB", diskType="SHUFFLE_OPTIMIZED")
    check_capacity(settings, release("emr-7.1.0"))
    with pytest.raises(ApiError) as caught:
        check_capacity(settings, release("emr-7.0.0"))
    assert "not supported by release emr-7.0.0" in caught.value.message
