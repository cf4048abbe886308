"""The one seam between Airflow 2.10 and 3.3: nothing else of this package imports from ``airflow``.

Each branch says why it is there; it can go when the older side is no longer supported. Types come from the
3.x side.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow import __version__ as _airflow_version
from airflow.plugins_manager import AirflowPlugin
from airflow.triggers.base import BaseTrigger, TriggerEvent
from packaging.version import Version

# A release candidate counts as its release.
AIRFLOW_VERSION = Version(Version(_airflow_version).base_version)
AIRFLOW_V_3_0_PLUS = Version("3.0.0") <= AIRFLOW_VERSION
AIRFLOW_V_3_1_PLUS = Version("3.1.0") <= AIRFLOW_VERSION
AIRFLOW_V_3_2_PLUS = Version("3.2.0") <= AIRFLOW_VERSION
AIRFLOW_V_3_3_PLUS = Version("3.3.0") <= AIRFLOW_VERSION

# 3.0 moved what DAG authors and tasks use into the task SDK; the old places warn.
if TYPE_CHECKING or AIRFLOW_V_3_0_PLUS:
    from airflow.sdk import BaseOperator, BaseOperatorLink, BaseSensorOperator, Context, TaskGroup
    from airflow.sdk.execution_time.xcom import XCom
else:
    from airflow.models.baseoperator import BaseOperator
    from airflow.models.baseoperatorlink import BaseOperatorLink
    from airflow.models.xcom import XCom
    from airflow.utils.context import Context
    from airflow.utils.task_group import TaskGroup

    def __getattr__(name: str) -> Any:
        # It loads much that DAG files without sensors do without.
        if name != "BaseSensorOperator":
            raise AttributeError(name)
        from airflow.sensors.base import BaseSensorOperator

        return BaseSensorOperator


# 3.0 has no hook of its own in the SDK yet.
if TYPE_CHECKING or AIRFLOW_V_3_1_PLUS:
    from airflow.sdk import BaseHook
else:
    from airflow.hooks.base import BaseHook

# 3.0 keeps it in core.
if TYPE_CHECKING or AIRFLOW_V_3_1_PLUS:
    from airflow.sdk.definitions.context import render_template_to_string as render_to_text
else:
    from airflow.utils.helpers import render_template_to_string as render_to_text

# 3.0 and 3.1 keep these in core.
if TYPE_CHECKING or AIRFLOW_V_3_2_PLUS:
    from airflow.sdk.configuration import conf
    from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
else:
    from airflow.configuration import conf
    from airflow.exceptions import AirflowException, AirflowNotFoundException

# A triggerer of 2.x hands records to a task's handler past its filters, and so past what masks secrets.
if TYPE_CHECKING or AIRFLOW_V_3_0_PLUS:

    def _masked(text: str) -> str:
        return text

else:
    from airflow.utils.log.secrets_masker import redact as _masked

if TYPE_CHECKING:
    from datetime import datetime

# Whose lines those of jobs are in the logs of Airflow 3: the same in workers and triggerers, so that a line
# that both write is seen to be the same.
JOB_LOGGER = "airflow_provider_emrkit.job"

# A worker of 3.0 and 3.1 has one line to Airflow without a lock: two threads that ask at the same time get
# each other's answers. 2.x asks the database.
CAN_ASK_IN_A_THREAD = AIRFLOW_V_3_2_PLUS or not AIRFLOW_V_3_0_PLUS

__all__ = [
    "AIRFLOW_VERSION",
    "AIRFLOW_V_3_0_PLUS",
    "AIRFLOW_V_3_1_PLUS",
    "AIRFLOW_V_3_2_PLUS",
    "AIRFLOW_V_3_3_PLUS",
    "CAN_ASK_IN_A_THREAD",
    "JOB_LOGGER",
    "AirflowException",
    "AirflowNotFoundException",
    "AirflowPlugin",
    "BaseHook",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "BaseTrigger",
    "Context",
    "TaskGroup",
    "TriggerEvent",
    "XCom",
    "conf",
    "log_at",
    "push_xcom",
    "read_task_state",
    "render_to_text",
    "stored_argument",
    "stored_xcom",
    "task_guard",
    "task_state_store",
    "web_root",
]


def read_task_state(task_instance: Any) -> str | None:
    """Ask Airflow for the present state of a task instance. Blocks.

    Triggers call it in a thread; in a worker only the task's own code may, unless ``CAN_ASK_IN_A_THREAD``.

    :param task_instance: What the task has in its context, or the triggerer gave the trigger.
    :return: For example ``deferred``; None when it has no state or is gone.
    """
    state = (_state_from_sdk if AIRFLOW_V_3_0_PLUS else _state_from_database)(task_instance)
    return None if state is None else str(getattr(state, "value", state))


def is_tried_out(task_instance: Any) -> bool:
    """Tell whether a task instance is one of ``airflow tasks test`` of 2.x.

    Airflow sets no states of such a one, and has one trigger at most for it.
    """
    return getattr(task_instance, "test_mode", False) is True


def _state_from_sdk(task_instance: Any) -> Any:
    """On 3.x triggers have no database, they ask the execution API."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    states = RuntimeTaskInstance.get_task_states(
        dag_id=task_instance.dag_id,
        task_ids=[task_instance.task_id],
        run_ids=[task_instance.run_id],
        map_index=task_instance.map_index,
    )
    # The API names the instances of a mapped task <task id>_<map index>.
    mapped = task_instance.map_index is not None and task_instance.map_index >= 0
    key = f"{task_instance.task_id}_{task_instance.map_index}" if mapped else task_instance.task_id
    return states.get(task_instance.run_id, {}).get(key)


