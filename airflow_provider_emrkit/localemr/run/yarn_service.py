"""Answers the ``yarn`` and ``spark-submit`` programs of a cluster's scripts, on a port of 127.0.0.1."""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import select
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from airflow_provider_emrkit.localemr.run.application import Driver, RunningApplication
from airflow_provider_emrkit.localemr.run.commands import CommandError, CommandPlanner, Fetch, localise
from airflow_provider_emrkit.localemr.run.yarn_wire import MAX_REQUEST, YarnAddress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_provider_emrkit.localemr.run.resource_manager import ResourceManager

log = logging.getLogger(__name__)

Answer = dict[str, Any]


class _Request(NamedTuple):
    """What a program asks for.

    :param fields: The request.
    :param is_left: Whether the program is gone.
    """

    fields: Mapping[str, Any]
    is_left: Callable[[], bool]


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
                self._talk(
                    _Request(_parsed(asked.readline(MAX_REQUEST)), lambda: _is_left(connection)), answers
                )
        except OSError:
            # The client was killed, for which it owes no explanation; its application goes on.
            return
        except Exception:
            log.exception("a request of a cluster's program failed")

    def _talk(self, request: _Request, answers: BinaryIO) -> None:
        secret = str(request.fields.get("secret", ""))
        if not hmac.compare_digest(secret.encode(), self.address.secret.encode()):
            return
        action = self._actions.get(str(request.fields.get("action")))
        for answer in action(request) if action else ():
            _send(answers, answer)
        _send(answers, {"last": True})

    def _list(self, _: _Request) -> Iterator[Answer]:
        for application in self._manager.applications():
            yield description(application)

    def _kill(self, request: _Request) -> Iterator[Answer]:
        """Kill an application and wait for its end."""
        found = self._manager.find(str(request.fields.get("id")))
        if found is None:
            return
        yield description(found)
        if not found.is_over:
            found.kill()
            found.wait()
            yield description(found)

    def _submit(self, request: _Request) -> Iterator[Answer]:
        """Submit an application, and be the client's eyes until it ends."""
        try:
            driver = self._driver([str(arg) for arg in request.fields["args"]])
            if request.is_left():
                # Killed while it brought the job's files: on EMR too, nothing is submitted then.
                return
            application = self._manager.submit(driver)
        except (CommandError, OSError, ValueError, RuntimeError) as error:
            yield {"line": str(error)}
            yield {"exit": 1}
            return
        for line in application.ids.submitted(time.time()):
            yield {"line": line}
        for line in application.report(request.is_left):
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


def _is_left(connection: socket.socket) -> bool:
    """Tell whether the other side has hung up; it sends nothing after its request."""
    if not select.select([connection], [], [], 0)[0]:
        return False
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return True


def _parsed(line: bytes) -> Mapping[str, Any]:
    try:
        request = json.loads(line)
    except ValueError:
        return {}
    return request if isinstance(request, dict) else {}


def _send(answers: BinaryIO, answer: Answer) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()
