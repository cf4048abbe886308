"""Sends a request that AWS would carry out twice if it came twice, so that it takes effect once."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING

from airflow_provider_emrkit.exceptions import SubmitRefusedError
from airflow_provider_emrkit.hooks.errors import error_code, is_aws_error, is_transient
from airflow_provider_emrkit.hooks.patience import MAX_FAULTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_emrkit.runs.job_run import JobRun

log = logging.getLogger(__name__)

# Seconds after each attempt while AWS throttles, some minutes in all: it takes a submission in two seconds,
# and a hundred tasks may start at once.
SEND_PAUSES = (2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 60.0, 60.0, 60.0, 60.0, 60.0)
# Seconds between the looks for what was sent, where the answer was lost: EMR may list it late.
LOOK_PAUSES = (2.0, 5.0, 10.0)
# More of them, while AWS can't be asked.
MORE_LOOK_PAUSES = (10.0, 20.0, 30.0, 30.0, 30.0)
# The same for a task that is being stopped, which has seconds only.
LAST_LOOK_PAUSES = (0.0, 1.0, 2.0)

# HTTP, and the codes of answers that say no more than that AWS has failed.
SERVER_ERROR = 500
_FAULTS = ("Internal", "RequestTimeout", "ServiceUnavailable")


class SendOnce:
    """Sends a request; after a failure that leaves the outcome open, looks before it sends again.

    :param send: Sends once, without any retries of its own.
    :param look: Gives what carries the request's name, the oldest first.
    :param drop: Ends a run that came of a request sent twice, in spite of all care.
    :param refuse: Makes an error of what was not done, and why.
    :param name: Name that people can look for it by.
    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.
    :param settle: Waits some seconds, whatever happens.

    >>> SendOnce(send, look, drop, refuse, "sales.load", stop.wait, time.sleep).run()  # doctest: +SKIP
    """

    def __init__(
        self,
        send: Callable[[], JobRun],
        look: Callable[[], Sequence[JobRun]],
        drop: Callable[[JobRun], object],
        refuse: Callable[[str, Exception], SubmitRefusedError],
        name: str,
        pause: Callable[[float], bool],
        settle: Callable[[float], object],
    ) -> None:
        self._send = send
        self._look = look
        self._drop = drop
        self._refuse = refuse
        self._name = name
        self._pause = pause
        self._settle = settle
        self._stopped = False
        self._faults = 0
        self._in_doubt = False
        self._told = False

    def run(self) -> JobRun:
        """Give what came of the request.

        :raises SubmitRefusedError: when nothing came of it, or that can't be found out.
        """
        for wait in SEND_PAUSES:
            try:
                return self._only(self._send())
            except Exception as error:
                failure = self._worth_another_attempt(error)
            came = self._what_came(failure, wait)
            if came:
                return self._only(came[0])
            if self._stopped:
                raise SubmitRefusedError("the task was stopped before its job was submitted") from failure
            if self._faults >= MAX_FAULTS:
                break
        raise self._refuse("the job was not submitted", failure) from failure

    def _worth_another_attempt(self, error: Exception) -> Exception:
        if is_transient(error):
            return error
        if is_aws_error(error):
            raise self._refuse("the job was not submitted", error) from error
        raise error

    def _what_came(self, failure: Exception, wait: float) -> Sequence[JobRun]:
        """Give what came of a request that failed; nothing only when that is sure."""
        wait *= random.uniform(0.5, 1.5)  # those who were throttled together do not come back together
        if is_answer(failure):
            return self._look_in_passing(failure, wait)
        self._faults += 1
        if never_left(failure):
            self._wait(wait)
            return ()
        self._in_doubt = True
        return self._look_after(*LOOK_PAUSES)

    def _look_in_passing(self, refused: Exception, wait: float) -> Sequence[JobRun]:
        """Look once after a refusal: EMR has been seen to throttle a request and to do it all the same."""
        if not self._told:
            log.info("AWS limits the rate of submissions (%s); trying again for some minutes.", refused)
            self._told = True
        self._wait(wait)
        try:
            return self._look()
        except Exception as error:
            if not is_transient(error) and not is_aws_error(error):
                raise
            self._in_doubt = True
            return ()

    def _look_after(self, *waits: float) -> Sequence[JobRun]:
        unknown: Exception | None = None
        for number, wait in enumerate((*waits, *MORE_LOOK_PAUSES)):
            if number >= len(waits) and unknown is None:
                return ()
            self._wait(wait, LAST_LOOK_PAUSES[min(number, len(LAST_LOOK_PAUSES) - 1)])
            try:
                came = self._look()
            except Exception as error:
                unknown = self._passing(error)
                continue
            if came:
                return came
            unknown = None
        if unknown is None:
            return ()
        raise self._unknown(unknown) from unknown

    def _passing(self, error: Exception) -> Exception:
        if is_transient(error):
            return error
        if is_aws_error(error):
            raise self._unknown(error) from error
        raise error

    def _unknown(self, error: Exception) -> SubmitRefusedError:
        what = f"it is not known whether the job was submitted, look for {self._name!r}"
        return self._refuse(what, error)

    def _wait(self, seconds: float, at_least: float = 0.0) -> None:
        self._stopped = self._stopped or self._pause(seconds)
        if self._stopped and at_least:
            self._settle(at_least)

    def _only(self, sent: JobRun) -> JobRun:
        """Keep the first of what came, where a request whose answer was lost may have come late."""
        if not self._in_doubt:
            return sent
        try:
            came = self._look()
        except Exception as error:
            if not is_transient(error) and not is_aws_error(error):
                raise
            return sent
        first, *others = {_identity(run): run for run in (*came, sent)}.values()
        for run in others:
            self._drop(run)
        return first


def _identity(run: JobRun) -> tuple[str, str]:
    # A cluster of its own has one job, whose step may not be listed yet.
    return run.cluster_id, "" if run.owns_cluster else run.step_id


def never_left(error: Exception) -> bool:
    """Tell whether there was no connection to send the request on."""
    from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError

    return isinstance(error, (ConnectTimeoutError, EndpointConnectionError))


def is_answer(error: Exception) -> bool:
    """Tell whether AWS has refused the request; all other failures leave open what became of it."""
    from botocore.exceptions import ClientError

    if not isinstance(error, ClientError):
        return False
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0
    return status < SERVER_ERROR and not error_code(error).startswith(_FAULTS)
