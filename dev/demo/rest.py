"""The few calls of Airflow 3's REST API that the demo and its tests make."""

from __future__ import annotations

import http.client
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT_SECONDS = 30
_UNAUTHORIZED = 401
_NOT_FOUND = 404
_CONFLICT = 409
_DATABASE_ERROR = 500
# Seconds between requests while another process writes into the demo's SQLite.
_PAUSES = (0.5, 1.0, 2.0, 4.0)


class AirflowError(Exception):
    """Airflow could not be reached, or refused a call.

    :param status: HTTP status of the answer, None when there was none.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status

    @property
    def not_found(self) -> bool:
        """Whether Airflow doesn't know the thing (yet)."""
        return self.status == _NOT_FOUND


@dataclass(frozen=True)
class LogLine:
    """One entry of a task's log.

    :param timestamp: ISO time, as Airflow gives it.
    :param logger: Name of the logger that wrote it; empty when Airflow doesn't say.
    :param error: ``Type: message`` of the exception the entry carries; empty for most.
    """

    timestamp: str
    text: str
    level: str = "info"
    logger: str = ""
    error: str = ""

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any]) -> LogLine:
        """Read an entry of Airflow's structured log."""
        causes = [cause for cause in entry.get("error_detail") or () if isinstance(cause, dict)]
        error = f"{causes[0].get('exc_type')}: {causes[0].get('exc_value')}" if causes else ""
        return cls(
            timestamp=str(entry.get("timestamp") or ""),
            text=str(entry.get("event") or ""),
            level=str(entry.get("level") or "info"),
            logger=str(entry.get("logger") or ""),
            error=error,
        )


class Airflow:
    """A client of one Airflow.

    :param url: Address of its UI.
    :param user: Login of an admin of the simple auth manager.

    Example::

        airflow = Airflow("http://127.0.0.1:8080", "admin", "secret")
        airflow.trigger("example_dynamic_cluster", "demo-1")
        print(airflow.run_state("example_dynamic_cluster", "demo-1"))
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self._login = {"username": user, "password": password}
        self._token = ""
        # A proxy of the user's has no way to this machine's own addresses.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def health(self) -> dict[str, str | None]:
        """State of each component, e.g. ``{"scheduler": "healthy", "triggerer": None}``.

        :returns: Empty when Airflow doesn't answer.
        """
        try:
            answer = self._send("GET", "/api/v2/monitor/health", None)
        except AirflowError:
            return {}
        return {name: (part or {}).get("status") for name, part in answer.items()}

    def get(self, path: str) -> Any:
        """GET below ``/api/v2``."""
        return self._call("GET", path, None)

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any] | None = None) -> None:
        """Start a run; begun once, also where the first answer is lost: its id is taken then."""
        path = f"/dags/{_quoted(dag_id)}/dagRuns"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf or {})}
        try:
            self._call("POST", path, body)
        except AirflowError as error:
            if error.status not in (None, _DATABASE_ERROR):
                raise
            self._trigger_again(path, body)

    def _trigger_again(self, path: str, body: Mapping[str, Any]) -> None:
        threading.Event().wait(_PAUSES[0])
        try:
            self._call("POST", path, body)
        except AirflowError as error:
            if error.status != _CONFLICT:
                raise

    def run_state(self, dag_id: str, run_id: str) -> str:
        """State of a run, e.g. ``running``."""
        return str(self.get(f"/dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}")["state"])

    def unfinished_runs(self, dag_id: str) -> list[str]:
        """Ids of the runs of a DAG that are queued or running."""
        found = self.get(f"/dags/{_quoted(dag_id)}/dagRuns?state=queued&state=running&limit=100")
        return [run["dag_run_id"] for run in found["dag_runs"]]

    def fail_run(self, dag_id: str, run_id: str) -> None:
        """Mark a run as failed, which also ends its tasks."""
        self._call("PATCH", f"/dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}", {"state": "failed"})

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a run."""
        path = f"/dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}/taskInstances"
        found: list[dict[str, Any]] = self.get(path)["task_instances"]
        return found

    def set_task_state(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Mark a task, as the button in the UI does."""
        path = f"/dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}/taskInstances/{_quoted(task_id)}"
        self._call("PATCH", path, {"new_state": state})

    def log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> list[LogLine]:
        """A task's log so far: the entries that have a time, in Airflow's order."""
        task = f"/dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}/taskInstances/{_quoted(task_id)}"
        content = self.get(f"{task}/logs/{try_number}?full_content=true")["content"]
        entries = [entry for entry in content if isinstance(entry, dict) and entry.get("timestamp")]
        return [LogLine.from_entry(entry) for entry in entries]

    def import_error(self, file_name: str) -> str | None:
        """Last line of the error Airflow met when it read a DAG file, or None."""
        for error in self.get("/importErrors?limit=100")["import_errors"]:
            if str(error.get("filename", "")).endswith(file_name):
                return str(error["stack_trace"]).strip().splitlines()[-1]
        return None

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        if not self._token:
            self._token = self._send("POST", "/auth/token", self._login)["access_token"]
        try:
            return self._asked(method, f"/api/v2{path}", body)
        except AirflowError as error:
            if error.status != _UNAUTHORIZED:
                raise
        self._token = self._send("POST", "/auth/token", self._login)["access_token"]  # it had run out
        return self._asked(method, f"/api/v2{path}", body)

    def _asked(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        """Send a request once more where that does no harm and Airflow's database was locked just then."""
        for pause in () if method == "POST" else _PAUSES:
            try:
                return self._send(method, path, body)
            except AirflowError as error:
                if error.status != _DATABASE_ERROR:
                    raise
            threading.Event().wait(pause)
        return self._send(method, path, body)

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        url = self.url + path
        request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310
        try:
            with self._opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            detail = error.read(500).decode(errors="replace")
            raise AirflowError(f"{method} {path}: HTTP {error.code} {detail}", error.code) from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise AirflowError(f"{method} {path}: {error}") from error


def _quoted(part: str) -> str:
    return urllib.parse.quote(part, safe="")
