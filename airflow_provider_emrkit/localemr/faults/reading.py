"""Faults as JSON: an object of kind → fault, or a list of them.

A fault is an object of its fields. A text, a number or ``true`` stands for one of which only the main field,
or none, is given: ``{"throttle": "ListSteps", "slow_start": 30, "quotas": true}``.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.faults.api_kinds import Quotas
from airflow_provider_emrkit.localemr.faults.checks import MOST, InvalidFaultError
from airflow_provider_emrkit.localemr.faults.kinds import KINDS
from airflow_provider_emrkit.localemr.faults.model import OWN_SERVICES, Fault, RequestFault
from airflow_provider_emrkit.localemr.faults.operations import matching_operations, services

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def read_file(path: Path | None) -> list[Fault]:
    """Read a file of faults; none when there is no file.

    :raises InvalidFaultError: when it can't be right; the message names the file.
    """
    if path is None:
        return []
    try:
        return read_text(path.read_bytes())
    except InvalidFaultError as error:
        raise error.below(f"{path}") from error
    except OSError as error:
        raise InvalidFaultError(f"{path}", error.strerror, "a file that can be read") from error


def read_text(text: bytes | str) -> list[Fault]:
    """Read a JSON text.

    :raises InvalidFaultError: when it can't be right.

    >>> read_text('{"throttle": {"operation": "ListSteps", "times": 2}}')[0].times
    2
    """
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        start = text if isinstance(text, str) else text.decode(errors="replace")
        raise InvalidFaultError("faults", start, "JSON") from None
    return read(given)


def read(given: Any) -> list[Fault]:
    """Read what was JSON.

    :raises InvalidFaultError: when it can't be right.
    """
    if not isinstance(given, dict):
        raise InvalidFaultError(
            "faults", given, 'a JSON object of kind → fault, like {"throttle": "ListSteps"}'
        )
    faults = [fault for kind, value in given.items() for fault in _of_kind(kind, value)]
    if len(faults) > MOST:
        raise InvalidFaultError("faults", len(faults), f"at most {MOST} of them")
    return faults


def as_json(faults: Iterable[Fault]) -> dict[str, Any]:
    """Give faults in the form :func:`read` takes."""
    found: dict[str, list[dict[str, Any]]] = {}
    for fault in faults:
        found.setdefault(fault.kind, []).append(fault_fields(fault))
    return {kind: items[0] if len(items) == 1 else items for kind, items in found.items()}


def fault_fields(fault: Fault) -> dict[str, Any]:
    """Give the fields of a fault that are not as they are when nothing is said."""
    values = {item.name: (getattr(fault, item.name), item.default) for item in fields(fault)}
    return {name: value for name, (value, default) in values.items() if value != default}


def _of_kind(kind: str, value: Any) -> list[Fault]:
    if kind not in KINDS:
        raise InvalidFaultError("faults", kind, f"one of {', '.join(KINDS)}")
    if not isinstance(value, list):
        return [_fault(KINDS[kind], kind, value)]
    return [_fault(KINDS[kind], f"{kind}[{number}]", item) for number, item in enumerate(value)]


def _fault(kind: type[Fault], where: str, value: Any) -> Fault:
    given = _as_object(kind, where, value)
    known = {item.name: item for item in fields(kind)}
    for name in given:
        if name not in known:
            raise InvalidFaultError(where, name, f"fields among {', '.join(known)}")
    for name, item in known.items():
        if item.default is MISSING and given.get(name) is None:
            raise InvalidFaultError(f"{where}.{name}", None, item.metadata["check"].allowed)
    try:
        fault = kind(**given)
        _check_names(fault)
    except InvalidFaultError as error:
        raise error.below(where) from error
    return fault


def _as_object(kind: type[Fault], where: str, value: Any) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    if value is True:
        return {}
    main = None
    if isinstance(value, str):
        main = kind.text_field
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        main = kind.number_field
    if main is None:
        raise InvalidFaultError(where, value, _short_forms(kind))
    return {main: value}


def _short_forms(kind: type[Fault]) -> str:
    forms = [f"its {kind.text_field} as a text"] if kind.text_field else []
    forms += [f"its {kind.number_field} as a number"] if kind.number_field else []
    return ", ".join(["an object of its fields", *forms, "or true"])


def _check_names(fault: Fault) -> None:
    """Refuse services and operations that don't exist: such a fault would never strike.

    :raises InvalidFaultError: when there is none of the name.
    """
    if isinstance(fault, (RequestFault, Quotas)) and fault.service and not services(fault.service):
        raise InvalidFaultError(
            "service", fault.service, "botocore's name of a service, such as emr, s3 or logs"
        )
    if not isinstance(fault, RequestFault) or fault.operation is None:
        return
    among = services(fault.service) if fault.service else OWN_SERVICES
    if not matching_operations(among, fault.operation):
        place = fault.service or " or ".join(OWN_SERVICES)
        mend = "" if fault.service else ", or say which service's it is with service"
        raise InvalidFaultError("operation", fault.operation, f"an operation of {place}{mend}")
