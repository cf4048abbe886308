"""Airflow for the demo and its tests: ``airflow standalone`` in a home of its own."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from demo.environment import Places, airflow_connections
from demo.ports import any_free
from demo.processes import Child
from demo.rest import Airflow, AirflowError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

USER = "admin"
START_LIMIT_SECONDS = 240
PARSE_LIMIT_SECONDS = 90
_COMPONENTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
_POLL_SECONDS = 0.5


class StartError(Exception):
    """A program of the demo didn't come up; the message says why and where its output is."""


@dataclass(frozen=True)
class Home:
    """An ``AIRFLOW_HOME``: one for each version, so that no Airflow meets another one's database.

    :param folder: Its folder, e.g. ``.local/demo/airflow-3.3.2``.
    """

    folder: Path

    @property
    def passwords(self) -> Path:
        """File in which the simple auth manager looks up passwords."""
        return self.folder / "passwords.json"

    def password(self) -> str:
        """Return the admin's password; made up when the home is new."""
        if not self.passwords.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            draft = self.passwords.with_suffix(".tmp")
            draft.touch(mode=0o600)
            draft.write_text(json.dumps({USER: secrets.token_urlsafe(9)}))
            draft.replace(self.passwords)  # whole or not at all: a full disk must not spoil the next demo
        return str(json.loads(self.passwords.read_text())[USER])


@dataclass(frozen=True)
class Settings:
    """What is not the same for each ``airflow standalone``.

    :param dags: Folder of the DAG files.
    :param port: Port of the UI and the API.
    :param extra: Further variables, e.g. ``{"AIRFLOW__TRIGGERER__DEFAULT_CAPACITY": "10"}``.
    """

    home: Home
    dags: Path
    port: int
    extra: Mapping[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """The ``AIRFLOW__…`` variables."""
        url = f"http://127.0.0.1:{self.port}"
        return {
            "AIRFLOW_HOME": str(self.home.folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home.passwords),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "AIRFLOW__API__BASE_URL": url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__WORKERS": "1",
            # Two Airflows on one machine would meet at the default ports of these two.
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(any_free()),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(any_free()),
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            **self.extra,
        }


def version(environment: Path) -> str:
    """Return the version of Airflow in a virtual environment.

    :raises StartError: when there is none.
    """
    found = sorted(environment.glob("lib/python3*/site-packages/apache_airflow_core-*.dist-info"))
    if not found or not (environment / "bin" / "airflow").exists():
        raise StartError(f"{environment} holds no Airflow 3")
    return found[0].name.removeprefix("apache_airflow_core-").removesuffix(".dist-info")


def start(places: Places, base: Mapping[str, str], settings: Settings, log: Path) -> tuple[Child, Airflow]:
    """Start ``airflow standalone``; it is not ready yet, see :func:`wait_ready`.

    :param base: The environment all processes of the demo share.
    """
    programs = places.airflow_env / "bin"
    password = settings.home.password()
    environment = {**base, **airflow_connections(places.endpoint), **settings.variables()}
    environment["PATH"] = (
        f"{programs}:{environment.get('PATH', '')}"  # standalone starts `airflow` from the PATH
    )
    child = Child.start("Airflow", [str(programs / "airflow"), "standalone"], environment, log)
    return child, Airflow(f"http://127.0.0.1:{settings.port}", USER, password)


def wait_ready(child: Child, airflow: Airflow, news: Callable[[str], None]) -> None:
    """Return when every component says it is healthy.

    :param news: Called with what is still missing.
    :raises StartError: when Airflow ends, or isn't ready after :data:`START_LIMIT_SECONDS`.
    """
    deadline = time.monotonic() + START_LIMIT_SECONDS
    while missing := _missing(airflow.health()):
        news(f"waiting for {', '.join(missing)}")
        if not child.running:
            raise StartError(
                _failed_start(child, f"ended with exit code {child.exit_code} while it was starting")
            )
        if time.monotonic() > deadline:
            raise StartError(_failed_start(child, f"is not ready after {START_LIMIT_SECONDS} s"))
        time.sleep(_POLL_SECONDS)


def _missing(health: Mapping[str, str | None]) -> list[str]:
    if not health:
        return ["the API server"]
    return [name.replace("_", " ") for name in _COMPONENTS if health.get(name) != "healthy"]


def _failed_start(child: Child, what: str) -> str:
    lines = "\n".join(f"  {line}" for line in child.tail())
    return f"{child.name} {what}. The end of {child.log}:\n{lines}"


def wait_parsed(airflow: Airflow, dag_id: str, file_name: str, news: Callable[[str], None]) -> None:
    """Return when Airflow knows the DAG.

    :raises StartError: when the file can't be imported, or the DAG isn't there after
        :data:`PARSE_LIMIT_SECONDS`.
    """
    deadline = time.monotonic() + PARSE_LIMIT_SECONDS
    while not _knows(airflow, dag_id):
        news(f"waiting for the DAG processor to read {file_name}")
        error = airflow.import_error(file_name)
        if error:
            raise StartError(f"{file_name} can't be imported: {error}")
        if time.monotonic() > deadline:
            raise StartError(f"Airflow doesn't know the DAG {dag_id!r} after {PARSE_LIMIT_SECONDS} s")
        time.sleep(_POLL_SECONDS)


def _knows(airflow: Airflow, dag_id: str) -> bool:
    try:
        airflow.get(f"/dags/{dag_id}")
    except AirflowError as error:
        if error.not_found:
            return False
        raise
    return True
