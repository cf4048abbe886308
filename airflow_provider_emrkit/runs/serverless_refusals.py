"""What keeps a job from being submitted to EMR Serverless, as the error its task ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_emrkit.exceptions import (
    ComputeNotFoundError,
    QuotaError,
    SubmitDeniedError,
    ThrottledError,
)
from airflow_provider_emrkit.hooks.errors import explain
from airflow_provider_emrkit.runs.refusals import kind_of

if TYPE_CHECKING:
    from airflow_provider_emrkit.exceptions import SubmitRefusedError

_MENDS: dict[type[SubmitRefusedError], str] = {
    ComputeNotFoundError: "check the application's id and the connection's region, or use "
    "ServerlessApplication(spec=ApplicationSpec(…)), which is made where there is none",
    QuotaError: "wait for other job runs to end, or have the quota of EMR Serverless raised",
    ThrottledError: "let the task be retried",
}
# botocore's own check of a request's members.
_UNKNOWN = "Unknown parameter in input"


def job_run_refusal(what: str, error: Exception, region: str) -> SubmitRefusedError:
    """Put what AWS said into one sentence with the mend, as the error that retry policies tell it by.

    :param what: What was not done, e.g. ``the job was not submitted``.
    :param error: A botocore exception.
    :param region: AWS region that was asked.

    >>> raise job_run_refusal("the job was not submitted", error, "us-east-1")  # doctest: +SKIP
    """
    kind, said = kind_of(error), explain(error, region)
    mend = _MENDS.get(kind, "")
    if kind is SubmitDeniedError and "iam:PassRole" in said:
        mend = "that is: to pass the execution_role_arn of the compute or the emrkit connection"
    elif _UNKNOWN in str(error):
        mend = "the installed botocore has not heard of it; upgrade boto3"
    return kind(f"{what} (region {region}): {said}" + (f"; {mend}" if mend else ""))
