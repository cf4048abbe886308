"""What keeps a job from being submitted, as the error its task ends with: the type, and the mend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.exceptions import (
    ComputeNotFoundError,
    QuotaError,
    SubmitDeniedError,
    SubmitRefusedError,
    ThrottledError,
)
from airflow_provider_emrkit.hooks.errors import explain, is_denied, is_not_found, is_quota, is_transient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Of these EMR tells in words only, as a ValidationException.
_FULL = "maximum number of active steps"
_ENDING = "a job flow that is shutting down"

# The members of RunJobFlow's input whose values AWS knows or does not know, and who says them.
_NAMED = {
    "JobFlowRole": "job_flow_role of the ClusterSpec or the emrkit connection",
    "ServiceRole": "service_role of the ClusterSpec or the emrkit connection",
    "AutoScalingRole": "auto_scaling_role of the ClusterSpec",
    "ReleaseLabel": "release_label of the ClusterSpec",
    "LogUri": "log_uri of the ClusterSpec or the emrkit connection",
    "SecurityConfiguration": "security_configuration of the ClusterSpec",
    "CustomAmiId": "custom_ami_id of the ClusterSpec",
    "Ec2KeyName": "ec2_key_name of the ClusterSpec",
    "Ec2SubnetId": "subnet_ids of the ClusterSpec or the emrkit connection",
    "Ec2SubnetIds": "subnet_ids of the ClusterSpec or the emrkit connection",
    "EmrManagedMasterSecurityGroup": "primary_security_group of the ClusterSpec",
    "EmrManagedSlaveSecurityGroup": "core_security_group of the ClusterSpec",
    "ServiceAccessSecurityGroup": "service_access_security_group of the ClusterSpec",
    "InstanceType": "the instance types of the ClusterSpec",
}


def refusal(
    what: str, error: Exception, region: str, request: Mapping[str, Any] | None = None
) -> SubmitRefusedError:
    """Put what AWS said into one sentence with the mend, as the error that retry policies tell it by.

    :param what: What was not done, e.g. ``the job was not submitted``.
    :param error: A botocore exception.
    :param region: AWS region that was asked.
    :param request: Input of the call, to find the value that AWS does not like.

    >>> raise refusal("the job was not submitted", error, "us-east-1")  # doctest: +SKIP
    """
    said = explain(error, region)
    kind = kind_of(error)
    message = f"{what} (region {region}): {said}"
    named = _named_in(str(error), request or {})
    if named:
        message += f"; correct {named}"
    elif kind is ComputeNotFoundError:
        message += "; check its id and the connection's region, or use a DynamicCluster"
    elif kind is QuotaError:
        message += "; wait for other work to end, or have the quota raised"
    elif kind is ThrottledError:
        message += "; let the task be retried"
    return kind(message)


def is_full(error: Exception) -> bool:
    """Tell whether a cluster has no place for another step (AddJobFlowSteps)."""
    return _FULL in str(error).lower()


def is_ending(error: Exception) -> bool:
    """Tell whether a cluster takes no steps any more, as it ends or has ended (AddJobFlowSteps)."""
    return is_not_found(error) or _ENDING in str(error).lower()


def kind_of(error: Exception) -> type[SubmitRefusedError]:
    """Tell which error it is that AWS did not take a job."""
    if is_denied(error):
        return SubmitDeniedError
    if is_transient(error):
        return ThrottledError
    if is_ending(error):
        return ComputeNotFoundError
    return QuotaError if is_quota(error) else SubmitRefusedError


def _named_in(words: str, request: Mapping[str, Any]) -> str | None:
    return next((_NAMED[member] for member, value in _leaves(request) if value and value in words), None)


def _leaves(value: Any, member: str = "") -> Iterator[tuple[str, str]]:
    """Give the strings of a request that AWS may know, with the members they are in."""
    if isinstance(value, str):
        if member in _NAMED:
            yield member, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, name)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item, member)