def _state_from_database(task_instance: Any) -> Any:
    """On 2.x there is no execution API, and triggers may use the database."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        return (
            session.query(TaskInstance.state)
            .filter_by(
                dag_id=task_instance.dag_id,
                task_id=task_instance.task_id,
                run_id=task_instance.run_id,
                map_index=task_instance.map_index,
            )
            .scalar()
        )


def push_xcom(task_instance: Any, key: str, value: Any) -> None:
    """Store an XCom of a task instance from its trigger, which has no ``xcom_push``. Blocks.

    A triggerer of 3.x hands it to the execution API, one of 2.x writes into the database.

    :param task_instance: What the triggerer gave the trigger.
    """
    XCom.set(
        key=key,
        value=value,
        dag_id=task_instance.dag_id,
        task_id=task_instance.task_id,
        run_id=task_instance.run_id,
        map_index=-1 if task_instance.map_index is None else task_instance.map_index,
    )


def stored_xcom(task_instance: Any, key: str) -> Any:
    """Read an XCom of a task instance where there is no task, in the web server. Asks the database.

    :param task_instance: It, or its key.
    :return: None when there is none.
    """
    from airflow.utils.session import create_session

    names = ("dag_id", "run_id", "task_id", "map_index")
    asked = {name: getattr(task_instance, name) for name in names}
    with create_session() as session:
        if not AIRFLOW_V_3_0_PLUS:
            return XCom.get_one(key=key, session=session, **asked)
        from airflow.models.xcom import XComModel
        from sqlalchemy import select

        row = session.scalar(select(XComModel).filter_by(key=key, **asked))
        return None if row is None else XCom.deserialize_value(row)


def stored_argument(task_instance: Any, name: str) -> Any:
    """Read an argument of a task instance where there is no task, in the web server. Asks the database.

    :param task_instance: It, or its key.
    :param name: A template field.
    :return: As it was rendered; of old task instances, whose rendered arguments Airflow has deleted, as it is
        in the DAG. None when it is not known.
    """
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.session import create_session

    with create_session() as session:
        rendered = RenderedTaskInstanceFields.get_templated_fields(task_instance, session=session)
        if rendered and name in rendered:
            return rendered[name]
        row = SerializedDagModel.get(task_instance.dag_id, session=session)
        task = row.dag.task_dict.get(task_instance.task_id) if row else None
    # A mapped task has the arguments that are the same for all aside.
    return getattr(task, "partial_kwargs", {}).get(name) or getattr(task, name, None)


def task_guard() -> Any:
    """Give what lets only those through to a page of the web server who may see the tasks of a DAG.

    :return: A dependency of FastAPI's on 3.x, a decorator of Flask's views on 2.x. Either takes the DAG from
        ``dag_id`` in the page's path.
    """
    return _fastapi_guard() if AIRFLOW_V_3_0_PLUS else _flask_guard()


def _fastapi_guard() -> Any:
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.core_api.security import requires_access_dag

    return requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE)


def _flask_guard() -> Any:
    from airflow.auth.managers.models.resource_details import (  # type: ignore[import-not-found,unused-ignore]
        DagAccessEntity,
    )
    from airflow.www.auth import has_access_dag  # type: ignore[import-not-found,unused-ignore]

    return has_access_dag("GET", DagAccessEntity.TASK_INSTANCE)


def web_root() -> str:
    """Give what links to pages of Airflow's web server begin with, so that they hold behind any proxy.

    The pages of 3.x say what links are relative to; those of 2.x do not, which takes the path of its
    ``base_url``.
    """
    if AIRFLOW_V_3_0_PLUS:
        return ""
    base_url = str(conf.get("webserver", "base_url", fallback=""))
    return urlsplit(base_url).path.rstrip("/") + "/"


def task_state_store(context: Context) -> Any:
    """Give what a task instance may keep for its own later runs; None before 3.3, which has no such thing.

    :param context: The task's context.
    :return: An object with ``get(key)`` and ``set(key, value)``, which ask Airflow's API.
    """
    return context.get("task_state_store") if AIRFLOW_V_3_3_PLUS else None


def log_at(log: Any, level: int, message: str, when: datetime) -> None:
    """Write a line to a task's log that carries another time than now.

    :param log: ``self.log`` of an operator or a trigger.
    :param level: A level of :mod:`logging`.
    :param message: The line; not a format string.
    :param when: The line's time, with a time zone.
    """
    if not isinstance(log, logging.Logger):
        log.log(level, "%s", message, timestamp=when.isoformat(), logger=JOB_LOGGER)
    elif AIRFLOW_V_3_0_PLUS:
        # 3.0's self.log is a standard logger whose lines are stamped with the present time by structlog.
        import structlog

        logger = structlog.get_logger(log.name)
        logger.log(level, "%s", message, timestamp=when.isoformat(), logger=JOB_LOGGER)
    elif log.isEnabledFor(level):
        record = log.makeRecord(log.name, level, "job", 0, "%s", (_masked(message),), None)
        record.created = when.timestamp()
        record.msecs = when.microsecond / 1000
        log.handle(record)
