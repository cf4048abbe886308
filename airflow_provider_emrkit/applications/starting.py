"""Starts applications, and waits for what passes by itself."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.applications.awaited import ApplicationNotYet
from airflow_provider_emrkit.applications.resting import ENDED, RESTING_STATES
from airflow_provider_emrkit.applications.waiting import Waiting
from airflow_provider_emrkit.exceptions import ApplicationStartError, ComputeNotFoundError, EmrKitError
from airflow_provider_emrkit.logs.text import clean_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from airflow_provider_emrkit.applications.awaited import LeftWaits
    from airflow_provider_emrkit.applications.calls import ApplicationCalls

log = logging.getLogger(__name__)

# Seconds an application may take to start: workers that are to be kept ready take minutes.
LIMIT = 1_200.0
# How often it is asked to: its state may be shown late, and others may stop it again meanwhile.
_ASKED = 3


class Starting:
    """Starts applications.

    :param calls: The calls of a connection.
    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.
    :param limit: Seconds it may take.
    :param left: The waits of a deferrable task; None for one that waits on its worker.

    >>> Starting(calls, stop.wait).start("00f1abcdefgh2i0j")["state"]  # doctest: +SKIP
    'STARTED'
    """

    def __init__(
        self,
        calls: ApplicationCalls,
        pause: Callable[[float], bool],
        limit: float = LIMIT,
        left: LeftWaits | None = None,
    ) -> None:
        self._calls = calls
        self._pause = pause
        self._limit = limit
        self._left = left

    def start(self, application_id: str) -> Mapping[str, Any]:
        """Start an application, and give it when it is STARTED.

        One that the task has started is stopped when the task fails before it is STARTED, where nothing else
        would stop it. When Airflow stops the task, it is left: the next try, and others, may wait for the
        same start.

        :raises ApplicationStartError: when it does not start; EMR's words are in the message.
        :raises ComputeNotFoundError: when it was deleted.
        """
        with self._waiting("start") as waiting:
            try:
                return self._started(application_id, waiting)
            except (ApplicationNotYet, ComputeNotFoundError):
                raise
            except BaseException:  # the end of the task, too
                self._give_up(application_id, waiting)
                raise

    def _started(self, application_id: str, waiting: Waiting) -> Mapping[str, Any]:
        # The state that it came to rest from; a trigger may have seen that.
        before = "STARTING" if waiting.came_to("STARTING") in RESTING_STATES else ""
        refusal = ""
        while True:
            application = self._calls.describe(application_id)
            state = application["state"]
            if state == "STARTED":
                return application
            if state == ENDED:
                raise ComputeNotFoundError(f"application {application_id} was deleted")
            if state in RESTING_STATES:
                # EMR tells why a start has failed; else others have stopped what had started meanwhile.
                has_failed = before == "STARTING" and application.get("stateDetails")
                if has_failed or waiting.asked >= _ASKED:
                    raise ApplicationStartError(_not_started(application, refusal))
                waiting.asked += 1
                refusal = self._calls.start(application_id)
                log.info("Application %s is %s", application_id, refusal or "started")
            elif waiting.is_time_to_say():
                log.info("Application %s is %s; waiting until it is STARTED", application_id, state)
            before = state
            # What came of a start that was just asked for is seen here: it may be at rest again at once.
            seen = None if state in RESTING_STATES else application
            if not waiting.goes_on(f"application {application_id} is {state}, and to be started", seen):
                raise ApplicationStartError(_not_started(application, f"not within {waiting.seconds:.0f} s"))

    def _give_up(self, application_id: str, waiting: Waiting) -> None:
        """See that what a failed task has started is not billed for ever, and say how it ends."""
        try:
            application = self._calls.describe(application_id)
            if application["state"] not in {*RESTING_STATES, ENDED, "STOPPING"}:
                log.warning("Application %s %s", application_id, self._end_of(application, waiting))
        except EmrKitError as error:
            log.warning("It is not known whether application %s stops by itself: %s", application_id, error)

    def _end_of(self, application: Mapping[str, Any], waiting: Waiting) -> str:
        application_id, stop = application["applicationId"], application.get("autoStopConfiguration", {})
        left = f"is left as it is, {application['state']}"
        if stop.get("enabled", True):
            return (
                f"{left}: it stops by itself after {stop.get('idleTimeoutMinutes')} minutes without a job run"
            )
        # A drain stops the task as a user does, and must not end what the next try goes on with.
        if not waiting.asked or waiting.task_is_stopped() or self._calls.has_active_runs(application_id):
            return f"{left}, and does not stop by itself: EmrApplicationStopOperator stops it"
        refusal = self._calls.stop(application_id)
        if refusal:
            return f"{left}, and does not stop by itself: {refusal}"
        return "is stopped: this task has started it, does not wait for it any more, and nothing else would"

    def pass_by(self, application: Mapping[str, Any], states: Collection[str]) -> Mapping[str, Any]:
        """Give an application when it is in other states than these, which pass.

        :raises ApplicationStartError: when they don't.
        """
        application_id = application["applicationId"]
        with self._waiting("pass " + " ".join(states)) as waiting:
            while application["state"] in states:
                state = application["state"]
                if waiting.is_time_to_say():
                    log.info("Application %s is %s; waiting until that has passed", application_id, state)
                if not waiting.goes_on(f"application {application_id} is {state}", application):
                    raise ApplicationStartError(
                        f"application {application_id} is {state} for {waiting.seconds:.0f} s now; let the "
                        "task be retried, and if it stays so, ask AWS, or use another application"
                    )
                application = self._calls.describe(application_id)
        return application

    def _waiting(self, name: str) -> Waiting:
        return Waiting(self._pause, self._limit, name=name, left=self._left)


def _not_started(application: Mapping[str, Any], said: str) -> str:
    details = clean_line(application.get("stateDetails") or said or "EMR does not say why", 1_000)
    return (
        f"application {application['applicationId']} did not start, and is {application['state']}: {details}"
    )
