"""Finds the job runs of EMR Serverless that a task instance has started: by marks in names."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.applications.applications import Applications
from airflow_provider_emrkit.applications.calls import ACTIVE_RUN_STATES
from airflow_provider_emrkit.compute.serverless import ServerlessApplication
from airflow_provider_emrkit.hooks.errors import is_aws_error, is_transient
from airflow_provider_emrkit.hooks.patience import patiently
from airflow_provider_emrkit.runs.earlier import Found
from airflow_provider_emrkit.runs.serverless_calls import (
    created_at,
    get_job_run,
    job_run_pages,
    job_run_status,
    run_of,
)
from airflow_provider_emrkit.runs.serverless_refusals import job_run_refusal
from airflow_provider_emrkit.runs.step_search import DAG_RUN_SKEW, LATE_LIST, SEARCH_WITHIN
from airflow_provider_emrkit.runs.token import Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_emrkit.compute.defaults import ApplicationDefaults
    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.runs.protocol import Compute
    from airflow_provider_emrkit.runs.token import RunToken

log = logging.getLogger(__name__)

# Pages of 50 job runs; AWS takes one such call in a second.
PAGES = 40


@dataclass(frozen=True)
class Carrying:
    """What carries one token.

    :param found: The job runs, the oldest first.
    :param more_are_over: Whether there are more job runs than were looked at, which are all over.

    >>> Carrying([], more_are_over=False).found
    []
    """

    found: Sequence[Found]
    more_are_over: bool


@dataclass(frozen=True)
class _Listed:
    """Job runs of an application.

    :param summaries: ListJobRuns' ``jobRuns``.
    :param is_whole: Whether that are all of them.
    """

    summaries: Sequence[Mapping[str, Any]]
    is_whole: bool


class ServerlessSearch:
    """Finds what a task instance has started.

    :param clients: AWS clients.
    :param defaults: What the connection says about applications.
    :param pause: Waits some seconds between attempts to ask; gives True when the work is to stop.

    >>> ServerlessSearch(hook.clients, defaults, stop.wait).earlier(compute, token, None)  # doctest: +SKIP
    """

    def __init__(
        self, clients: AwsClients, defaults: ApplicationDefaults, pause: Callable[[float], bool]
    ) -> None:
        self._clients = clients
        self._applications = Applications(clients, defaults, pause)
        self._pause = pause

    @property
    def _client(self) -> Any:
        # Who asks here has more patience than boto3, and tells when it ends.
        return self._clients.client("emr-serverless", retries=False)

    def earlier(self, compute: Compute, token: RunToken, since: float | None) -> list[Found]:
        """Find all that a task instance has started, of all its tries and generations, the newest first.

        Work that is not over is found however old it is. Where nothing is listed of the try before, which may
        have submitted just now, a second look is taken.

        :param since: Seconds since 1970 from which on finished work is looked for, e.g. the start of the DAG
            run; by default a day ago.
        :raises SubmitRefusedError: when AWS can't be asked; nobody knows then whether the job runs.
        """
        oldest = (time.time() - SEARCH_WITHIN if since is None else since) - DAG_RUN_SKEW
        try:
            found = self._found(compute, lambda mark: mark.stem == token.stem, oldest).found
            newest = max((one.mark.try_number for one in found), default=0)
            if newest < token.try_number - 1 and not self._pause(LATE_LIST):
                found = self._found(compute, lambda mark: mark.stem == token.stem, oldest).found
        except Exception as error:
            if not is_aws_error(error) and not is_transient(error):
                raise
            what = (
                "it could not be found out whether an earlier try's job still runs, so nothing was submitted"
            )
            raise job_run_refusal(what, error, self._clients.region_name) from error
        return sorted(found, key=lambda one: one.age, reverse=True)

    def carrying(self, compute: Compute, token: RunToken) -> Carrying:
        """Find what carries exactly this token, of whatever age."""
        return self._found(compute, lambda mark: mark == token.mark, 0.0)

    def _found(self, compute: Compute, fits: Callable[[Mark], bool], oldest: float) -> Carrying:
        """Find job runs by the marks in their names (ListJobRuns), and ask for each (GetJobRun)."""
        if not isinstance(compute, ServerlessApplication):
            raise TypeError("job runs are on a ServerlessApplication")
        application = self._applications.find(compute)
        if application is None:
            return Carrying([], more_are_over=False)
        active, recent = self._listed(application["applicationId"], oldest)
        marks: dict[str, Mark] = {}
        for summary in (*active.summaries, *recent.summaries):
            mark = Mark.of(summary.get("name") or "")
            if mark and fits(mark):
                marks[summary["id"]] = mark
        found = [self._described(application, one, mark, compute) for one, mark in marks.items()]
        found.sort(key=lambda one: one.run.submitted_at)
        return Carrying(found, more_are_over=active.is_whole and not recent.is_whole)

    def _described(
        self, application: Mapping[str, Any], job_run_id: str, mark: Mark, compute: ServerlessApplication
    ) -> Found:
        ask = partial(get_job_run, self._client, application["applicationId"], job_run_id)
        job_run = patiently(ask, self._pause)
        run = run_of(
            application,
            job_run,
            job_run_id,
            mark,
            region=self._clients.region_name,
            submitted_at=created_at(job_run) or time.time(),
            grace_seconds=compute.grace_seconds,
        )
        return Found(run, job_run_status(job_run), mark)

    def _listed(self, application_id: str, oldest: float) -> tuple[_Listed, _Listed]:
        """List an application's job runs that are not over, of whatever age, and all from some time on.

        A list may be too long to be read whole; what goes on must not be missed for what is over.
        """
        active = self._pages({"applicationId": application_id, "states": list(ACTIVE_RUN_STATES)})
        border = datetime.fromtimestamp(oldest, timezone.utc)
        return active, self._pages({"applicationId": application_id, "createdAtAfter": border})

    def _pages(self, request: Mapping[str, Any]) -> _Listed:
        def ask(**asked: Any) -> Mapping[str, Any]:
            return patiently(partial(self._client.list_job_runs, **asked), self._pause)

        pages = list(job_run_pages(ask, request, PAGES))
        there_are_more = pages[-1][1]
        if there_are_more:
            log.warning(
                "Earlier work of this task was looked for among %s job runs of application %s; there are "
                "more, which were not looked at.",
                PAGES * 50,
                request["applicationId"],
            )
        return _Listed([summary for page, _ in pages for summary in page], not there_are_more)
