"""What a worker is stopped for: a user's wish to end the task, or the end of the worker alone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_emrkit._compat import CAN_ASK_IN_A_THREAD, is_tried_out, read_task_state

if TYPE_CHECKING:
    from collections.abc import Callable

OnKill = Literal["cancel", "leave"]

# States of a task that still wants its job: it runs as far as Airflow knows, or is to be tried again.
WANTS_ITS_JOB = frozenset({"running", "queued", "scheduled", "up_for_retry", "up_for_reschedule", "deferred"})

# A running task that a user clears: it is to run again from the start, and two must not run at once.
CLEARED = "restarting"

ASKED_LATER = "only the task's own code can ask Airflow what it is stopped for, when its present call is done"


class Stopping:
    """Whether a task is being stopped, and whether its job is to end with it.

    The signal that stops a worker is the same when a user marks or clears the task, or fails the DAG run, and
    when the worker itself is to go: a node that is drained, a deployment. Only Airflow can tell them apart,
    by the task's state, and where it does not answer the job is safer left alone: the task's next try goes on
    with it. On Airflow 3.0 and 3.1 the code that a signal has interrupted has to ask itself, when it goes on;
    where it does not get to it before the worker is gone, the job is left alone too.

    :param task_instance: The task instance; None where there is none to ask for, so that the job ends.
    :param on_kill: ``leave`` when a user's wish to end the task does not end its job either; that the task
        is cleared, and so to run again, does.
    :param ask: Gives the state of a task instance, or None when it has none; by default asks Airflow.
    :param in_a_thread: Whether a thread may ask while the task's own code is talking to Airflow; by
        default what is true of this Airflow.

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
        in_a_thread: bool | None = None,
    ) -> None:
        self._task_instance = task_instance
        self._ask = ask or read_task_state
        self._in_a_thread = CAN_ASK_IN_A_THREAD if in_a_thread is None else in_a_thread
        self._begun = False
        self._judged = False
        self._log_of_unasked: Any = None
        # Two, because the handler of a signal must not wait for what the code that it interrupts waits for:
        # that may hold the event's lock.
        self._for_the_handler = threading.Event()
        self._for_the_task = threading.Event()
        self._wish = "on_kill is 'leave'" if on_kill == "leave" else ""
        self.why = ""

    @property
    def leaves(self) -> bool:
        """Whether the task is being stopped and its job goes on."""
        return bool(self.why)

    def is_set(self) -> bool:
        """Whether the task is being stopped, and it is known what for. May ask Airflow.

        Like :meth:`wait` and :meth:`settle` for the task's own code alone.
        """
        log = self._log_of_unasked
        if log is not None:
            self._log_of_unasked = None  # before it asks: a stop that begins meanwhile is asked for once more
            self._conclude(log)
        return self._judged

    def wait(self, seconds: float) -> bool:
        """Wait some seconds; gives True as soon as the task is being stopped, and it is known what for."""
        return self._for_the_task.wait(seconds) and self.is_set()

    def expect(self, seconds: float) -> bool:
        """Wait in the handler of a signal until the stop is judged.

        :return: False also, and at once, where the interrupted code has to go on before it can be.
        """
        return self._for_the_handler.wait(seconds) and self._log_of_unasked is None

    def judge(self, log: Any) -> None:
        """Find out what the task is stopped for, or leave that to the task's own code.

        Blocks: it asks Airflow.

        :param log: The task's log.
        """
        self._begun = True
        if self._in_a_thread:
            self._conclude(log)
        else:
            self.why = self.why if self._judged else ASKED_LATER
            self._log_of_unasked = log
        self._for_the_handler.set()
        self._for_the_task.set()

    def look(self, log: Any) -> None:
        """Ask Airflow once whether a user has ended the task, which nobody may have told its worker yet.

        For the task's own code, before it hands its job on. Airflow tells a worker with the next heartbeat,
        seconds later, and takes no deferral of such a task: nobody would have its job then.

        :param log: The task's log.
        """
        if self._begun or self._task_instance is None or is_tried_out(self._task_instance):
            return
        try:
            state = self._ask(self._task_instance)
        except Exception as error:
            log.debug("Airflow could not be asked whether the task is to go on: %s", error)
            return
        if state is not None and state not in WANTS_ITS_JOB:
            self._begun, self._judged = True, True
            self.why = self._reason_in(state)
            self._for_the_handler.set()
            self._for_the_task.set()

    def settle(self, seconds: float) -> None:
        """Wait until a stop that has begun is judged; one that can't be is no reason to end the job."""
        if self._begun and not self.wait(seconds):
            self.why = self.why or "Airflow has not said what the task is stopped for"

    def _conclude(self, log: Any) -> None:
        self.why = self._reason_to_leave(log)
        self._judged = True

    def _reason_to_leave(self, log: Any) -> str:
        if self._task_instance is None:
            return self._wish
        try:
            state = self._ask(self._task_instance)
        except Exception as error:
            log.warning("Airflow could not be asked what the task is stopped for: %s", error, exc_info=True)
            return self._wish or "Airflow could not be asked what the task is stopped for"
        return self._reason_in(state)

    def _reason_in(self, state: str | None) -> str:
        """Give why the job of a task in a state goes on; empty for one that ends."""
        if state == CLEARED:
            return ""
        if state in WANTS_ITS_JOB:
            return self._wish or f"the worker is stopped, the task is {state}"
        return self._wish
