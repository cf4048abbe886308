"""What deferrable operators do about long waits for an application: leave them, and go on after them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_emrkit.applications.awaited import Awaited, LeftWaits
from airflow_provider_emrkit.exceptions import RunTimedOutError, SubmitRefusedError
from airflow_provider_emrkit.operators.timing import execution_deadline
from airflow_provider_emrkit.runs.outcome import retyped
from airflow_provider_emrkit.triggers.application import EmrApplicationTrigger

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from airflow_provider_emrkit._compat import BaseOperator, Context


def leave(
    task: BaseOperator, context: Context, awaited: Awaited, emrkit_conn_id: str, region: str
) -> NoReturn:
    """Defer a task until an application has changed; its ``execute_again`` then does its work anew.

    :param task: The operator.
    :param awaited: What is waited for.
    :param region: AWS region.
    """
    deadline = execution_deadline(context["ti"], task.execution_timeout, awaited.deadline)
    trigger = EmrApplicationTrigger(replace(awaited, deadline=deadline).to_dict(), emrkit_conn_id, region)
    task.defer(trigger=trigger, method_name="execute_again")
    raise AssertionError("Airflow has not deferred the task")


def taken_up(event: Mapping[str, Any], execution_timeout: timedelta | None) -> LeftWaits:
    """Give what is known of a task's waits when its trigger has ended.

    :param event: The trigger's payload.
    :raises RunTimedOutError: when the task's time is up.
    :raises EmrKitError: when the trigger could not watch the application; the type says why.
    """
    awaited = Awaited.from_dict(event["awaited"])
    # Airflow may have taken long to go on.
    is_late = awaited.deadline is not None and time.time() >= awaited.deadline
    if event["state"] == "timeout" or is_late:
        raise RunTimedOutError(
            f"the task waited longer than execution_timeout ({execution_timeout}): {event['message']}"
        )
    if event["state"] == "error":
        error, said = retyped(event["error"], event["message"], SubmitRefusedError)
        raise error(said)
    return LeftWaits(awaited, event["seen"])
