"""The addresses of Spark applications' pages, without letting anybody wait long for the page's server."""

from __future__ import annotations

import logging
import re
import threading
from concurrent import futures
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.emr.errors import invalid_request
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.run.contract import AppUi

log = logging.getLogger(__name__)

_APPLICATION = re.compile(r"[A-Za-z0-9][\w.-]{0,255}", re.ASCII)


class AppPages:
    """Asks an :class:`AppUi` for addresses; the first answer may take as long as a Spark takes to install.

    :param ui: What shows the pages; None when there is nothing of the kind.
    :param wait_seconds: How long a caller waits before it is told to ask again.

    >>> AppPages(history_server).url("application_1700000000000_0001")  # doctest: +SKIP
    'http://127.0.0.1:18080/history/application_1700000000000_0001/'
    """

    def __init__(self, ui: AppUi | None, wait_seconds: float = 20.0) -> None:
        self._ui = ui
        self._wait_seconds = wait_seconds
        self._lock = threading.Lock()
        self._asked: dict[str | None, futures.Future[str]] = {}

    def url(self, application_id: str | None) -> str | None:
        """Give the address of an application's page, or of the list of all.

        The store's lock must not be held.

        :return: None when the server is not up yet: ask again.
        :raises ApiError: ``InvalidRequestException`` when there is no such page, with the reason.
        """
        if application_id is not None and not _APPLICATION.fullmatch(application_id):
            raise invalid_request(f"Application id '{application_id[:100]}' is not valid.")
        future = self._future(application_id)
        try:
            return future.result(self._wait_seconds)
        except futures.TimeoutError:
            if future.done():
                raise
            return None
        except ClusterStartError as error:
            raise invalid_request(str(error)) from error
        finally:
            self._forget(application_id, future)

    def _future(self, application_id: str | None) -> futures.Future[str]:
        """Give the answer that is being worked out for an application, or begin to work it out."""
        if self._ui is None:
            raise invalid_request("This server shows no pages of applications.")
        with self._lock:
            future = self._asked.get(application_id)
            if future is None:
                future = self._asked[application_id] = futures.Future()
                threading.Thread(
                    target=self._work_out, args=(self._ui, application_id, future), daemon=True
                ).start()
            return future

    @staticmethod
    def _work_out(ui: AppUi, application_id: str | None, future: futures.Future[str]) -> None:
        try:
            future.set_result(ui.url(application_id))
        except Exception as error:
            future.set_exception(error)

    def _forget(self, application_id: str | None, future: futures.Future[str]) -> None:
        """Drop an answer that was given: the server may be another one by the next time."""
        with self._lock:
            if future.done() and self._asked.get(application_id) is future:
                del self._asked[application_id]
