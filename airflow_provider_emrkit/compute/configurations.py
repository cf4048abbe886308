"""EMR's configuration classifications: ``spark-defaults``, ``yarn-site`` and the like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_emrkit.frozen import FrozenMapping
from airflow_provider_emrkit.templating import is_template
from airflow_provider_emrkit.validation import (
    InvalidValueError,
    check_mapping,
    check_sendable,
    check_sequence,
    check_text,
)

Configurations = Sequence[Mapping[str, Any]] | Mapping[str, Mapping[str, Any]]

# Of EMR Serverless: properties of a classification, and characters of one.
MAX_PROPERTIES = 100
MAX_PROPERTY = 1_024

KEYS = ("Classification", "Properties", "Configurations")


def checked_configurations(owner: str, field: str, value: Any) -> tuple[FrozenMapping[Any], ...]:
    """Check configurations and give them in EMR's shape.

    :param value: EMR's list of ``{"Classification", "Properties", "Configurations"}``, or a plain mapping of
        property mappings by classification. Numbers and switches become strings, as EMR takes nothing else.
    :raises InvalidValueError: naming the place, when they are neither.
    """
    if isinstance(value, Mapping):
        plain = check_mapping(owner, field, value)
        value = [{"Classification": name, "Properties": properties} for name, properties in plain.items()]
    items = check_sequence(owner, field, value)
    return tuple(_configuration(owner, f"{field}[{index}]", item) for index, item in enumerate(items))


def checked_serverless_configurations(owner: str, field: str, value: Any) -> tuple[FrozenMapping[Any], ...]:
    """Check configurations for EMR Serverless, and give them in EMR's shape.

    :param value: See :func:`checked_configurations`; also EMR Serverless' own list of ``{"classification",
        "properties", "configurations"}``.
    :raises InvalidValueError: naming the place, when they are neither, or beyond EMR Serverless' limits.
    """
    checked = checked_configurations(owner, field, in_title_case(value))
    for index, item in enumerate(checked):
        where, properties = f"{field}[{index}] ({item['Classification']})", item["Properties"]
        if len(properties) > MAX_PROPERTIES:
            mend = f"EMR Serverless takes {MAX_PROPERTIES} of a classification"
            raise InvalidValueError(owner, where, len(properties), "properties are too many", mend)
        for key, text in properties.items():
            if len(text) > MAX_PROPERTY and not is_template(text):
                problem = f"characters are more than the {MAX_PROPERTY:,} that EMR Serverless takes"
                raise InvalidValueError(owner, f"{where}[{key!r}]", len(text), problem, "shorten it")
    return checked


def _configuration(owner: str, field: str, value: Any) -> FrozenMapping[Any]:
    given = check_mapping(owner, field, value)
    for key in given:
        if key not in KEYS:
            raise InvalidValueError(owner, field, key, "is not known", allowed=KEYS)
    name = check_text(owner, f"{field}.Classification", given.get("Classification"))
    checked: dict[str, Any] = {"Classification": name}
    checked["Properties"] = _properties(owner, f"{field} ({name})", given.get("Properties", {}))
    if given.get("Configurations"):
        nested = f"{field}.Configurations"
        checked["Configurations"] = checked_configurations(owner, nested, given["Configurations"])
    return FrozenMapping(checked)


def _properties(owner: str, field: str, value: Any) -> dict[str, str]:
    checked = {}
    for key, item in check_mapping(owner, field, value).items():
        text = str(item).lower() if isinstance(item, bool) else item
        text = str(text) if isinstance(text, (int, float)) else text
        checked[key] = check_sendable(owner, f"{field}[{key!r}]", text, secret=True)
    return checked


def in_title_case(value: Any) -> Any:
    """Write configurations of EMR Serverless, whose keys begin with a small letter, as EMR writes them.

    >>> in_title_case([{"classification": "spark-defaults", "properties": {}}])
    [{'Classification': 'spark-defaults', 'Properties': {}}]
    """
    return _renamed(value, {key.lower(): key for key in KEYS})


def in_lower_case(value: Any) -> Any:
    """Write configurations of EMR as EMR Serverless writes them; the reverse of :func:`in_title_case`."""
    return _renamed(value, {key: key.lower() for key in KEYS})


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(value, (list, tuple)):
        return value
    return [
        {names.get(key, key): _renamed(inner, names) for key, inner in item.items()}
        if isinstance(item, Mapping)
        else item
        for item in value
    ]


def with_properties(
    configurations: Sequence[Mapping[str, Any]], classification: str, properties: Mapping[str, str]
) -> list[Mapping[str, Any]]:
    """Give configurations with properties added to a classification, unless one of them is set already."""
    position = None
    for index, configuration in enumerate(configurations):
        if configuration["Classification"] == classification:
            if properties.keys() & configuration["Properties"].keys():
                return list(configurations)
            position = index
    merged = list(configurations)
    if position is None:
        return [*merged, {"Classification": classification, "Properties": dict(properties)}]
    merged[position] = {
        **merged[position],
        "Properties": {**merged[position]["Properties"], **properties},
    }
    return merged


def with_defaults(
    configurations: Sequence[Mapping[str, Any]], defaults: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Give configurations with what they do not say themselves taken from others, also in nested ones.

    :param configurations: What was asked for; each property that is set here stays.
    :param defaults: What is added: properties that are not set, classifications that are not there.
    """
    merged = list(configurations)
    for default in defaults:
        name = default["Classification"]
        places = [index for index, item in enumerate(merged) if item["Classification"] == name]
        if not places:
            merged.append(default)
            continue
        taken = {key for index in places for key in merged[index].get("Properties", ())}
        first = merged[places[0]]
        added = {key: value for key, value in default.get("Properties", {}).items() if key not in taken}
        filled = {**first, "Properties": {**first.get("Properties", {}), **added}}
        nested = with_defaults(first.get("Configurations", ()), default.get("Configurations", ()))
        merged[places[0]] = {**filled, "Configurations": nested} if nested else filled
    return merged


def properties_of(configurations: Any, *path: str) -> dict[str, str] | None:
    """Read the properties of a classification; None where there is no such one.

    It takes what came from EMR, or from nobody who was checked, and reads what is well formed.

    :param path: The classification, below those that it is nested in.

    >>> docker = {"Classification": "docker", "Properties": {"docker.binary": "/usr/bin/docker"}}
    >>> executor = {"Classification": "container-executor", "Configurations": [docker]}
    >>> properties_of([executor], "container-executor", "docker")
    {'docker.binary': '/usr/bin/docker'}
    """
    name, *below = path
    items = configurations if isinstance(configurations, (list, tuple)) else ()
    found: dict[str, str] | None = None
    for item in items:
        if not isinstance(item, Mapping) or item.get("Classification") != name:
            continue
        given = properties_of(item.get("Configurations"), *below) if below else item.get("Properties") or {}
        if isinstance(given, Mapping):
            texts = {key: text for key, text in given.items() if isinstance(text, str)}
            found = {**(found or {}), **texts}
    return found
