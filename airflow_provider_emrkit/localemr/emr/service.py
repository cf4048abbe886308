"""The EMR API as a function from requests to responses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.aws_json import ApiError, AwsJson, error_body
from airflow_provider_emrkit.localemr.emr.context import Call, Emr
from airflow_provider_emrkit.localemr.emr.operations import (
    app_uis,
    clusters,
    credentials,
    instances,
    job_flows,
    policies,
    public_access,
    releases,
    resizing,
    scaling,
    security,
    settings,
    steps,
    studio_mappings,
    studios,
    tags,
)
from airflow_provider_emrkit.localemr.http import Response, Scope, is_waiter, request_body

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = logging.getLogger(__name__)

TARGET_PREFIX = "ElasticMapReduce."
SIGNING_NAME = "elasticmapreduce"

Operation = Callable[[Emr, Call], Mapping[str, Any]]

OPERATIONS: Mapping[str, Operation] = {
    **app_uis.OPERATIONS,
    **clusters.OPERATIONS,
    **credentials.OPERATIONS,
    **instances.OPERATIONS,
    **job_flows.OPERATIONS,
    **policies.OPERATIONS,
    **public_access.OPERATIONS,
    **releases.OPERATIONS,
    **resizing.OPERATIONS,
    **scaling.OPERATIONS,
    **security.OPERATIONS,
    **settings.OPERATIONS,
    **steps.OPERATIONS,
    **studio_mappings.OPERATIONS,
    **studios.OPERATIONS,
    **tags.OPERATIONS,
}


class EmrApi:
    """Answers EMR requests.

    :param emr: The clusters to act on.

    >>> EmrApi(Emr(runner, page_url)).answer("ListClusters", b"{}", region="us-east-1")  # doctest: +SKIP
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


class EmrService:
    """The EMR API over HTTP; implements :class:`airflow_provider_emrkit.localemr.router.Service`.

    :param api: Answers the requests.

    >>> EmrService(EmrApi(Emr(runner, page_url)))  # doctest: +SKIP
    """

    def __init__(self, api: EmrApi) -> None:
        self._api = api

    def claims(self, scope: Scope, environ: WSGIEnvironment) -> bool:
        """Claim what is signed for EMR, or names one of its operations."""
        return scope.service == SIGNING_NAME or _target(environ).startswith(TARGET_PREFIX)

    def respond(self, scope: Scope, environ: WSGIEnvironment) -> Response:
        """Answer one request."""
        try:
            body = self._api.answer(
                _target(environ).removeprefix(TARGET_PREFIX),
                request_body(environ),
                region=scope.region,
                is_waiter=is_waiter(environ.get("HTTP_USER_AGENT", "")),
            )
        except ApiError as error:
            return Response(error_body(error), error.status)
        return Response(body)

    def failed(self, request_id: str) -> Response:
        """Say that the log holds the traceback."""
        # Not status 500: clients would repeat the request, which for RunJobFlow means one more cluster.
        text = f"localemr failed to answer; its log holds the traceback of request {request_id}."
        return Response(error_body(ApiError("InternalServerException", text)), 400)

    def reset(self) -> None:
        """End all clusters and forget them."""
        self._api.emr.reset()


def _target(environ: WSGIEnvironment) -> str:
    return str(environ.get("HTTP_X_AMZ_TARGET", ""))
