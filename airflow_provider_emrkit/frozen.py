"""Plain data that can't change once it is made: the base of every spec a DAG author writes.

Airflow deep-copies operators, pickles some and prints their template fields by ``repr``; what is here
survives all three.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

V = TypeVar("V")

SECRET_NAME = re.compile(r"passw|passphrase|secret|token|credential|key", re.IGNORECASE)
HIDDEN = "***"


class FrozenMapping(Mapping[str, V]):
    """A mapping that can be hashed, copied and pickled, but not changed.

    (``types.MappingProxyType`` can be neither copied nor pickled.) Its ``repr`` hides the values of keys
    whose names look secret.

    :param items: What it holds; copied, and everything nested in it is frozen as well.

    >>> FrozenMapping({"spark.executor.cores": "4", "DB_PASSWORD": "hunter2"})
    {'spark.executor.cores': '4', 'DB_PASSWORD': '***'}
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, V] | None = None) -> None:
        self._items: dict[str, V] = {key: freeze(value) for key, value in (items or {}).items()}

    def __getitem__(self, key: str) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr({key: _Shown(_shown(key, value)) for key, value in self._items.items()})

    def __reduce__(self) -> tuple[type[FrozenMapping[V]], tuple[dict[str, V]]]:
        return FrozenMapping, (dict(self._items),)


class _Shown(str):
    """Text that prints itself without quotes inside the ``repr`` of a dict."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _shown(key: str, value: object) -> str:
    return repr(HIDDEN) if SECRET_NAME.search(str(key)) and isinstance(value, str) else repr(value)


class FrozenSpec:
    """Base of the frozen dataclasses; its ``repr`` shows only what differs from the defaults."""

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in changed_fields(self).items())
        return f"{type(self).__name__}({shown})"

    def _set(self, name: str, value: object) -> None:
        """Store a normalised value from ``__post_init__``, where the dataclass is frozen already."""
        object.__setattr__(self, name, value)


def changed_fields(spec: Any) -> dict[str, Any]:
    """Give the fields of a dataclass that differ from their defaults, in the order of the class."""
    changed = {}
    for field in dataclasses.fields(spec):
        value = getattr(spec, field.name)
        factory = field.default_factory
        default = field.default if factory is dataclasses.MISSING else factory()
        if default is dataclasses.MISSING or value != default:
            changed[field.name] = value
    return changed


def freeze(value: Any) -> Any:
    """Turn mappings and lists, however deep, into their unchangeable forms."""
    if isinstance(value, FrozenMapping):
        return value
    if isinstance(value, Mapping):
        return FrozenMapping(value)
    if isinstance(value, (list, tuple)):
        return tuple(freeze(item) for item in value)
    return value


def thaw(value: Any) -> Any:
    """Turn frozen data into fresh dicts and lists, as boto3 and ``json`` take them.

    Specs become dicts of their changed fields.
    """
    if isinstance(value, FrozenSpec):
        return thaw(changed_fields(value))
    if isinstance(value, Mapping):
        return {key: thaw(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [thaw(item) for item in value]
    return value
