"""What has become of an order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_emrkit.exceptions import SubmitRefusedError
    from airflow_provider_emrkit.runs.job_run import JobRun


@dataclass(frozen=True)
class Placed:
    """The job is a step of one of the pool's clusters.

    :param run: Which.

    >>> Placed(run).run.pool  # doctest: +SKIP
    'medium'
    """

    run: JobRun


@dataclass(frozen=True)
class Waits:
    """The job can't be placed now; it may be later.

    :param words: Why, in a sentence for people.
    :param ahead: How many jobs wait for longer, as far as is known.

    >>> Waits("pool medium has no room").ahead
    0
    """

    words: str
    ahead: int = 0


@dataclass(frozen=True)
class Refused:
    """The job can't be placed, and waiting does not help.

    :param error: Why.

    >>> Refused(error).error.retryable  # doctest: +SKIP
    False
    """

    error: SubmitRefusedError


Outcome = Placed | Waits | Refused
