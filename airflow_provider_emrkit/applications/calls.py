"""Calls about applications of EMR Serverless, asked patiently. Each may be made again without harm."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.exceptions import (
    AccessDeniedError,
    ComputeNotFoundError,
    EmrKitError,
    NotFoundError,
    SubmitDeniedError,
    SubmitRefusedError,
    ThrottledError,
)
from airflow_provider_emrkit.hooks.errors import (
    error_code,
    explain,
    is_aws_error,
    is_transient,
    typed,
)
from airflow_provider_emrkit.hooks.patience import patiently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_provider_emrkit.hooks.clients import AwsClients

# EMR's code for a request that the application's state does not allow, and for one that can't be right.
_NOT_NOW = "ValidationException"
_TAKEN = "ConflictException"
_PAGE = 50
# Job runs that keep an application from being stopped; CANCELLING ones end without being asked.
ACTIVE_RUN_STATES = ("SUBMITTED", "PENDING", "SCHEDULED", "RUNNING", "CANCELLING", "QUEUED")
# All but TERMINATED: one that was deleted is nothing that a name means.
_LIVING_STATES = ("CREATING", "CREATED", "STARTING", "STARTED", "STOPPING", "STOPPED")
_AS_REFUSALS: Mapping[type[EmrKitError], type[SubmitRefusedError]] = {
    AccessDeniedError: SubmitDeniedError,
    NotFoundError: ComputeNotFoundError,
    EmrKitError: SubmitRefusedError,
}


class ApplicationCalls:
    """The calls of one connection.

    :param clients: AWS clients.
    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.

    >>> ApplicationCalls(hook.clients, stop.wait).describe("00f1abcdefgh2i0j")["state"]  # doctest: +SKIP
    'STARTED'
    """

    def __init__(self, clients: AwsClients, pause: Callable[[float], bool]) -> None:
        self._emr = clients.client("emr-serverless", retries=False)
        self._region = clients.region_name
        self._pause = pause

    def named(self, name: str) -> Sequence[Mapping[str, Any]]:
        """List the applications of a name, as summaries; those that were deleted are left out."""
        found = partial(self._pages, "list_applications", "applications", states=list(_LIVING_STATES))
        return [one for one in found(f"applications named {name} could not be found") if _named(one, name)]

    def describe(self, application_id: str) -> Mapping[str, Any]:
        """Describe one (GetApplication).

        :raises ComputeNotFoundError: when there is none of that id.
        """
        what = f"application {application_id} could not be described"
        answer: Mapping[str, Any] = self._call("get_application", what, applicationId=application_id)
        found: Mapping[str, Any] = answer["application"]
        return found

    def find(self, application_id: str) -> Mapping[str, Any] | None:
        """Describe one; None when there is none of that id."""
        try:
            return self.describe(application_id)
        except ComputeNotFoundError:
            return None

    def create(self, request: Mapping[str, Any]) -> str | None:
        """Create one; None when an earlier request with the same token was another one."""
        what = f"application {request['name']} could not be created"
        try:
            answer = self._call("create_application", what, **request)
        except SubmitRefusedError as error:
            if error_code(_of_aws(error)) == _TAKEN:
                return None
            raise
        return str(answer["applicationId"])

    def update(self, application_id: str, request: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, str]:
        """Update one; gives it as it is then, or None and why EMR does not take the request, or not now."""
        what = f"application {application_id} could not be updated"
        answer, refusal = self._answered("update_application", what, applicationId=application_id, **request)
        return (None if refusal else answer["application"]), refusal

    def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """Tag one (TagResource)."""
        self._call("tag_resource", f"{arn} could not be tagged", resourceArn=arn, tags=dict(tags))

    def start(self, application_id: str) -> str:
        """Have one started; gives why it can't be started now; empty when EMR does."""
        what = f"application {application_id} could not be started"
        return self._unless_refused("start_application", what, applicationId=application_id)

    def stop(self, application_id: str) -> str:
        """Have one stopped; gives why it can't be stopped now, such as its job runs; empty when EMR does."""
        what = f"application {application_id} could not be stopped"
        return self._unless_refused("stop_application", what, applicationId=application_id)

    def delete(self, application_id: str) -> str:
        """Delete one; gives why it can't be deleted now; empty when EMR does."""
        what = f"application {application_id} could not be deleted"
        return self._unless_refused("delete_application", what, applicationId=application_id)

    def active_runs(self, application_id: str) -> Sequence[Mapping[str, Any]]:
        """List the job runs of one that have not ended, those that wait in its queue too."""
        what = f"the job runs of application {application_id} could not be listed"
        states = list(ACTIVE_RUN_STATES)
        found = self._pages("list_job_runs", "jobRuns", what, applicationId=application_id, states=states)
        return list(found)

    def has_active_runs(self, application_id: str) -> bool:
        """Tell whether one has job runs that have not ended, with the shortest answer."""
        what = f"the job runs of application {application_id} could not be listed"
        request = {"applicationId": application_id, "states": list(ACTIVE_RUN_STATES), "maxResults": 1}
        return any(True for _ in self._pages("list_job_runs", "jobRuns", what, **request))

    def run_tags(self, application_id: str, job_run_id: str) -> Mapping[str, str]:
        """Give the tags of a job run (GetJobRun)."""
        what = f"job run {job_run_id} could not be described"
        answer = self._call("get_job_run", what, applicationId=application_id, jobRunId=job_run_id)
        return dict(answer["jobRun"].get("tags") or {})

    def cancel(self, application_id: str, job_run_id: str) -> None:
        """Cancel a job run; one that has ended meanwhile stays as it is."""
        what = f"job run {job_run_id} could not be cancelled"
        self._unless_refused("cancel_job_run", what, applicationId=application_id, jobRunId=job_run_id)

    def _pages(self, call: str, member: str, what: str, **request: Any) -> Iterator[Mapping[str, Any]]:
        token: Mapping[str, str] = {}
        while True:
            answer = self._call(call, what, **{"maxResults": _PAGE, **request, **token})
            yield from answer[member]
            if not answer.get("nextToken"):
                return
            token = {"nextToken": answer["nextToken"]}

    def _unless_refused(self, call: str, what: str, **request: Any) -> str:
        return self._answered(call, what, **request)[1]

    def _answered(self, call: str, what: str, **request: Any) -> tuple[Any, str]:
        try:
            return self._call(call, what, **request), ""
        except SubmitRefusedError as error:
            said = _of_aws(error)
            if error_code(said) == _NOT_NOW:
                return None, explain(said, self._region)
            raise

    def _call(self, call: str, what: str, **request: Any) -> Any:
        try:
            return patiently(lambda: getattr(self._emr, call)(**request), self._pause)
        except Exception as error:
            if not is_aws_error(error) and not is_transient(error):
                raise
            raise refused(what, error, self._region) from error


def refused(what: str, error: Exception, region: str) -> SubmitRefusedError:
    """Give the error of a call that was refused.

    What keeps an application from being ready keeps its jobs from being submitted.

    :param what: What does not work, e.g. ``application 00f1 could not be described``.
    :param error: A botocore exception.
    :param region: AWS region that was asked.
    """
    found = typed(f"{what} (region {region})", error, region)
    if is_transient(error):
        return ThrottledError(str(found))
    kind = _AS_REFUSALS.get(type(found))
    return kind(str(found)) if kind else found  # type: ignore[return-value] # the others are refusals


def _of_aws(error: BaseException) -> BaseException:
    return error.__cause__ or error


def _named(summary: Mapping[str, Any], name: str) -> bool:
    return bool(summary.get("name") == name)
