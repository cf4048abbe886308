"""Faults of API requests: a layer around what answers them."""

from __future__ import annotations

import contextlib
import socket
import weakref
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.faults.answers import error_answer, throttled
from airflow_provider_emrkit.localemr.faults.api_kinds import (
    ApiFailure,
    Latency,
    LostAnswer,
    LostRequest,
    Quotas,
    Throttle,
)
from airflow_provider_emrkit.localemr.faults.buckets import Rates
from airflow_provider_emrkit.localemr.faults.model import RequestFault
from airflow_provider_emrkit.localemr.faults.operations import asked_for
from airflow_provider_emrkit.localemr.http import request_scope
from airflow_provider_emrkit.localemr.run.clients import OWN_CLIENT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from airflow_provider_emrkit.localemr.faults.active import Active, Faults
    from airflow_provider_emrkit.localemr.faults.operations import Asked
    from airflow_provider_emrkit.localemr.http import Response, Scope


class FaultyRequests:
    """The WSGI application of a local EMR whose requests fail when faults say so.

    localemr's own requests, such as those that deliver logs, are left alone.

    :param app: Answers the requests.
    :param faults: What goes wrong.

    >>> FaultyRequests(router, Faults())  # doctest: +SKIP
    """

    def __init__(self, app: WSGIApplication, faults: Faults) -> None:
        self._app = app
        self._faults = faults
        self._rates: weakref.WeakKeyDictionary[Active[Quotas], Rates] = weakref.WeakKeyDictionary()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, or don't."""
        if not self._faults.any(RequestFault, Quotas) or _is_own(environ):
            return self._app(environ, start_response)
        scope = request_scope(environ)
        asked = asked_for(scope, environ)
        if not asked.service:
            return self._app(environ, start_response)
        subject = {"service": (asked.service,), "operation": (asked.operation,)}
        if self._faults.strike(LostRequest, subject):
            _drop(environ)
        late = self._faults.strike(Latency, subject)
        if late:
            self._faults.pause(late, late.draw(late.fault.seconds))
        refused = self._refusal(subject, asked, scope, environ)
        if refused is not None:
            return refused.send(start_response)
        if self._faults.strike(LostAnswer, subject):
            _carry_out(self._app, environ)
            _drop(environ)
        return self._app(environ, start_response)

    def _refusal(self, subject: Any, asked: Asked, scope: Scope, environ: WSGIEnvironment) -> Response | None:
        if self._faults.strike(Throttle, subject) or not self._is_within_rates(subject, asked, scope):
            return throttled(asked.service, environ)
        failure = self._faults.strike(ApiFailure, subject)
        if failure is None:
            return None
        fault = failure.fault
        return error_answer(asked.service, environ, fault.code, fault.message, fault.status)

    def _is_within_rates(self, subject: Any, asked: Asked, scope: Scope) -> bool:
        for active in self._faults.active(Quotas):
            if not active.fault.fits(subject):
                continue
            rates = self._rates.setdefault(active, Rates(active.fault))
            allowed = rates.allow(asked.service, asked.operation, scope.region)
            self._faults.count(active, struck=not allowed)
            if not allowed:
                return False
        return True


def _is_own(environ: WSGIEnvironment) -> bool:
    return OWN_CLIENT in str(environ.get("HTTP_USER_AGENT", ""))


def _carry_out(app: WSGIApplication, environ: WSGIEnvironment) -> None:
    """Let a request be answered, to nobody."""

    def start_response(*_: Any) -> Any:
        return lambda _: None

    answer = app(environ, start_response)
    try:
        for _ in answer:
            pass
    finally:
        if hasattr(answer, "close"):
            answer.close()


def _drop(environ: WSGIEnvironment) -> NoReturn:
    """Break the connection.

    :raises ConnectionAbortedError: always; the server ends the request without a word.
    """
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("the connection breaks, as a fault says")
