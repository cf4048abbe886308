"""Records as JSON texts, and back; a record of an older or newer localemr is read as far as it is known."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

T = TypeVar("T")


class RecordJson:
    """Writes and reads dataclasses whose values are JSON's own, times, or dataclasses again.

    Values are judged by the names of their fields, never by what they look like: requests may hold any text.

    :param times: Fields that hold a time.
    :param parts: Fields that hold other dataclasses, and what makes them of plain data.
    :param left_out: Fields that are not written.

    >>> RecordJson(times={"created"}).write(Failure(reason="Unknown Error."))  # doctest: +SKIP
    '{"reason": "Unknown Error."}'
    """

    def __init__(
        self,
        *,
        times: Collection[str],
        parts: Mapping[str, Callable[[Any], Any]] | None = None,
        left_out: Collection[str] = (),
    ) -> None:
        self._times = frozenset(times)
        self._parts = dict(parts or {})
        self._left_out = frozenset(left_out)

    def write(self, record: object) -> str:
        """Write a record."""
        return json.dumps(self._plain(record), default=self._plain)

    def read(self, kind: type[T], text: str) -> T:
        """Read a record.

        :raises ValueError: when the text is not JSON, or a value can't be what it says it is.
        :raises TypeError: when the record lacks something it can't be without.
        """
        return self.make(kind, json.loads(text))

    def make(self, kind: type[T], data: Mapping[str, Any]) -> T:
        """Make a record of plain data; see :meth:`read`."""
        known = set(self._names(kind))
        return kind(**{name: self._value(name, value) for name, value in data.items() if name in known})

    def _names(self, kind: Any) -> list[str]:
        return [item.name for item in fields(kind) if item.name not in self._left_out]

    def _plain(self, value: object) -> object:
        if isinstance(value, datetime):
            return value.isoformat()
        if is_dataclass(value):
            return {name: getattr(value, name) for name in self._names(value)}
        raise TypeError(f"a record can't hold {type(value).__name__}")

    def _value(self, name: str, value: Any) -> Any:
        if value is None:
            return None
        if name in self._times:
            return datetime.fromisoformat(value)
        return self._parts[name](value) if name in self._parts else value
