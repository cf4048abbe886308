"""Instance groups, fleets and instances as the API shows them at a moment.

Whether a resize or a reconfiguration is under way is said by the clock alone: records hold when it is done.
"""

from __future__ import annotations

import hashlib
import string
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.ids import emr_instance_id, instance_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from airflow_provider_emrkit.localemr.emr.model import ClusterRecord, InstanceBatch, InstancesRecord

_DEVICES = string.ascii_lowercase[1:24]
_STATES = {
    "STARTING": "PROVISIONING",
    "BOOTSTRAPPING": "BOOTSTRAPPING",
    "RUNNING": "RUNNING",
    "WAITING": "RUNNING",
    "TERMINATING": "TERMINATING",
    "TERMINATED": "TERMINATED",
    "TERMINATED_WITH_ERRORS": "TERMINATED",
}


def group_details(cluster: ClusterRecord, group: InstancesRecord, now: datetime) -> dict[str, Any]:
    """Give the API's ``InstanceGroup``."""
    config = group.config
    configurations = config.get("Configurations", [])
    is_applied = group.reconfigured is None or group.reconfigured <= now
    return {
        "Id": group.id,
        "Name": config.get("Name") or f"{group.role.capitalize()} - 1",
        "Market": config.get("Market", "ON_DEMAND"),
        "InstanceGroupType": group.role,
        "BidPrice": config.get("BidPrice"),
        "InstanceType": config["InstanceType"],
        "RequestedInstanceCount": config["InstanceCount"],
        "RunningInstanceCount": sum(batch.count for batch in _running(cluster, group, now)),
        "Status": _status(cluster, group, now),
        "Configurations": configurations,
        "ConfigurationsVersion": group.version,
        "LastSuccessfullyAppliedConfigurations": configurations if is_applied else group.applied,
        "LastSuccessfullyAppliedConfigurationsVersion": group.version if is_applied else group.version - 1,
        "EbsBlockDevices": _volumes(config),
        "EbsOptimized": config.get("EbsConfiguration", {}).get("EbsOptimized"),
        "ShrinkPolicy": group.shrink_policy,
        "AutoScalingPolicy": group.scaling_policy and scaling_description(group.scaling_policy, "ATTACHED"),
        "CustomAmiId": config.get("CustomAmiId"),
    }


def scaling_description(policy: Mapping[str, Any], state: str) -> dict[str, Any]:
    """Give the API's ``AutoScalingPolicyDescription``."""
    return {**policy, "Status": {"State": state, "StateChangeReason": {"Code": "USER_REQUEST"}}}


