"""Kinds of faults that strike applications and job runs of EMR Serverless."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_emrkit.localemr.faults import checks
from airflow_provider_emrkit.localemr.faults.model import Fault, RunFault, needed, option, scope


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

    application: str | None = scope()
    seconds: float = needed(checks.DURATION)


@dataclass(frozen=True, kw_only=True)
class FailedApplication(Fault):
    """An EMR Serverless application can't be started; the job runs that wait for it fail.

    :param application: Its name or id.
    :param message: Its ``stateDetails``, and theirs.

    >>> FailedApplication(application="daily").message.partition(".")[0]
    'Application failed to start'
    """

    kind = "failed_application"
    text_field = "application"

    application: str | None = scope()
    message: str = option(
        checks.TEXT,
        "Application failed to start. EMR Serverless service principal is not authorized to perform: "
        "ECR:DescribeImages on resource",
    )


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

    message: str = option(
        checks.TEXT, "Job failed, please check complete logs in configured logging destination. ExitCode: 1."
    )
    runs: bool = option(checks.FLAG, False)


@dataclass(frozen=True, kw_only=True)
class WaitingRun(RunFault):
    """An attempt of a job run is SCHEDULED for some time before it runs.

    :param seconds: How long.

    >>> WaitingRun(seconds=60, run="daily-*").seconds
    60.0
    """

    kind = "waiting_run"
    number_field = "seconds"

    seconds: float = needed(checks.DURATION)
