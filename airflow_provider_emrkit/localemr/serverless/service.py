"""The EMR Serverless API as a function from requests to responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.aws_json import ApiError
from airflow_provider_emrkit.localemr.call import Call
from airflow_provider_emrkit.localemr.http import Response, Scope, is_waiter, request_body
from airflow_provider_emrkit.localemr.rest_json import CONTENT_TYPE, RestJson, RestRequest, error_body
from airflow_provider_emrkit.localemr.serverless.context import Serverless
from airflow_provider_emrkit.localemr.serverless.operations import (
    applications,
    dashboards,
    runs,
    sessions,
    tags,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

SIGNING_NAME = "emr-serverless"

Operation = Callable[[Serverless, Call], Mapping[str, Any]]

OPERATIONS: Mapping[str, Operation] = {
    **applications.OPERATIONS,
    **dashboards.OPERATIONS,
    **runs.OPERATIONS,
    **sessions.OPERATIONS,
    **tags.OPERATIONS,
}


class ServerlessApi:
    """Answers EMR Serverless requests.

    :param serverless: The applications to act on.

    >>> api = ServerlessApi(Serverless(runner, page_url))  # doctest: +SKIP
    >>> api.answer(RestRequest("GET", "/applications"), region="us-east-1")  # doctest: +SKIP
    b'{"applications":[]}'
    """

    def __init__(self, serverless: Serverless) -> None:
        self.serverless = serverless
        self.wire = RestJson("emr-serverless")

    def answer(self, request: RestRequest, *, region: str, is_waiter: bool = False) -> bytes:
        """Carry out one request and give the response's body.

        :raises ApiError: what the client is to be told.
        """
        name, params = self.wire.read(request)
        operation = OPERATIONS.get(name)
        if operation is None:
            raise ApiError(
                "UnsupportedOperationException",
                f"localemr does not support the operation {name} of EMR Serverless.",
            )
        call = Call(name, params, region, is_waiter)
        with self.serverless.store.lock:
            return self.wire.write(name, operation(self.serverless, call))


class ServerlessService:
    """The EMR Serverless API over HTTP; implements ``localemr.router.Service``.

    :param api: Answers the requests.

    >>> ServerlessService(ServerlessApi(Serverless(runner, page_url)))  # doctest: +SKIP
    """

    def __init__(self, api: ServerlessApi) -> None:
        self._api = api

    def claims(self, scope: Scope, environ: WSGIEnvironment) -> bool:  # noqa: ARG002 - as all services
        """Claim what is signed for EMR Serverless."""
        return scope.service == SIGNING_NAME

    def respond(self, scope: Scope, environ: WSGIEnvironment) -> Response:
        """Answer one request."""
        try:
            body = self._api.answer(
                _request(environ),
                region=scope.region,
                is_waiter=is_waiter(environ.get("HTTP_USER_AGENT", "")),
            )
        except ApiError as error:
            return self._refusal(error)
        return Response(body, content_type=CONTENT_TYPE)

    def failed(self, request_id: str) -> Response:
        """Say that the log holds the traceback."""
        text = f"localemr failed to answer; its log holds the traceback of request {request_id}."
        # With the model's status, 500, clients repeat the request, which is harmless: tokens see to it.
        return self._refusal(ApiError("InternalServerException", text))

    def reset(self) -> None:
        """End all job runs, and forget everything."""
        self._api.serverless.reset()

    def _refusal(self, error: ApiError) -> Response:
        response = Response(error_body(error), self._api.wire.status(error), CONTENT_TYPE)
        return response.with_header("x-amzn-ErrorType", error.code)


def _request(environ: WSGIEnvironment) -> RestRequest:
    # As it was sent: a path that has been unescaped no longer shows which slashes are a member's own.
    raw = str(environ.get("RAW_URI", ""))
    path = raw.partition("?")[0] if raw.startswith("/") else str(environ.get("PATH_INFO", ""))
    return RestRequest(
        str(environ["REQUEST_METHOD"]), path, str(environ.get("QUERY_STRING", "")), request_body(environ)
    )
