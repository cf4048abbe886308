"""Cancels what waits or runs on a cluster."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.errors import is_denied, is_transient
from airflow_provider_emrkit.runs.step_ending import INTERRUPT

if TYPE_CHECKING:
    from airflow_provider_emrkit.pools.survey import PoolCluster

log = logging.getLogger(__name__)

# CancelSteps takes so many.
AT_ONCE = 256


def cancel_steps(emr: Any, cluster: PoolCluster) -> bool:
    """Ask EMR to cancel the steps of a cluster that wait or run (CancelSteps).

    What EMR refuses because it has just ended, or its cluster has, is left to the next look.

    :return: Whether there were any that were not being cancelled yet.
    :raises botocore.exceptions.ClientError: when it may not be done.
    """
    ids = [step.id for step in cluster.steps if step.state != "CANCEL_PENDING"]
    for first in range(0, len(ids), AT_ONCE):
        some = ids[first : first + AT_ONCE]
        try:
            emr.cancel_steps(ClusterId=cluster.id, StepIds=some, StepCancellationOption=INTERRUPT)
        except Exception as error:
            if is_denied(error) or is_transient(error):
                raise
            log.info("Steps of cluster %s could not be cancelled: %s", cluster.id, error)
    return bool(ids)
