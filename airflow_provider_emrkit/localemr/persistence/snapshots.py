"""When the services are written: a moment after a change, and never most of the time."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

log = logging.getLogger(__name__)

DELAY = 1.0
SHARE = 0.05


class Snapshots:
    """A thread that saves what has changed.

    :param save: Saves one thing by its name.
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
        self._lock = threading.Lock()
        self._changed: dict[str, None] = {}
        self._news = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="localemr-state", daemon=True)

    def start(self) -> None:
        """Begin to save in the background."""
        self._thread.start()

    def mark(self, names: Iterable[str]) -> None:
        """Note that things have changed."""
        with self._lock:
            self._changed.update(dict.fromkeys(names))
            # Not at each change: a thread that is woken up takes its time from the requests.
            if self._changed and not self._news.is_set():
                self._news.set()

    def close(self) -> None:
        """End the thread and save what is left. Idempotent."""
        self._closing.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join()
        self._save_changed()

    def _run(self) -> None:
        while self._news.wait() and not self._closing.wait(self._delay):
            started = time.monotonic()
            self._save_changed()
            self._closing.wait((time.monotonic() - started) * (1 / self._share - 1))

    def _save_changed(self) -> None:
        with self._lock:
            names = list(self._changed)
            self._changed.clear()
            self._news.clear()
        for name in names:
            self._save_one(name)

    def _save_one(self, name: str) -> None:
        try:
            self._save(name)
        except Exception:
            # The thread must go on: others are to be saved, too.
            log.exception("%s could not be saved", name)
