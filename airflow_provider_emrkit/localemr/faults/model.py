"""The faults there are: plain data, checked when it is made.

Each kind of fault is a class. Its fields say what it strikes (patterns; what is not given fits all), when
(``nth``, ``times``, ``probability``), and what happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from airflow_provider_emrkit.localemr.faults import checks
from airflow_provider_emrkit.localemr.faults.checks import Check, InvalidFaultError

Subject = Mapping[str, tuple[str, ...]]
"""What happens to whom: names of a service, an operation, a cluster, …, by the field that may name it."""

OWN_SERVICES = ("emr", "emr-serverless")
"""The services meant by a fault that names an operation and no service."""


def matches(name: str, pattern: str) -> bool:
    """Tell whether a name fits a pattern; brackets, which names of jobs have, mean themselves.

    >>> matches("daily [af:1]", "daily [af:?]")
    True
    """
    return fnmatchcase(name, pattern.replace("[", "[[]"))


def _option(check: Check, default: Any = None) -> Any:
    return field(default=default, metadata={"check": check})


def _needed(check: Check) -> Any:
    return field(metadata={"check": check})


def _scope(check: Check = checks.PATTERN) -> Any:
    return field(default=None, metadata={"check": check, "scope": True})


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What all faults have.

    :param nth: Strikes first at the n-th occasion that fits, counted from when the fault was set; without
        ``times``, only at that one.
    :param times: How often it strikes.
    :param probability: Of each occasion, from 0 to 1.
    :param seed: Decides which occasions these are; the same ones each time.
    """

    kind: ClassVar[str]
    text_field: ClassVar[str | None] = None
    """The field that is meant where a text stands for the whole fault."""
    number_field: ClassVar[str | None] = None
    """The field that is meant where a number stands for the whole fault."""

    nth: int | None = _option(checks.COUNT)
    times: int | None = _option(checks.COUNT)
    probability: float = _option(checks.PROBABILITY, 1.0)
    seed: int = _option(checks.SEED, 0)

    def __post_init__(self) -> None:
        """Check all fields.

        :raises InvalidFaultError: for the first one that can't be.
        """
        for item in fields(self):
            value = getattr(self, item.name)
            if value is not item.default:
                object.__setattr__(self, item.name, item.metadata["check"].read(item.name, value))

    @property
    def last(self) -> int | None:
        """The last strike, counted from 1; None when there is none."""
        return 1 if self.nth is not None and self.times is None else self.times

    def fits(self, subject: Subject) -> bool:
        """Tell whether an occasion is one of those this fault is limited to."""
        return all(
            any(matches(name, getattr(self, item.name)) for name in subject.get(item.name, ()))
            for item in fields(self)
            if item.metadata.get("scope") and getattr(self, item.name) is not None
        )


@dataclass(frozen=True, kw_only=True)
class RequestFault(Fault):
    """Strikes API requests.

    :param service: botocore's name of the service, e.g. ``s3``. All, when neither is given.
    :param operation: E.g. ``ListSteps``; without a service, one of EMR or EMR Serverless.
    """

    text_field = "operation"

    service: str | None = _scope()
    operation: str | None = _scope()

    def fits(self, subject: Subject) -> bool:
        """See :meth:`Fault.fits`."""
        is_meant = self.service or not self.operation or {*subject.get("service", ())} & {*OWN_SERVICES}
        return bool(is_meant) and super().fits(subject)


@dataclass(frozen=True, kw_only=True)
class Throttle(RequestFault):
    """The request is refused for its rate.

    >>> Throttle(operation="ListSteps", times=3)  # doctest: +ELLIPSIS
    Throttle(nth=None, times=3, ...operation='ListSteps')
    """

    kind = "throttle"


@dataclass(frozen=True, kw_only=True)
class Quotas(Fault):
    """Requests are held to the rates that AWS documents, for each region of its own.

    :param service: Which service's; all that are known when not given.
    :param limits: Other rates than the documented ones: operation → calls at once, calls a second. EMR's
        ``*`` is what all its operations share.

    >>> Quotas(service="emr", limits={"ListSteps": (2, 0.5)}).limits
    {'ListSteps': (2.0, 0.5)}
    """

    kind = "quotas"
    text_field = "service"

    service: str | None = _scope()
    limits: Mapping[str, tuple[float, float]] | None = _option(checks.LIMITS)


@dataclass(frozen=True, kw_only=True)
class Latency(RequestFault):
    """The answer comes later.

    :param seconds: How much; two numbers for any between them.

    >>> Latency(service="s3", seconds=(0.1, 0.5)).seconds
    (0.1, 0.5)
    """

    kind = "latency"
    number_field = "seconds"

    seconds: float | tuple[float, float] = _needed(checks.SPAN)


@dataclass(frozen=True, kw_only=True)
class ApiFailure(RequestFault):
    """The request fails with an error of the API: an internal one when nothing else is said.

    >>> ApiFailure(operation="DescribeCluster", times=1).status
    500
    """

    kind = "error"

    code: str = _option(checks.CODE, "InternalFailure")
    message: str = _option(checks.TEXT, "An internal error occurred.")
    status: int = _option(checks.STATUS, 500)


@dataclass(frozen=True, kw_only=True)
class LostRequest(RequestFault):
    """The connection breaks before the request was read: nothing is done.

    >>> LostRequest(operation="RunJobFlow", nth=1).last
    1
    """

    kind = "lost_request"


