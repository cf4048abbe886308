"""Kinds of faults that strike API requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.faults import checks
from airflow_provider_emrkit.localemr.faults.model import Fault, RequestFault, needed, option, scope

if TYPE_CHECKING:
    from collections.abc import Mapping


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

    service: str | None = scope()
    limits: Mapping[str, tuple[float, float]] | None = option(checks.LIMITS)

    def __post_init__(self) -> None:
        """Check all fields; see :class:`Fault`."""
        super().__post_init__()
        for name in ("nth", "times"):
            if getattr(self, name) is not None:
                raise checks.InvalidFaultError(name, getattr(self, name), "none: rates hold for all requests")


@dataclass(frozen=True, kw_only=True)
class Latency(RequestFault):
    """The answer comes later.

    :param seconds: How much; two numbers for any between them.

    >>> Latency(service="s3", seconds=(0.1, 0.5)).seconds
    (0.1, 0.5)
    """

    kind = "latency"
    number_field = "seconds"

    seconds: float | tuple[float, float] = needed(checks.SPAN)


@dataclass(frozen=True, kw_only=True)
class ApiFailure(RequestFault):
    """The request fails with an error of the API: an internal one when nothing else is said.

    >>> ApiFailure(operation="DescribeCluster", times=1).status
    500
    """

    kind = "error"

    code: str = option(checks.CODE, "InternalFailure")
    message: str = option(checks.TEXT, "An internal error occurred.")
    status: int = option(checks.STATUS, 500)


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
