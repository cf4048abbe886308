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
_HEALTH = HEALTH_PATH.removeprefix(OWN_PAGES)


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


class Page(Protocol):
    """One of localemr's own pages, below ``/_emrkit/``."""

    def __call__(self, environ: WSGIEnvironment, rest: str) -> Response:
        """Answer a request.

        :param rest: What the path has after the page's name: nothing, or something that begins with ``/``.
        """


class Router:
    """The WSGI application of a local EMR.

    :param services: localemr's own services; the first one that claims a request answers it.
    :param others: Answers all other AWS requests.
    :param health: Gives what ``/_emrkit/health`` shows.
    :param allowed_hosts: See :func:`airflow_provider_emrkit.localemr.access.refusal`.
    :param pages: Further pages below ``/_emrkit/``, by name.
    :param resets: Called when everything is to be forgotten, after the services were told.

    >>> Router([EmrService(EmrApi(Emr(runner)))], MotoApp(), dict)  # doctest: +SKIP
    """

    def __init__(
        self,
        services: Sequence[Service],
        others: WSGIApplication,
        health: Callable[[], Mapping[str, Any]],
        allowed_hosts: Collection[str] = (),
        pages: Mapping[str, Page] | None = None,
        resets: Sequence[Callable[[], None]] = (),
    ) -> None:
        self._services = services
        self._others = others
        self._pages = {_HEALTH: _HealthPage(health), **(pages or {})}
        self._allowed_hosts = allowed_hosts
        self._resets = resets

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        why = refusal(environ.get("HTTP_HOST"), environ.get("HTTP_ORIGIN"), self._allowed_hosts)
        if why is not None:
            error = ApiError("AccessDeniedException", f"Refused: {why}", 403)
            return Response(error_body(error), 403).send(start_response)
        path = environ.get("PATH_INFO", "")
        if path.startswith(OWN_PAGES):
            body = self._own_page(path, environ).send(start_response)
            return [] if environ.get("REQUEST_METHOD") == "HEAD" else body
        scope = request_scope(environ)
        service = next((service for service in self._services if service.claims(scope, environ)), None)
        if service is not None:
            return _answer(service, scope, environ).send(start_response)
        if path == RESET_PATH and environ.get("REQUEST_METHOD") == "POST":
            for own in self._services:
                own.reset()
            for reset in self._resets:
                reset()
        return self._others(environ, start_response)

    def _own_page(self, path: str, environ: WSGIEnvironment) -> Response:
        name, slash, rest = path.removeprefix(OWN_PAGES).partition("/")
        page = self._pages.get(name)
        if page is None:
            return Response(error_body(ApiError("NotFound", f"There is no page {path!r}.")), 404)
        return page(environ, slash + rest)


class _HealthPage:
    """Shows how the server is."""

    def __init__(self, health: Callable[[], Mapping[str, Any]]) -> None:
        self._health = health

    def __call__(self, environ: WSGIEnvironment, rest: str) -> Response:
        if rest:
            error = ApiError("NotFound", f"There is no page {HEALTH_PATH + rest!r}.")
            return Response(error_body(error), 404)
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
