"""Sends each request where it belongs: our own services, our own pages, or moto."""

from __future__ import annotations

import json
import logging
import uuid
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_emrkit.localemr.access import refusal
from airflow_provider_emrkit.localemr.aws_json import ApiError, error_body
from airflow_provider_emrkit.localemr.config import HEALTH_PATH, OWN_PAGES
from airflow_provider_emrkit.localemr.http import Response, request_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from airflow_provider_emrkit.localemr.http import Scope

log = logging.getLogger(__name__)

RESET_PATH = "/moto-api/reset"


class Service(Protocol):
    """One of the AWS services that are localemr's own."""

    def claims(self, scope: Scope, environ: WSGIEnvironment) -> bool:
        """Tell whether a request is for this service."""

    def respond(self, scope: Scope, environ: WSGIEnvironment) -> Response:
        """Answer a request, errors of the API included.

        :raises Exception: only for what no client could be told better than "an internal error".
        """

    def failed(self, request_id: str) -> Response:
        """Give the answer to a request that could not be answered, in the service's own form."""

    def reset(self) -> None:
        """End and forget everything."""


class Router:
    """The WSGI application of a local EMR.

    :param services: localemr's own services; the first one that claims a request answers it.
    :param others: Answers all other AWS requests.
    :param health: Gives what ``/_emrkit/health`` shows.
    :param allowed_hosts: See :func:`airflow_provider_emrkit.localemr.access.refusal`.

    >>> Router([EmrService(EmrApi(Emr(runner)))], MotoApp(), dict)  # doctest: +SKIP
    """

    def __init__(
        self,
        services: Sequence[Service],
        others: WSGIApplication,
        health: Callable[[], Mapping[str, Any]],
        allowed_hosts: Collection[str] = (),
    ) -> None:
        self._services = services
        self._others = others
        self._health = health
        self._allowed_hosts = allowed_hosts

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        why = refusal(environ.get("HTTP_HOST"), environ.get("HTTP_ORIGIN"), self._allowed_hosts)
        if why is not None:
            error = ApiError("AccessDeniedException", f"Refused: {why}", 403)
            return Response(error_body(error), 403).send(start_response)
        path = environ.get("PATH_INFO", "")
        if path.startswith(OWN_PAGES):
            return self._own_page(path, environ).send(start_response)
        scope = request_scope(environ)
        service = next((service for service in self._services if service.claims(scope, environ)), None)
        if service is not None:
            return _answer(service, scope, environ).send(start_response)
        if path == RESET_PATH and environ.get("REQUEST_METHOD") == "POST":
            for own in self._services:
                own.reset()
        return self._others(environ, start_response)

    def _own_page(self, path: str, environ: WSGIEnvironment) -> Response:
        if path != HEALTH_PATH:
            return Response(error_body(ApiError("NotFound", f"There is no page {path!r}.")), 404)
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            return Response(error_body(ApiError("MethodNotAllowed", "Use GET.")), 405)
        return Response(json.dumps(self._health()).encode(), content_type="application/json")


def _answer(service: Service, scope: Scope, environ: WSGIEnvironment) -> Response:
    request_id = str(uuid.uuid4())
    try:
        response = service.respond(scope, environ)
    except Exception:
        what = (
            environ.get("HTTP_X_AMZ_TARGET") or f"{environ.get('REQUEST_METHOD')} {environ.get('PATH_INFO')}"
        )
        log.exception("request %s (%r) failed", request_id, what[:100])
        response = service.failed(request_id)
    return response.with_header("x-amzn-RequestId", request_id)
