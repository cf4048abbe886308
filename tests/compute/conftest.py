from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def emr_accepts() -> Callable[[str, dict[str, Any]], None]:
    """Check a request against botocore's model of an EMR operation, as boto3 does before it sends one."""
    return _accepting("emr")


@pytest.fixture(scope="session")
def serverless_accepts() -> Callable[[str, dict[str, Any]], None]:
    """Check a request against botocore's model of EMR Serverless, also its patterns, lengths and words.

    boto3 leaves those to the server.
    """
    from model_problems import problems

    accepts, operations = _accepting("emr-serverless"), _model("emr-serverless")

    def check(operation: str, request: dict[str, Any]) -> None:
        accepts(operation, request)
        assert list(problems(operations.operation_model(operation).input_shape, request)) == []
        assert list(_out_of_bounds(operations.operation_model(operation).input_shape, request)) == []

    return check


def _model(service: str) -> Any:
    from botocore.session import Session

    return Session().get_service_model(service)


def _accepting(service: str) -> Callable[[str, dict[str, Any]], None]:
    from botocore.validate import ParamValidator

    model = _model(service)

    def check(operation: str, request: dict[str, Any]) -> None:
        report = ParamValidator().validate(request, model.operation_model(operation).input_shape)
        assert not report.has_errors(), report.generate_report()

    return check


def _out_of_bounds(shape: Any, value: Any, path: str = "") -> Any:
    """List the lengths, sizes and patterns that a request breaks."""
    import re

    size = value if isinstance(value, int) else len(value)
    limits = shape.metadata
    if not limits.get("min", size) <= size <= limits.get("max", size):
        yield f"{path}: {size} is out of bounds"
    if shape.type_name == "string" and not re.fullmatch(limits.get("pattern", ".*"), value, re.DOTALL):
        yield f"{path}: {value!r} does not match {limits['pattern']}"
    if shape.type_name == "structure":
        for name, item in value.items():
            yield from _out_of_bounds(shape.members[name], item, f"{path}.{name}")
    elif shape.type_name == "list":
        for number, item in enumerate(value):
            yield from _out_of_bounds(shape.member, item, f"{path}[{number}]")
    elif shape.type_name == "map":
        for name, item in value.items():
            yield from _out_of_bounds(shape.key, name, f"{path} key")
            yield from _out_of_bounds(shape.value, item, f"{path}[{name}]")
