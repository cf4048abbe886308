"""The pages in the web server of Airflow 2."""

from __future__ import annotations

from typing import Any

from airflow_provider_emrkit._compat import task_guard
from airflow_provider_emrkit.links import DASHBOARD_ROUTE, WEB_PREFIX
from airflow_provider_emrkit.ui.dashboards import dashboard_of
from airflow_provider_emrkit.ui.notice import HEADERS, Notice
from airflow_provider_emrkit.ui.task_runs import TaskKey


def create_blueprint() -> Any:
    """Make the blueprint, whose pages Airflow does not guard by itself.

    >>> create_blueprint().url_prefix  # doctest: +SKIP
    '/emrkit'
    """
    from flask import Blueprint

    blueprint = Blueprint("emrkit", __name__, url_prefix=f"/{WEB_PREFIX}")
    route = DASHBOARD_ROUTE.replace("{", "<").replace("}", ">")
    blueprint.get(route)(task_guard()(dashboard))
    blueprint.register_error_handler(Notice, _told)
    return blueprint


def dashboard(dag_id: str) -> Any:
    """Lead to the Spark UI of a task instance's run."""
    from flask import redirect, request

    asked = request.args
    if not asked.get("run_id") or not asked.get("task_id"):
        raise Notice(
            422, "This address is not whole", "It lacks what names a task instance: run_id, task_id."
        )
    key = TaskKey(dag_id, asked["run_id"], asked["task_id"], asked.get("map_index", -1, type=int))
    answer = redirect(dashboard_of(key), code=302)
    answer.headers.update(HEADERS)
    return answer


def _told(notice: Notice) -> tuple[str, int, dict[str, str]]:
    return notice.page(), notice.status, HEADERS
