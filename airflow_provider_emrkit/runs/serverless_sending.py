"""Starts a job run once: EMR Serverless tells a repeat of a request by its token, for ever."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.exceptions import (
    EmrKitError,
    ExistingRunError,
    SubmitRefusedError,
    ThrottledError,
)
from airflow_provider_emrkit.hooks.errors import error_code, is_aws_error, is_transient
from airflow_provider_emrkit.hooks.patience import patiently
from airflow_provider_emrkit.runs.serverless_calls import (
    CLOCK_SKEW,
    created_at,
    get_job_run,
    job_run_status,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_emrkit.runs.serverless_search import Carrying

log = logging.getLogger(__name__)

# DAG runs of one id that were deleted and made again, for which a job was submitted before.
MAX_LIVES = 100
# A token that came with other parameters before.
_IN_CONFLICT = "ConflictException"


@dataclass(frozen=True)
class Sent:
    """What came of a request.

    :param job_run_id: Of the job run that it has made, or had made when it came first; empty for one of
        another life that is not found any more.
    :param created_at: When that was, in seconds since 1970.
    :param is_of_another_life: Whether it was over before it was asked for.
    :param described: What GetJobRun tells of it; empty where that is not known.
    """

    job_run_id: str
    created_at: float
    is_of_another_life: bool = False
    described: Mapping[str, Any] = field(default_factory=dict)


class SendJobRun:
    """Sends StartJobRun until it has started a job run of this try, and no second one.

    What is repeated has the same ``clientToken``, and so the same answer. A DAG run that was deleted and made
    again with the same id has the same tokens, and would be answered with what it once started: what was over
    before the request is not this try's, which would have found it before. Its id makes a token of its own,
    to which every repeat comes by the same way; where it is not found any more, what is asked for does.

    :param client: boto3 client of EMR Serverless.
    :param carrying: Gives the job runs that carry the try's token.
    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.

    >>> SendJobRun(client, carrying, stop.wait).send(request).job_run_id  # doctest: +SKIP
    '00f1abcdefgh2i0j'
    """

    def __init__(self, client: Any, carrying: Callable[[], Carrying], pause: Callable[[float], bool]) -> None:
        self._client = client
        self._carrying = carrying
        self._pause = pause

    def send(self, request: Mapping[str, Any]) -> Sent:
        """Start the job run (StartJobRun, GetJobRun).

        :param request: StartJobRun's input.
        :raises ExistingRunError: when a job run with the same token and other parameters goes on.
        :raises SubmitRefusedError: when there were too many DAG runs of that id.
        :raises Exception: what AWS raised.
        """
        past: list[str] = []
        for _ in range(MAX_LIVES):
            token = ".".join((request["clientToken"], *past[-1:]))
            sent = self._sent({**request, "clientToken": token}, past)
            if not sent.is_of_another_life:
                return sent
            text = "Job run %s is of an earlier DAG run with the same id, and over; starting another one."
            log.info(text, sent.job_run_id or "(not found among so many)")
            past.append(sent.job_run_id or _fingerprint(request))
        raise SubmitRefusedError(
            f"there are {MAX_LIVES} job runs of earlier DAG runs with this id; give the DAG run another id"
        )

    def _sent(self, request: Mapping[str, Any], past: Sequence[str]) -> Sent:
        began = time.monotonic()
        try:
            answer = patiently(partial(self._client.start_job_run, **request), self._pause)
        except Exception as error:
            if error_code(error) == _IN_CONFLICT:
                return self._in_conflict(error, request, past)
            if is_transient(error):
                return self._in_doubt(error, request, past)
            raise
        since = _told_at(answer) - (time.monotonic() - began)
        return self._looked_at(request["applicationId"], str(answer["jobRunId"]), since)

    def _looked_at(self, application_id: str, job_run_id: str, since: float) -> Sent:
        """Tell a job run that was just started; one that can't be asked for is taken for new.

        :param since: When it was asked for, by AWS's clock.
        """
        ask = partial(get_job_run, self._client, application_id, job_run_id)
        try:
            job_run = patiently(ask, self._pause)
        except Exception as error:
            if not is_aws_error(error) and not is_transient(error):
                raise
            return Sent(job_run_id, time.time())
        ended_at = job_run_status(job_run).ended_at
        is_old = ended_at is not None and ended_at < since
        return Sent(job_run_id, created_at(job_run) or time.time(), is_old, job_run)

    def _in_doubt(self, error: Exception, request: Mapping[str, Any], past: Sequence[str]) -> Sent:
        """Find the job run of a request that may have come, though no answer to it did."""
        try:
            came = self._carrying()
        except Exception as unknown:
            if (
                not isinstance(unknown, EmrKitError)
                and not is_aws_error(unknown)
                and not is_transient(unknown)
            ):
                raise
            raise ThrottledError(
                f"it is not known whether the job was submitted, as AWS does not answer ({error}); look for "
                f"the job run {request['name']!r} of application {request['applicationId']}, or let the task "
                "be retried, which does"
            ) from error
        for one in came.found:
            if one.run.job_run_id not in past and not one.status.state.is_final:
                return Sent(one.run.job_run_id, one.run.submitted_at)
        raise error

    def _in_conflict(self, error: Exception, request: Mapping[str, Any], past: Sequence[str]) -> Sent:
        """Find the job run that was started with the same token and other parameters."""
        carrying = self._carrying()
        found = next((one for one in carrying.found if one.run.job_run_id not in past), None)
        if found is None:
            # One that is not among the latest is over. A token of this very request conflicts with no other.
            if carrying.more_are_over and _fingerprint(request) not in past:
                return Sent("", 0.0, is_of_another_life=True)
            raise error
        if not found.status.state.is_final:
            raise ExistingRunError(
                f"{found.run} was started by an earlier DAG run with this id, or before the job was changed, "
                f"and is {found.status.detail}; cancel it, or wait for its end"
            ) from error
        return Sent(found.run.job_run_id, found.run.submitted_at, is_of_another_life=True)


def _fingerprint(request: Mapping[str, Any]) -> str:
    """Tell a request by what it asks for, whatever its token: 16 hex digits."""
    asked = {name: value for name, value in request.items() if name != "clientToken"}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def _told_at(answer: Mapping[str, Any]) -> float:
    """Tell when AWS answered, by its own clock, which tells when job runs end."""
    date = (answer.get("ResponseMetadata") or {}).get("HTTPHeaders", {}).get("date")
    return parsedate_to_datetime(date).timestamp() if date else time.time() - CLOCK_SKEW
