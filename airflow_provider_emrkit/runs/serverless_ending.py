"""Cancels job runs of EMR Serverless, and looks whether they do end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.errors import error_code, explain, is_aws_error, is_not_found, is_transient
from airflow_provider_emrkit.runs.growing_pauses import GrowingPauses
from airflow_provider_emrkit.runs.protocol import Released
from airflow_provider_emrkit.runs.serverless_calls import get_job_run, job_run_status, knows
from airflow_provider_emrkit.runs.states import RunState

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.states import RunStatus

# EMR Serverless' answers to a cancel of what is over already.
_OVER = ("ValidationException", "ConflictException")
# Seconds for which a cancel that AWS does not take for its rate is tried, however little patience there is to
# see the end: it takes one in a second, and a user may end a hundred runs with one click.
CANCEL_PATIENCE = 120.0


class ServerlessEnding:
    """Cancels job runs. Thread-safe, and as often as one likes.

    :param client: boto3 client of EMR Serverless.
    :param pause: Waits some seconds, whatever happens.
    :param clock: Seconds that only go up.

    >>> ServerlessEnding(client, threading.Event().wait).end(run, patience=20.0).message  # doctest: +SKIP
    'job run 00run on application 00app is CANCELLED'
    """

    def __init__(
        self, client: Any, pause: Callable[[float], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._pause = pause
        self._clock = clock

    def end(self, run: JobRun, patience: float) -> Released:
        """Cancel a job run and look whether it has ended (CancelJobRun, GetJobRun).

        Its program may take its grace to end by itself; EMR Serverless ends it by force after that, whoever
        looks.

        :param patience: Seconds it may take; AWS's answers may add to them.
        """
        to_see_the_end, to_be_told = (
            GrowingPauses(self._pause, self._clock, seconds)
            for seconds in (patience, max(patience, CANCEL_PATIENCE))
        )
        return _End(self._client, run, to_see_the_end, to_be_told).end()


class _End:
    """Ends one job run."""

    def __init__(
        self, client: Any, run: JobRun, to_see_the_end: GrowingPauses, to_be_told: GrowingPauses
    ) -> None:
        self._client = client
        self._run = run
        self._to_see_the_end = to_see_the_end
        self._to_be_told = to_be_told
        self._grace = run.grace_seconds
        self._status: RunStatus | None = None
        self._accepted = False
        self._problem = ""
        self._hopeless = False

    def end(self) -> Released:
        while True:
            self._problem = ""
            if not self._accepted:
                self._try(self._cancel)
            self._try(self._look)
            pauses = self._to_see_the_end if self._is_going() else self._to_be_told
            if self._is_final() or self._hopeless or not pauses.goes_on():
                return self._released()

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            if not is_aws_error(error):
                raise
            self._problem = explain(error, self._run.region)
            # What is over can't be cancelled: that is seen by looking.
            refused = not is_transient(error) and error_code(error) not in _OVER
            self._hopeless = self._hopeless or refused or is_not_found(error)

    def _cancel(self) -> None:
        if self._is_final():
            return
        request: dict[str, Any] = {
            "applicationId": self._run.application_id,
            "jobRunId": self._run.job_run_id,
        }
        if self._grace and knows(self._client, "CancelJobRun", "shutdownGracePeriodInSeconds"):
            request["shutdownGracePeriodInSeconds"] = self._grace
        try:
            self._client.cancel_job_run(**request)
        except Exception as error:
            if error_code(error) in _OVER:
                self._grace = 0  # it may be over, or EMR Serverless may not like the grace
            raise
        self._accepted = True

    def _look(self) -> None:
        job_run = get_job_run(self._client, self._run.application_id, self._run.job_run_id)
        self._status = job_run_status(job_run)

    def _is_final(self) -> bool:
        return self._status is not None and self._status.state.is_final

    def _is_going(self) -> bool:
        return self._accepted or (self._status is not None and self._status.state is RunState.CANCELLING)

    def _released(self) -> Released:
        reason = f": {self._problem}" if self._problem else ""
        if self._status is None:
            told = "was told to end, but it is not known whether it does" if self._accepted else "goes on"
            return Released(False, f"{self._run} {told}{reason}")
        if self._is_final():
            already = "" if self._accepted else " already"
            return Released(True, f"{self._run} is {self._status.detail}{already}", ended=True)
        if self._is_going():
            grace = f", and has {self._run.grace_seconds} s for it" if self._run.grace_seconds else ""
            return Released(True, f"{self._run} is {self._status.detail}: it was told to end{grace}")
        return Released(False, f"{self._run} is still {self._status.detail}{reason}")
