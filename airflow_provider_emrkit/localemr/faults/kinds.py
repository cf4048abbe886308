"""All kinds of faults, by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.faults.api_kinds import (
    ApiFailure,
    Latency,
    LostAnswer,
    LostRequest,
    Quotas,
    Throttle,
)
from airflow_provider_emrkit.localemr.faults.cluster_kinds import (
    BootstrapFailure,
    FailedStep,
    HungStep,
    LateEvents,
    LateListing,
    LogDelay,
    LostNodes,
    NoCapacity,
    SlowStart,
)
from airflow_provider_emrkit.localemr.faults.job_kinds import (
    FailedApplication,
    FailedRun,
    SlowApplication,
    WaitingRun,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.localemr.faults.model import Fault

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
        LateEvents,
        SlowApplication,
        FailedApplication,
        FailedRun,
        WaitingRun,
    )
}
