from __future__ import annotations

import re

import pytest

from airflow_provider_emrkit.compute.instances import EbsVolumes, InstanceRole
from airflow_provider_emrkit.validation import InvalidValueError

TYPES = ["m5.xlarge", "m5a.xlarge"]


def refused(message: str):
    return pytest.raises(InvalidValueError, match=re.escape(message))


def test_by_default_one_on_demand_instance():
    role = InstanceRole(TYPES)
    assert (role.types, role.count, role.is_spot) == (("m5.xlarge", "m5a.xlarge"), 1, False)


@pytest.mark.parametrize(
    "name", ["m5.xlarge", "c7gd.metal", "u-6tb1.56xlarge", "r5dn.24xlarge", "{{ params.type }}"]
)
def test_instance_types_that_can_be(name):
    assert InstanceRole([name]).types == (name,)


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ([], "InstanceRole.types: () has 0 items; give 1 to 30"),
        ([f"m5.x{index}" for index in range(31)], "has 31 items; give 1 to 30"),
        ("m5.xlarge", "InstanceRole.types: 'm5.xlarge' is one string; pass a list: ['m5.xlarge']"),
        (
            ["m5.xlarge", "xlarge"],
            "InstanceRole.types[1]: 'xlarge' is not well formed; write it like m5.xlarge",
        ),
        (["m5.xlarge", "m5.xlarge"], "names one twice; name each type once"),
    ],
)
def test_instance_types_that_can_not(types, message):
    with refused(message):
        InstanceRole(types)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"count": -1},
            "InstanceRole.count: -1 is out of bounds; use a whole number from 0 to 4,000 instances",
        ),
        ({"market": "Spot"}, "InstanceRole.market: 'Spot' is not known; use one of on_demand, spot"),
        (
            {"spot_timeout": 4},
            "InstanceRole.spot_timeout: 4 is out of bounds; use a whole number from 5 to 1,440 minutes",
        ),
        ({"spot_timeout_action": "retry"}, "use one of switch_to_on_demand, terminate_cluster"),
        (
            {"allocation_strategy": "diversified"},
            "'diversified' is not known; use one of lowest-price, prioritized",
        ),
        (
            {"bid_price": 0.1},
            "InstanceRole.bid_price: 0.1 does not go with On-Demand instances; use market='spot'",
        ),
        (
            {"market": "spot", "bid_price": 0},
            "InstanceRole.bid_price: 0 is not a price; use a number greater than 0",
        ),
        ({"market": "spot", "bid_price": "0.1"}, "InstanceRole.bid_price: '0.1' is not a price"),
        ({"market": "spot", "bid_percent": float("nan")}, "InstanceRole.bid_percent: nan is not a price"),
        ({"market": "spot", "bid_percent": 50, "bid_price": 1}, "comes on top of bid_price; keep one"),
        ({"ebs": 64}, "InstanceRole.ebs: 64 is of type int; give EbsVolumes("),
    ],
)
def test_roles_that_can_not_be(fields, message):
    with refused(message):
        InstanceRole(TYPES, **fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size_gib": 0}, "EbsVolumes.size_gib: 0 is out of bounds; use a whole number from 1 to 16,384 GiB"),
        ({"volume_type": "gp9"}, "use one of gp3, gp2, io1, st1, sc1, standard"),
        ({"count": 26}, "EbsVolumes.count: 26 is out of bounds"),
        ({"volume_type": "io1"}, "EbsVolumes.iops: None is missing; say how many an io1 volume has"),
        (
            {"volume_type": "gp2", "iops": 3000},
            "EbsVolumes.iops: 3000 does not go with gp2 volumes; leave it out, or use",
        ),
        (
            {"volume_type": "io1", "iops": 3000, "throughput": 200},
            "throughput: 200 does not go with io1 volumes",
        ),
    ],
)
def test_volumes_that_can_not_be(fields, message):
    with refused(message):
        EbsVolumes(**{"size_gib": 64, **fields})
