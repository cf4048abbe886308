"""Submits Spark jobs as steps: to a cluster that exists, or with a cluster that is made for them."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.request import run_job_flow_request, step_request
from airflow_provider_emrkit.compute.targets import DynamicCluster, ExistingCluster
from airflow_provider_emrkit.exceptions import SubmitRefusedError
from airflow_provider_emrkit.hooks.errors import explain, is_aws_error, is_transient
from airflow_provider_emrkit.jobs.spark_submit import spark_submit
from airflow_provider_emrkit.runs.cluster_end import end_cluster
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.states import CLUSTER_COMING_UP, CLUSTER_UP
from airflow_provider_emrkit.runs.step_calls import cluster_state, steps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_emrkit.compute.defaults import ClusterDefaults
    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.jobs.spark_job import SparkJob
    from airflow_provider_emrkit.runs.protocol import Compute
    from airflow_provider_emrkit.runs.token import RunToken

KIND = "step"

# Seconds between the attempts to submit, while AWS throttles or can't be reached.
SUBMIT_PAUSES = (2.0, 5.0, 10.0, 20.0)
# Seconds after the last attempt until EMR is asked whether it came through all the same.
LAST_LOOK = 5.0
# How far back another try's cluster can have been made, and the pages of clusters or steps looked through.
FIND_WITHIN = timedelta(hours=1)
FIND_PAGES = 4


class StepSubmission:
    """Submits steps, each once.

    A dynamic cluster is one RunJobFlow call with the step in it: if Airflow goes away, the cluster ends with
    its step all the same.

    :param clients: AWS clients.
    :param defaults: What the connection says about clusters.
    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.
    :param settle: Waits some seconds, whatever happens.

    >>> StepSubmission(clients, defaults, stop.wait, stop.wait).submit(job, compute, token)  # doctest: +SKIP
    """

    def __init__(
        self,
        clients: AwsClients,
        defaults: ClusterDefaults,
        pause: Callable[[float], bool],
        settle: Callable[[float], object],
    ) -> None:
        self._clients = clients
        self._defaults = defaults
        self._pause = pause
        self._settle = settle

    @property
    def _emr(self) -> Any:
        return self._clients.client("emr")

    def submit(self, job: SparkJob, compute: Compute, token: RunToken) -> JobRun:
        """Start a job, once (AddJobFlowSteps, or RunJobFlow and ListSteps).

        Neither call has an idempotency token. They are therefore never repeated blindly: after a failure
        that leaves the outcome open, the run is looked for by its token first.
        """
        argv = spark_submit(job, name=f"{token.dag_id}.{token.task_id}")
        step = step_request(token.marked(), argv, compute.action_on_failure)
        if isinstance(compute, ExistingCluster):
            send = partial(self._add_step, compute.cluster_id, step, token)
        else:
            request = self._cluster_request(compute, step, token)
            send = partial(self._run_job_flow, request, token)
        return replace(self._send_once(send, compute, token), driver_apart=job.deploy_mode == "cluster")

    def find(self, compute: Compute, token: RunToken) -> JobRun | None:
        """Find the run that carries a token (ListSteps, and ListClusters for a dynamic cluster).

        :return: For a dynamic cluster that does not list its step yet, a run without a ``step_id``.
        """
        if isinstance(compute, ExistingCluster):
            step = self._named_step(compute.cluster_id, token)
            return self._found(compute.cluster_id, step, token, owns_cluster=False) if step else None
        name = token.marked(compute.name)
        request: dict[str, Any] = {
            "CreatedAfter": datetime.now(timezone.utc) - FIND_WITHIN,
            "ClusterStates": sorted(CLUSTER_UP | CLUSTER_COMING_UP),
        }
        for _ in range(FIND_PAGES):
            answer = self._emr.list_clusters(**request)
            for cluster in answer.get("Clusters", []):
                if cluster.get("Name") == name:
                    return self._found(cluster["Id"], self._named_step(cluster["Id"], token), token)
            if not answer.get("Marker"):
                break
            request["Marker"] = answer["Marker"]
        return None

    def _usable_cluster(self, cluster_id: str) -> Mapping[str, Any]:
        """Describe a cluster that is to run a step, and see that it can."""
        try:
            cluster = self._describe(cluster_id)
        except Exception as error:
            if not is_aws_error(error) or is_transient(error):
                raise
            message = self._refusal(f"cluster {cluster_id} can't be used", error)
            raise SubmitRefusedError(f"{message}; check its id and the connection's region") from error
        state, _, message = cluster_state(cluster)
        if state not in CLUSTER_UP | CLUSTER_COMING_UP:
            raise SubmitRefusedError(
                f"cluster {cluster_id} is {state}{f' ({message})' if message else ''}; "
                "name one that runs, or use a DynamicCluster"
            )
        return cluster

    def _cluster_request(
        self, compute: DynamicCluster, step: Mapping[str, Any], token: RunToken
    ) -> dict[str, Any]:
        request = run_job_flow_request(
            compute.spec,
            name=token.marked(compute.name),
            defaults=self._defaults,
            steps=[step],
            tags=token.tags(),
        )
        known = self._emr.meta.service_model.operation_model("RunJobFlow").input_shape.members
        if "MonitoringConfiguration" not in known:
            # The boto3 of older Airflow images has not heard of it; logs then come from S3.
            request.pop("MonitoringConfiguration", None)
        return request

    def _add_step(self, cluster_id: str, step: Mapping[str, Any], token: RunToken) -> JobRun:
        cluster = self._usable_cluster(cluster_id)
        emr = self._clients.client("emr", retries=False)
        answer = emr.add_job_flow_steps(JobFlowId=cluster["Id"], Steps=[step])
        return JobRun(
            kind=KIND,
            cluster_id=cluster["Id"],
            step_id=answer["StepIds"][0],
            token=str(token),
            name=token.marked(),
            region=self._clients.region_name,
            submitted_at=time.time(),
            log_uri=cluster.get("LogUri"),
        )

    def _run_job_flow(self, request: Mapping[str, Any], token: RunToken) -> JobRun:
        cluster_id = self._clients.client("emr", retries=False).run_job_flow(**request)["JobFlowId"]
        run = JobRun(
            kind=KIND,
            cluster_id=cluster_id,
            step_id="",
            token=str(token),
            name=token.marked(),
            region=self._clients.region_name,
            owns_cluster=True,
            submitted_at=time.time(),
            log_uri=request.get("LogUri"),
        )
        return self._with_step(run, token)

    def _with_step(self, run: JobRun, token: RunToken) -> JobRun:
        """Give the run with the id of its step; a cluster whose step can't be found is ended."""
        try:
            return run if run.step_id else replace(run, step_id=self._first_step_id(run.cluster_id, token))
        except BaseException as error:  # nobody else knows of the cluster yet, whatever interrupted this
            released = end_cluster(self._emr, run, self._settle)
            if not released.done:
                raise SubmitRefusedError(
                    f"cluster {run.cluster_id} was started for the job, its step could not be found "
                    f"({error}), and it could not be terminated ({released.message}); terminate it by hand"
                ) from error
            raise

    def _first_step_id(self, cluster_id: str, token: RunToken) -> str:
        """Give the id of the step a new cluster was made with; RunJobFlow's answer does not have it."""
        for wait in (*SUBMIT_PAUSES, 0.0):
            try:
                step = self._named_step(cluster_id, token)
            except Exception as error:
                if not is_transient(error):
                    raise
                step = None
            if step:
                return str(step["Id"])
            if self._pause(wait):
                raise SubmitRefusedError(f"the task was stopped while cluster {cluster_id} was started")
        raise SubmitRefusedError(f"cluster {cluster_id} does not list the step it was started with")

    def _named_step(self, cluster_id: str, token: RunToken) -> Mapping[str, Any] | None:
        """Find the step that carries a token (ListSteps)."""
        steps = steps_of(self._emr, cluster_id, FIND_PAGES)
        return next((step for step in steps if step.get("Name") == token.marked()), None)

    def _found(
        self, cluster_id: str, step: Mapping[str, Any] | None, token: RunToken, *, owns_cluster: bool = True
    ) -> JobRun:
        return JobRun(
            kind=KIND,
            cluster_id=cluster_id,
            step_id=step["Id"] if step else "",
            token=str(token),
            name=token.marked(),
            region=self._clients.region_name,
            owns_cluster=owns_cluster,
            submitted_at=time.time(),
            log_uri=self._describe(cluster_id).get("LogUri"),
        )

    def _send_once(self, send: Callable[[], JobRun], compute: Compute, token: RunToken) -> JobRun:
        unsent, stopped = True, False
        for wait in (*SUBMIT_PAUSES, LAST_LOOK):
            if unsent:
                outcome = self._attempt(send)
                if isinstance(outcome, JobRun):
                    return outcome
                error = outcome
            stopped = self._pause(wait)
            found = self._look(compute, token)
            if isinstance(found, JobRun):
                return self._with_step(found, token)
            # When EMR could not be asked, sending again might run the job twice.
            unsent = found is None
            if stopped:
                break
        if unsent and stopped:
            raise SubmitRefusedError("the task was stopped before its job was submitted") from error
        unknown = f"it is not known whether the job was submitted, look for {token.marked()!r}"
        what = "the job was not submitted" if unsent else unknown
        raise SubmitRefusedError(self._refusal(what, error)) from error

    def _look(self, compute: Compute, token: RunToken) -> JobRun | Exception | None:
        """Look for a run; gives the error when EMR can't be asked."""
        try:
            return self.find(compute, token)
        except Exception as error:
            if not is_aws_error(error):
                raise
            return error

    def _attempt(self, send: Callable[[], JobRun]) -> JobRun | Exception:
        """Send once; gives the error when its outcome is open or another attempt may succeed."""
        try:
            return send()
        except Exception as error:
            if is_transient(error):
                return error
            if not is_aws_error(error):
                raise
            raise SubmitRefusedError(self._refusal("the job was not submitted", error)) from error

    def _refusal(self, what: str, error: Exception) -> str:
        region = self._clients.region_name
        return f"{what} (region {region}): {explain(error, region)}"

    def _describe(self, cluster_id: str) -> Mapping[str, Any]:
        cluster: Mapping[str, Any] = self._emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
        return cluster
