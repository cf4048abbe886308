"""Tells a try that begins from one that Airflow runs once more from its start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit._compat import task_state_store
from airflow_provider_emrkit.deployment import deployment
from airflow_provider_emrkit.exceptions import SubmitRefusedError
from airflow_provider_emrkit.runs.token import RunToken

if TYPE_CHECKING:
    from airflow_provider_emrkit._compat import Context

KEY = "emrkit_begun"
# What Airflow's API answers about a task instance that it has replaced, or that must not run any more.
_REPLACED = (404, 409, 410)


def run_token(ti: Any) -> RunToken:
    """Give the identity of the try that is at work.

    :param ti: The task instance, ``context["ti"]``.
    """
    map_index = -1 if ti.map_index is None else ti.map_index
    return RunToken(
        ti.dag_id,
        ti.run_id,
        ti.task_id,
        map_index,
        ti.max_tries,
        ti.try_number,
        deployment=deployment(),
    )


def has_begun(context: Context, token: RunToken, log: Any) -> bool:
    """Tell whether this try, or one before it in its generation, may have submitted its job.

    A first try has nobody before it, and asks EMR for nothing. But a scheduler under load has been seen to
    take the end of a task's deferral for its failure, and then to run the same try again from its start, with
    the same number. From Airflow 3.3 on a task instance can leave a note for that case; before, a first try
    is believed to be one.

    :param log: The task's log.
    """
    if token.try_number > 1:
        return True
    store = task_state_store(context)
    try:
        return store is not None and store.get(KEY) == token.generation
    except Exception as error:
        log.warning("Airflow did not tell whether this try has run before (%s); EMR is asked.", error)
        return True


def note_begun(context: Context, token: RunToken, log: Any) -> None:
    """Leave the note, before the job is submitted.

    The same load may make a scheduler start a try and replace it at once, so that its worker goes on for the
    few seconds until its next heartbeat. Airflow then knows neither its notes nor where to leave a new one.

    :param log: The task's log.
    :raises SubmitRefusedError: when Airflow has replaced this try.
    """
    store = task_state_store(context)
    try:
        if store is not None:
            store.set(KEY, token.generation)
    except Exception as error:
        if _status_code(error) in _REPLACED:
            raise SubmitRefusedError(
                f"Airflow does not know try {token.try_number} of this task any more, as it has replaced it "
                "by another one; nothing was submitted, the other one sees to the job"
            ) from error
        log.warning("Airflow could not note that this try has begun: %s", error)


def _status_code(error: Exception) -> int | None:
    """Give the HTTP status that Airflow's API answered with, as the task SDK hands it on."""
    detail = getattr(getattr(error, "error", None), "detail", None)
    return detail.get("status_code") if isinstance(detail, dict) else None
