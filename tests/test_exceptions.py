"""The errors' family tree, that they survive a journey, and that docs/errors.md tells the truth of them."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emrkit import EmrSparkOperator, ExistingCluster, SparkJob, exceptions
from airflow_provider_emrkit._compat import AIRFLOW_VERSION, AirflowException
from airflow_provider_emrkit.exceptions import (
    AccessDeniedError,
    BootstrapError,
    CapacityError,
    ClusterFailedError,
    ClusterLostError,
    EmrKitError,
    NotFoundError,
    RunError,
    RunFailedError,
    SubmitRefusedError,
    UserCodeError,
)
from airflow_provider_emrkit.logs.causes import Cause

DOCUMENT = (Path(__file__).parents[1] / "docs" / "errors.md").read_text()
ERRORS: dict[str, type[EmrKitError]] = {
    name: value
    for name, value in vars(exceptions).items()
    if isinstance(value, type) and issubclass(value, EmrKitError)
}
BLOCKS = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)


def test_all_can_be_caught_as_one_and_as_airflow_s():
    assert len(ERRORS) > 20
    assert all(issubclass(error, EmrKitError) for error in ERRORS.values())
    assert issubclass(EmrKitError, AirflowException)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        pytest.param("ThrottledError", {SubmitRefusedError}, id="throttled"),
        pytest.param("QuotaError", {SubmitRefusedError}, id="quota"),
        pytest.param("ExistingRunError", {SubmitRefusedError}, id="existing run"),
        pytest.param("SubmitDeniedError", {SubmitRefusedError, AccessDeniedError}, id="denied submission"),
        pytest.param("ComputeNotFoundError", {SubmitRefusedError, NotFoundError}, id="no cluster"),
        pytest.param("LeaseDeniedError", {SubmitRefusedError, AccessDeniedError}, id="denied lease"),
        pytest.param("LeasePlaceError", {SubmitRefusedError, NotFoundError}, id="no place for the lease"),
        pytest.param("JobDeniedError", {RunFailedError, AccessDeniedError}, id="denied job"),
        pytest.param("JobNotFoundError", {RunFailedError, NotFoundError}, id="no path"),
        pytest.param("OutOfMemoryError", {RunFailedError}, id="memory"),
        pytest.param("DockerError", {RunFailedError}, id="docker"),
        pytest.param("CapacityError", {ClusterFailedError}, id="capacity"),
        pytest.param("BootstrapError", {ClusterFailedError}, id="bootstrap"),
        pytest.param("ClusterLostError", {RunError}, id="cluster lost"),
        pytest.param("RunNotFoundError", {RunError, NotFoundError}, id="listed no more"),
        pytest.param("RunTimedOutError", {RunError}, id="timed out"),
        pytest.param("RunLeftError", {RunError}, id="left"),
    ],
)
def test_what_is_what(name, kinds):
    families = {SubmitRefusedError, RunFailedError, ClusterFailedError, AccessDeniedError, NotFoundError}
    error = ERRORS[name]
    assert all(issubclass(error, kind) for kind in kinds)
    assert not any(issubclass(error, other) for other in families - kinds)


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_an_error_reaches_another_process_with_all_it_carries(name):
    cause = Cause("ValueError: no day", "python", "stderr", 7, hint="check the day", about="memory")
    error = pickle.loads(pickle.dumps(ERRORS[name]("j-1 failed: no day", cause=cause)))
    assert (type(error), str(error), error.cause) == (ERRORS[name], "j-1 failed: no day", cause)


def rows() -> dict[str, list[str]]:
    """The table's rows by the error they are about."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in DOCUMENT.splitlines()]
    return {match[1]: row for row in cells if len(row) == 4 and (match := re.search(r"`(\w+)`", row[0]))}


def test_the_document_has_every_error_and_no_other():
    assert set(rows()) == set(ERRORS) - {"EmrKitError"}


@pytest.mark.parametrize("name", sorted(set(ERRORS) - {"EmrKitError"}))
def test_document_and_docstring_say_whether_a_retry_helps(name):
    error = ERRORS[name]
    assert rows()[name][3] == ("yes" if error.retryable else "no")
    said = re.sub(r"\s+", " ", error.__doc__ or "")
    helps = "a retry helps" in said or "a retry may help" in said
    assert helps is error.retryable or name == "RunError"


def block(word: str) -> dict[str, Any]:
    """Run the code of the document that has a word in it, and give its names."""
    names: dict[str, Any] = {}
    exec(compile(next(text for text in BLOCKS if word in text), "errors.md", "exec"), names)
    return names


@pytest.mark.skipif(AIRFLOW_VERSION.release < (3, 3), reason="Airflow has retry policies from 3.3 on")
@pytest.mark.parametrize(
    ("error", "by_attribute", "by_type"),
    [
        pytest.param(CapacityError("none left"), "default", ("retry", 900), id="capacity"),
        pytest.param(ClusterLostError("spot"), "default", ("retry", 5), id="cluster lost"),
        pytest.param(UserCodeError("ValueError"), "fail", ("fail", None), id="user code"),
        pytest.param(BootstrapError("action 1"), "fail", ("fail", None), id="bootstrap"),
        pytest.param(OSError("disk full"), "default", ("default", None), id="not emrkit's"),
    ],
)
def test_the_document_s_retry_policies(error, by_attribute, by_type):
    policy = block("(RetryPolicy)")["RetryWhereItHelps"]()
    assert policy.evaluate(error, 1, 3).action.value == by_attribute
    decision = block("ExceptionRetryPolicy(")["policy"].evaluate(error, 1, 3)
    delay = decision.retry_delay.total_seconds() if decision.retry_delay else None
    assert (decision.action.value, delay) == by_type


@pytest.mark.parametrize("method", ["execute", "execute_complete"])
@pytest.mark.parametrize(
    ("error", "final"),
    [
        pytest.param(UserCodeError("ValueError"), True, id="user code"),
        pytest.param(CapacityError("none left"), False, id="capacity"),
    ],
)
def test_the_document_s_way_on_older_airflow(method, error, final, monkeypatch):
    def fail(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr(EmrSparkOperator, method, fail)
    operator = block("AirflowFailException(")["RetryWhereItHelpsOperator"](
        task_id="load", job=SparkJob("s3://code/job.py"), compute=ExistingCluster("j-1ABCDEFGHIJKL")
    )
    arguments = [{}] if method == "execute" else [{}, {}]
    with pytest.raises(AirflowException) as raised:
        getattr(operator, method)(*arguments)
    assert (type(raised.value).__name__ == "AirflowFailException") is final
    assert final or raised.value is error
