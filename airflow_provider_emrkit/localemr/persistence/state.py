"""The content of moto's services over restarts of the server."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from typing import TYPE_CHECKING, Any

from moto.core.base_backend import BackendDict

from airflow_provider_emrkit.localemr.persistence import moto_services
from airflow_provider_emrkit.localemr.persistence.contents import KeptError
from airflow_provider_emrkit.localemr.persistence.files import S3, SERVICES
from airflow_provider_emrkit.localemr.persistence.kept_s3 import KeptS3, MisfitError
from airflow_provider_emrkit.localemr.persistence.kept_services import KeptServices
from airflow_provider_emrkit.localemr.persistence.marks import Marks
from airflow_provider_emrkit.localemr.persistence.requests import (
    internal_error,
    is_s3,
    looks_up_only,
    only_reads,
)
from airflow_provider_emrkit.localemr.persistence.snapshots import Snapshots

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from airflow_provider_emrkit.localemr.persistence.s3_store import Place

log = logging.getLogger(__name__)


class KeptState:
    """What moto holds, on disk: S3 before an answer leaves, other services within seconds of a change.

    moto has one state per process, and so at most one of these is in use at a time.

    :param data_dir: The instance's directory.
    :raises KeptError: when nothing can be kept there.

    >>> state = KeptState(Path("data"))  # doctest: +SKIP
    >>> state.attach()  # doctest: +SKIP
    >>> state.answer(app, environ, start_response)  # doctest: +SKIP
    """

    _claim = threading.Lock()

    def __init__(self, data_dir: Path) -> None:
        self._request = _Request()
        self._no_marks = Marks()
        self._snapshots = Snapshots(self._save)
        directories = data_dir / S3, data_dir / SERVICES
        self._s3: KeptS3 | None = KeptS3(directories[0], lambda: self._snapshots.mark([S3]))
        self._services = KeptServices(directories[1])
        for directory in directories:
            _make_ours(directory)
        self._attachment = contextlib.ExitStack()

    def attach(self) -> None:
        """Fill moto with what an earlier start has kept, and keep what changes from now on."""
        if not self._claim.acquire(blocking=False):
            log.warning("another local EMR of this process keeps the state: this one keeps none")
            self._drop_s3()
            return
        with contextlib.ExitStack() as stack:
            stack.callback(self._claim.release)
            BackendDict.reset()
            self._attach_s3()
            self._services.load()
            stack.enter_context(moto_services.noting(self._note, also_s3=self._s3 is None))
            self._snapshots.start()
            stack.callback(self._save_all)
            self._attachment = stack.pop_all()

    def answer(
        self, app: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Let moto answer a request, and keep what it has changed before the answer leaves."""
        reads = only_reads(environ)
        held = _Held()
        try:
            response = self._answer(app, environ, held, reads)
        except KeptError as error:
            return internal_error(str(error)).send(start_response)
        held.release(start_response)
        return response

    def clear(self) -> None:
        """Remove all that is kept and is not in moto any more, which has been emptied.

        :raises KeptError: when that is not possible.
        """
        self._services.clear()
        if self._s3 is not None:
            self._s3.clear()

    def close(self) -> None:
        """Write what is not written yet, and leave moto as it was. Idempotent."""
        self._attachment.close()
        if self._s3 is not None:
            self._s3.close()

    def _answer(
        self, app: WSGIApplication, environ: WSGIEnvironment, held: _Held, reads: bool
    ) -> Iterable[bytes]:
        marks = self._s3.marks if self._s3 is not None else self._no_marks
        with self._touched() as services, marks.of_request(reads_only=reads) as noted:
            try:
                response = app(environ, held)
            finally:
                # Also when moto fails: it may have changed something before.
                error = self._keep(noted.places())
        if not reads:
            self._snapshots.mark(services - looks_up_only(environ))
        if error is not None and not reads and is_s3(environ):
            _close(response)
            raise error
        return response

    def _attach_s3(self) -> None:
        if self._s3 is None:
            return
        try:
            self._s3.attach()
        except MisfitError as error:
            log.warning(
                "this version of moto is not known here (%s): S3 is written to disk only some seconds "
                "after a change, and what changed since is lost when the process is killed; objects that "
                "were kept with another version of moto are not seen",
                error,
            )
            self._drop_s3()

    def _drop_s3(self) -> None:
        if self._s3 is not None:
            self._s3.close()
            self._s3 = None

    @contextlib.contextmanager
    def _touched(self) -> Iterator[set[str]]:
        services: set[str] = set()
        self._request.services = services
        try:
            yield services
        finally:
            self._request.services = None

    def _note(self, service: str) -> None:
        if self._request.services is None:
            self._snapshots.mark([service])
        else:
            self._request.services.add(service)

    def _keep(self, places: Iterable[Place]) -> KeptError | None:
        try:
            if self._s3 is not None:
                self._s3.keep(places)
        except KeptError as error:
            return error
        return None

    def _save(self, name: str) -> None:
        if name == S3 and self._s3 is not None:
            self._s3.keep_others()
        elif not self._services.save(name):
            self._snapshots.mark([name])

    def _save_all(self) -> None:
        # Also what may have changed without anybody reaching for it by way of moto.
        self._snapshots.mark(moto_services.in_use(also_s3=self._s3 is None) & self._services.names())
        self._snapshots.close()


class _Request(threading.local):
    services: set[str] | None = None


class _Held:
    """A ``start_response`` that waits."""

    def __init__(self) -> None:
        self._call: tuple[Any, ...] = ()

    def __call__(self, *call: Any) -> Any:
        self._call = call
        return _no_write

    def release(self, start_response: StartResponse) -> None:
        """Begin the response."""
        start_response(*self._call)


def _no_write(_: bytes) -> None:
    raise TypeError("moto answers with an iterable, not through write()")


def _close(response: Iterable[bytes]) -> None:
    close = getattr(response, "close", None)
    if close is not None:
        close()


def _make_ours(directory: Path) -> None:
    """Make sure that nobody else has written what is read here, or can: pickles run code when they are read.

    :raises KeptError: when somebody else has.
    """
    if directory.stat().st_uid == os.geteuid():
        directory.chmod(0o700)
    for path in (directory, *directory.glob("*.db")):
        if path.lstat().st_uid != os.geteuid():
            raise KeptError(f"{path} belongs to another user, whose state is not read")
