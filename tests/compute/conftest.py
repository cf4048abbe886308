from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def emr_accepts() -> Callable[[str, dict[str, Any]], None]:
    """Check a request against botocore's model of an EMR operation, as boto3 does before it sends one."""
    from botocore.session import Session
    from botocore.validate import ParamValidator

    model = Session().get_service_model("emr")

    def check(operation: str, request: dict[str, Any]) -> None:
        report = ParamValidator().validate(request, model.operation_model(operation).input_shape)
        assert not report.has_errors(), report.generate_report()

    return check
