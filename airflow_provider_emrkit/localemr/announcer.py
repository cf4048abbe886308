"""News for whoever listens, told one after the other by a thread that holds no lock."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

T = TypeVar("T")


class Announcer(Generic[T]):
    """Tells listeners of news, in their order.

    Listeners may take their time and call this server's APIs. What they raise is logged.

    >>> announcer = Announcer[str]()
    >>> announcer.put("nobody hears this")
    """

    def __init__(self) -> None:
        self._listeners: list[Callable[[T], None]] = []
        self._waiting: queue.Queue[T] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="localemr-changes", daemon=True)

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    def subscribe(self, listener: Callable[[T], None]) -> None:
        """Add a listener, before the server is started."""
        self._listeners.append(listener)
        if not self._thread.is_alive():
            self._thread.start()

    def put(self, news: T) -> None:
        """Have news told; returns at once."""
        if self._listeners:
            self._waiting.put(news)

    def settle(self, seconds: float) -> bool:
        """Wait until listeners were told of everything so far; False when it took too long."""
        done = self._waiting.all_tasks_done
        with done:
            return done.wait_for(lambda: not self._waiting.unfinished_tasks, seconds)

    def _run(self) -> None:
        while True:
            news = self._waiting.get()
            for listener in self._listeners:
                self._tell(listener, news)
            self._waiting.task_done()

    def _tell(self, listener: Callable[[T], None], news: T) -> None:
        try:
            listener(news)
        except Exception:
            log.exception("a listener failed")
