"""Submits Spark jobs as steps: to a cluster that exists, or with a cluster that is made for them."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.request import run_job_flow_request
from airflow_provider_emrkit.compute.targets import DynamicCluster, ExistingCluster
from airflow_provider_emrkit.exceptions import ComputeNotFoundError, SubmitRefusedError
from airflow_provider_emrkit.hooks.errors import is_aws_error, is_transient
from airflow_provider_emrkit.hooks.patience import patiently
from airflow_provider_emrkit.logs.wishes import NO_WISHES
from airflow_provider_emrkit.runs.refusals import refusal
from airflow_provider_emrkit.runs.sending import SendOnce
from airflow_provider_emrkit.runs.states import CLUSTER_COMING_UP, CLUSTER_UP
from airflow_provider_emrkit.runs.step_adding import StepAdding
from airflow_provider_emrkit.runs.step_calls import cluster_state, run_of, steps_of
from airflow_provider_emrkit.runs.step_compiling import StepCompiling
from airflow_provider_emrkit.runs.step_ending import StepEnding
from airflow_provider_emrkit.runs.step_search import StepSearch
from airflow_provider_emrkit.runs.token import Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_emrkit.compute.defaults import ClusterDefaults
    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.jobs.spark_job import SparkJob
    from airflow_provider_emrkit.logs.wishes import LogWishes
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.protocol import Compute
    from airflow_provider_emrkit.runs.token import RunToken

log = logging.getLogger(__name__)

# Seconds between the looks for the step that a new cluster was started with.
LIST_PAUSES = (2.0, 5.0, 10.0, 20.0)
# Seconds that the end of what nobody wants is waited for.
END_PATIENCE = 20.0


class StepSubmission:
    """Submits steps, each once.

    A dynamic cluster is one RunJobFlow call with the step in it: if Airflow goes away, the cluster ends with
    its step all the same. The run's token is in the names of both, by which a later try finds them.

    :param clients: AWS clients.
    :param defaults: What the connection says about clusters.
    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.
    :param settle: Waits some seconds, whatever happens.
    :param staging_uri: ``s3://bucket/prefix`` for arguments that are too long for a step.

    >>> StepSubmission(clients, defaults, stop.wait, stop.wait).submit(job, compute, token)  # doctest: +SKIP
    """

    def __init__(
        self,
        clients: AwsClients,
        defaults: ClusterDefaults,
        pause: Callable[[float], bool],
        settle: Callable[[float], object],
        staging_uri: str | None = None,
    ) -> None:
        self._clients = clients
        self._defaults = defaults
        self._pause = pause
        self._settle = settle
        self._compiling = StepCompiling(clients, pause, staging_uri)
        self._search = StepSearch(clients)
        self._stopped = False

    @property
    def _emr(self) -> Any:
        return self._clients.client("emr")

    def submit(
        self, job: SparkJob, compute: Compute, token: RunToken, wishes: LogWishes = NO_WISHES
    ) -> JobRun:
        """Start a job, once (AddJobFlowSteps, or RunJobFlow and ListSteps).

        Neither call has an idempotency token. They are therefore never repeated blindly: after a failure
        that leaves the outcome open, the run is looked for by its token first. An image is judged and pinned
        before, by what is known of the cluster.

        :param wishes: What is wanted of its logs; a new cluster sends them to CloudWatch, if it can.
        :raises InvalidValueError: when the job's arguments are longer than any program can be started with.
        :raises SubmitRefusedError: when AWS does not take the job; the type says why.
        """
        if not isinstance(compute, (DynamicCluster, ExistingCluster)):
            raise TypeError("jobs are placed on clusters of a pool, and not submitted to the pool")
        if isinstance(compute, ExistingCluster):
            cluster = self._usable_cluster(compute.cluster_id)
            step = self._step(job, cluster, compute, token)
            adding = StepAdding(self._clients.client("emr", retries=False), cluster["Id"], self._pause)
            run = self._sent_once(lambda: self._run(cluster, adding.add(step), token), compute, token)
        else:
            request = self._cluster_request(compute, job, token, executor_logs=wishes.executor_logs)
            request["Steps"] = [self._step(job, request, compute, token)]
            send = partial(self._run_job_flow, request, token)
            run = self._with_step(self._sent_once(send, compute, token, request), token)
        return replace(run, driver_apart=job.deploy_mode == "cluster").with_wishes(wishes)

    def _step(
        self,
        job: SparkJob,
        cluster: Mapping[str, Any],
        compute: DynamicCluster | ExistingCluster,
        token: RunToken,
    ) -> dict[str, Any]:
        """Make the step of a job for a cluster, as it is or as it is asked for."""
        job = self._compiling.suited(job, cluster)
        command = self._compiling.command(job, token, cluster.get("ReleaseLabel") or "")
        return self._compiling.step(command, token, compute.action_on_failure)

    def _usable_cluster(self, cluster_id: str) -> Mapping[str, Any]:
        """Describe a cluster that is to run a step, and see that it can."""
        try:
            cluster = patiently(partial(self._describe, cluster_id), self._pause)
        except Exception as error:
            if not is_aws_error(error) and not is_transient(error):
                raise
            what = f"cluster {cluster_id} can't be used, so the job was not submitted"
            raise refusal(what, error, self._clients.region_name) from error
        state, _, message = cluster_state(cluster)
        if state not in CLUSTER_UP | CLUSTER_COMING_UP:
            raise ComputeNotFoundError(
                f"cluster {cluster_id} is {state}{f' ({message})' if message else ''}, so the job was not "
                "submitted; name one that runs, or use a DynamicCluster"
            )
        return cluster

    def _cluster_request(
        self, compute: DynamicCluster, job: SparkJob, token: RunToken, *, executor_logs: bool
    ) -> dict[str, Any]:
        """Make the request for a job's cluster, without its step."""
        compiled = partial(
            run_job_flow_request,
            name=token.marked(compute.name),
            defaults=self._defaults,
            tags=token.tags(),
            executor_logs=executor_logs,
            image=job.docker,
        )
        return self._compiling.cluster(compiled, compute.spec)

    def _sent_once(
        self,
        send: Callable[[], JobRun],
        compute: Compute,
        token: RunToken,
        request: Mapping[str, Any] | None = None,
    ) -> JobRun:
        began = time.time()
        return SendOnce(
            send,
            look=lambda: [found.run for found in self._search.carrying(compute, token, began)],
            drop=self._drop,
            refuse=partial(refusal, region=self._clients.region_name, request=request),
            name=token.marked(),
            pause=self._pause,
            settle=self._settle,
        ).run()

    def _run_job_flow(self, request: Mapping[str, Any], token: RunToken) -> JobRun:
        answer = self._clients.client("emr", retries=False).run_job_flow(**request)
        return self._run({**request, "Id": answer["JobFlowId"]}, "", token, owns_cluster=True)

    def _run(
        self, cluster: Mapping[str, Any], step_id: str, token: RunToken, *, owns_cluster: bool = False
    ) -> JobRun:
        return run_of(
            cluster,
            step_id,
            token.mark,
            name=token.marked(),
            region=self._clients.region_name,
            submitted_at=time.time(),
            owns_cluster=owns_cluster,
        )

    def _drop(self, run: JobRun) -> None:
        """End a run that EMR made of a request that came twice."""
        log.warning("EMR took the job twice, as the answer to the first request was lost; ending %s.", run)
        ended = StepEnding(self._emr, self._settle).end(run, END_PATIENCE)
        log.log(logging.INFO if ended.done else logging.ERROR, "Ending it: %s", ended.message)

    def _with_step(self, run: JobRun, token: RunToken) -> JobRun:
        """Give the run with the id of its step; a cluster whose step can't be found is ended.

        When the task is being stopped, who stops it decides what becomes of the cluster.
        """
        try:
            return run if run.step_id else replace(run, step_id=self._first_step_id(run.cluster_id, token))
        except SubmitRefusedError as error:
            if self._stopped:
                raise
            released = StepEnding(self._emr, self._settle).end(run, END_PATIENCE)
            if not released.done:
                raise SubmitRefusedError(
                    f"cluster {run.cluster_id} was started for the job, its step could not be found "
                    f"({error}), and it could not be terminated ({released.message}); terminate it by hand"
                ) from error
            raise

    def _first_step_id(self, cluster_id: str, token: RunToken) -> str:
        """Give the id of the step a new cluster was made with; RunJobFlow's answer does not have it."""
        for wait in (*LIST_PAUSES, 0.0):
            step_id = self._listed_step_id(cluster_id, token)
            if step_id:
                return step_id
            if self._is_stopped(wait):
                raise SubmitRefusedError(f"the task was stopped while cluster {cluster_id} was started")
        raise SubmitRefusedError(f"cluster {cluster_id} does not list the step it was started with")

    def _listed_step_id(self, cluster_id: str, token: RunToken) -> str | None:
        emr = self._clients.client("emr", retries=False)
        try:
            steps = patiently(lambda: list(steps_of(emr, cluster_id, pages=1)), self._is_stopped)
        except Exception as error:
            if not is_aws_error(error) and not is_transient(error):
                raise
            what = f"the step of cluster {cluster_id} could not be found"
            raise refusal(what, error, self._clients.region_name) from error
        return next((step["Id"] for step in steps if Mark.of(step.get("Name") or "") == token.mark), None)

    def _is_stopped(self, seconds: float) -> bool:
        self._stopped = self._pause(seconds)
        return self._stopped

    def _describe(self, cluster_id: str) -> Mapping[str, Any]:
        emr = self._clients.client("emr", retries=False)
        cluster: Mapping[str, Any] = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
        return cluster
