"""The ``Instances`` part of a RunJobFlow request: fleets or groups, network, rights."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_emrkit.compute.cluster_spec import ClusterSpec
    from airflow_provider_emrkit.compute.instances import EbsVolumes, InstanceRole

API_ROLES = {"primary": "MASTER", "core": "CORE", "task": "TASK"}


def instances(spec: ClusterSpec, subnet_ids: Sequence[str], *, keep_alive: bool) -> dict[str, Any]:
    """Compile the instances of a cluster.

    :param subnet_ids: Subnets of the spec, or those of the connection.
    :param keep_alive: Whether the cluster waits for more steps when it has done those it got.
    """
    if spec.instance_collection == "fleets":
        request: dict[str, Any] = {"InstanceFleets": [_fleet(name, role) for name, role in _used_roles(spec)]}
        if subnet_ids:
            request["Ec2SubnetIds"] = list(subnet_ids)
    else:
        request = {"InstanceGroups": [_group(name, role) for name, role in _used_roles(spec)]}
        if subnet_ids:
            request["Ec2SubnetId"] = subnet_ids[0]
    request["KeepJobFlowAliveWhenNoSteps"] = keep_alive
    request["TerminationProtected"] = spec.termination_protected
    return {**request, **_access(spec)}


def _used_roles(spec: ClusterSpec) -> Iterator[tuple[str, InstanceRole]]:
    for name in API_ROLES:
        role: InstanceRole | None = getattr(spec.roles, name)
        if role and role.count:
            yield name, role


def _access(spec: ClusterSpec) -> dict[str, Any]:
    members = {
        "Ec2KeyName": spec.ec2_key_name,
        "EmrManagedMasterSecurityGroup": spec.primary_security_group,
        "EmrManagedSlaveSecurityGroup": spec.core_security_group,
        "ServiceAccessSecurityGroup": spec.service_access_security_group,
        "AdditionalMasterSecurityGroups": list(spec.additional_primary_security_groups),
        "AdditionalSlaveSecurityGroups": list(spec.additional_core_security_groups),
    }
    return {member: value for member, value in members.items() if value}


def _fleet(name: str, role: InstanceRole) -> dict[str, Any]:
    target = "TargetSpotCapacity" if role.is_spot else "TargetOnDemandCapacity"
    return {
        "Name": name,
        "InstanceFleetType": API_ROLES[name],
        target: role.count,
        "InstanceTypeConfigs": [_instance_type(role, index) for index in range(len(role.types))],
        "LaunchSpecifications": _launch(role),
    }


def _instance_type(role: InstanceRole, index: int) -> dict[str, Any]:
    config: dict[str, Any] = {"InstanceType": role.types[index], "WeightedCapacity": 1}
    if role.allocation_strategy in ("prioritized", "capacity-optimized-prioritized"):
        config["Priority"] = float(index)
    if role.bid_price is not None:
        config["BidPrice"] = _dollars(role.bid_price)
    if role.bid_percent is not None:
        config["BidPriceAsPercentageOfOnDemandPrice"] = float(role.bid_percent)
    if role.ebs:
        config["EbsConfiguration"] = _ebs(role.ebs)
    return config


def _launch(role: InstanceRole) -> dict[str, Any]:
    if not role.is_spot:
        return {"OnDemandSpecification": {"AllocationStrategy": role.allocation_strategy or "lowest-price"}}
    spot = {
        "TimeoutDurationMinutes": role.spot_timeout,
        "TimeoutAction": role.spot_timeout_action.upper(),
        "AllocationStrategy": role.allocation_strategy or "price-capacity-optimized",
    }
    # The On-Demand strategy is for the time after the switch; without one EMR takes five instance types at
    # most.
    return {"SpotSpecification": spot, "OnDemandSpecification": {"AllocationStrategy": "lowest-price"}}


def _group(name: str, role: InstanceRole) -> dict[str, Any]:
    group: dict[str, Any] = {
        "Name": name,
        "InstanceRole": API_ROLES[name],
        "InstanceType": role.types[0],
        "InstanceCount": role.count,
        "Market": role.market.upper(),
    }
    if role.bid_price is not None:
        group["BidPrice"] = _dollars(role.bid_price)
    if role.ebs:
        group["EbsConfiguration"] = _ebs(role.ebs)
    return group


def _ebs(ebs: EbsVolumes) -> dict[str, Any]:
    volume: dict[str, Any] = {"VolumeType": ebs.volume_type, "SizeInGB": ebs.size_gib}
    if ebs.iops is not None:
        volume["Iops"] = ebs.iops
    if ebs.throughput is not None:
        volume["Throughput"] = ebs.throughput
    return {"EbsBlockDeviceConfigs": [{"VolumeSpecification": volume, "VolumesPerInstance": ebs.count}]}


def _dollars(price: float) -> str:
    """Write a price as EMR takes it: decimal digits, never an exponent."""
    return format(Decimal(str(price)), "f")
