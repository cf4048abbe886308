"""The pages in the API server of Airflow 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from airflow_provider_emrkit._compat import task_guard
from airflow_provider_emrkit.links import DASHBOARD_ROUTE
from airflow_provider_emrkit.ui import login
from airflow_provider_emrkit.ui.dashboards import dashboard_of
from airflow_provider_emrkit.ui.notice import FORBIDDEN, HEADERS, Notice
from airflow_provider_emrkit.ui.task_runs import TaskKey

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON = "application/json"


def create_app() -> FastAPI:
    """Make the application, which Airflow puts below ``/emrkit`` and does not guard by itself.

    >>> [route.path for route in create_app().routes]  # doctest: +SKIP
    ['/dags/{dag_id}/dashboard']
    """
    app = FastAPI(title="EMR kit", docs_url=None, redoc_url=None, openapi_url=None)
    app.get(DASHBOARD_ROUTE, dependencies=[Depends(task_guard())], response_model=None)(_dashboard)
    app.exception_handler(Notice)(_told)
    app.exception_handler(RequestValidationError)(_not_understood)
    app.exception_handler(HTTPException)(_refused)
    return app


def _dashboard(request: Request, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> Response:
    """Lead to the Spark UI of a task instance's run. Blocks, and so is no coroutine."""
    url = dashboard_of(TaskKey(dag_id, run_id, task_id, map_index))
    if JSON in request.headers.get("accept", ""):  # a script does not see where a redirect leads
        return JSONResponse({"url": url}, headers=HEADERS)
    return RedirectResponse(url, status_code=302, headers=HEADERS)


def _told(_: Request, notice: Notice) -> Response:
    return _page(notice)


def _not_understood(_: Request, error: RequestValidationError) -> Response:
    wrong = ", ".join(str(one["loc"][-1]) for one in error.errors())
    return _page(Notice(422, "This address is not whole", f"It lacks what names a task instance: {wrong}."))


def _refused(request: Request, error: HTTPException) -> Response:
    """Say what Airflow's own check of the user has found."""
    if error.status_code != 401:
        return _page(FORBIDDEN)
    return _page(login.NOTICE, login.further(request.url.path, request.url.query), login.HEADERS)


def _page(notice: Notice, further: str = "", headers: Mapping[str, str] = HEADERS) -> Response:
    return HTMLResponse(notice.page(further), notice.status, dict(headers))
