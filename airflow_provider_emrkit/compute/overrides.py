"""Merging a DAG author's own parts into the requests that make clusters and applications."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from airflow_provider_emrkit.frozen import FrozenMapping, thaw
from airflow_provider_emrkit.validation import InvalidValueError, check_mapping

# The members of RunJobFlow's input, so that a typing error is found when the DAG is parsed, without botocore.
RUN_JOB_FLOW_MEMBERS = frozenset(
    {
        "AdditionalInfo",
        "AmiVersion",
        "Applications",
        "AutoScalingRole",
        "AutoTerminationPolicy",
        "BootstrapActions",
        "Configurations",
        "CustomAmiId",
        "EbsRootVolumeIops",
        "EbsRootVolumeSize",
        "EbsRootVolumeThroughput",
        "ExtendedSupport",
        "Instances",
        "JobFlowRole",
        "KerberosAttributes",
        "LogEncryptionKmsKeyId",
        "LogUri",
        "ManagedScalingPolicy",
        "MonitoringConfiguration",
        "Name",
        "NewSupportedProducts",
        "OSReleaseLabel",
        "PlacementGroupConfigs",
        "ReleaseLabel",
        "RepoUpgradeOnBoot",
        "ScaleDownBehavior",
        "SecurityConfiguration",
        "ServiceRole",
        "SessionEnabled",
        "StepConcurrencyLevel",
        "StepExecutionRoleArn",
        "Steps",
        "SupportedProducts",
        "Tags",
        "VisibleToAllUsers",
    }
)

# What emrkit finds its clusters, ends them and reads their releases by, and what to write instead.
_OWNED = {
    "Name": "emrkit finds its clusters by their names; use DynamicCluster.name",
    "Steps": "emrkit adds the job's step; leave it out",
    "Tags": "use ClusterSpec.tags",
    "ReleaseLabel": "use ClusterSpec.release_label",
    "StepConcurrencyLevel": "use ClusterSpec.step_concurrency",
}

# The members that CreateApplication and UpdateApplication have in common.
APPLICATION_MEMBERS = frozenset(
    {
        "architecture",
        "autoStartConfiguration",
        "autoStopConfiguration",
        "diskEncryptionConfiguration",
        "identityCenterConfiguration",
        "imageConfiguration",
        "initialCapacity",
        "interactiveConfiguration",
        "jobLevelCostAllocationConfiguration",
        "maximumCapacity",
        "monitoringConfiguration",
        "networkConfiguration",
        "releaseLabel",
        "runtimeConfiguration",
        "schedulerConfiguration",
        "workerTypeSpecifications",
    }
)

_APPLICATION_OWNED = {
    "applicationId": "emrkit finds its applications by their names; use ApplicationSpec.name",
    "clientToken": "emrkit makes it; leave it out",
    "name": "use ApplicationSpec.name",
    "releaseLabel": "use ApplicationSpec.release_label",
    "tags": "use ApplicationSpec.tags",
    "type": "emrkit's applications run Spark; leave it out",
}


def checked_overrides(owner: str, field: str, value: Any) -> FrozenMapping[Any]:
    """Check that overrides name members of RunJobFlow that are the author's to change.

    :raises InvalidValueError: naming the member otherwise.
    """
    given = _checked_members(owner, field, value, "RunJobFlow's request", RUN_JOB_FLOW_MEMBERS, _OWNED)
    instances = given.get("Instances", {})
    if isinstance(instances, Mapping) and "KeepJobFlowAliveWhenNoSteps" in instances:
        mend = "leave it out; a dynamic cluster ends with its job, a shared one after its idle_timeout"
        member = "Instances.KeepJobFlowAliveWhenNoSteps"
        raise InvalidValueError(owner, field, member, "belongs to emrkit", mend)
    return FrozenMapping(given)


def checked_application_overrides(owner: str, field: str, value: Any) -> FrozenMapping[Any]:
    """Check that overrides name members of an application that are the author's to change.

    :raises InvalidValueError: naming the member otherwise.
    """
    requests = "CreateApplication's and UpdateApplication's requests"
    members, owned = APPLICATION_MEMBERS, _APPLICATION_OWNED
    return FrozenMapping(_checked_members(owner, field, value, requests, members, owned))


def _checked_members(
    owner: str, field: str, value: Any, request: str, members: Set[str], owned: Mapping[str, str]
) -> dict[str, Any]:
    given = check_mapping(owner, field, value)
    for key in given:
        if key in owned:
            raise InvalidValueError(owner, field, key, "belongs to emrkit", owned[key])
        if key not in members:
            mend = f"use a member of {request}: " + ", ".join(sorted(members - owned.keys()))
            raise InvalidValueError(owner, field, key, "is not known", mend)
    return given


def merged(request: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Give a request with overrides merged in.

    Mappings are merged member by member, all else is replaced; None removes a member.
    """
    result = dict(request)
    for key, value in overrides.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            under = result.get(key)
            result[key] = merged(under if isinstance(under, Mapping) else {}, value)
        else:
            result[key] = thaw(value)
    return result
