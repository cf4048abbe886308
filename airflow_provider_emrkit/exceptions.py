"""What can go wrong, as types that retry policies and callers can tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_emrkit._compat import AirflowException

if TYPE_CHECKING:
    from airflow_provider_emrkit.logs.causes import Cause


class EmrKitError(AirflowException):
    """Base of every error emrkit raises while a task runs.

    >>> raise EmrKitError("...")  # doctest: +SKIP
    """


class ConnectionFieldError(EmrKitError):
    """A field of the ``emrkit`` connection is missing or can't be right; the message names it."""


class SubmitRefusedError(EmrKitError):
    """AWS did not take the job, or the job could not be put where AWS finds it. Nothing runs."""


class StagingError(SubmitRefusedError):
    """A local file of the job could not be put into the staging bucket."""


class RunError(EmrKitError):
    """A job was submitted and did not succeed.

    :param message: One line: what ended, why, where that was seen, what may help.
    :param cause: Why, in detail, where it is known.

    >>> try:  # doctest: +SKIP
    ...     operator.execute(context)
    ... except RunError as error:
    ...     print(error.cause.message if error.cause else error)
    """

    def __init__(self, message: str, *, cause: Cause | None = None) -> None:
        super().__init__(message)
        self.cause = cause


class RunFailedError(RunError):
    """The job itself failed."""


class ClusterFailedError(RunError):
    """The cluster never got to run the job: it could not be started, or a bootstrap action failed."""


class ClusterLostError(RunError):
    """The cluster went away under the job, which may be as good as new on another one."""


class RunCancelledError(RunError):
    """The job was cancelled: by Airflow, or by somebody else on EMR."""


class RunTimedOutError(RunError):
    """The task's ``execution_timeout`` passed; the job was cancelled."""
