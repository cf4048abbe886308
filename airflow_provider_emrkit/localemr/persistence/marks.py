"""Which places of S3 a request has changed, or may have."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.persistence.s3_store import BUCKET, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Marks:
    """Places noted while a request is answered, and those noted by nobody's request.

    A request is answered by one thread: what that thread notes meanwhile is the request's.

    :param on_others: Called when something is noted outside of requests.

    >>> marks = Marks()
    >>> with marks.of_request(reads_only=True) as noted:
    ...     marks.wrote(Place("object", "data", "a"))
    ...     marks.looked_at(Place("object", "data", "b"))
    >>> [place.name for place in noted.places()]
    ['a']
    """

    def __init__(self, on_others: Callable[[], None] = lambda: None) -> None:
        self._request = _Request()
        self._on_others = on_others
        self._lock = threading.Lock()
        self._others: dict[Place, None] = {}

    @contextlib.contextmanager
    def of_request(self, *, reads_only: bool) -> Iterator[Noted]:
        """Collect what is noted in this block.

        :param reads_only: What such a request looks at, it does not change.
        """
        self._request.noted = noted = Noted(reads_only)
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
            noted.written[place] = None

    def looked_at(self, place: Place) -> None:
        """Note that somebody holds what is there, and may change it."""
        noted = self._request.noted
        if noted is not None:
            noted.seen[place] = None

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


class Noted:
    """What one request has noted.

    >>> Noted(reads_only=True).places()
    []
    """

    def __init__(self, reads_only: bool) -> None:
        self._reads_only = reads_only
        self.written: dict[Place, None] = {}
        self.seen: dict[Place, None] = {}

    def places(self) -> list[Place]:
        """Give all places that may have changed."""
        if self._reads_only or not self.seen:
            return list(self.written)
        # Who writes to a bucket does not change its settings, which every request looks at.
        writes_objects = any(place.kind != BUCKET for place in self.written)
        seen = [place for place in self.seen if not (writes_objects and place.kind == BUCKET)]
        return list(dict.fromkeys([*self.written, *seen]))


class _Request(threading.local):
    noted: Noted | None = None
