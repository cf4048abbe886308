"""``/_emrkit/spark/ID``: leads to the page of a Spark application.

Its address stays good while the history server behind it comes and goes, and costs nothing until somebody
looks at it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.config import OWN_PAGES
from airflow_provider_emrkit.localemr.http import Response
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from airflow_provider_emrkit.localemr.run.contract import AppUi

SPARK_PAGE = "spark"

_APPLICATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,255}", re.ASCII)


def is_application_id(text: str) -> bool:
    """Tell whether a text can be the id of a Spark application.

    >>> is_application_id("application_1700000000000_0001"), is_application_id("../x")
    (True, False)
    """
    return _APPLICATION.fullmatch(text) is not None


def spark_page_url(base: str, application_id: str | None) -> str:
    """Give the address that leads to an application's page.

    :param base: The server's address.
    :param application_id: None for the list of all.

    >>> spark_page_url("http://127.0.0.1:5005", "00f1a2b3c4d5e6f7")
    'http://127.0.0.1:5005/_emrkit/spark/00f1a2b3c4d5e6f7'
    """
    return f"{base}{OWN_PAGES}{SPARK_PAGE}/{application_id or ''}"


class SparkPage:
    """The page; implements ``localemr.router.Page``.

    :param ui: What shows Spark applications.

    >>> SparkPage(history_server)({"REQUEST_METHOD": "GET"}, "/00f1a2b3c4d5e6f7").status  # doctest: +SKIP
    302
    """

    def __init__(self, ui: AppUi) -> None:
        self._ui = ui

    def __call__(self, environ: WSGIEnvironment, rest: str) -> Response:
        """Answer one request.

        :param rest: Nothing for the list of all applications, or ``/`` and the id of one.
        """
        name = rest.removeprefix("/")
        if name and not is_application_id(name):
            return _text("There is no such Spark application.", 404)
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            return _text("Use GET.", 405)
        try:
            url = self._ui.url(name or None)
        except ClusterStartError as error:
            return _text(str(error), 503)
        return _text(url, 302).with_header("Location", url)


def _text(text: str, status: int) -> Response:
    return Response(f"{text}\n".encode(), status, "text/plain; charset=utf-8")
