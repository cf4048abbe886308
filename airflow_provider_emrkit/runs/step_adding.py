"""Adds a step to a cluster that exists, and waits while it has no place for another one."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.exceptions import QuotaError, SubmitRefusedError
from airflow_provider_emrkit.runs.refusals import is_full

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

# EMR: pending and running steps of a cluster.
MAX_ACTIVE_STEPS = 256
# Seconds that a place is waited for, and between two attempts at most and at least: each takes one of the
# account's AddJobFlowSteps, of which there is one in two seconds, and many tasks may wait.
PLACE_PATIENCE = 600.0
SHORTEST_WAIT, LONGEST_WAIT = 10.0, 30.0


class StepAdding:
    """Adds one step to a cluster (AddJobFlowSteps).

    :param emr: boto3 client of EMR that does not retry, as EMR can't tell a repeated request from a new one.
    :param cluster_id: ``j-…``
    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.
    :param patience: Seconds that a place is waited for, in all attempts together.

    >>> StepAdding(emr, "j-1", stop.wait).add(step)  # doctest: +SKIP
    's-1'
    """

    def __init__(
        self, emr: Any, cluster_id: str, pause: Callable[[float], bool], patience: float = PLACE_PATIENCE
    ) -> None:
        self._emr = emr
        self._cluster_id = cluster_id
        self._pause = pause
        self._patience = patience
        self._waited = 0.0

    def add(self, step: Mapping[str, Any]) -> str:
        """Add the step; gives its id.

        :raises QuotaError: when no place came free in time.
        """
        while True:
            step_id = self._attempt(step)
            if step_id:
                return step_id

    def _attempt(self, step: Mapping[str, Any]) -> str | None:
        try:
            answer = self._emr.add_job_flow_steps(JobFlowId=self._cluster_id, Steps=[step])
        except Exception as error:
            if not is_full(error):
                raise
            self._wait_for_place(error)
            return None
        return str(answer["StepIds"][0])

    def _wait_for_place(self, error: Exception) -> None:
        full = f"cluster {self._cluster_id} has {MAX_ACTIVE_STEPS} pending and running steps, EMR's limit"
        left = self._patience - self._waited
        if left <= 0:
            raise QuotaError(
                f"{full}, and none came free in {self._patience:.0f} s, so the job was not submitted; use "
                "more clusters, a step_concurrency above 1, or an Airflow pool for their tasks"
            ) from error
        if not self._waited:
            log.info("%s; waiting up to %.0f s for a place.", full[0].upper() + full[1:], self._patience)
        wait = min(random.uniform(SHORTEST_WAIT, LONGEST_WAIT), left)
        if self._pause(wait):
            raise SubmitRefusedError("the task was stopped before its job was submitted") from error
        self._waited += wait
