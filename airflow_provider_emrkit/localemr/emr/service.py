"""The EMR API as a function from requests to responses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_emrkit.localemr.aws_json import ApiError, AwsJson
from airflow_provider_emrkit.localemr.emr.context import Call, Emr
from airflow_provider_emrkit.localemr.emr.operations import (
    clusters,
    instances,
    job_flows,
    policies,
    releases,
    security,
    settings,
    steps,
    tags,
)

log = logging.getLogger(__name__)

TARGET_PREFIX = "ElasticMapReduce."
SIGNING_NAME = "elasticmapreduce"

Operation = Callable[[Emr, Call], Mapping[str, Any]]

OPERATIONS: Mapping[str, Operation] = {
    **clusters.OPERATIONS,
    **instances.OPERATIONS,
    **job_flows.OPERATIONS,
    **policies.OPERATIONS,
    **releases.OPERATIONS,
    **security.OPERATIONS,
    **settings.OPERATIONS,
    **steps.OPERATIONS,
    **tags.OPERATIONS,
}


class EmrApi:
    """Answers EMR requests.

    :param emr: The clusters to act on.

    >>> EmrApi(Emr(runner)).answer("ListClusters", b"{}", region="us-east-1")  # doctest: +SKIP
    b'{"Clusters":[]}'
    """

    def __init__(self, emr: Emr) -> None:
        self.emr = emr
        self._wire = AwsJson("emr")

    def answer(self, operation: str, body: bytes, *, region: str, is_waiter: bool = False) -> bytes:
        """Carry out one request and give the response's body.

        :param operation: Name of the operation, without the target prefix.
        :raises ApiError: what the client is to be told.
        """
        params = self._wire.read(operation, body)
        handler = OPERATIONS.get(operation)
        if handler is None:
            raise ApiError(
                "UnsupportedOperationException",
                f"localemr does not support the operation {operation} of EMR.",
            )
        with self.emr.store.lock:
            output = handler(self.emr, Call(operation, params, region, is_waiter))
            return self._wire.write(operation, output)
