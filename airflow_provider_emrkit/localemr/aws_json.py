"""The awsJson1.1 protocol for any service that botocore has a model of.

Requests are checked against the service model the way AWS does it before an operation sees them, and
responses are written from plain dicts: the model, not code, decides names, types and time formats.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import botocore.loaders
from botocore.model import (
    ListShape,
    MapShape,
    OperationModel,
    ServiceModel,
    Shape,
    StringShape,
    StructureShape,
)
from botocore.validate import ParamValidator

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENT_TYPE = "application/x-amz-json-1.1"

_JAVA_SURROGATES = re.compile(r"\\uD800\\uDC00-\\uDBFF\\uDFFF")


class ApiError(Exception):
    """An error as an AWS client sees it.

    :param code: The error's code, e.g. ``ValidationException``.
    :param message: Text for the user.
    :param status: HTTP status. EMR answers 400 to nearly everything.

    >>> ApiError("ValidationException", "Specified job flow ID not valid.").code
    'ValidationException'
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class AwsJson:
    """Reads requests and writes responses of one service.

    :param service: botocore's name of the service, e.g. ``emr``.

    >>> AwsJson("emr").read("ListSteps", b'{"ClusterId": "j-1"}')
    {'ClusterId': 'j-1'}
    """

    def __init__(self, service: str) -> None:
        loaded = botocore.loaders.create_loader().load_service_model(service, "service-2")
        self.model = ServiceModel(loaded, service)
        self._operations = frozenset(self.model.operation_names)

    def operation(self, name: str) -> OperationModel:
        """Find an operation.

        :raises ApiError: ``UnknownOperationException`` when the model has no operation of that name.
        """
        if name not in self._operations:
            raise ApiError("UnknownOperationException", f"The operation {name!r} is not known")
        return self.model.operation_model(name)

    def read(self, operation: str, body: bytes) -> dict[str, Any]:
        """Parse and check a request's body.

        Members that the model does not know and nulls are left out, as AWS does; timestamps become aware
        datetimes.

        :raises ApiError: ``SerializationException`` for what is no JSON object, ``ValidationException`` for
            the rest.
        """
        shape = self.operation(operation).input_shape
        params = json_object(body)
        if shape is None:
            return {}
        params = from_json(shape, params)
        check(shape, params)
        return params

    def write(self, operation: str, output: Mapping[str, Any]) -> bytes:
        """Write an operation's result; members that are None or unknown to the model are left out."""
        return to_json(self.operation(operation).output_shape, output)


def error_body(error: ApiError) -> bytes:
    """Write an error's body."""
    return json.dumps({"__type": error.code, "Message": error.message}).encode()


def json_object(body: bytes) -> dict[str, Any]:
    """Parse a request's body.

    :raises ApiError: ``SerializationException`` for what is no JSON object.
    """
    try:
        value = json.loads(body or b"{}", parse_constant=_refuse_constant)
        if b"\\u" in body:
            # Half a surrogate pair is no text: kept, it would break every answer that shows it.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ApiError("SerializationException", "The request's body is not valid JSON") from error
    if not isinstance(value, dict):
        raise ApiError("SerializationException", "The request's body must be a JSON object")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def from_json(shape: Shape, params: Mapping[str, Any]) -> dict[str, Any]:
    """Give a request's parameters as the model has them; what it doesn't know is left out.

    :raises ApiError: ``SerializationException`` for a time that is none.
    """
    try:
        return {**_from_wire(shape, params)}
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise ApiError("SerializationException", f"The request could not be read: {error}") from error


def check(shape: Shape, params: Mapping[str, Any]) -> None:
    """Check parameters against the model.

    :raises ApiError: ``ValidationException``.
    """
    report = ParamValidator().validate(params, shape)
    if report.has_errors():
        raise ApiError("ValidationException", report.generate_report())
    problems = constraint_problems(shape, params)
    if problems:
        plural = "error" if len(problems) == 1 else "errors"
        detail = "; ".join(problems)
        raise ApiError("ValidationException", f"{len(problems)} validation {plural} detected: {detail}")


def to_json(shape: Shape | None, output: Mapping[str, Any]) -> bytes:
    """Write a result; members that are None or unknown to the model are left out."""
    value = {} if shape is None else _to_wire(shape, output)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _from_wire(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        members = shape.members
        known = {name: item for name, item in value.items() if name in members and item is not None}
        return {name: _from_wire(members[name], item) for name, item in known.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_from_wire(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {name: _from_wire(shape.value, item) for name, item in value.items()}
    if shape.type_name == "timestamp" and not isinstance(value, datetime):
        return _time(value)
    return value


def _time(value: Any) -> datetime:
    # botocore's check would take a text for a time too.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"'{str(value)[:200]}' is no timestamp")
    return datetime.fromtimestamp(value, timezone.utc)


def _to_wire(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        members = shape.members
        return {
            name: _to_wire(members[name], item)
            for name, item in value.items()
            if name in members and item is not None
        }
    if isinstance(shape, ListShape):
        return [_to_wire(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {name: _to_wire(shape.value, item) for name, item in value.items()}
    if isinstance(value, datetime):
        return round(value.timestamp(), 3)
    return value


def constraint_problems(shape: Shape, value: Any, path: str = "") -> list[str]:
    """List what a value breaks of the enums, lengths and patterns, which botocore's check skips."""
    if isinstance(shape, StructureShape):
        return [
            problem
            for name, item in value.items()
            for problem in constraint_problems(
                shape.members[name], item, _join(path, name[0].lower() + name[1:])
            )
        ]
    if isinstance(shape, ListShape):
        nested = [
            problem
            for index, item in enumerate(value, start=1)
            for problem in constraint_problems(shape.member, item, f"{path}.{index}.member")
        ]
        return _too_long(shape, value, path) + nested
    if isinstance(shape, MapShape):
        nested = [
            problem
            for name, item in value.items()
            for problem in [
                *constraint_problems(shape.key, name, f"{path}.key"),
                *constraint_problems(shape.value, item, f"{path}.{name}.member"),
            ]
        ]
        return _too_long(shape, value, path) + nested
    if isinstance(shape, StringShape):
        return _string_problems(shape, value, path)
    return _too_large(shape, value, path)


def _string_problems(shape: StringShape, value: str, path: str) -> list[str]:
    if shape.enum and value not in shape.enum:
        return [_problem(value, path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")]
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(_python_pattern(pattern), value, re.DOTALL):
        return [_problem(value, path, f"Member must satisfy regular expression pattern: {pattern}")]
    return _too_long(shape, value, path)


def _python_pattern(pattern: str) -> str:
    # Java writes characters beyond the BMP as pairs of surrogates; in Python they are characters of their
    # own.
    return _JAVA_SURROGATES.sub(lambda _: r"\U00010000-\U0010FFFF", pattern)


def _too_long(shape: Shape, value: Any, path: str) -> list[str]:
    limit = shape.metadata.get("max")
    if limit is None or len(value) <= limit:
        return []
    return [_problem(value, path, f"Member must have length less than or equal to {limit}")]


def _too_large(shape: Shape, value: Any, path: str) -> list[str]:
    limit = shape.metadata.get("max")
    if shape.type_name not in ("integer", "long") or limit is None or value <= limit:
        return []
    return [_problem(value, path, f"Member must have value less than or equal to {limit}")]


def _problem(value: Any, path: str, constraint: str) -> str:
    shown = str(value)
    if len(shown) > 200:
        shown = shown[:200] + "…"
    return f"Value '{shown}' at '{path}' failed to satisfy constraint: {constraint}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