def fleet_details(cluster: ClusterRecord, fleet: InstancesRecord, now: datetime) -> dict[str, Any]:
    """Give the API's ``InstanceFleet``."""
    config = fleet.config
    provisioned = {"ON_DEMAND": 0, "SPOT": 0}
    for batch in _running(cluster, fleet, now):
        provisioned[batch.market] += batch.count * batch.units
    return {
        "Id": fleet.id,
        "Name": config.get("Name"),
        "Status": _status(cluster, fleet, now),
        "InstanceFleetType": fleet.role,
        "TargetOnDemandCapacity": config.get("TargetOnDemandCapacity", 0),
        "TargetSpotCapacity": config.get("TargetSpotCapacity", 0),
        "ProvisionedOnDemandCapacity": provisioned["ON_DEMAND"],
        "ProvisionedSpotCapacity": provisioned["SPOT"],
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


def instance_details(
    cluster: ClusterRecord, record: InstancesRecord, now: datetime
) -> Iterator[dict[str, Any]]:
    """Give the API's ``Instance`` for every instance of a group or fleet, one after the other."""
    owner = "InstanceFleetId" if cluster.uses_fleets else "InstanceGroupId"
    volumes = _volumes(record.config.get("InstanceTypeConfigs", [record.config])[0])
    for batch in record.batches:
        status = _instance_status(cluster, batch, now)
        for number in batch.numbers:
            seed = _seed(cluster, record, number)
            yield {
                "Id": emr_instance_id(seed),
                "Ec2InstanceId": instance_id(seed),
                "PublicDnsName": "localhost",
                "PublicIpAddress": "127.0.0.1",
                "PrivateDnsName": "localhost",
                "PrivateIpAddress": "127.0.0.1",
                "Status": status,
                owner: record.id,
                "Market": batch.market,
                "InstanceType": batch.instance_type,
                "EbsVolumes": [_attached(seed, volume["Device"]) for volume in volumes],
            }


def _seed(cluster: ClusterRecord, record: InstancesRecord, number: int) -> str:
    return cluster.id if record.role == "MASTER" and number == 0 else f"{record.id}/{number}"


def _attached(seed: str, device: str) -> dict[str, str]:
    digest = hashlib.sha256(f"{seed}{device}".encode()).hexdigest()
    return {"Device": device, "VolumeId": f"vol-{digest[:17]}"}


def _running(cluster: ClusterRecord, record: InstancesRecord, now: datetime) -> list[InstanceBatch]:
    return [batch for batch in record.batches if _instance_state(cluster, batch, now) == "RUNNING"]


def _instance_state(cluster: ClusterRecord, batch: InstanceBatch, now: datetime) -> str:
    if cluster.ended is not None or (batch.ended is not None and batch.ended <= now):
        return "TERMINATED"
    if batch.ready is not None:
        return "RUNNING" if batch.ready <= now else "PROVISIONING"
    # Instances know no TERMINATING.
    return "RUNNING" if cluster.state == "TERMINATING" else _STATES[cluster.state]


def _instance_status(cluster: ClusterRecord, batch: InstanceBatch, now: datetime) -> dict[str, Any]:
    state = _instance_state(cluster, batch, now)
    reason: dict[str, str] = {}
    if state == "TERMINATED":
        by_resize = batch.ended is not None
        reason = {"Message": "Terminated by a resize"} if by_resize else _CLUSTER_GONE
        reason = _LOST if batch.lost else reason
    return {
        "State": state,
        "StateChangeReason": reason,
        "Timeline": _timeline(
            batch.created or cluster.created,
            cluster.ready if batch.created is None else batch.ready,
            batch.ended or cluster.ended,
            cluster.ended or now,
        ),
    }


_CLUSTER_GONE = {"Code": "CLUSTER_TERMINATED", "Message": "Job flow terminated"}
_LOST = {"Code": "INSTANCE_FAILURE", "Message": "The instance was terminated by Amazon EC2"}


def _status(cluster: ClusterRecord, record: InstancesRecord, now: datetime) -> dict[str, Any]:
    return {
        "State": _state(cluster, record, now),
        "StateChangeReason": _CLUSTER_GONE if cluster.ended is not None else {},
        "Timeline": _timeline(
            record.created or cluster.created,
            cluster.ready if record.created is None else record.ready,
            cluster.ended,
            cluster.ended or now,
        ),
    }


def _state(cluster: ClusterRecord, record: InstancesRecord, now: datetime) -> str:
    state = _STATES[cluster.state]
    if state != "RUNNING":
        return state
    if record.ready is not None and record.ready > now:
        return "PROVISIONING"
    changes = [time for batch in record.batches for time in (batch.ready, batch.ended) if time is not None]
    if any(time > now for time in changes):
        return "RESIZING"
    return "RECONFIGURING" if record.reconfigured is not None and record.reconfigured > now else "RUNNING"


def _timeline(
    created: datetime, ready: datetime | None, ended: datetime | None, now: datetime
) -> dict[str, datetime]:
    # What has not come yet, and what never came because the cluster ended before, is left out.
    times = {"CreationDateTime": created, "ReadyDateTime": ready, "EndDateTime": ended}
    return {name: time for name, time in times.items() if time is not None and time <= now}


def _volumes(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    devices = config.get("EbsConfiguration", {}).get("EbsBlockDeviceConfigs", [])
    volumes = (
        item["VolumeSpecification"] for item in devices for _ in range(item.get("VolumesPerInstance", 1))
    )
    return [
        {"VolumeSpecification": volume, "Device": f"/dev/sd{letter}"}
        for letter, volume in zip(_DEVICES, volumes, strict=False)
    ]
