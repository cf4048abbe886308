"""Which operation of which service a request asks for, found with botocore's models."""

from __future__ import annotations

import functools
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, parse_qsl

import botocore.loaders
from botocore.model import ServiceModel

from airflow_provider_emrkit.localemr.faults.model import matches

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from _typeshed.wsgi import WSGIEnvironment
    from botocore.model import OperationModel

    from airflow_provider_emrkit.localemr.http import Scope

# Services whose requests are signed with another name than botocore's.
_BY_SIGNATURE = {"elasticmapreduce": "emr", "monitoring": "cloudwatch", "states": "stepfunctions"}
_EMR_TARGET = "ElasticMapReduce."
_FORM = "application/x-www-form-urlencoded"
_MAX_FORM = 1024 * 1024
_PLACEHOLDER = re.compile(r"\{(\w+)(\+?)\}")


@dataclass(frozen=True)
class Asked:
    """What a request asks for; empty texts for what can't be told.

    :param service: botocore's name of the service.
    :param operation: Name of the operation.
    """

    service: str
    operation: str


def asked_for(scope: Scope, environ: WSGIEnvironment) -> Asked:
    """Tell what a request asks for.

    :param environ: Its ``wsgi.input`` may be replaced by one that gives the same body.
    """
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    service = _BY_SIGNATURE.get(scope.service, scope.service)
    if target.startswith(_EMR_TARGET):
        service = "emr"
    if target:
        return Asked(service, target.rpartition(".")[2])
    if not service:
        return Asked("", "")
    return Asked(service, _form_action(environ) or _by_path(service, environ))


def services(pattern: str) -> list[str]:
    """Give botocore's services whose name fits a pattern."""
    return [name for name in _all_services() if matches(name, pattern)]


def matching_operations(among: Iterable[str], pattern: str) -> list[str]:
    """Give the operations of services whose name fits a pattern."""
    return [name for service in among for name in _model(service).operation_names if matches(name, pattern)]


@functools.cache
def _all_services() -> list[str]:
    names: list[str] = botocore.loaders.create_loader().list_available_services("service-2")
    return names


@functools.lru_cache(maxsize=32)
def _model(service: str) -> ServiceModel:
    return ServiceModel(botocore.loaders.create_loader().load_service_model(service, "service-2"), service)


def _form_action(environ: WSGIEnvironment) -> str:
    """Find the ``Action`` of a request of the query protocol."""
    query = parse_qs(environ.get("QUERY_STRING", ""))
    length = environ.get("CONTENT_LENGTH") or ""
    is_form = environ.get("CONTENT_TYPE", "").startswith(_FORM) and length.isdecimal()
    if is_form and int(length) <= _MAX_FORM:
        body = environ["wsgi.input"].read(int(length))
        environ["wsgi.input"] = io.BytesIO(body)
        query = {**query, **parse_qs(body.decode("ascii", errors="replace"))}
    return str(query.get("Action", [""])[0])


@dataclass(frozen=True)
class _Route:
    """One operation of a REST service.

    :param path: What its path looks like.
    :param literals: How many characters of the path are given.
    :param query: Words of the query it must have.
    :param headers: Headers it must have, as WSGI names them.
    """

    name: str
    method: str
    path: re.Pattern[str]
    literals: int
    query: frozenset[str]
    headers: frozenset[str]

    def fits(self, environ: WSGIEnvironment, words: Collection[str]) -> bool:
        """Tell whether a request is one of this operation."""
        return (
            environ.get("REQUEST_METHOD") == self.method
            and self.query <= set(words)
            and all(name in environ for name in self.headers)
            and self.path.fullmatch(environ.get("PATH_INFO", "")) is not None
        )

    @property
    def exactness(self) -> tuple[int, int]:
        """How much it asks for: of several that fit, the one that asks for most is meant."""
        return len(self.query) + len(self.headers), self.literals


def _by_path(service: str, environ: WSGIEnvironment) -> str:
    words = {f"{key}={value}" for key, value in _query(environ)} | {key for key, _ in _query(environ)}
    fitting = [route for route in _routes(service) if route.fits(environ, words)]
    return max(fitting, key=lambda route: route.exactness).name if fitting else ""


def _query(environ: WSGIEnvironment) -> list[tuple[str, str]]:
    return parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)


@functools.lru_cache(maxsize=32)
def _routes(service: str) -> tuple[_Route, ...]:
    if service not in _all_services():
        return ()
    model = _model(service)
    if not model.protocol.startswith("rest"):
        return ()
    return tuple(_route(model.operation_model(name)) for name in model.operation_names)


def _route(operation: OperationModel) -> _Route:
    path, _, query = str(operation.http["requestUri"]).partition("?")
    # botocore shows which operation it means where the path does not tell: that is no condition.
    words = {word for word in query.split("&") if word and not word.startswith("x-id=")}
    shape = operation.input_shape
    needed = {name: shape.members[name].serialization for name in shape.required_members} if shape else {}
    words |= {item["name"] for item in needed.values() if item.get("location") == "querystring"}
    headers = {item["name"] for item in needed.values() if item.get("location") == "header"}
    literals = _PLACEHOLDER.sub("", path)
    return _Route(
        name=operation.name,
        method=str(operation.http["method"]),
        path=re.compile(_path_pattern(path), re.DOTALL),
        literals=len(literals),
        query=frozenset(words),
        headers=frozenset(f"HTTP_{name.upper().replace('-', '_')}" for name in headers),
    )


def _path_pattern(path: str) -> str:
    """Turn a path of the model into a regular expression; a slash at the end makes no difference."""
    parts, position = [], 0
    for found in _PLACEHOLDER.finditer(path):
        parts += [re.escape(path[position : found.start()]), ".+" if found[2] else "[^/]+"]
        position = found.end()
    parts.append(re.escape(path[position:]))
    return "".join(parts).rstrip("/") + "/?"
