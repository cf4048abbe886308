"""Ends what was made for a run, and tells when that did not work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.protocol import Runs


def release(runs: Runs, run: JobRun, log: Any) -> None:
    """End what was made for a run; an ERROR line names what could not be ended. Blocks.

    :param log: ``self.log`` of an operator or a trigger.
    """
    released = runs.release(run)
    if not released.done:
        log.error(
            "Cluster %s in %s could not be terminated (%s). It costs money until it ends by itself: "
            "terminate it by hand.",
            run.cluster_id,
            run.region,
            released.message,
        )
    elif run.owns_cluster:
        log.info("Cleaned up: %s", released.message)
