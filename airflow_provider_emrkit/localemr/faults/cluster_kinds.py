"""Kinds of faults that strike clusters, their steps and their logs."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_emrkit.localemr.faults import checks
from airflow_provider_emrkit.localemr.faults.model import (
    ClusterFault,
    Fault,
    StepFault,
    needed,
    option,
    scope,
)


@dataclass(frozen=True, kw_only=True)
class SlowStart(ClusterFault):
    """A cluster takes its time to start.

    :param seconds: In STARTING.
    :param bootstrapping: Seconds in BOOTSTRAPPING.

    >>> SlowStart(seconds=30).bootstrapping
    0.0
    """

    kind = "slow_start"
    number_field = "seconds"

    seconds: float | tuple[float, float] = option(checks.SPAN, 0.0)
    bootstrapping: float = option(checks.DURATION, 0.0)


@dataclass(frozen=True, kw_only=True)
class NoCapacity(ClusterFault):
    """EC2 has no instances for a cluster: it ends TERMINATED_WITH_ERRORS.

    :param code: Code of its StateChangeReason.
    :param message: EMR's own words when not given.

    >>> NoCapacity(cluster="nightly-*").code
    'INTERNAL_ERROR'
    """

    kind = "no_capacity"

    code: str = option(
        checks.choice("INTERNAL_ERROR", "VALIDATION_ERROR", "INSTANCE_FAILURE", "INSTANCE_FLEET_TIMEOUT"),
        "INTERNAL_ERROR",
    )
    message: str | None = option(checks.TEXT)


@dataclass(frozen=True, kw_only=True)
class BootstrapFailure(ClusterFault):
    """A bootstrap action fails, or the installation of the applications where a cluster has no such action.

    :param action: Number of the action.

    >>> BootstrapFailure(times=1).action
    1
    """

    kind = "bootstrap_failure"

    action: int = option(checks.COUNT, 1)


@dataclass(frozen=True, kw_only=True)
class LostNodes(ClusterFault):
    """A cluster loses instances: without its primary node, or without any core node, it ends.

    :param role: Which ones.
    :param count: How many; all of the role when not given.
    :param seconds: After it came up, or after the fault was set, or, with ``step``, after such a step began.
    :param step: Name of the step that must run.
    :param steps_fail: Whether the steps that run fail by it.

    >>> LostNodes(role="CORE", step="daily-*").seconds
    0.0
    """

    kind = "lost_nodes"
    text_field = "role"
    number_field = "count"

    role: str = option(checks.choice("TASK", "CORE", "MASTER"), "TASK")
    count: int | None = option(checks.COUNT)
    seconds: float = option(checks.DURATION, 0.0)
    step: str | None = scope()
    steps_fail: bool = option(checks.FLAG, True)


@dataclass(frozen=True, kw_only=True)
class FailedStep(StepFault):
    """A step fails.

    :param message: Its failure, in its stderr and as FailureDetails.Message.
    :param runs: Whether it does its work first, all of it.

    >>> FailedStep(nth=2, message="no such day").runs
    False
    """

    kind = "failed_step"
    number_field = "nth"

    message: str = option(
        checks.TEXT, 'Exception in thread "main" java.lang.RuntimeException: failed on demand'
    )
    runs: bool = option(checks.FLAG, False)


@dataclass(frozen=True, kw_only=True)
class HungStep(StepFault):
    """A step is RUNNING and does nothing, until it is cancelled or the fault is taken away.

    :param seconds: For how long at most; then it does its work.

    >>> HungStep(step="daily-*").seconds is None
    True
    """

    kind = "hung_step"
    number_field = "seconds"

    seconds: float | None = option(checks.DURATION)


@dataclass(frozen=True, kw_only=True)
class LateListing(StepFault):
    """A new step is not listed at once.

    :param seconds: How long ListSteps knows nothing of it.

    >>> LateListing(seconds=5).kind
    'late_listing'
    """

    kind = "late_listing"
    number_field = "seconds"

    seconds: float = needed(checks.DURATION)


@dataclass(frozen=True, kw_only=True)
class LogDelay(Fault):
    """Log lines are seen later; all that is missing comes when the fault is taken away.

    :param cluster: Name or id of an EMR cluster.
    :param application: Name or id of an EMR Serverless application.
    :param seconds: How much later.
    :param logs: Only those on ``cloudwatch`` or on ``s3``.

    >>> LogDelay(seconds=300, logs="s3").logs
    's3'
    """

    kind = "log_delay"
    number_field = "seconds"

    cluster: str | None = scope()
    application: str | None = scope()
    seconds: float = needed(checks.DURATION)
    logs: str | None = scope(checks.choice("cloudwatch", "s3"))


@dataclass(frozen=True, kw_only=True)
class LateEvents(Fault):
    """Some lines come to CloudWatch after later ones, with their old times; the occasions are single lines.

    :param cluster: Name or id of an EMR cluster.
    :param application: Name or id of an EMR Serverless application.
    :param seconds: How much later they come.

    >>> LateEvents(seconds=5, probability=0.2).probability
    0.2
    """

    kind = "late_events"
    number_field = "seconds"

    cluster: str | None = scope()
    application: str | None = scope()
    seconds: float = needed(checks.DURATION)
