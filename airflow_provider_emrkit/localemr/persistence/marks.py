"""Which places of S3 a request has changed, or may have."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_emrkit.localemr.persistence.s3_store import Place


class Marks:
    """Places noted while a request is answered, and those noted by nobody's request.

    A request is answered by one thread: what that thread notes meanwhile is the request's.

    :param on_others: Called when something is noted outside of requests.

    >>> marks = Marks()
    >>> with marks.of_request(reads_only=True) as noted:
    ...     marks.wrote(Place("object", "data", "a"))
    ...     marks.looked_at(Place("object", "data", "b"))
    >>> [place.name for place in noted]
    ['a']
    """

    def __init__(self, on_others: Callable[[], None] = lambda: None) -> None:
        self._request = _Request()
        self._on_others = on_others
        self._lock = threading.Lock()
        self._others: dict[Place, None] = {}

    @contextlib.contextmanager
    def of_request(self, *, reads_only: bool) -> Iterator[dict[Place, None]]:
        """Collect what is noted in this block.

        :param reads_only: What such a request looks at, it does not change.
        """
        noted: dict[Place, None] = {}
        self._request.noted, self._request.reads_only = noted, reads_only
        try:
            yield noted
        finally:
            self._request.noted = None

    def wrote(self, place: Place) -> None:
        """Note that a place has changed."""
        noted = self._request.noted
        if noted is None:
            self.later([place])
        else:
            noted[place] = None

    def looked_at(self, place: Place) -> None:
        """Note that somebody holds what is there, and may change it."""
        noted = self._request.noted
        if noted is not None and not self._request.reads_only:
            noted[place] = None

    def later(self, places: Iterable[Place]) -> None:
        """Put places among those of no request."""
        with self._lock:
            self._others.update(dict.fromkeys(places))
        self._on_others()

    def take_others(self) -> list[Place]:
        """Give the places noted outside of requests, and forget them."""
        with self._lock:
            places = list(self._others)
            self._others.clear()
            return places


class _Request(threading.local):
    noted: dict[Place, None] | None = None
    reads_only: bool = False
