"""Which RunJobFlow requests EMR accepts, and clusters as records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.errors import validation_error
from airflow_provider_emrkit.localemr.emr.ids import new_id
from airflow_provider_emrkit.localemr.emr.instance_rules import instance_records
from airflow_provider_emrkit.localemr.emr.model import ClusterRecord
from airflow_provider_emrkit.localemr.emr.step_rules import check_steps, step_record
from airflow_provider_emrkit.releases import Feature, Release, release

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

MAX_BOOTSTRAP_ACTIONS = 16
MIN_IDLE_SECONDS = 60
MAX_IDLE_SECONDS = 604_800
MAX_STEP_CONCURRENCY = 256

_LOG_SCHEMES = ("s3://", "s3n://", "s3a://")
_SECRETS = ("KdcAdminPassword", "CrossRealmTrustPrincipalPassword", "ADDomainJoinPassword")


def cluster_record(request: Mapping[str, Any], region: str, created: datetime) -> ClusterRecord:
    """Check a RunJobFlow request and make the cluster's record with its first steps.

    :raises ApiError: ``ValidationException``.
    """
    known = _check_release(request)
    _check_roles(request)
    _check_logs(request, known)
    instances = request["Instances"]
    uses_fleets, records = instance_records(instances)
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
        keep_alive=instances.get("KeepJobFlowAliveWhenNoSteps", False),
        termination_protected=instances.get("TerminationProtected", False),
        unhealthy_node_replacement=instances.get("UnhealthyNodeReplacement"),
        step_concurrency=concurrency,
        auto_termination=checked_idle_timeout(request.get("AutoTerminationPolicy"), known),
        managed_scaling=checked_managed_scaling(request.get("ManagedScalingPolicy"), known),
    )
    role = request.get("StepExecutionRoleArn")
    for config in steps:
        step = step_record(config, created, concurrency=concurrency, role_arn=role)
        cluster.steps[step.id] = step
    return cluster


def release_of(label: str) -> Release:
    """Look a release label up.

    :raises ApiError: ``ValidationException``, in EMR's words, for a label that is none.
    """
    try:
        return release(label)
    except ValueError as error:
        raise validation_error(f"The supplied release label is invalid: {label}.") from error


def _check_release(request: Mapping[str, Any]) -> Release:
    if "ReleaseLabel" not in request:
        raise validation_error(
            "ReleaseLabel is required; clusters with an AmiVersion can't be created any more."
        )
    return release_of(request["ReleaseLabel"])


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
    _need(known, "cloudwatch_logs", "CloudWatchLogConfiguration")
    names = {application.get("Name", "").lower() for application in request.get("Applications", [])}
    if "amazoncloudwatchagent" not in names:
        raise validation_error("CloudWatchLogConfiguration needs the application AmazonCloudWatchAgent.")


def _need(known: Release, feature: Feature, name: str) -> None:
    if not known.supports(feature):
        raise validation_error(f"{name} is not supported by release {known.label}.")


def check_concurrency(level: int, known: Release) -> int:
    """Check a ``StepConcurrencyLevel`` and return it.

    :raises ApiError: ``ValidationException``.
    """
    if not 1 <= level <= MAX_STEP_CONCURRENCY:
        raise validation_error(
            f"StepConcurrencyLevel {level} is not valid; it must be 1 to {MAX_STEP_CONCURRENCY}."
        )
    if level > 1:
        _need(known, "step_concurrency", "StepConcurrencyLevel")
    return level


def checked_idle_timeout(policy: Mapping[str, Any] | None, known: Release) -> float | None:
    """Check an ``AutoTerminationPolicy`` and return its idle time (seconds, EMR's default is 3600).

    :raises ApiError: ``ValidationException``.
    """
    if policy is None:
        return None
    _need(known, "auto_termination", "AutoTerminationPolicy")
    seconds: int = policy.get("IdleTimeout", 3600)
    if not MIN_IDLE_SECONDS <= seconds <= MAX_IDLE_SECONDS:
        raise validation_error(
            f"The IdleTimeout {seconds} is not valid; "
            f"it must be {MIN_IDLE_SECONDS} to {MAX_IDLE_SECONDS} seconds."
        )
    return seconds


def checked_managed_scaling(policy: Mapping[str, Any] | None, known: Release) -> dict[str, Any] | None:
    """Check a ``ManagedScalingPolicy`` and return a copy.

    :raises ApiError: ``ValidationException``.
    """
    if policy is None:
        return None
    _need(known, "managed_scaling", "ManagedScalingPolicy")
    limits = policy.get("ComputeLimits")
    if limits is not None:
        low, high = limits["MinimumCapacityUnits"], limits["MaximumCapacityUnits"]
        if not 1 <= low <= high:
            raise validation_error(
                f"The ComputeLimits are not valid: MinimumCapacityUnits {low}, MaximumCapacityUnits {high}."
            )
    return dict(policy)


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
