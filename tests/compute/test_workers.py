from __future__ import annotations

import re

import pytest

from airflow_provider_emrkit import Workers
from airflow_provider_emrkit.validation import InvalidValueError


@pytest.mark.parametrize(
    ("cpu", "sizes"),
    [
        (1, [2, 5, 8]),
        (2, [4, 16]),
        (4, [8, 30]),
        (8, [16, 20, 60]),
        (16, [32, 40, 120]),
        (32, [60, 120, 244]),
    ],
)
def test_sizes_of_emr_serverless(cpu, sizes):
    for memory_gb in sizes:
        assert Workers(1, cpu, memory_gb).memory_gb == memory_gb


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"count": 0}, "Workers.count: 0 is out of bounds"),
        ({"count": "2"}, "Workers.count: '2' is of type str"),
        ({"cpu": 3}, "Workers.cpu: 3 is no size; use one of 1, 2, 4, 8, 16, 32"),
        ({"cpu": 64}, "Workers.cpu: 64 is out of bounds"),
        (
            {"memory_gb": 7},
            "Workers.memory_gb: 7 is out of bounds; use a whole number from 8 to 30 GB with 4 vCPUs",
        ),
        ({"memory_gb": 31}, "Workers.memory_gb: 31 is out of bounds"),
        (
            {"cpu": 8, "memory_gb": 18},
            "Workers.memory_gb: 18 is no size of a worker with 8 vCPUs; use 16 or 20",
        ),
        ({"cpu": 16, "memory_gb": 36}, "36 is no size of a worker with 16 vCPUs; use 32 or 40"),
        ({"cpu": 32, "memory_gb": 128}, "128 is no size of a worker with 32 vCPUs; use 120 or 244"),
        ({"disk_gb": 19}, "Workers.disk_gb: 19 is out of bounds; use a whole number from 20 to 200 GB"),
        ({"disk_gb": 201}, "Workers.disk_gb: 201 is out of bounds"),
        ({"disk_gb": 2001, "disk_type": "SHUFFLE_OPTIMIZED"}, "from 20 to 2,000 GB"),
        (
            {"disk_type": "SSD"},
            "Workers.disk_type: 'SSD' is not known; use one of STANDARD, SHUFFLE_OPTIMIZED",
        ),
    ],
)
def test_what_is_no_size(fields, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        Workers(**{"count": 1, "cpu": 4, "memory_gb": 16, **fields})


def test_what_all_of_them_have_together():
    assert Workers(3, 4, 16).total == {"cpu": 12, "memory_gb": 48, "disk_gb": 60}
    assert Workers(2, 4, 16, disk_gb=100).total["disk_gb"] == 200
