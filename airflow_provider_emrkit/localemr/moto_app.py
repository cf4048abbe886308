"""moto's server application, for every service that is not ours."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from werkzeug.test import Client

from airflow_provider_emrkit.localemr.config import ACCESS_KEY, REGION
from airflow_provider_emrkit.localemr.gate import Gate
from airflow_provider_emrkit.localemr.persistence.requests import is_s3
from airflow_provider_emrkit.localemr.router import RESET_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from airflow_provider_emrkit.localemr.persistence.state import KeptState

_SCOPE = f"{ACCESS_KEY}/20260101/{REGION}/s3/aws4_request"
# Seconds that a reset waits for requests: SQS holds some back for longer, and a client may send slowly.
_PATIENCE = 2.0
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_S3_AUTHORIZATION = f"AWS4-HMAC-SHA256 Credential={_SCOPE}, SignedHeaders=host, Signature=0"


class MotoApp:
    """moto as a WSGI application that is made when it is first needed; ``warm_up`` makes it before.

    moto keeps one state per process: two of these in one process share their buckets.

    :param bucket: A bucket that is there from the start, and again after a reset.
    :param state: Keeps what moto holds over restarts; None keeps nothing.

    >>> MotoApp().warm_up()  # doctest: +SKIP
    """

    def __init__(self, bucket: str | None = None, state: KeptState | None = None) -> None:
        self._bucket = bucket
        self._state = state
        self._lock = threading.Lock()
        self._gate = Gate()
        self._app: WSGIApplication | None = None
        self._is_closed = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        app = self._made()
        _call_no_form(environ)
        path = environ.get("PATH_INFO", "")
        if not path.startswith("/moto-api/") or environ.get("REQUEST_METHOD") != "POST":
            with self._gate.among_others():
                return app(environ, start_response)
        # A reset takes a while, in which requests would find the services half there.
        with self._gate.alone(patience=_PATIENCE):
            response = app(environ, start_response)
            if self._state is not None and path == RESET_PATH:
                self._state.clear()
            self._prepare(app)
            return response

    def close(self) -> None:
        """Write what is not on disk yet; nothing is kept from now on. Idempotent."""
        # Not while the first request, or the warm-up, is still reading what an earlier start has kept.
        with self._lock:
            self._is_closed = True
            if self._state is not None:
                self._state.close()

    def warm_up(self) -> None:
        """Import what the first requests will need."""
        self._made()

    def _made(self) -> WSGIApplication:
        with self._lock:
            if self._app is None:
                self._app = self._make()
                self._prepare(self._app)
            return self._app

    def _make(self) -> WSGIApplication:
        from airflow_provider_emrkit.localemr import moto_conditions, moto_logs, moto_objects

        moto_logs.use()
        moto_conditions.use()
        moto_objects.use()
        app, state = _make(), self._state
        if state is None or self._is_closed:
            return app
        state.attach()
        return lambda environ, start_response: state.answer(app, environ, start_response)

    def _prepare(self, app: WSGIApplication) -> None:
        _forget_keys()
        if self._bucket is not None:
            Client(app).put(f"/{self._bucket}", headers={"Authorization": _S3_AUTHORIZATION})


def _make() -> WSGIApplication:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    app = DomainDispatcherApplication(_make_service)
    # moto lists the files of its package to find this out, which takes longer than all the rest of a request.
    vars(app)["get_backend_for_host"] = lru_cache(1024)(app.get_backend_for_host)
    wsgi: WSGIApplication = app
    return wsgi


def _make_service(name: Any) -> Any:
    from moto.moto_server.werkzeug_app import create_backend_app

    if name == "ecr":
        # Only now: it loads what takes tens of megabytes, and few have images.
        from airflow_provider_emrkit.localemr import moto_images

        moto_images.use()
    app = create_backend_app(name)
    # Errors show as in Flask's debug mode, which moto turns on. But that gives each request a class of its
    # own, which keeps it and its body until Python looks for cycles: tens of megabytes of earlier objects.
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.debug = False
    return app


def _call_no_form(environ: WSGIEnvironment) -> None:
    """Rename the type of a PUT to S3 that says it is a form, as curl and urllib do of all they send.

    moto would take such a body apart and keep an empty object.
    """
    is_form = str(environ.get("CONTENT_TYPE", "")).lower().startswith(_FORMS)
    if is_form and environ.get("REQUEST_METHOD") == "PUT" and is_s3(environ):
        environ["CONTENT_TYPE"] = "binary/octet-stream"


def _forget_keys() -> None:
    """Stop moto from listing every S3 key and upload ever made: that keeps deleted ones and their files.

    moto uses the lists to delete the keys' temporary files at a reset; they are deleted with the key anyway.
    """
    from moto.s3 import models

    kinds: tuple[Any, ...] = models.FakeKey, models.FakeMultipart
    for kind in kinds:
        kind.instances_tracked = _Forgetful()


class _Forgetful(list[Any]):
    """A list that keeps nothing."""

    def append(self, item: Any) -> None:
        """Forget the item."""
