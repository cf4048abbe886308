"""The other end of the triggerer's socket: what Airflow's supervisor says there, without a database."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.executors.workloads.task import TaskInstanceDTO
from airflow.executors.workloads.trigger import RunTrigger
from airflow.jobs.triggerer_job_runner import ToTriggerSupervisor, messages
from airflow.models.trigger import Trigger
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time.comms import (
    ConnectionResult,
    ErrorResponse,
    GetConnection,
    _RequestFrame,
    _ResponseFrame,
)
from pydantic import BaseModel, TypeAdapter

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence

    from airflow.triggers.base import BaseTrigger

log = logging.getLogger(__name__)

# Seconds without a message after which the triggerer is thought to hang; it is heard of every second.
SILENCE = 120.0

_NO_FIELDS = dict.fromkeys(("host", "schema", "login", "password", "port", "extra"))


class SilentError(Exception):
    """The triggerer ended or hangs."""


class Supervisor:
    """Hands triggers to a triggerer and takes their events.

    Example: ``Supervisor(ours, connections, due).serve(until)``.

    :param sock: Connected to the triggerer's standard input.
    :param connections: Airflow's connections by id: the fields of
        ``airflow.sdk.execution_time.comms.ConnectionResult``.
    :param due: Gives the triggers to create now, by id; asked once a second.
    """

    def __init__(
        self,
        sock: socket.socket,
        connections: Mapping[str, Mapping[str, Any]],
        due: Callable[[], Sequence[tuple[int, BaseTrigger]]],
    ) -> None:
        self._sock = sock
        self._connections = connections
        self._due = due
        self._decode = msgspec.msgpack.Decoder(_RequestFrame).decode
        self._message: TypeAdapter[Any] = TypeAdapter(ToTriggerSupervisor)
        self.payloads: dict[int, Any] = {}
        self.failures: dict[int, str] = {}
        self.syncs = 0
        self._sock.settimeout(SILENCE)
        self._send(0, messages.StartTriggerer())

    def serve(self, done: Callable[[], bool]) -> None:
        """Answer until done; that is asked after each message, so about once a second or oftener.

        :raises SilentError: when the triggerer ends or hangs.
        """
        while not done():
            frame = self._receive()
            self._send(frame.id, self._answer(self._message.validate_python(frame.body)))

    def serve_to_the_end(self) -> None:
        """Answer until the triggerer has closed the socket."""
        try:
            self.serve(lambda: False)
        except (SilentError, OSError):
            log.debug("The triggerer has ended")

    def _receive(self) -> _RequestFrame:
        length = int.from_bytes(self._read(4), "big")
        return self._decode(self._read(length))

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            try:
                chunk = self._sock.recv(size - len(data))
            except TimeoutError as error:
                raise SilentError(f"the triggerer said nothing for {SILENCE:.0f} s") from error
            if not chunk:
                raise SilentError("the triggerer has ended")
            data += chunk
        return bytes(data)

    def _send(self, request: int, message: BaseModel | None) -> None:
        body = None if message is None else message.model_dump(by_alias=True)
        error = body if isinstance(message, ErrorResponse) else None
        self._sock.sendall(_ResponseFrame(request, None if error else body, error).as_bytes())

    def _answer(self, message: Any) -> BaseModel | None:
        if isinstance(message, messages.TriggerStateChanges):
            return self._sync(message)
        if isinstance(message, GetConnection):
            return self._connection(message.conn_id)
        # What else a trigger may ask for does not exist here.
        return ErrorResponse(error=ErrorType.GENERIC_ERROR, detail={"asked": type(message).__name__})

    def _connection(self, conn_id: str) -> BaseModel:
        fields = self._connections.get(conn_id)
        if fields is None:
            return ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND, detail={"conn_id": conn_id})
        return ConnectionResult.model_validate({"conn_id": conn_id, **_NO_FIELDS, **fields})

    def _sync(self, message: messages.TriggerStateChanges) -> BaseModel:
        self.syncs += 1
        for entry in message.events or ():
            self.payloads[entry.trigger_id] = entry.event.payload
        for trigger_id, trace in message.failures or ():
            self.failures[trigger_id] = "".join(trace or ())
        created = [workload(trigger_id, trigger) for trigger_id, trigger in self._due()]
        return messages.TriggerStateSync(to_create=created, to_cancel=set())


def workload(trigger_id: int, trigger: BaseTrigger) -> RunTrigger:
    """Give a trigger as Airflow hands it to a triggerer, serialized and encrypted."""
    classpath, kwargs = trigger.serialize()
    task = TaskInstanceDTO(
        id=uuid.uuid4(),
        dag_version_id=uuid.uuid4(),
        dag_id="bench",
        task_id=f"task_{trigger_id}",
        run_id="scheduled__2025-01-01T00:00:00+00:00",
        try_number=1,
        map_index=-1,
        queue="default",
        pool_slots=1,
        priority_weight=1,
    )
    return RunTrigger(
        id=trigger_id, classpath=classpath, encrypted_kwargs=Trigger.encrypt_kwargs(kwargs), ti=task
    )
