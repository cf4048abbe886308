"""What a worker is stopped for: a user's wish to end the task, or the end of the worker alone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_emrkit._compat import read_task_state

if TYPE_CHECKING:
    from collections.abc import Callable

OnKill = Literal["cancel", "leave"]

# States of a task that still wants its job: it runs as far as Airflow knows, or is to be tried again.
WANTS_ITS_JOB = frozenset({"running", "queued", "scheduled", "up_for_retry", "up_for_reschedule", "deferred"})


class Stopping:
    """Whether a task is being stopped, and whether its job is to end with it.

    The signal that stops a worker is the same when a user marks or clears the task, or fails the DAG run, and
    when the worker itself is to go: a node that is drained, a deployment. Only Airflow can tell them apart,
    by the task's state, and where it does not answer the job is safer left alone: the task's next try goes on
    with it.

    :param task_instance: The task instance; None where there is none to ask for, so that the job ends.
    :param on_kill: ``leave`` when a user's wish to end the task does not end its job either.
    :param ask: Gives the state of a task instance, or None when it has none; by default asks Airflow.

    >>> stopping = Stopping(context["ti"])  # doctest: +SKIP
    >>> stopping.judge(self.log)  # doctest: +SKIP
    >>> stopping.leaves  # doctest: +SKIP
    False
    """

    def __init__(
        self,
        task_instance: Any,
        on_kill: OnKill = "cancel",
        ask: Callable[[Any], str | None] | None = None,
    ) -> None:
        self._task_instance = task_instance
        self._on_kill = on_kill
        self._ask = ask or read_task_state
        self._begun = False
        self._judged = threading.Event()
        self.why = ""

    @property
    def leaves(self) -> bool:
        """Whether the task is being stopped and its job goes on."""
        return bool(self.why)

    def is_set(self) -> bool:
        """Whether the task is being stopped, and it is known what for."""
        return self._judged.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait some seconds; gives True as soon as the task is being stopped, and it is known what for."""
        return self._judged.wait(seconds)

    def judge(self, log: Any) -> None:
        """Find out what the task is stopped for. Blocks: it asks Airflow.

        :param log: The task's log.
        """
        self._begun = True
        self.why = self._reason_to_leave(log)
        self._judged.set()

    def settle(self, seconds: float) -> None:
        """Wait until a stop that has begun is judged; one that can't be is no reason to end the job."""
        if self._begun and not self._judged.wait(seconds):
            self.why = self.why or "Airflow has not said what the task is stopped for"

    def _reason_to_leave(self, log: Any) -> str:
        if self._on_kill == "leave":
            return "on_kill is 'leave'"
        if self._task_instance is None:
            return ""
        try:
            state = self._ask(self._task_instance)
        except Exception as error:
            log.warning("Airflow could not be asked what the task is stopped for: %s", error, exc_info=True)
            return "Airflow could not be asked what the task is stopped for"
        if state in WANTS_ITS_JOB:
            return f"the worker is stopped, the task is {state}"
        return ""
