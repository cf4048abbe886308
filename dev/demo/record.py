"""What a running demo leaves on disk, so that another call can find it, name it, or stop it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from demo.environment import MARKER
from demo.processes import Process, members, process, stop

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Record:
    """One demo.

    :param marker: Value of the variable that marks its processes.
    :param demo: The process that runs the demo.
    :param roots: The programs it started.
    :param kept: True once it has ended and left its programs running on purpose.
    """

    marker: str
    airflow_url: str
    endpoint: str
    demo: Process
    roots: tuple[Process, ...] = ()
    kept: bool = False

    @property
    def at_work(self) -> bool:
        """Whether the demo itself still runs."""
        now = process(self.demo.pid)
        return now is not None and now.started == self.demo.started

    def processes(self) -> list[Process]:
        """All its processes that are alive, but for the demo itself."""
        return members((MARKER, self.marker), self.roots)

    def stop(self) -> list[Process]:
        """End them; see :func:`demo.processes.stop`."""
        return stop((MARKER, self.marker), self.roots)


def write(path: Path, record: Record) -> None:
    """Save a record; a reader sees the old one or the new one, never a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(asdict(record), indent=1))
    draft.replace(path)


def read(path: Path) -> Record | None:
    """Return the record of the latest demo, or None when it has ended with everything it started."""
    try:
        saved = json.loads(path.read_text())
        roots = tuple(Process(**root) for root in saved.pop("roots"))
        return replace(Record(**{**saved, "demo": Process(**saved["demo"])}), roots=roots)
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
    ):  # none, or not one of ours: the marker alone would not tell more
        return None


def remove(path: Path) -> None:
    """Forget a demo of which nothing runs any more."""
    path.unlink(missing_ok=True)
