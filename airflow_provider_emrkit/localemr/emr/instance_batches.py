"""The instances of a group or fleet, as batches that were started together; how a resize changes them."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.ids import instance_id
from airflow_provider_emrkit.localemr.emr.model import InstanceBatch, InstancesRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import datetime

_CAPACITIES = {"ON_DEMAND": "TargetOnDemandCapacity", "SPOT": "TargetSpotCapacity"}


def targets(config: Mapping[str, Any]) -> dict[str, int]:
    """Say how many units of each market a group or fleet is to have; a group counts instances."""
    if "InstanceCount" in config:
        return {config.get("Market", "ON_DEMAND"): config["InstanceCount"]}
    return {market: config.get(name, 0) for market, name in _CAPACITIES.items()}


def machine(config: Mapping[str, Any]) -> tuple[str, int]:
    """Give the instance type that stands for a group or fleet, and the units one of it counts."""
    if "InstanceTypeConfigs" not in config:
        return str(config.get("InstanceType", "")), 1
    first = config["InstanceTypeConfigs"][0]
    return str(first["InstanceType"]), max(1, first.get("WeightedCapacity", 1))


def resize(record: InstancesRecord, settled: datetime | None = None, now: datetime | None = None) -> None:
    """Start or end instances, so that there are as many as the record's configuration says.

    :param settled: When new instances are up and surplus ones are gone; None for instances that start with
        their cluster.
    :param now: When new instances were asked for; None for those that start with their cluster.
    """
    instance_type, units = machine(record.config)
    for market, target in targets(record.config).items():
        missing = target - sum(batch.count * batch.units for batch in _staying(record, market))
        if missing > 0:
            first = max((batch.first + batch.count for batch in record.batches), default=0)
            count = -(-missing // units)
            record.batches.append(InstanceBatch(first, count, instance_type, market, units, now, settled))
        elif missing < 0:
            end_instances(record, _surplus(record, market, -missing), settled)


def end_instances(
    record: InstancesRecord, numbers: Collection[int], when: datetime | None, *, lost: bool = False
) -> None:
    """End some of the instances; numbers of instances that end already are left alone.

    :param lost: Whether nobody has asked for it.
    """
    record.batches = [part for batch in record.batches for part in _parts(batch, numbers, when, lost=lost)]


def _parts(
    batch: InstanceBatch, numbers: Collection[int], when: datetime | None, *, lost: bool
) -> Iterator[InstanceBatch]:
    if batch.ended is not None:
        yield batch
        return
    for is_ending, group in groupby(batch.numbers, numbers.__contains__):
        run = list(group)
        ended = when if is_ending else None
        yield replace(batch, first=run[0], count=len(run), ended=ended, lost=lost and is_ending)


def _staying(record: InstancesRecord, market: str) -> list[InstanceBatch]:
    return [batch for batch in record.batches if batch.ended is None and batch.market == market]


def _surplus(record: InstancesRecord, market: str, units: int) -> set[int]:
    """Choose the newest instances, those that are asked to end before and those to be kept after others."""
    policy = record.shrink_policy.get("InstanceResizePolicy", {})
    wanted = frozenset(policy.get("InstancesToTerminate", ()))
    kept = frozenset(policy.get("InstancesToProtect", ()))
    ids = ec2_ids(record) if wanted or kept else {}
    candidates = [(number, batch.units) for batch in _staying(record, market) for number in batch.numbers]
    candidates.sort(key=lambda item: (ids.get(item[0]) not in wanted, ids.get(item[0]) in kept, -item[0]))
    chosen: set[int] = set()
    for number, size in candidates:
        # A fleet never goes below its target: of an instance that counts two units, one surplus unit is none.
        if size <= units:
            chosen.add(number)
            units -= size
    return chosen


def ec2_ids(record: InstancesRecord) -> dict[int, str]:
    """Give the EC2 ids of the instances that are not ending, by number; not for a primary node."""
    return {
        number: instance_id(f"{record.id}/{number}")
        for batch in record.batches
        if batch.ended is None
        for number in batch.numbers
    }
