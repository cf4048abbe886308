"""The REST-JSON protocol for any service that botocore has a model of.

The model decides which method and path mean which operation, which members of a request stand in its path,
query and body, and which status an error has. Checks and values are those of
:mod:`airflow_provider_emrkit.localemr.aws_json`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import botocore.loaders
from botocore.model import ListShape, OperationModel, ServiceModel, Shape
from botocore.utils import parse_timestamp

from airflow_provider_emrkit.localemr.aws_json import ApiError, check, from_json, json_object, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONTENT_TYPE = "application/json"

_LABEL = re.compile(r"\{(\w+)\+?\}")
_MISSING = object()


@dataclass(frozen=True)
class RestRequest:
    """One request, before its operation is known.

    :param path: As it was sent, with its escapes: a member in a path may hold slashes.
    :param query: As it was sent.

    >>> RestRequest("GET", "/applications").query
    ''
    """

    method: str
    path: str
    query: str = ""
    body: bytes = b""


@dataclass(frozen=True)
class _Route:
    """Method and path of one operation; a part of the path is a literal, or the name of a member."""

    operation: str
    method: str
    parts: tuple[tuple[str, bool], ...]

    def match(self, method: str, parts: Sequence[str]) -> dict[str, str] | None:
        if method != self.method or len(parts) != len(self.parts):
            return None
        labels = {}
        for (expected, is_label), given in zip(self.parts, parts, strict=True):
            if is_label:
                labels[expected] = unquote(given)
            elif expected != given:
                return None
        return labels


class RestJson:
    """Reads requests and writes responses of one service.

    :param service: botocore's name of the service, e.g. ``emr-serverless``.

    >>> RestJson("emr-serverless").read(RestRequest("GET", "/applications", "maxResults=5"))
    ('ListApplications', {'maxResults': 5})
    """

    def __init__(self, service: str) -> None:
        loaded = botocore.loaders.create_loader().load_service_model(service, "service-2")
        self.model = ServiceModel(loaded, service)
        self._routes = [_route(self.operation(name)) for name in self.model.operation_names]
        # A literal is meant before a member is.
        self._routes.sort(key=lambda route: sum(is_label for _, is_label in route.parts))

    def operation(self, name: str) -> OperationModel:
        """Give an operation of the model."""
        return self.model.operation_model(name)

    def read(self, request: RestRequest) -> tuple[str, dict[str, Any]]:
        """Find out which operation is meant, and parse and check its parameters.

        Members that the model does not know and nulls are left out, as AWS does; timestamps become aware
        datetimes.

        :raises ApiError: ``UnknownOperationException`` for a path that is none, ``SerializationException``
            for what can't be parsed, ``ValidationException`` for the rest.
        """
        operation, labels = self._match(request)
        shape = self.operation(operation).input_shape
        if shape is None:
            return operation, {}
        in_body = [name for name, member in shape.members.items() if not _location(member)]
        params = json_object(request.body) if in_body else {}
        params = {name: value for name, value in params.items() if name in in_body}
        for name, member in shape.members.items():
            value = _elsewhere(member, name, request, labels)
            if value is not _MISSING:
                params[name] = value
        params = from_json(shape, params)
        check(shape, params)
        return operation, params

    def _match(self, request: RestRequest) -> tuple[str, dict[str, str]]:
        parts = request.path.strip("/").split("/")
        for route in self._routes:
            labels = route.match(request.method, parts)
            if labels is not None:
                return route.operation, labels
        raise ApiError(
            "UnknownOperationException", f"There is no operation {request.method} {request.path[:200]}", 404
        )

    def write(self, operation: str, output: Mapping[str, Any]) -> bytes:
        """Write an operation's result; members that are None or unknown to the model are left out."""
        return to_json(self.operation(operation).output_shape, output)

    def status(self, error: ApiError) -> int:
        """Give the HTTP status of an error: the model's, where it knows the error."""
        known = {shape.name: shape.metadata for shape in self.model.error_shapes}
        told = known.get(error.code, {}).get("error", {}).get("httpStatusCode")
        return int(told or error.status)


def error_body(error: ApiError) -> bytes:
    """Write an error's body; its code is sent in a header."""
    return json.dumps({"message": error.message}).encode()


def _route(operation: OperationModel) -> _Route:
    path = operation.http["requestUri"].partition("?")[0]
    parts = []
    for text in path.strip("/").split("/"):
        label = _LABEL.fullmatch(text)
        parts.append((label[1], True) if label else (text, False))
    return _Route(operation.name, operation.http["method"], tuple(parts))


def _location(member: Shape) -> str:
    return str(member.serialization.get("location", ""))


def _elsewhere(member: Shape, name: str, request: RestRequest, labels: Mapping[str, str]) -> Any:
    """Give the value of a member that stands in the path or the query."""
    place, wire_name = _location(member), member.serialization.get("name", name)
    if place == "uri":
        return _typed(member, labels[wire_name], name)
    pairs = parse_qsl(request.query, keep_blank_values=True) if place == "querystring" else []
    values = [value for key, value in pairs if key == wire_name]
    if not values:
        return _MISSING
    if isinstance(member, ListShape):
        return [_typed(member.member, value, name) for value in values]
    return _typed(member, values[-1], name)


def _typed(shape: Shape, text: str, name: str) -> Any:
    """Read a text as what the model says it is.

    :raises ApiError: ``SerializationException``.
    """
    try:
        if shape.type_name in ("integer", "long"):
            return int(text)
        if shape.type_name == "boolean":
            return {"true": True, "false": False}[text.lower()]
        if shape.type_name == "timestamp":
            return _time(text)
    except (ValueError, KeyError, OverflowError, RuntimeError) as error:
        raise ApiError(
            "SerializationException", f"'{text[:200]}' is no {shape.type_name}, as {name} must be"
        ) from error
    return text


def _time(text: str) -> datetime:
    # It raises RuntimeError for what no clock can show.
    found: datetime = parse_timestamp(text)
    # A time that UTC has not, so near the end of all times, fails here and not where it is compared.
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
