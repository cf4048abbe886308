"""What tests of operators and triggers share: a task instance, connections to the local EMR, a log."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class FakeTaskInstance:
    dag_id: str = "sales"
    run_id: str = "manual__1"
    task_id: str = "load"
    map_index: int = -1
    try_number: int = 1
    max_tries: int = 0
    start_date: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    xcoms: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        json.dumps(value)
        self.xcoms[key] = value


@pytest.fixture
def ti() -> FakeTaskInstance:
    return FakeTaskInstance()


@pytest.fixture
def emrkit_connection(localemr_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The connections of somebody who works with the local EMR; gives the extra of the emrkit one."""
    from airflow_provider_emrkit.hooks.clients import forget_clients

    aws = {"conn_type": "aws", "login": "localemr", "password": "localemr"}
    extra = {
        "region_name": "us-east-1",
        "endpoint_url": localemr_server.endpoint_url,
        "staging_uri": "s3://staging/emrkit",
        "log_uri": "s3://staging/logs/",
    }
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws))
    monkeypatch.setenv("AIRFLOW_CONN_EMRKIT_DEFAULT", json.dumps({"conn_type": "emrkit", "extra": extra}))
    forget_clients()
    localemr_server.client("s3").create_bucket(Bucket="staging")
    yield extra
    forget_clients()


@pytest.fixture
def emr(localemr_server: Any) -> Any:
    return localemr_server.client("emr")


@pytest.fixture
def waiting_cluster(emr: Any) -> str:
    """A cluster of somebody else's, which waits for steps."""
    cluster_id: str = emr.run_job_flow(
        Name="team",
        ReleaseLabel="emr-7.11.0",
        LogUri="s3://staging/logs/",
        Instances={
            "InstanceCount": 1,
            "MasterInstanceType": "m5.xlarge",
            "KeepJobFlowAliveWhenNoSteps": True,
        },
        JobFlowRole="EMR_EC2_DefaultRole",
        ServiceRole="EMR_DefaultRole",
    )["JobFlowId"]
    wait_for(lambda: cluster_state(emr, cluster_id) == "WAITING")
    return cluster_id


def context(ti: FakeTaskInstance) -> Any:
    """What an operator is run with, in a DAG run that began five minutes ago."""
    started = datetime.now(timezone.utc) - timedelta(minutes=5)
    return {"ti": ti, "dag_run": SimpleNamespace(start_date=started)}


def deferred(operator: Any, ti: FakeTaskInstance, event: Any = None) -> Any:
    """The trigger that a task waits for, from its start on, or from what it has waited for before."""
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - TaskDeferred moved between versions
        operator.execute(context(ti)) if event is None else operator.execute_again(context(ti), event)
    assert hasattr(caught.value, "trigger"), caught.value
    trigger = caught.value.trigger
    trigger.task_instance = ti
    return trigger


def payload_of(trigger: Any) -> dict[str, Any]:
    """What a trigger tells in the end."""

    async def first_event() -> dict[str, Any]:
        return (await anext(trigger.run())).payload

    return asyncio.run(first_event())


def through_triggers(operator: Any, ti: FakeTaskInstance) -> tuple[Any, list[Any]]:
    """What a task gives in the end, and the triggers that it waited for on the way, each made anew."""
    triggers: list[Any] = []
    result, deferral = _begun(operator.execute, context(ti))
    while deferral is not None:
        _, kwargs = deferral.trigger.serialize()
        triggers.append(type(deferral.trigger)(**json.loads(json.dumps(kwargs))))
        triggers[-1].task_instance = ti
        event = json.loads(json.dumps(payload_of(triggers[-1])))
        result, deferral = _begun(getattr(operator, deferral.method_name), context(ti), event)
    return result, triggers


def _begun(method: Callable[..., Any], *args: Any) -> tuple[Any, Any]:
    """What a method gives, or Airflow's signal that the task is deferred."""
    try:
        return method(*args), None
    except BaseException as deferral:  # TaskDeferred moved between versions
        if not hasattr(deferral, "trigger"):
            raise
        return None, deferral


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.02)


def cluster_state(emr: Any, cluster_id: str) -> str:
    return str(emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"])


def step_state(emr: Any, cluster_id: str) -> str:
    return str(emr.list_steps(ClusterId=cluster_id)["Steps"][0]["Status"]["State"])


class Collected(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def lines(self) -> list[str]:
        return [record.getMessage() for record in self.records]


@pytest.fixture
def task_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collected]:
    """The task's log, by standard logging whichever the installed Airflow uses."""
    from airflow_provider_emrkit.operators.application import EmrApplicationStartOperator
    from airflow_provider_emrkit.operators.pool_care import EmrPoolOperator
    from airflow_provider_emrkit.operators.spark import EmrSparkOperator
    from airflow_provider_emrkit.sensors.pool import EmrPoolSensor
    from airflow_provider_emrkit.triggers.application import EmrApplicationTrigger
    from airflow_provider_emrkit.triggers.job_run import EmrJobRunTrigger
    from airflow_provider_emrkit.triggers.pool_care import EmrPoolTrigger

    log, collected = logging.getLogger("tests.task"), Collected()
    log.setLevel(logging.INFO)
    log.addHandler(collected)
    operators = (EmrSparkOperator, EmrPoolOperator, EmrPoolSensor, EmrApplicationStartOperator)
    triggers = (EmrJobRunTrigger, EmrPoolTrigger, EmrApplicationTrigger)
    for owner in (*operators, *triggers):
        monkeypatch.setattr(owner, "log", log, raising=False)
    monkeypatch.setattr("airflow_provider_emrkit._compat.AIRFLOW_V_3_0_PLUS", False)
    yield collected
    log.removeHandler(collected)
