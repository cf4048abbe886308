"""Which RunJobFlow requests EMR accepts, and clusters as records."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.errors import validation_error
from airflow_provider_emrkit.localemr.emr.ids import new_id
from airflow_provider_emrkit.localemr.emr.instance_rules import instance_records
from airflow_provider_emrkit.localemr.emr.model import ClusterRecord
from airflow_provider_emrkit.localemr.emr.release_rules import need, need_since, requested_release
from airflow_provider_emrkit.localemr.emr.runtime_roles import check_runtime_role
from airflow_provider_emrkit.localemr.emr.scaling_rules import (
    check_scaling_policy,
    checked_managed_scaling,
    with_cluster_id,
)
from airflow_provider_emrkit.localemr.emr.step_rules import check_steps, step_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from airflow_provider_emrkit.localemr.emr.model import InstancesRecord
    from airflow_provider_emrkit.releases import Release

MAX_BOOTSTRAP_ACTIONS = 16
MIN_IDLE_SECONDS = 60
MAX_IDLE_SECONDS = 604_800
MAX_STEP_CONCURRENCY = 256
MIN_ROOT_VOLUME = 10

_AMI = re.compile(r"ami-[0-9a-f]{8,17}", re.ASCII)
_LOG_SCHEMES = ("s3://", "s3n://", "s3a://")
_SECRETS = ("KdcAdminPassword", "CrossRealmTrustPrincipalPassword", "ADDomainJoinPassword")


def cluster_record(
    request: Mapping[str, Any], region: str, created: datetime, *, runtime_roles: bool = False
) -> ClusterRecord:
    """Check a RunJobFlow request and make the cluster's record with its first steps.

    :param runtime_roles: Whether its security configuration allows steps to have roles of their own.
    :raises ApiError: ``ValidationException``.
    """
    known = requested_release(request)
    _check_roles(request)
    _check_logs(request, known)
    _check_image(request, known)
    instances = request["Instances"]
    uses_fleets, records = instance_records(instances)
    primaries = _primaries(records)
    _check_placement_groups(request, primaries)
    _check_scaling_policies(request, records)
    concurrency = check_concurrency(request.get("StepConcurrencyLevel", 1), known)
    steps = request.get("Steps", [])
    check_steps(steps, active=0, concurrency=concurrency)
    if len(request.get("BootstrapActions", [])) > MAX_BOOTSTRAP_ACTIONS:
        raise validation_error(f"A cluster can have at most {MAX_BOOTSTRAP_ACTIONS} bootstrap actions.")
    cluster = ClusterRecord(
        id=new_id("j"),
        region=region,
        name=request["Name"],
        request=_without_secrets(request),
        created=created,
        instances=records,
        uses_fleets=uses_fleets,
        tags=checked_tags(request.get("Tags", [])),
        # As in EMR: several primary nodes are there to stay.
        keep_alive=instances.get("KeepJobFlowAliveWhenNoSteps", False) or primaries > 1,
        termination_protected=instances.get("TerminationProtected", primaries > 1),
        unhealthy_node_replacement=instances.get("UnhealthyNodeReplacement"),
        step_concurrency=concurrency,
        auto_termination=checked_idle_timeout(request.get("AutoTerminationPolicy"), known),
        managed_scaling=checked_managed_scaling(
            request.get("ManagedScalingPolicy"), known, records, uses_fleets
        ),
        runtime_roles=runtime_roles,
    )
    for record in records:
        if record.scaling_policy is not None:
            record.scaling_policy = with_cluster_id(record.scaling_policy, cluster.id)
    role = request.get("StepExecutionRoleArn")
    check_runtime_role(role, known, runtime_roles)
    for config in steps:
        step = step_record(config, created, concurrency=concurrency, role_arn=role)
        cluster.steps[step.id] = step
    return cluster


def _check_roles(request: Mapping[str, Any]) -> None:
    if not request.get("JobFlowRole"):
        raise validation_error("InstanceProfile is required for creating cluster.")
    if not request.get("ServiceRole"):
        raise validation_error("ServiceRole is required for creating cluster.")


def _check_logs(request: Mapping[str, Any], known: Release) -> None:
    uri = request.get("LogUri")
    if uri and not uri.startswith(_LOG_SCHEMES):
        raise validation_error(f"The LogUri '{uri}' is not valid; it must start with s3://.")
    cloudwatch = request.get("MonitoringConfiguration", {}).get("CloudWatchLogConfiguration", {})
    if not cloudwatch.get("Enabled"):
        return
    need(known, "cloudwatch_logs", "CloudWatchLogConfiguration")
    names = {application.get("Name", "").lower() for application in request.get("Applications", [])}
    if "amazoncloudwatchagent" not in names:
        raise validation_error("CloudWatchLogConfiguration needs the application AmazonCloudWatchAgent.")


def _check_image(request: Mapping[str, Any], known: Release) -> None:
    image, root = request.get("CustomAmiId"), request.get("EbsRootVolumeSize", MIN_ROOT_VOLUME)
    if image is not None:
        need_since(known, "emr-5.7.0", "CustomAmiId")
        if not _AMI.fullmatch(image):
            raise validation_error(f"The CustomAmiId '{image}' is not valid.")
        if "OSReleaseLabel" in request:
            raise validation_error("Only one of CustomAmiId and OSReleaseLabel may be specified.")
    if root < MIN_ROOT_VOLUME:
        raise validation_error(f"The EbsRootVolumeSize {root} is not valid; it must be at least 10 GiB.")
    for name in ("EbsRootVolumeIops", "EbsRootVolumeThroughput"):
        if name in request:
            need_since(known, "emr-6.15.0", name)


def _primaries(records: Sequence[InstancesRecord]) -> int:
    return sum(batch.count for record in records if record.role == "MASTER" for batch in record.batches)


def _check_placement_groups(request: Mapping[str, Any], primaries: int) -> None:
    configs = request.get("PlacementGroupConfigs", [])
    if any(config["InstanceRole"] != "MASTER" for config in configs):
        raise validation_error("Placement groups are supported for the instance role MASTER only.")
    if configs and primaries < 2:
        raise validation_error("Placement groups need a cluster with several primary nodes.")


def _check_scaling_policies(request: Mapping[str, Any], records: Sequence[InstancesRecord]) -> None:
    for record in records:
        if record.scaling_policy is not None:
            role, managed = request.get("AutoScalingRole"), request.get("ManagedScalingPolicy")
            check_scaling_policy(record.scaling_policy, record.role, role, managed)


def check_concurrency(level: int, known: Release) -> int:
    """Check a ``StepConcurrencyLevel`` and return it.

    :raises ApiError: ``ValidationException``.
    """
    if not 1 <= level <= MAX_STEP_CONCURRENCY:
        raise validation_error(
            f"StepConcurrencyLevel {level} is not valid; it must be 1 to {MAX_STEP_CONCURRENCY}."
        )
    if level > 1:
        need(known, "step_concurrency", "StepConcurrencyLevel")
    return level


def checked_idle_timeout(policy: Mapping[str, Any] | None, known: Release) -> float | None:
    """Check an ``AutoTerminationPolicy`` and return its idle time (seconds, EMR's default is 3600).

    :raises ApiError: ``ValidationException``.
    """
    if policy is None:
        return None
    need(known, "auto_termination", "AutoTerminationPolicy")
    seconds: int = policy.get("IdleTimeout", 3600)
    if not MIN_IDLE_SECONDS <= seconds <= MAX_IDLE_SECONDS:
        raise validation_error(
            f"The IdleTimeout {seconds} is not valid; "
            f"it must be {MIN_IDLE_SECONDS} to {MAX_IDLE_SECONDS} seconds."
        )
    return seconds


def checked_tags(tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Check EMR's list of tags and return it as a mapping.

    :raises ApiError: ``ValidationException``.
    """
    for tag in tags:
        key, value = tag.get("Key", ""), tag.get("Value", "")
        if not 1 <= len(key) <= 128 or len(value) > 256:
            raise validation_error(
                f"The tag '{key[:128]}' is not valid: keys have 1 to 128 characters, values 0 to 256."
            )
        if key.lower().startswith("aws:"):
            raise validation_error(f"The tag '{key}' is not valid: the prefix aws: is reserved.")
    return {tag["Key"]: tag.get("Value", "") for tag in tags}


def _without_secrets(request: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in request.items() if name != "Steps"}
    if "KerberosAttributes" in kept:
        attributes = kept["KerberosAttributes"]
        kept["KerberosAttributes"] = {
            name: "****" if name in _SECRETS else attributes[name] for name in attributes
        }
    return kept
