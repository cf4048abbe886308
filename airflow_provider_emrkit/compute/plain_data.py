"""Specs made of plain data, as files hold it, with errors that name the place in the file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from airflow_provider_emrkit.frozen import FrozenSpec
from airflow_provider_emrkit.validation import InvalidValueError

S = TypeVar("S", bound=FrozenSpec)

# Makes a part of a spec: called with the file, the place in it, and what is there.
Maker = Callable[[str, str, Any], Any]

NOTHING: Mapping[str, Any] = MappingProxyType({})


def made(
    kind: type[S],
    owner: str,
    where: str,
    data: Any,
    parts: Mapping[str, Maker] = NOTHING,
    known: Mapping[str, Any] = NOTHING,
) -> S:
    """Make a spec of a mapping of its fields.

    :param owner: The file, for errors.
    :param where: The place in the file, for errors.
    :param data: What the file holds there.
    :param parts: How fields that are specs themselves are made.
    :param known: Fields that are known already, and can't be in the file.
    :raises InvalidValueError: naming the place, when a field is unknown, missing or can't be right.

    >>> from airflow_provider_emrkit.compute.managed_scaling import ManagedScaling
    >>> made(ManagedScaling, "pools.yaml", "scaling", {"minimum": 1, "maximum": 9})
    ManagedScaling(minimum=1, maximum=9)
    """
    given = dict(as_mapping(owner, where, data))
    _check_fields(kind, owner, where, given, known)
    for name, make in parts.items():
        if given.get(name) is not None:
            given[name] = make(owner, f"{where}.{name}", given[name])
    try:
        return kind(**given, **known)
    except InvalidValueError as error:
        raise error.moved(owner, f"{where}.{error.field}") from None


def as_mapping(owner: str, where: str, data: Any) -> Mapping[Any, Any]:
    """Check that a place in a file holds names with values."""
    if not isinstance(data, Mapping):
        problem = f"is of type {type(data).__name__}"
        raise InvalidValueError(owner, where, data, problem, "write an object: names with their values")
    return data


def _check_fields(
    kind: type[FrozenSpec], owner: str, where: str, given: Mapping[str, Any], known: Mapping[str, Any]
) -> None:
    fields = [field for field in dataclasses.fields(kind) if field.name not in known]  # type: ignore[arg-type]
    allowed = [field.name for field in fields]
    for key in given:
        if key not in allowed:
            raise InvalidValueError(owner, where, key, "is not known", allowed=allowed)
    for field in fields:
        needed = field.default is field.default_factory is dataclasses.MISSING
        if needed and field.name not in given:
            raise InvalidValueError(owner, where, field.name, "is missing", "add it")
