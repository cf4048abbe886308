"""A process that submits a job and is killed at one point of it."""

from __future__ import annotations

import os
import signal
from typing import Any

import boto3
from faulty_emr import FaultyEmr, clients_of

from airflow_provider_emrkit.compute.defaults import ClusterDefaults
from airflow_provider_emrkit.runs.step_submission import StepSubmission


class DyingEmr(FaultyEmr):
    """EMR's client in a process that is killed before or after one of its calls was carried out.

    :param call: The call, e.g. ``list_steps``.
    :param when: ``before`` or ``after``.
    """

    def __init__(self, client: Any, call: str, when: str) -> None:
        super().__init__(client)
        self._point = (call, when)

    def _call(self, name: str, really: Any, **request: Any) -> Any:
        self._die_at(name, "before")
        answer = super()._call(name, really, **request)
        self._die_at(name, "after")
        return answer

    def _die_at(self, call: str, when: str) -> None:
        if (call, when) == self._point:
            os.kill(os.getpid(), signal.SIGKILL)


def submit(endpoint_url: str, job: Any, compute: Any, token: Any, call: str, when: str) -> None:
    """Submit a job; does not come back when the call is made."""
    client = boto3.client(
        "emr",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="localemr",
        aws_secret_access_key="localemr",
    )
    clients = clients_of(DyingEmr(client, call, when))
    submission = StepSubmission(clients, ClusterDefaults(), lambda seconds: False, lambda seconds: None)
    submission.submit(job, compute, token)
