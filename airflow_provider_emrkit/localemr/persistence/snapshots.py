"""When the services are written: a moment after a change, and never most of the time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DELAY = 1.0
SHARE = 0.05


class Snapshots:
    """A thread that saves what has changed.

    :param save: Saves one thing by its name; it must not raise.
    :param delay: Seconds from a change to its save, so that several changes are one save.
    :param share: The part of the time that saving may take: after a slow save the next one waits longer.

    >>> snapshots = Snapshots(print, delay=0.0)
    >>> snapshots.mark(["sqs"])
    >>> snapshots.close()
    sqs
    """

    def __init__(self, save: Callable[[str], None], *, delay: float = DELAY, share: float = SHARE) -> None:
        self._save = save
        self._delay = delay
        self._share = share
        self._condition = threading.Condition()
        self._changed: dict[str, None] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="localemr-state", daemon=True)

    def start(self) -> None:
        """Begin to save in the background."""
        self._thread.start()

    def mark(self, names: Iterable[str]) -> None:
        """Note that things have changed."""
        with self._condition:
            self._changed.update(dict.fromkeys(names))
            if self._changed:
                self._condition.notify_all()

    def forget(self) -> None:
        """Leave out what has been noted so far."""
        with self._condition:
            self._changed.clear()

    def close(self) -> None:
        """End the thread and save what is left. Idempotent."""
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        self._save_changed()

    def _run(self) -> None:
        while self._wait_for_change():
            started = time.monotonic()
            self._save_changed()
            self._pause((time.monotonic() - started) * (1 / self._share - 1))

    def _wait_for_change(self) -> bool:
        with self._condition:
            self._condition.wait_for(lambda: self._changed or self._closing)
        self._pause(self._delay)
        return not self._closing

    def _pause(self, seconds: float) -> None:
        with self._condition:
            self._condition.wait_for(lambda: self._closing, seconds)

    def _save_changed(self) -> None:
        with self._condition:
            names = list(self._changed)
            self._changed.clear()
        for name in names:
            self._save(name)
