"""Instance groups, fleets and instances as the API shows them: worked out from the cluster, kept nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.ids import emr_instance_id, instance_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_emrkit.localemr.emr.model import ClusterRecord, InstancesRecord

_STATES = {
    "STARTING": "PROVISIONING",
    "BOOTSTRAPPING": "BOOTSTRAPPING",
    "RUNNING": "RUNNING",
    "WAITING": "RUNNING",
    "TERMINATING": "TERMINATING",
    "TERMINATED": "TERMINATED",
    "TERMINATED_WITH_ERRORS": "TERMINATED",
}


def group_details(cluster: ClusterRecord, group: InstancesRecord) -> dict[str, Any]:
    """Give the API's ``InstanceGroup``."""
    config = group.config
    status = _status(cluster)
    configurations = config.get("Configurations", [])
    return {
        "Id": group.id,
        "Name": config.get("Name") or f"{group.role.capitalize()} - 1",
        "Market": config.get("Market", "ON_DEMAND"),
        "InstanceGroupType": group.role,
        "BidPrice": config.get("BidPrice"),
        "InstanceType": config["InstanceType"],
        "RequestedInstanceCount": config["InstanceCount"],
        "RunningInstanceCount": config["InstanceCount"] if status["State"] == "RUNNING" else 0,
        "Status": status,
        "Configurations": configurations,
        "ConfigurationsVersion": 0,
        "LastSuccessfullyAppliedConfigurations": configurations,
        "LastSuccessfullyAppliedConfigurationsVersion": 0,
        "EbsBlockDevices": _volumes(config),
        "EbsOptimized": config.get("EbsConfiguration", {}).get("EbsOptimized"),
        "ShrinkPolicy": {},
        "CustomAmiId": config.get("CustomAmiId"),
    }


def fleet_details(cluster: ClusterRecord, fleet: InstancesRecord) -> dict[str, Any]:
    """Give the API's ``InstanceFleet``."""
    config = fleet.config
    status = _status(cluster)
    on_demand, spot = config.get("TargetOnDemandCapacity", 0), config.get("TargetSpotCapacity", 0)
    running = status["State"] == "RUNNING"
    return {
        "Id": fleet.id,
        "Name": config.get("Name"),
        "Status": status,
        "InstanceFleetType": fleet.role,
        "TargetOnDemandCapacity": on_demand,
        "TargetSpotCapacity": spot,
        "ProvisionedOnDemandCapacity": on_demand if running else 0,
        "ProvisionedSpotCapacity": spot if running else 0,
        "InstanceTypeSpecifications": [_type_details(item) for item in config["InstanceTypeConfigs"]],
        "LaunchSpecifications": config.get("LaunchSpecifications"),
        "ResizeSpecifications": config.get("ResizeSpecifications"),
        "Context": config.get("Context"),
    }


def _type_details(config: Mapping[str, Any]) -> dict[str, Any]:
    ebs = config.get("EbsConfiguration", {})
    return {
        "WeightedCapacity": 1,
        **{name: value for name, value in config.items() if name != "EbsConfiguration"},
        "EbsBlockDevices": _volumes(config),
        "EbsOptimized": ebs.get("EbsOptimized"),
    }


def instance_details(cluster: ClusterRecord, record: InstancesRecord) -> Iterator[dict[str, Any]]:
    """Give the API's ``Instance`` for every instance of a group or fleet, one after the other."""
    status = _status(cluster)
    if status["State"] == "TERMINATING":
        status = {**status, "State": "RUNNING"}
    owner = "InstanceFleetId" if cluster.uses_fleets else "InstanceGroupId"
    for number, (market, instance_type) in enumerate(_instances(record)):
        primary = record.role == "MASTER" and number == 0
        seed = cluster.id if primary else f"{record.id}/{number}"
        yield {
            "Id": emr_instance_id(seed),
            "Ec2InstanceId": instance_id(seed),
            "PublicDnsName": "localhost",
            "PublicIpAddress": "127.0.0.1",
            "PrivateDnsName": "localhost",
            "PrivateIpAddress": "127.0.0.1",
            "Status": status,
            owner: record.id,
            "Market": market,
            "InstanceType": instance_type,
            "EbsVolumes": [],
        }


def _instances(record: InstancesRecord) -> Iterator[tuple[str, str]]:
    config = record.config
    if "InstanceCount" in config:
        yield from [(config.get("Market", "ON_DEMAND"), config["InstanceType"])] * config["InstanceCount"]
        return
    first = config["InstanceTypeConfigs"][0]
    units = max(1, first.get("WeightedCapacity", 1))
    for market, name in (("ON_DEMAND", "TargetOnDemandCapacity"), ("SPOT", "TargetSpotCapacity")):
        count = -(-config.get(name, 0) // units)
        yield from [(market, first["InstanceType"])] * count


def _status(cluster: ClusterRecord) -> dict[str, Any]:
    times = {
        "CreationDateTime": cluster.created,
        "ReadyDateTime": cluster.ready,
        "EndDateTime": cluster.ended,
    }
    ended = cluster.ended is not None
    return {
        "State": _STATES[cluster.state],
        "StateChangeReason": {"Code": "CLUSTER_TERMINATED", "Message": "Job flow terminated"}
        if ended
        else {},
        "Timeline": {name: time for name, time in times.items() if time is not None},
    }


def _volumes(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    devices = config.get("EbsConfiguration", {}).get("EbsBlockDeviceConfigs", [])
    volumes = [
        item["VolumeSpecification"] for item in devices for _ in range(item.get("VolumesPerInstance", 1))
    ]
    return [
        {"VolumeSpecification": volume, "Device": f"/dev/sd{chr(ord('b') + number)}"}
        for number, volume in enumerate(volumes[:23])
    ]
