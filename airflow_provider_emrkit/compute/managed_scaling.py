"""How far EMR may grow and shrink a cluster by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_emrkit.compute.instances import MAX_INSTANCES
from airflow_provider_emrkit.frozen import FrozenSpec
from airflow_provider_emrkit.validation import InvalidValueError, check_integer


@dataclass(frozen=True, repr=False)
class ManagedScaling(FrozenSpec):
    """The limits of EMR managed scaling, in core and task instances.

    EMR scales from emr-5.30.0 and emr-6.1.0 on.

    :param minimum: Fewest core and task instances.
    :param maximum: Most core and task instances.
    :param maximum_on_demand: Most of them On-Demand; the rest are Spot. None for no limit.
    :param maximum_core: Most of them core instances; the rest are task instances. None for no limit.
    :raises InvalidValueError: when a limit can't be right.

    >>> ManagedScaling(2, 20, maximum_core=4)
    ManagedScaling(minimum=2, maximum=20, maximum_core=4)
    """

    minimum: int
    maximum: int
    maximum_on_demand: int | None = None
    maximum_core: int | None = None

    def __post_init__(self) -> None:
        owner = "ManagedScaling"
        check_integer(owner, "minimum", self.minimum, 1, MAX_INSTANCES, "instances")
        check_integer(owner, "maximum", self.maximum, 1, MAX_INSTANCES, "instances")
        if self.maximum < self.minimum:
            mend = f"use minimum={self.minimum} or more"
            raise InvalidValueError(owner, "maximum", self.maximum, "is less than the minimum", mend)
        for field in ("maximum_on_demand", "maximum_core"):
            if getattr(self, field) is not None:
                check_integer(owner, field, getattr(self, field), 0, self.maximum, "instances")

    def limits(self, unit: str) -> dict[str, Any]:
        """Give EMR's ``ComputeLimits``.

        :param unit: ``InstanceFleetUnits`` or ``Instances``; the same number here, as every instance is one
            unit.
        """
        limits: dict[str, Any] = {
            "UnitType": unit,
            "MinimumCapacityUnits": self.minimum,
            "MaximumCapacityUnits": self.maximum,
        }
        if self.maximum_on_demand is not None:
            limits["MaximumOnDemandCapacityUnits"] = self.maximum_on_demand
        if self.maximum_core is not None:
            limits["MaximumCoreCapacityUnits"] = self.maximum_core
        return limits
