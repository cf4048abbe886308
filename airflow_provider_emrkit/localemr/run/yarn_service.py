"""Answers the ``yarn`` and ``spark-submit`` programs of a cluster's scripts, on a port of 127.0.0.1."""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow_provider_emrkit.localemr.run.application import Driver, RunningApplication
from airflow_provider_emrkit.localemr.run.commands import CommandError, CommandPlanner, Fetch, localise
from airflow_provider_emrkit.localemr.run.yarn_wire import MAX_REQUEST, YarnAddress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_emrkit.localemr.run.resource_manager import ResourceManager

log = logging.getLogger(__name__)

Answer = dict[str, Any]


class YarnService:
    """Serves one cluster.

    :param manager: The cluster's applications.
    :param planner: Turns arguments of spark-submit into commands.
    :param fetch: Brings files to this machine.

    >>> service = YarnService(manager, planner, fetch)  # doctest: +SKIP
    >>> list(ask(service.address, action="list"))  # doctest: +SKIP
    []
    """

    def __init__(self, manager: ResourceManager, planner: CommandPlanner, fetch: Fetch) -> None:
        self._manager = manager
        self._planner = planner
        self._fetch = fetch
        self._actions = {"list": self._list, "kill": self._kill, "submit": self._submit}
        self._is_closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = YarnAddress(self._listener.getsockname()[1], secrets.token_hex(16))
        self._thread = threading.Thread(target=self._serve, name="localemr-yarn", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more. Idempotent."""
        if self._is_closed.is_set():
            return
        self._is_closed.set()
        # Wakes the thread; closing alone does not, on every system.
        with socket.create_connection(("127.0.0.1", self.address.port)):
            self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._is_closed.is_set():
                connection.close()
                return
            threading.Thread(
                target=self._answer, args=(connection,), name="localemr-yarn-client", daemon=True
            ).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as asked, connection.makefile("wb") as answers:
                self._talk(asked, answers)
        except OSError:
            # The client was killed, for which it owes no explanation; its application goes on.
            return
        except Exception:
            log.exception("a request of a cluster's program failed")

    def _talk(self, asked: BinaryIO, answers: BinaryIO) -> None:
        request = _request(asked.readline(MAX_REQUEST))
        if not hmac.compare_digest(str(request.get("secret", "")).encode(), self.address.secret.encode()):
            return
        action = self._actions.get(str(request.get("action")))
        for answer in action(request) if action else ():
            _send(answers, answer)
        _send(answers, {"last": True})

    def _list(self, _: Mapping[str, Any]) -> Iterator[Answer]:
        for application in self._manager.applications():
            yield description(application)

    def _kill(self, request: Mapping[str, Any]) -> Iterator[Answer]:
        """Kill an application and wait for its end."""
        found = self._manager.find(str(request.get("id")))
        if found is None:
            return
        yield description(found)
        if not found.is_over:
            found.kill()
            found.wait()
            yield description(found)

    def _submit(self, request: Mapping[str, Any]) -> Iterator[Answer]:
        """Submit an application, and be the client's eyes until it ends."""
        try:
            application = self._manager.submit(self._driver([str(arg) for arg in request["args"]]))
        except (CommandError, OSError, ValueError, RuntimeError) as error:
            yield {"line": str(error)}
            yield {"exit": 1}
            return
        for line in application.ids.submitted(time.time()):
            yield {"line": line}
        for line in application.report():
            yield {"line": line}
        yield {"exit": application.client_exit_code}

    def _driver(self, args: list[str]) -> Driver:
        command = self._planner.spark_submit(args, {})
        staging = self._planner.place.staging
        staging.mkdir(exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=staging))
        (work / "tmp").mkdir()
        if command.submission:
            localise(command.submission, work, self._fetch)
        return Driver(command, work)


def description(application: RunningApplication) -> Answer:
    """Say what ``yarn application`` shows of an application."""
    return {
        "id": application.ids.application_id,
        "name": application.name,
        "tags": list(application.tags),
        "state": application.state,
        "final": application.final_status,
        "started": application.started,
    }


def _request(line: bytes) -> Mapping[str, Any]:
    try:
        request = json.loads(line)
    except ValueError:
        return {}
    return request if isinstance(request, dict) else {}


def _send(answers: BinaryIO, answer: Answer) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()
