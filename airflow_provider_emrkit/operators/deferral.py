"""The triggers of an operator: what they are told."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.triggers.job_run import EmrJobRunTrigger
from airflow_provider_emrkit.triggers.pooled import EmrPooledRunTrigger

if TYPE_CHECKING:
    from airflow_provider_emrkit.operators.pooled import StagedOrder
    from airflow_provider_emrkit.operators.stopping import OnKill
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.limits import Limits
    from airflow_provider_emrkit.runs.watch import Pace


@dataclass(frozen=True)
class Deferral:
    """What a trigger does for its task.

    :param emrkit_conn_id: The ``emrkit`` connection.
    :param pace: How often to look.
    :param limits: How long the run may take.
    :param on_kill: What a user's action does to the run.
    :param deadline: When the task's time is up, in seconds since 1970; None for never.

    >>> Deferral("emrkit_default", Pace(), Limits(), "cancel", None).watching(run)  # doctest: +SKIP
    """

    emrkit_conn_id: str
    pace: Pace
    limits: Limits
    on_kill: OnKill
    deadline: float | None

    def watching(self, run: JobRun) -> EmrJobRunTrigger:
        """Give the trigger of a run that goes on."""
        return EmrJobRunTrigger(run.to_dict(), **self._told())

    def placing(self, staged: StagedOrder, region: str) -> EmrPooledRunTrigger:
        """Give the trigger of a job that waits for room in a pool.

        :param region: AWS region.
        """
        run, order = staged.run_to_be(region), staged.order
        return EmrPooledRunTrigger(run.to_dict(), staged.uri, staged.wait_until, order.since, **self._told())

    def _told(self) -> dict[str, Any]:
        return {
            "emrkit_conn_id": self.emrkit_conn_id,
            "poll_interval": self.pace.poll,
            "log_poll_interval": self.pace.logs,
            "log_drain": self.pace.drain,
            "max_lines": self.pace.max_lines,
            "deadline": self.deadline,
            "deferred_at": time.time(),
            "on_kill": self.on_kill,
            "limits": self.limits.to_dict(),
            "max_run_lines": self.pace.max_run_lines,
        }
