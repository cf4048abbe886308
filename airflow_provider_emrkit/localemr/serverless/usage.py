"""How long a job run, or one of its attempts, ran, and what it used and would have cost. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.serverless.workers import workers_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from airflow_provider_emrkit.localemr.serverless.model import AttemptRecord, RunRecord


def duration_seconds(attempts: Sequence[AttemptRecord], now: datetime) -> int:
    """Say how long attempts ran, in begun seconds."""
    return math.ceil(sum(_seconds(attempt, now) for attempt in attempts))


def total_resources(
    run: RunRecord, now: datetime, attempts: Sequence[AttemptRecord] | None = None
) -> dict[str, float]:
    """Give the API's ``totalResourceUtilization``.

    :param attempts: The attempts that count; all by default.
    """
    return workers_of(run).used(duration_seconds(run.attempts if attempts is None else attempts, now))


def billed_resources(
    run: RunRecord, now: datetime, attempts: Sequence[AttemptRecord] | None = None
) -> dict[str, float]:
    """Give the API's ``billedResourceUtilization``; what never ran costs nothing."""
    counted = run.attempts if attempts is None else attempts
    seconds = duration_seconds(counted, now)
    if not any(attempt.started for attempt in counted):
        return workers_of(run).used(0)
    return workers_of(run).billed(seconds)


def _seconds(attempt: AttemptRecord, now: datetime) -> float:
    if attempt.started is None:
        return 0.0
    return max(0.0, ((attempt.ended or now) - attempt.started).total_seconds())
