"""What all faults have: plain data, checked when it is made.

Each kind of fault is a class. Its fields say what it strikes (patterns; what is not given fits all), when
(``nth``, ``times``, ``probability``), and what happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_emrkit.localemr.faults import checks

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.faults.checks import Check

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


def option(check: Check, default: Any = None) -> Any:
    """Declare a field that may be left out."""
    return field(default=default, metadata={"check": check})


def needed(check: Check) -> Any:
    """Declare a field that must be given."""
    return field(metadata={"check": check})


def scope(check: Check = checks.PATTERN) -> Any:
    """Declare a field that limits a fault to what has a name that fits."""
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

    nth: int | None = option(checks.COUNT)
    times: int | None = option(checks.COUNT)
    probability: float = option(checks.PROBABILITY, 1.0)
    seed: int = option(checks.SEED, 0)

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

    service: str | None = scope()
    operation: str | None = scope()

    def fits(self, subject: Subject) -> bool:
        """See :meth:`Fault.fits`."""
        is_meant = self.service or not self.operation or {*subject.get("service", ())} & {*OWN_SERVICES}
        return bool(is_meant) and super().fits(subject)


@dataclass(frozen=True, kw_only=True)
class ClusterFault(Fault):
    """Strikes clusters.

    :param cluster: The cluster's name or id.
    """

    text_field = "cluster"

    cluster: str | None = scope()


@dataclass(frozen=True, kw_only=True)
class StepFault(ClusterFault):
    """Strikes steps.

    :param step: The step's name or id.
    """

    text_field = "step"

    step: str | None = scope()


@dataclass(frozen=True, kw_only=True)
class RunFault(Fault):
    """Strikes job runs of EMR Serverless.

    :param application: Name or id of the application.
    :param run: Name or id of the run.
    """

    text_field = "run"

    application: str | None = scope()
    run: str | None = scope()