@dataclass(frozen=True, kw_only=True)
class LostAnswer(RequestFault):
    """The connection breaks after the request was carried out: the client can't know.

    >>> LostAnswer(operation="AddJobFlowSteps", times=1).kind
    'lost_answer'
    """

    kind = "lost_answer"


@dataclass(frozen=True, kw_only=True)
class ClusterFault(Fault):
    """Strikes clusters.

    :param cluster: The cluster's name or id.
    """

    text_field = "cluster"

    cluster: str | None = _scope()


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

    seconds: float | tuple[float, float] = _option(checks.SPAN, 0.0)
    bootstrapping: float = _option(checks.DURATION, 0.0)


@dataclass(frozen=True, kw_only=True)
class NoCapacity(ClusterFault):
    """EC2 has no instances for a cluster: it ends TERMINATED_WITH_ERRORS.

    :param code: Code of its StateChangeReason.
    :param message: EMR's own words when not given.

    >>> NoCapacity(cluster="nightly-*").code
    'INTERNAL_ERROR'
    """

    kind = "no_capacity"

    code: str = _option(
        checks.choice("INTERNAL_ERROR", "VALIDATION_ERROR", "INSTANCE_FAILURE", "INSTANCE_FLEET_TIMEOUT"),
        "INTERNAL_ERROR",
    )
    message: str | None = _option(checks.TEXT)


@dataclass(frozen=True, kw_only=True)
class BootstrapFailure(ClusterFault):
    """A bootstrap action fails, or the installation of the applications where a cluster has no such action.

    :param action: Number of the action.

    >>> BootstrapFailure(times=1).action
    1
    """

    kind = "bootstrap_failure"

    action: int = _option(checks.COUNT, 1)


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

    role: str = _option(checks.choice("TASK", "CORE", "MASTER"), "TASK")
    count: int | None = _option(checks.COUNT)
    seconds: float = _option(checks.DURATION, 0.0)
    step: str | None = _scope()
    steps_fail: bool = _option(checks.FLAG, True)


@dataclass(frozen=True, kw_only=True)
class StepFault(ClusterFault):
    """Strikes steps.

    :param step: The step's name or id.
    """

    text_field = "step"

    step: str | None = _scope()


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

    message: str = _option(
        checks.TEXT, 'Exception in thread "main" java.lang.RuntimeException: failed on demand'
    )
    runs: bool = _option(checks.FLAG, False)


@dataclass(frozen=True, kw_only=True)
class HungStep(StepFault):
    """A step is RUNNING and does nothing, until it is cancelled or the fault is taken away.

    :param seconds: For how long at most; then it does its work.

    >>> HungStep(step="daily-*").seconds is None
    True
    """

    kind = "hung_step"
    number_field = "seconds"

    seconds: float | None = _option(checks.DURATION)


@dataclass(frozen=True, kw_only=True)
class LateListing(StepFault):
    """A new step is not listed at once.

    :param seconds: How long ListSteps knows nothing of it.

    >>> LateListing(seconds=5).kind
    'late_listing'
    """

    kind = "late_listing"
    number_field = "seconds"

    seconds: float = _needed(checks.DURATION)


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

    cluster: str | None = _scope()
    application: str | None = _scope()
    seconds: float = _needed(checks.DURATION)
    logs: str | None = _scope(checks.choice("cloudwatch", "s3"))


@dataclass(frozen=True, kw_only=True)
class SlowApplication(Fault):
    """An EMR Serverless application takes its time to start.

    :param application: Its name or id.
    :param seconds: In STARTING.

    >>> SlowApplication(seconds=30).application is None
    True
    """

    kind = "slow_application"
    number_field = "seconds"

    application: str | None = _scope()
    seconds: float = _needed(checks.DURATION)


@dataclass(frozen=True, kw_only=True)
class RunFault(Fault):
    """Strikes job runs of EMR Serverless.

    :param application: Name or id of the application.
    :param run: Name or id of the run.
    """

    text_field = "run"

    application: str | None = _scope()
    run: str | None = _scope()


@dataclass(frozen=True, kw_only=True)
class FailedRun(RunFault):
    """An attempt of a job run fails.

    :param message: Its ``stateDetails``.
    :param runs: Whether it does its work first, all of it.

    >>> FailedRun(nth=1).run is None
    True
    """

    kind = "failed_run"
    number_field = "nth"

    message: str = _option(
        checks.TEXT, "Job failed, please check complete logs in configured logging destination. ExitCode: 1."
    )
    runs: bool = _option(checks.FLAG, False)


@dataclass(frozen=True, kw_only=True)
class WaitingRun(RunFault):
    """An attempt of a job run is SCHEDULED for some time before it runs.

    :param seconds: How long.

    >>> WaitingRun(seconds=60, run="daily-*").seconds
    60.0
    """

    kind = "waiting_run"
    number_field = "seconds"

    seconds: float = _needed(checks.DURATION)


KINDS: Mapping[str, type[Fault]] = {
    cls.kind: cls
    for cls in (
        Throttle,
        Quotas,
        Latency,
        ApiFailure,
        LostRequest,
        LostAnswer,
        SlowStart,
        NoCapacity,
        BootstrapFailure,
        LostNodes,
        FailedStep,
        HungStep,
        LateListing,
        LogDelay,
        SlowApplication,
        FailedRun,
        WaitingRun,
    )
}
"""Every kind, by its name."""

__all__ = ["KINDS", "Fault", "InvalidFaultError", "Subject"]
