"""The machines of one role in a cluster, how they are bought and what disks they have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.frozen import FrozenSpec
from airflow_provider_emrkit.validation import (
    InvalidValueError,
    check_choice,
    check_instance,
    check_integer,
    check_pattern,
    check_texts,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

MARKETS = ("on_demand", "spot")
TIMEOUT_ACTIONS = ("switch_to_on_demand", "terminate_cluster")
ON_DEMAND_STRATEGIES = ("lowest-price", "prioritized")
SPOT_STRATEGIES = (
    "price-capacity-optimized",
    "capacity-optimized",
    "capacity-optimized-prioritized",
    "diversified",
    "lowest-price",
)
VOLUME_TYPES = ("gp3", "gp2", "io1", "st1", "sc1", "standard")

# Instance types of one fleet, where it has an allocation strategy (RunJobFlow, InstanceTypeConfig).
MAX_TYPES = 30
MAX_INSTANCES = 4000

_INSTANCE_TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+", re.ASCII)


@dataclass(frozen=True, repr=False)
class EbsVolumes(FrozenSpec):
    """The EBS volumes of each instance; without them EMR attaches what suits the instance type.

    :param size_gib: Size of one volume in GiB.
    :param volume_type: ``gp3`` (default), ``gp2``, ``io1``, ``st1``, ``sc1`` or ``standard``.
    :param count: Volumes per instance, at most 25.
    :param iops: Operations per second of one volume; ``io1`` needs it, ``gp3`` may have it.
    :param throughput: MiB per second of one volume; ``gp3`` only.
    :raises InvalidValueError: when a field can't be right.

    >>> EbsVolumes(128, count=2)
    EbsVolumes(size_gib=128, count=2)
    """

    size_gib: int
    volume_type: str = "gp3"
    count: int = 1
    iops: int | None = None
    throughput: int | None = None

    def __post_init__(self) -> None:
        owner = "EbsVolumes"
        check_integer(owner, "size_gib", self.size_gib, 1, 16_384, "GiB")
        check_choice(owner, "volume_type", self.volume_type, VOLUME_TYPES)
        check_integer(owner, "count", self.count, 1, 25)
        if self.iops is None and self.volume_type == "io1":
            raise InvalidValueError(owner, "iops", None, "is missing", "say how many an io1 volume has")
        if self.iops is not None:
            _check_goes_with(owner, "iops", self.iops, self.volume_type, ("gp3", "io1"))
            check_integer(owner, "iops", self.iops, 100, 64_000, "operations per second")
        if self.throughput is not None:
            _check_goes_with(owner, "throughput", self.throughput, self.volume_type, ("gp3",))
            check_integer(owner, "throughput", self.throughput, 125, 1_000, "MiB per second")


def _check_goes_with(owner: str, field: str, value: Any, volume_type: str, allowed: Sequence[str]) -> None:
    if volume_type not in allowed:
        mend = f"leave it out, or use volume_type {' or '.join(allowed)}"
        raise InvalidValueError(owner, field, value, f"does not go with {volume_type} volumes", mend)


@dataclass(frozen=True, repr=False)
class InstanceRole(FrozenSpec):
    """The instances of one role: primary, core or task.

    In an instance fleet EMR picks among ``types``, each counting as one unit, so they should have the same
    size; an instance group takes the first one.

    :param types: EC2 instance types, the preferred one first; at most 30.
    :param count: How many instances; 0 leaves the role out (task and core only).
    :param market: ``on_demand`` or ``spot``.
    :param bid_price: Highest Spot price in USD per instance hour.
    :param bid_percent: Highest Spot price in percent of the On-Demand price; 100 where neither is given.
        Fleets only.
    :param spot_timeout: Minutes to wait for Spot capacity when the cluster starts, 5 to 1440. Fleets only.
    :param spot_timeout_action: ``switch_to_on_demand`` or ``terminate_cluster`` when they have passed. Fleets
        only.
    :param allocation_strategy: How EMR picks: for Spot ``price-capacity-optimized`` (default),
        ``capacity-optimized``, ``capacity-optimized-prioritized``, ``diversified`` or ``lowest-price``; for
        On-Demand ``lowest-price`` (default) or ``prioritized``. Fleets only.
    :param ebs: EBS volumes of each instance; by default EMR's own choice.
    :raises InvalidValueError: when a field can't be right.

    >>> InstanceRole(["r5.2xlarge", "r5a.2xlarge"], count=8, market="spot", bid_percent=60)
    InstanceRole(types=('r5.2xlarge', 'r5a.2xlarge'), count=8, market='spot', bid_percent=60)
    """

    types: Sequence[str]
    count: int = 1
    market: str = "on_demand"
    bid_price: float | None = None
    bid_percent: float | None = None
    spot_timeout: int = 25
    spot_timeout_action: str = "switch_to_on_demand"
    allocation_strategy: str | None = None
    ebs: EbsVolumes | None = None

    def __post_init__(self) -> None:
        owner = "InstanceRole"
        self._set("types", _checked_types(owner, self.types))
        check_integer(owner, "count", self.count, 0, MAX_INSTANCES, "instances")
        check_choice(owner, "market", self.market, MARKETS)
        check_integer(owner, "spot_timeout", self.spot_timeout, 5, 1_440, "minutes")
        check_choice(owner, "spot_timeout_action", self.spot_timeout_action, TIMEOUT_ACTIONS)
        if self.allocation_strategy is not None:
            strategies = SPOT_STRATEGIES if self.is_spot else ON_DEMAND_STRATEGIES
            check_choice(owner, "allocation_strategy", self.allocation_strategy, strategies)
        if self.ebs is not None:
            check_instance(owner, "ebs", self.ebs, EbsVolumes)
        self._check_bid(owner)

    @property
    def is_spot(self) -> bool:
        """Whether the instances are Spot instances."""
        return self.market == "spot"

    def _check_bid(self, owner: str) -> None:
        for field in ("bid_price", "bid_percent"):
            bid = getattr(self, field)
            if bid is None:
                continue
            if isinstance(bid, bool) or not isinstance(bid, (int, float)) or not 0 < bid < float("inf"):
                raise InvalidValueError(owner, field, bid, "is not a price", "use a number greater than 0")
            if not self.is_spot:
                mend = "use market='spot', or leave the bid out"
                raise InvalidValueError(owner, field, bid, "does not go with On-Demand instances", mend)
        if self.bid_price is not None and self.bid_percent is not None:
            raise InvalidValueError(
                owner, "bid_percent", self.bid_percent, "comes on top of bid_price", "keep one"
            )


def _checked_types(owner: str, types: Any) -> tuple[str, ...]:
    checked = check_texts(owner, "types", types)
    if not 1 <= len(checked) <= MAX_TYPES:
        raise InvalidValueError(
            owner, "types", checked, f"has {len(checked)} items", f"give 1 to {MAX_TYPES}"
        )
    for index, name in enumerate(checked):
        check_pattern(owner, f"types[{index}]", name, _INSTANCE_TYPE, "write it like m5.xlarge")
    if len(set(checked)) < len(checked):
        raise InvalidValueError(owner, "types", checked, "names one twice", "name each type once")
    return checked
