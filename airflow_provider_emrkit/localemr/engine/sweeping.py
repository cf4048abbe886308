"""Records of containers, by which a later process ends those that were left."""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.engine.arguments import LABEL, NAME_LABEL
from airflow_provider_emrkit.localemr.engine.choice import Engine, EngineError
from airflow_provider_emrkit.localemr.engine.client import EngineClient
from airflow_provider_emrkit.localemr.run.process import Session

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

_ANSWER_WITHIN = 10.0
_GONE_WITHIN = 20.0
_LOOK_EVERY = 0.1
# So long may a call be under way that makes a container; it is not ended half-way.
_CALL_ENDS_WITHIN = 5.0


@dataclass(frozen=True)
class ContainerRecord:
    """What is needed to end a container, also from another process after a restart.

    :param name: Its name.
    :param instance: The data directory it belongs to.
    :param mark: By which the processes of the engine's program are found.
    :param engine: The engine.

    >>> ContainerRecord("one", "me", "mark", Engine("/usr/bin/docker", "docker")).name
    'one'
    """

    name: str
    instance: str
    mark: str
    engine: Engine

    def save(self, directory: Path) -> Path:
        """Write it into a directory; returns the file."""
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{self.name}.json"
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: Path) -> ContainerRecord | None:
        """Read it from a file; None when it was cut off: then there is no container yet."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            engine = data["engine"]
            address = tuple((str(name), str(value)) for name, value in engine["address"])
            found = Engine(str(engine["program"]), str(engine["name"]), address)
            return cls(str(data["name"]), str(data["instance"]), str(data["mark"]), found)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remove(self) -> None:
        """End the container and its helpers, and wait until they are gone.

        :raises EngineError: when the engine does not do so in time.
        """
        client, deadline, pause = (
            EngineClient(self.engine, self.mark),
            time.monotonic() + _GONE_WITHIN,
            threading.Event(),
        )
        while ids := self._ids(client):
            done = client.call("rm", "--force", *ids, seconds=_ANSWER_WITHIN)
            if time.monotonic() > deadline:
                raise EngineError(f"{self.engine.name} does not remove {self.name}: {done.error.strip()}")
            # Docker may be about to remove it by itself, which takes a moment.
            if done.code:
                pause.wait(_LOOK_EVERY)

    def _ids(self, client: EngineClient) -> list[str]:
        marks = (f"label={LABEL}={self.instance}", f"label={NAME_LABEL}={self.name}")
        filters = [word for mark in marks for word in ("--filter", mark)]
        found = client.call("ps", "--all", "--quiet", "--no-trunc", *filters, seconds=_ANSWER_WITHIN)
        if found.code:
            said = " ".join(found.complaint) or f"exit code {found.code}"
            raise EngineError(f"{self.engine.name}: {said}")
        return found.out.split()


def sweep_containers(directory: Path) -> None:
    """End what an earlier process has left; what the engine does not let go is tried again the next time.

    :param directory: The directory of the records.
    """
    silent: set[Engine] = set()
    for path in sorted(directory.glob("*.json")) if directory.is_dir() else ():
        record = ContainerRecord.load(path)
        if record is None:
            path.unlink(missing_ok=True)
        elif record.engine not in silent and not swept(record, path):
            silent.add(record.engine)


def swept(record: ContainerRecord, path: Path) -> bool:
    """End a container, and what is left of the calls about it.

    :param path: The file of the record, which is removed with it.
    :return: False when it may still be there, and the record is.
    """
    calls = Session(0, 0, record.mark)
    deadline, pause = time.monotonic() + _CALL_ENDS_WITHIN, threading.Event()
    try:
        # It ends those that only watch a container; one that makes a container gets the time for it.
        record.remove()
        while calls.pids() and time.monotonic() < deadline:
            pause.wait(_LOOK_EVERY)
        calls.sweep()
        record.remove()
    except EngineError as error:
        calls.sweep()
        log.warning("a container may be left (%s): %s", record.name, error)
        return False
    path.unlink(missing_ok=True)
    return True
