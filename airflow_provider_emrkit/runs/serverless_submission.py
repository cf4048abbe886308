"""Submits Spark jobs to applications of EMR Serverless."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_emrkit.applications.applications import Applications
from airflow_provider_emrkit.applications.images import worker_images
from airflow_provider_emrkit.compute.job_run_request import check_job_run, job_run_request
from airflow_provider_emrkit.compute.serverless import ServerlessApplication
from airflow_provider_emrkit.exceptions import (
    ApplicationBusyError,
    ComputeNotFoundError,
    EmrKitError,
    SubmitRefusedError,
)
from airflow_provider_emrkit.hooks.errors import is_aws_error, is_transient
from airflow_provider_emrkit.jobs.serverless_submit import unused_options
from airflow_provider_emrkit.runs.serverless_calls import image_of, run_of
from airflow_provider_emrkit.runs.serverless_ending import ServerlessEnding
from airflow_provider_emrkit.runs.serverless_refusals import job_run_refusal
from airflow_provider_emrkit.runs.serverless_search import ServerlessSearch
from airflow_provider_emrkit.runs.serverless_sending import SendJobRun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_emrkit.applications.applications import ReadyApplication
    from airflow_provider_emrkit.applications.awaited import LeftWaits
    from airflow_provider_emrkit.compute.defaults import ApplicationDefaults
    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.jobs.spark_job import SparkJob
    from airflow_provider_emrkit.logs.wishes import LogWishes
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.protocol import Compute
    from airflow_provider_emrkit.runs.token import RunToken

T = TypeVar("T")

log = logging.getLogger(__name__)

# Why a job run is not on what its application was when it was ready.
_CHANGED = (
    "its application was changed just now. Do two DAGs, or two versions of one, have specs of one name that "
    "differ?"
)
# Seconds in which a job run on another image than its own has to end.
END_PATIENCE = 30.0
# Times an application is made ready for a job that is refused as it was stopped or deleted just then.
ROUNDS = 3


class ServerlessSubmission:
    """Submits job runs, each once; see :class:`~.serverless_sending.SendJobRun`.

    :param clients: AWS clients.
    :param defaults: What the connection says about applications.
    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.
    :param settle: Waits some seconds, whatever happens.
    :param left: The waits of a deferrable task; None for one that waits on its worker.

    >>> submission = ServerlessSubmission(clients, defaults, stop.wait, time.sleep)  # doctest: +SKIP
    >>> submission.submit(job, compute, token, wishes).job_run_id  # doctest: +SKIP
    '00f1abcdefgh2i0j'
    """

    def __init__(
        self,
        clients: AwsClients,
        defaults: ApplicationDefaults,
        pause: Callable[[float], bool],
        settle: Callable[[float], object],
        left: LeftWaits | None = None,
    ) -> None:
        self._clients = clients
        self._defaults = defaults
        self._pause = pause
        self._settle = settle
        self._applications = Applications(clients, defaults, self._is_stopped, left)
        self._search = ServerlessSearch(clients, defaults, self._is_stopped)
        self._stopped = False

    def submit(self, job: SparkJob, compute: Compute, token: RunToken, wishes: LogWishes) -> JobRun:
        """Start a job, once, on an application that is made ready for it.

        :param wishes: What is wanted of its logs.
        :raises ApplicationNotYet: when a deferrable task is to wait for the application; nothing runs yet.
        :raises InvalidValueError: when it can't run there.
        :raises SubmitRefusedError: when AWS does not take the job; the type says why.
        """
        if not isinstance(compute, ServerlessApplication):
            raise TypeError("job runs are submitted to a ServerlessApplication")
        check_job_run(job, compute, self._defaults)
        unused = unused_options(job)
        if unused:
            log.warning("EMR Serverless has no use for what the job says of YARN: %s", ", ".join(unused))
        for _ in range(ROUNDS - 1):
            ready = self._ready(compute)
            try:
                return self._sent(job, compute, token, wishes, ready)
            except SubmitRefusedError as error:
                if not self._has_moved(compute, ready, error):
                    raise
                log.warning("%s; the application has changed meanwhile, and is looked at once more", error)
        return self._sent(job, compute, token, wishes, self._ready(compute))

    def _ready(self, compute: ServerlessApplication) -> ReadyApplication:
        try:
            return self._asked(partial(self._applications.ready, compute), "the application is not ready")
        except SubmitRefusedError as error:
            if self._stopped:
                raise
            raise type(error)(f"the job was not submitted: {error}") from error

    def _sent(
        self,
        job: SparkJob,
        compute: ServerlessApplication,
        token: RunToken,
        wishes: LogWishes,
        ready: ReadyApplication,
    ) -> JobRun:
        request = job_run_request(
            job,
            compute,
            name=token.marked(),
            client_token=str(token),
            tags=token.tags(),
            application=ready.description,
            defaults=self._defaults,
            executor_logs=wishes.executor_logs,
        )
        # Who asks here has more patience than boto3, and tells when it ends.
        client = self._clients.client("emr-serverless", retries=False)
        sending = SendJobRun(client, partial(self._search.carrying, compute, token), self._is_stopped)
        sent = self._asked(partial(sending.send, request), "AWS did not take it")
        run = run_of(
            ready.description,
            request,
            sent.job_run_id,
            token.mark,
            region=self._clients.region_name,
            submitted_at=sent.created_at,
            grace_seconds=compute.grace_seconds,
        )
        if sent.described:
            images = worker_images(ready.description), worker_images(sent.described)
            self._end_on_another_image(run, compute, *images)
        meant, got = ready.description["releaseLabel"], sent.described.get("releaseLabel")
        if got not in (None, meant):
            log.warning("%s runs on %s, and not on %s: %s", run, got, meant, _CHANGED)
        image = image_of(sent.described) or ready.image
        return replace(run, image=image, image_digests=ready.image_digests).with_wishes(wishes)

    def _end_on_another_image(
        self, run: JobRun, compute: ServerlessApplication, meant: Mapping[str, str], told: Mapping[str, str]
    ) -> None:
        """End a job run that runs another image than its own: what it writes would be wrong.

        GetJobRun may leave out images, so it is ended only where the application has the same image, or none,
        by now. Else an image that was not the application's is told, as nobody knows where it comes from.

        :param meant: The image of each sort of workers, of the application when it was ready.
        :param told: Those that GetJobRun tells.
        """
        others = {worker: uri for worker, uri in told.items() if uri != meant[worker]}
        now = self._images_now(compute) if others else {}
        sure = {worker: uri for worker, uri in others.items() if uri == now.get(worker)}
        foreign = {worker: uri for worker, uri in others.items() if uri not in ("", *meant.values())}
        if not sure and not foreign:
            return
        got = "; ".join(
            f"its {worker} has got {f'image {uri}' if uri else 'the image of EMR'}, "
            f"and not {meant[worker] or 'that of EMR'}"
            for worker, uri in (sure or foreign).items()
        )
        said = f"{run}: {got}: {_CHANGED}"
        if not sure:
            log.warning("%s", said)
            return
        client = self._clients.client("emr-serverless")
        ended = ServerlessEnding(client, self._settle).end(run, END_PATIENCE)
        raise ApplicationBusyError(
            f"{said} What is in another image is not to do this job's work: {ended.message}"
        )

    def _images_now(self, compute: ServerlessApplication) -> Mapping[str, str]:
        """Give the image of each sort of workers that the application has now; empty where nobody tells."""
        try:
            application = self._applications.find(compute)
        except Exception as error:
            if not isinstance(error, EmrKitError) and not is_aws_error(error) and not is_transient(error):
                raise
            return {}
        return worker_images(application) if application else {}

    def _has_moved(
        self, compute: ServerlessApplication, ready: ReadyApplication, error: SubmitRefusedError
    ) -> bool:
        """Tell whether a job was refused as its application was stopped or deleted since it was ready."""
        if type(error) not in (SubmitRefusedError, ComputeNotFoundError) or self._stopped:
            return False
        try:
            now = self._applications.find(compute)
        except SubmitRefusedError:
            return False
        return now is None or (now["applicationId"], now["state"]) != (ready.id, ready.description["state"])

    def _asked(self, ask: Callable[[], T], what: str) -> T:
        try:
            return ask()
        except SubmitRefusedError:
            raise
        except Exception as error:
            if self._stopped and isinstance(error, EmrKitError):  # it waited for the application
                raise SubmitRefusedError(f"nothing was submitted: {error}") from error
            if not is_aws_error(error) and not is_transient(error):
                raise
            if self._stopped:
                raise SubmitRefusedError("the task was stopped before its job was submitted") from error
            what = f"{what}, so the job was not submitted"
            raise job_run_refusal(what, error, self._clients.region_name) from error

    def _is_stopped(self, seconds: float) -> bool:
        self._stopped = self._pause(seconds)
        return self._stopped
