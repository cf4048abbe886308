"""Brings an application to rest, as whatever changes it needs: after the work of others, or in its stead."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_emrkit.applications.ending_runs import EndingRuns
from airflow_provider_emrkit.applications.waiting import Waiting
from airflow_provider_emrkit.exceptions import ApplicationBusyError
from airflow_provider_emrkit.logs.text import clean_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_emrkit.applications.awaited import LeftWaits
    from airflow_provider_emrkit.applications.calls import ApplicationCalls

log = logging.getLogger(__name__)

# What is done about job runs that keep an application busy. It is left to those that go on; those that are
# about to end are waited for then, too.
Busy = Literal["wait", "leave", "cancel"]

RESTING_STATES = frozenset({"CREATED", "STOPPED"})
ENDED = "TERMINATED"
# Seconds an application may take to come to rest, other people's job runs included.
LIMIT = 1_800.0
# Job runs that a sentence names.
_NAMED = 5


class Resting:
    """Stops applications.

    :param calls: The calls of a connection.
    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.
    :param limit: Seconds it may take.
    :param left: The waits of a deferrable task; None for one that waits on its worker.

    >>> Resting(calls, stop.wait).rest("00f1abcdefgh2i0j", why="to be updated")["state"]  # doctest: +SKIP
    'STOPPED'
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

    def rest(
        self,
        application_id: str,
        *,
        why: str,
        busy: Busy = "wait",
        over: Mapping[str, str] | None = None,
        needed: Callable[[Mapping[str, Any]], bool] = lambda _: True,
    ) -> Mapping[str, Any]:
        """Give an application when it is at rest, was deleted, or need not come to rest any more.

        :param why: What for, in a sentence: ``to be updated``.
        :param busy: What to do while it has job runs: wait for their end, leave it as it is, or cancel them.
        :param over: Tags of job runs whose tasks are over: these are about to end.
        :param needed: Tells, by its description, whether it still has to come to rest: another task may do
            the same.
        :raises ApplicationBusyError: when its job runs do not end in time.
        """
        with Waiting(self._pause, self._limit, name=f"rest {why}", left=self._left) as waiting:
            return self._rested(application_id, why, busy, EndingRuns(self._calls, over), needed, waiting)

    def _rested(
        self,
        application_id: str,
        why: str,
        busy: Busy,
        ending: EndingRuns,
        needed: Callable[[Mapping[str, Any]], bool],
        waiting: Waiting,
    ) -> Mapping[str, Any]:
        while True:
            application = self._calls.describe(application_id)
            if application["state"] in {*RESTING_STATES, ENDED} or not needed(application):
                return application
            runs = self._calls.active_runs(application_id) if application["state"] == "STARTED" else ()
            if busy == "leave" and (keeping := ending.keeping(runs, waiting.seconds)):
                waited = f" after {waiting.seconds:.0f} s" if waiting.seconds >= 1.0 else ""
                text = "Application %s is left as it is%s, with %s"
                log.info(text, application_id, waited, words_of(keeping))
                return application
            words = self._act(application, runs, why, busy)
            if (runs or application["state"] != "STARTED") and waiting.is_time_to_say():
                log.info("Application %s is %s, and waited for: %s", application_id, why, words)
            what = f"application {application_id} is {why}: {words}"
            if not waiting.goes_on(what, application, busy=bool(runs)):
                raise ApplicationBusyError(
                    f"application {application_id} is {why}, and did not come to rest in "
                    f"{waiting.seconds:.0f} s: {words}; let the task be retried when that has ended"
                )

    def delete(
        self, application_id: str, *, busy: Busy, over: Mapping[str, str] | None = None
    ) -> Mapping[str, Any] | None:
        """Delete an application; gives it as it is where its job runs were left, and None when it is gone.

        :param busy: As for :meth:`rest`.
        :param over: As for :meth:`rest`.
        :raises ApplicationBusyError: when its job runs do not end in time, or it is started again and again.
        """
        waiting = Waiting(self._pause, self._limit)
        while self._calls.find(application_id) is not None:
            application = self.rest(application_id, why="to be deleted", busy=busy, over=over)
            if application["state"] == ENDED:
                return None
            if application["state"] not in RESTING_STATES:
                return application
            refusal = self._calls.delete(application_id)
            log.info("Application %s is %s", application_id, refusal or "deleted")
            if not waiting.goes_on(f"application {application_id} is to be deleted"):
                raise ApplicationBusyError(f"application {application_id} can't be deleted: {refusal}")
        return None

    def _act(
        self, application: Mapping[str, Any], runs: Sequence[Mapping[str, Any]], why: str, busy: Busy
    ) -> str:
        """Do what can be done at once to stop it; gives in words what keeps it."""
        application_id, state = application["applicationId"], application["state"]
        if runs:
            if busy == "cancel":
                self._cancel(application_id, runs)
            return f"it has the job runs {words_of(runs)}"
        if state != "STARTED":
            return f"it is {state}"
        refusal = self._calls.stop(application_id)
        if refusal:
            return refusal
        log.info("Application %s is stopped, %s", application_id, why)
        return "it is being stopped"

    def _cancel(self, application_id: str, runs: Sequence[Mapping[str, Any]]) -> None:
        for run in runs:
            if run["state"] != "CANCELLING":
                log.info("Job run %s of application %s is cancelled", words_of([run]), application_id)
                self._calls.cancel(application_id, run["id"])


def words_of(runs: Sequence[Mapping[str, Any]]) -> str:
    """Name job runs in a sentence."""
    named = ", ".join(f"{run['id']} ({_name(run)}{run['state']})" for run in runs[:_NAMED])
    more = f" and {len(runs) - _NAMED} more" if len(runs) > _NAMED else ""
    return f"{named}{more}"


def _name(run: Mapping[str, Any]) -> str:
    name = clean_line(run.get("name") or "", 80)
    return f"{name}, " if name else ""
