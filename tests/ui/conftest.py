"""A web server of either Airflow in this process, over the database of a DAG that has run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest
from airflow_fixtures import emrkit_connection  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent
DAG_ID = "emrkit_links"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def location(self) -> str:
        return self.headers.get("location", "")


class WebServer:
    """Airflow's web server, its pages asked for by whom the test says.

    :param run_id: The DAG's run.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id

    def ask(self, role: str | None, path: str, headers: Mapping[str, str]) -> Answer:
        """Ask for a page as a user of a role, or as nobody; redirects are not followed."""
        raise NotImplementedError

    def links(self, task_id: str) -> dict[str, str | None]:
        """What Airflow shows as a task's links."""
        raise NotImplementedError

    def get(self, path: str, role: str | None = "Viewer", **headers: str) -> Answer:
        """Ask for a page."""
        return self.ask(role, path, headers)

    def dashboard(self, task_id: str, role: str | None = "Viewer", **asked: Any) -> Answer:
        """Follow the link to the Spark UI of a task."""
        headers = asked.pop("headers", {})
        query = urlencode({"run_id": self.run_id, "task_id": task_id, **asked})
        return self.get(f"/emrkit/dags/{DAG_ID}/dashboard?{query}", role, **headers)


@pytest.fixture(scope="session")
def database() -> str:
    """Run the DAG once, with its logs and rendered arguments in Airflow's database; the id of its run."""
    env = {**os.environ, "AIRFLOW__CORE__DAGS_FOLDER": str(HERE / "dags")}

    def run(*argv: str) -> str:
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=200)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(sys.executable, "-m", "airflow", "db", "migrate")
    printed = run(sys.executable, str(HERE.parent / "e2e" / "run_dag.py"), DAG_ID)
    assert '"state": "success"' in printed, printed
    if version("apache-airflow").startswith(("2.", "3.0.")):  # whose dag.test() leaves the web server no DAG
        run(sys.executable, "-m", "airflow", "dags", "reserialize")
    return _run_id()


def _run_id() -> str:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return str(session.scalar(select(DagRun.run_id).where(DagRun.dag_id == DAG_ID)))


@pytest.fixture(scope="session")
def web_server(database: str) -> WebServer:
    """The web server of the Airflow that is installed."""
    # Not at the top: this file may be read before the tests have an Airflow home of their own.
    from airflow_provider_emrkit._compat import AIRFLOW_V_3_0_PLUS

    return WebServer3(database) if AIRFLOW_V_3_0_PLUS else WebServer2(database)


class WebServer3(WebServer):
    """The API server of Airflow 3, with its simple auth manager."""

    def __init__(self, run_id: str) -> None:
        from airflow.api_fastapi.app import create_app

        super().__init__(run_id)
        self.app = create_app()

    def token(self, role: str) -> str:
        """The token of a user of a role."""
        from airflow.api_fastapi.app import get_auth_manager
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

        user = SimpleAuthManagerUser(username=role, role=None if role == "Public" else role.upper())
        return str(get_auth_manager().generate_jwt(user))

    def ask(self, role: str | None, path: str, headers: Mapping[str, str]) -> Answer:
        from fastapi.testclient import TestClient

        from airflow_provider_emrkit._compat import AIRFLOW_V_3_1_PLUS

        cookies, sent = {}, dict(headers)
        if role and AIRFLOW_V_3_1_PLUS:
            cookies["_token"] = self.token(role)
        elif role:  # 3.0 does not take the cookie
            sent["authorization"] = f"Bearer {self.token(role)}"
        client = TestClient(self.app, follow_redirects=False, cookies=cookies)
        got = client.get(path, headers=sent)
        return Answer(got.status_code, got.headers, got.text)

    def links(self, task_id: str) -> dict[str, str | None]:
        where = f"/api/v2/dags/{DAG_ID}/dagRuns/{quote(self.run_id)}/taskInstances/{task_id}/links"
        return dict(json.loads(self.get(where).text)["extra_links"])


class WebServer2(WebServer):
    """The web server of Airflow 2."""

    def __init__(self, run_id: str) -> None:
        from airflow.www.app import create_app
        from flask_login import FlaskLoginClient

        super().__init__(run_id)
        self.app = create_app(testing=True)
        self.app.test_client_class = FlaskLoginClient

    def ask(self, role: str | None, path: str, headers: Mapping[str, str]) -> Answer:
        with self.app.app_context():
            client = self.app.test_client(user=self._user(role)) if role else self.app.test_client()
            got = client.get(path, headers=dict(headers))
            return Answer(got.status_code, got.headers, got.get_data(as_text=True))

    def links(self, task_id: str) -> dict[str, str | None]:
        where = f"/api/v1/dags/{DAG_ID}/dagRuns/{quote(self.run_id)}/taskInstances/{task_id}/links"
        return dict(json.loads(self.get(where).text))

    def _user(self, role: str) -> Any:
        security = self.app.appbuilder.sm
        made = (role, role, role, f"{role}@example.com", security.find_role(role), role)
        return security.find_user(role) or security.add_user(*made)
