"""Tells a try that begins from one that Airflow runs once more from its start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit._compat import task_state_store

if TYPE_CHECKING:
    from airflow_provider_emrkit._compat import Context
    from airflow_provider_emrkit.runs.token import RunToken

KEY = "emrkit_begun"


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

    :param log: The task's log.
    """
    store = task_state_store(context)
    try:
        if store is not None:
            store.set(KEY, token.generation)
    except Exception as error:
        log.warning("Airflow could not note that this try has begun: %s", error)
