"""Jinja templates inside plain data: seen when a DAG is parsed, filled in when its task runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def is_template(value: object) -> bool:
    """Tell whether a value is text that Jinja still has to render, so that nobody can judge it yet."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def map_strings(spec: T, function: Callable[[str], str]) -> T:
    """Give back the same data with every string passed through a function.

    Goes through frozen dataclasses (rebuilt, so that their validation runs on the new values), mappings
    (keys too), lists and tuples; whatever else is inside is kept as it is.

    :param spec: A spec such as ``SparkJob``, or anything it is made of.
    :param function: Called once for each string, for example with
        ``jinja_env.from_string(text).render(context)``.
    :return: ``spec`` itself when no string changed.
    :raises InvalidValueError: when a rendered value is not allowed.
    :raises ValueError: when two keys of one mapping become the same.

    >>> from airflow_provider_emrkit.jobs.spark_job import SparkJob
    >>> map_strings(SparkJob("jobs/{{ job }}.py"), lambda text: text.replace("{{ job }}", "sales"))
    SparkJob(entry_point='jobs/sales.py')
    """
    mapped: Any = _mapped(spec, function)
    return spec if mapped == spec else mapped


def _mapped(value: Any, function: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return function(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
        return type(value)(**{name: _mapped(old, function) for name, old in fields.items()})
    if isinstance(value, Mapping):
        return _mapped_mapping(value, function)
    if isinstance(value, (list, tuple)):
        return type(value)(_mapped(item, function) for item in value)
    return value


def _mapped_mapping(value: Mapping[Any, Any], function: Callable[[str], str]) -> dict[Any, Any]:
    mapped: dict[Any, Any] = {}
    for key, item in value.items():
        new_key = _mapped(key, function)
        if new_key in mapped:
            raise ValueError(
                f"two keys became {new_key!r} when they were rendered; give them different names"
            )
        mapped[new_key] = _mapped(item, function)
    return mapped
