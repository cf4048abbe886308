"""Records as the API shows them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.config import ACCOUNT_ID
from airflow_provider_emrkit.releases import release

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from airflow_provider_emrkit.localemr.emr.model import ClusterRecord, InstanceBatch, StepRecord

# Members that DescribeCluster gives back as RunJobFlow got them.
_AS_REQUESTED = (
    "AutoScalingRole",
    "Configurations",
    "CustomAmiId",
    "EbsRootVolumeIops",
    "EbsRootVolumeSize",
    "EbsRootVolumeThroughput",
    "ExtendedSupport",
    "KerberosAttributes",
    "LogEncryptionKmsKeyId",
    "MonitoringConfiguration",
    "OSReleaseLabel",
    "RepoUpgradeOnBoot",
    "ScaleDownBehavior",
    "SecurityConfiguration",
    "ServiceRole",
    "SessionEnabled",
)
_INSTANCE_ATTRIBUTES = (
    "AdditionalMasterSecurityGroups",
    "AdditionalSlaveSecurityGroups",
    "Ec2KeyName",
    "EmrManagedMasterSecurityGroup",
    "EmrManagedSlaveSecurityGroup",
    "ServiceAccessSecurityGroup",
)


def cluster_arn(cluster: ClusterRecord) -> str:
    """Give a cluster's ARN."""
    return f"arn:aws:elasticmapreduce:{cluster.region}:{ACCOUNT_ID}:cluster/{cluster.id}"


def cluster_status(cluster: ClusterRecord) -> dict[str, Any]:
    """Give the API's ``ClusterStatus``."""
    reason = {"Code": cluster.reason_code, "Message": cluster.reason_message}
    return {
        "State": cluster.state,
        "StateChangeReason": {name: value for name, value in reason.items() if value},
        "ErrorDetails": cluster.error_details or None,
        "Timeline": _timeline(
            CreationDateTime=cluster.created, ReadyDateTime=cluster.ready, EndDateTime=cluster.ended
        ),
    }


def cluster_summary(cluster: ClusterRecord, now: datetime) -> dict[str, Any]:
    """Give the API's ``ClusterSummary``."""
    return {
        "Id": cluster.id,
        "Name": cluster.name,
        "Status": cluster_status(cluster),
        "NormalizedInstanceHours": normalized_hours(cluster, now),
        "ClusterArn": cluster_arn(cluster),
    }


def cluster_details(cluster: ClusterRecord, now: datetime) -> dict[str, Any]:
    """Give the API's ``Cluster``."""
    request = cluster.request
    return {
        **{name: request.get(name) for name in _AS_REQUESTED},
        **cluster_summary(cluster, now),
        "Applications": _applications(cluster),
        "AutoTerminate": not cluster.keep_alive,
        "Configurations": request.get("Configurations", []),
        "Ec2InstanceAttributes": _ec2_attributes(cluster),
        "InstanceCollectionType": "INSTANCE_FLEET" if cluster.uses_fleets else "INSTANCE_GROUP",
        "LogUri": _shown_log_uri(request.get("LogUri")),
        "MasterPublicDnsName": "localhost" if cluster.ready else None,
        "PlacementGroups": request.get("PlacementGroupConfigs", []),
        "ReleaseLabel": cluster.release_label,
        "StepConcurrencyLevel": cluster.step_concurrency,
        "Tags": shown_tags(cluster.tags),
        "TerminationProtected": cluster.termination_protected,
        "UnhealthyNodeReplacement": cluster.unhealthy_node_replacement,
        "VisibleToAllUsers": cluster.visible_to_all_users,
    }


def shown_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Give the API's list of tags."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _shown_log_uri(uri: str | None) -> str | None:
    # EMR itself answers with the scheme s3n and a slash at the end, whatever the request said.
    return f"s3n://{uri.partition('://')[2].rstrip('/')}/" if uri else None


def _applications(cluster: ClusterRecord) -> list[dict[str, Any]]:
    known = release(cluster.release_label)
    versions = {"spark": known.spark, "hadoop": known.hadoop}
    applications = []
    for application in cluster.request.get("Applications", []):
        version = versions.get(application.get("Name", "").lower())
        applications.append({**application, **({"Version": version} if version else {})})
    return applications


def _ec2_attributes(cluster: ClusterRecord) -> dict[str, Any]:
    instances = cluster.request["Instances"]
    subnets = [*instances.get("Ec2SubnetIds", []), *filter(None, [instances.get("Ec2SubnetId")])]
    placement = instances.get("Placement", {})
    zones = [*placement.get("AvailabilityZones", []), *filter(None, [placement.get("AvailabilityZone")])]
    return {
        **{name: instances.get(name) for name in _INSTANCE_ATTRIBUTES},
        "Ec2AvailabilityZone": zones[0] if zones else f"{cluster.region}a",
        "Ec2SubnetId": subnets[0] if subnets else None,
        "IamInstanceProfile": cluster.request.get("JobFlowRole"),
        "RequestedEc2AvailabilityZones": zones,
        "RequestedEc2SubnetIds": subnets,
    }


def step_details(step: StepRecord) -> dict[str, Any]:
    """Give the API's ``Step``, and its ``StepSummary``: the service model leaves out what that has not."""
    return {
        "Id": step.id,
        "Name": step.name,
        "Config": {
            "Jar": step.jar,
            "Properties": step.properties,
            "MainClass": step.main_class,
            "Args": step.args,
        },
        "ActionOnFailure": step.action_on_failure,
        "Status": _step_status(step),
        "ExecutionRoleArn": step.execution_role_arn,
        "LogUri": step.log_uri,
        "EncryptionKeyArn": step.encryption_key_arn,
    }


def _step_status(step: StepRecord) -> dict[str, Any]:
    failure = step.failure
    return {
        "State": step.state,
        "StateChangeReason": {"Message": step.message} if step.message else {},
        "FailureDetails": failure
        and {"Reason": failure.reason, "Message": failure.message, "LogFile": failure.log_file},
        "Timeline": _timeline(
            CreationDateTime=step.created, StartDateTime=step.started, EndDateTime=step.ended
        ),
    }


def _timeline(**times: datetime | None) -> dict[str, datetime]:
    return {name: time for name, time in times.items() if time is not None}


def normalized_hours(cluster: ClusterRecord, now: datetime) -> int:
    """Estimate the API's ``NormalizedInstanceHours``: begun hours, weighted by the instances' size."""
    batches = [batch for record in cluster.instances for batch in record.batches]
    return sum(
        batch.count * size_weight(batch.instance_type) * _hours(cluster, batch, now) for batch in batches
    )


def _hours(cluster: ClusterRecord, batch: InstanceBatch, now: datetime) -> int:
    begun = cluster.ready if batch.created is None else batch.ready
    end = min(time for time in (batch.ended, cluster.ended, now) if time is not None)
    if begun is None or begun > end:
        return 0
    return max(1, math.ceil((end - begun).total_seconds() / 3600))


def size_weight(instance_type: str) -> int:
    """Give EC2's normalisation factor of an instance type: 1 for small, 8 for xlarge, 8 n for nxlarge."""
    size = instance_type.partition(".")[2]
    known = {"nano": 1, "micro": 1, "small": 1, "medium": 2, "large": 4, "xlarge": 8}
    times = size.removesuffix("xlarge")
    return known.get(size) or (8 * int(times) if times.isdecimal() and times.isascii() else 8)
