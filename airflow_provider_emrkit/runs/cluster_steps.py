"""Spark jobs as steps of EMR clusters: of one that exists, or of one that is made for the job."""

from __future__ import annotations

import threading
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
from airflow_provider_emrkit.logs.causes import LogText
from airflow_provider_emrkit.logs.cluster_sources import (
    ArchivedSources,
    CloudWatchPlace,
    NoSources,
    StepCloudWatchSources,
)
from airflow_provider_emrkit.logs.sources import LogLine
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.protocol import FailureFacts, Released
from airflow_provider_emrkit.runs.states import CLUSTER_COMING_UP, CLUSTER_GOING, CLUSTER_UP
from airflow_provider_emrkit.runs.step_calls import (
    cluster_state,
    failure_message,
    list_steps,
    needs_cluster,
    run_status,
    steps_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_emrkit.compute.defaults import ClusterDefaults
    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.jobs.spark_job import SparkJob
    from airflow_provider_emrkit.logs.sources import LogSources
    from airflow_provider_emrkit.runs.protocol import Compute
    from airflow_provider_emrkit.runs.states import RunStatus
    from airflow_provider_emrkit.runs.token import RunToken

KIND = "step"

# Seconds between the attempts to submit, while AWS throttles or can't be reached.
SUBMIT_PAUSES = (2.0, 5.0, 10.0, 20.0)
# Seconds between the attempts to end a cluster and to see it end.
RELEASE_PAUSES = (1.0, 2.0, 4.0)
# Lines at the end of each log that a failure's cause is looked for in.
TAIL_LINES = 1_000
# How far back another try's cluster can have been made, and the pages of clusters or steps looked through.
FIND_WITHIN = timedelta(hours=1)
FIND_PAGES = 4


class ClusterSteps:
    """Runs Spark jobs as steps of EMR clusters.

    A dynamic cluster is one RunJobFlow call with the step in it: if Airflow goes away, the cluster ends with
    its step all the same.

    :param clients: AWS clients.
    :param defaults: What the connection says about clusters.
    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.
    :param settle: Waits some seconds, whatever happens.

    >>> ClusterSteps(hook.clients, hook.settings.cluster_defaults(), stop.wait)  # doctest: +SKIP
    """

    def __init__(
        self,
        clients: AwsClients,
        defaults: ClusterDefaults,
        pause: Callable[[float], bool],
        settle: Callable[[float], object] | None = None,
    ) -> None:
        self._clients = clients
        self._defaults = defaults
        self._pause = pause
        self._settle = settle or threading.Event().wait

    @property
    def _emr(self) -> Any:
        return self._clients.client("emr")

    def submit(self, job: SparkJob, compute: Compute, token: RunToken) -> JobRun:
        """Start a job, once (AddJobFlowSteps, or RunJobFlow and ListSteps); see :class:`Runs`.

        Neither call has an idempotency token. They are therefore never repeated blindly: after a failure
        that leaves the outcome open, the run is looked for by its token first.
        """
        argv = spark_submit(job, name=f"{token.dag_id}.{token.task_id}")
        step = step_request(token.marked(), argv, compute.action_on_failure)
        driver_apart = job.deploy_mode == "cluster"
        if isinstance(compute, ExistingCluster):
            send = partial(self._add_step, compute.cluster_id, step, token, driver_apart=driver_apart)
        else:
            request = self._cluster_request(compute, step, token)
            send = partial(self._run_job_flow, request, token, driver_apart=driver_apart)
        return self._send_once(send, compute, token)

    def find(self, compute: Compute, token: RunToken) -> JobRun | None:
        """Find the run that carries a token (ListSteps, and ListClusters for a dynamic cluster)."""
        if isinstance(compute, ExistingCluster):
            return self._find_step(compute.cluster_id, token, owns_cluster=False)
        name = token.marked(compute.name)
        request: dict[str, Any] = {
            "CreatedAfter": datetime.now(timezone.utc) - FIND_WITHIN,
            "ClusterStates": sorted(CLUSTER_UP | CLUSTER_COMING_UP),
        }
        for _ in range(FIND_PAGES):
            answer = self._emr.list_clusters(**request)
            for cluster in answer.get("Clusters", []):
                if cluster.get("Name") == name:
                    return self._find_step(cluster["Id"], token, owns_cluster=True)
            if not answer.get("Marker"):
                break
            request["Marker"] = answer["Marker"]
        return None

    def states(self, runs: Sequence[JobRun]) -> Mapping[JobRun, RunStatus]:
        """Ask how steps are doing (ListSteps, DescribeCluster where the step alone does not tell)."""
        statuses: dict[JobRun, RunStatus] = {}
        for cluster_id in dict.fromkeys(run.cluster_id for run in runs):
            here = [run for run in runs if run.cluster_id == cluster_id]
            steps = list_steps(self._emr, cluster_id, [run.step_id for run in here])
            unclear = any(needs_cluster(steps.get(run.step_id)) for run in here)
            cluster = self._describe(cluster_id) if unclear else None
            statuses.update({run: run_status(steps.get(run.step_id), cluster) for run in here})
        return statuses

    def cancel(self, run: JobRun) -> str:
        """End a step (CancelSteps), or its cluster when that was made for it (TerminateJobFlows)."""
        if run.owns_cluster:
            self._emr.terminate_job_flows(JobFlowIds=[run.cluster_id])
            return f"cluster {run.cluster_id} is being terminated"
        answer = self._emr.cancel_steps(ClusterId=run.cluster_id, StepIds=[run.step_id])
        infos = answer.get("CancelStepsInfoList") or [{}]
        if infos[0].get("Status") == "FAILED":
            return f"{run} could not be cancelled: {infos[0].get('Reason')}"
        return f"{run} is being cancelled"

    def log_sources(self, run: JobRun) -> LogSources:
        """Find out from the cluster where its logs go (DescribeCluster)."""
        place = CloudWatchPlace.of(self._describe(run.cluster_id))
        if place:
            logs = self._clients.client("logs")
            return StepCloudWatchSources(logs, place, run.step_id, run.driver_apart)
        where = step_logs_uri(run)
        if where is None:
            return NoSources(
                f"Cluster {run.cluster_id} keeps no logs: it has neither CloudWatch logging nor a LogUri."
            )
        return NoSources(
            f"Cluster {run.cluster_id} does not send its logs to CloudWatch (emr-7.11.0 and later can); "
            f"EMR puts them to {where} every few minutes."
        )

    def failure_facts(self, run: JobRun) -> FailureFacts:
        """Collect EMR's words (ListSteps) and the ends of the logs, from CloudWatch or else from S3."""
        step = list_steps(self._emr, run.cluster_id, [run.step_id]).get(run.step_id) or {}
        details = (step.get("Status") or {}).get("FailureDetails") or {}
        sources: LogSources = self.log_sources(run)
        followed = not isinstance(sources, NoSources)
        if not followed and run.log_uri:
            s3 = self._clients.client("s3")
            sources = ArchivedSources(s3, run.log_uri, run.cluster_id, run.step_id, run.driver_apart)
        return FailureFacts(
            failure_message(step), details.get("LogFile") or "", _log_ends(sources), followed=followed
        )

    def release(self, run: JobRun) -> Released:
        """Terminate the cluster that was made for a run, and see that it ends.

        (DescribeCluster, TerminateJobFlows.)
        """
        if not run.owns_cluster:
            return Released(True, f"cluster {run.cluster_id} goes on")
        problem = ""
        for wait in (*RELEASE_PAUSES, 0.0):
            try:
                state, _, _ = cluster_state(self._describe(run.cluster_id))
                if state in CLUSTER_GOING:
                    return Released(True, f"cluster {run.cluster_id} is {state}")
                self._emr.terminate_job_flows(JobFlowIds=[run.cluster_id])
                state, _, _ = cluster_state(self._describe(run.cluster_id))
                if state in CLUSTER_GOING:
                    return Released(True, f"cluster {run.cluster_id} is {state}")
                problem = f"it is still {state}"
            except Exception as error:
                if not is_aws_error(error):
                    raise
                problem = explain(error, run.region)
            self._settle(wait)
        return Released(False, problem)

    def _describe(self, cluster_id: str) -> Mapping[str, Any]:
        cluster: Mapping[str, Any] = self._emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
        return cluster

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

    def _add_step(
        self, cluster_id: str, step: Mapping[str, Any], token: RunToken, *, driver_apart: bool
    ) -> JobRun:
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
            driver_apart=driver_apart,
        )

    def _run_job_flow(self, request: Mapping[str, Any], token: RunToken, *, driver_apart: bool) -> JobRun:
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
            driver_apart=driver_apart,
        )
        try:
            return replace(run, step_id=self._first_step_id(cluster_id, token))
        except BaseException as error:  # nobody else knows of the cluster yet, whatever interrupted this
            released = self.release(run)
            if not released.done:
                raise SubmitRefusedError(
                    f"cluster {cluster_id} was started for the job, its step could not be found ({error}), "
                    f"and it could not be terminated ({released.message}); terminate it by hand"
                ) from error
            raise

    def _first_step_id(self, cluster_id: str, token: RunToken) -> str:
        """Give the id of the step a new cluster was made with; RunJobFlow's answer does not have it."""
        for wait in (*SUBMIT_PAUSES, 0.0):
            step = self._named_step(cluster_id, token)
            if step:
                return str(step["Id"])
            self._settle(wait)
        raise SubmitRefusedError(f"cluster {cluster_id} does not list the step it was started with")

    def _named_step(self, cluster_id: str, token: RunToken) -> Mapping[str, Any] | None:
        """Find the step that carries a token; None also while EMR can't be asked."""
        try:
            steps = steps_of(self._emr, cluster_id, FIND_PAGES)
            return next((step for step in steps if step.get("Name") == token.marked()), None)
        except Exception as error:
            if not is_transient(error):
                raise
            return None

    def _find_step(self, cluster_id: str, token: RunToken, *, owns_cluster: bool) -> JobRun | None:
        step = self._named_step(cluster_id, token)
        if step is None:
            return None
        args = (step.get("Config") or {}).get("Args") or []
        return JobRun(
            kind=KIND,
            cluster_id=cluster_id,
            step_id=step["Id"],
            token=str(token),
            name=token.marked(),
            region=self._clients.region_name,
            owns_cluster=owns_cluster,
            submitted_at=time.time(),
            log_uri=self._describe(cluster_id).get("LogUri"),
            driver_apart=["--deploy-mode", "client"] not in [list(args[i : i + 2]) for i in range(len(args))],
        )

    def _send_once(self, send: Callable[[], JobRun], compute: Compute, token: RunToken) -> JobRun:
        for wait in SUBMIT_PAUSES:
            outcome = self._attempt(send)
            if isinstance(outcome, JobRun):
                return outcome
            found = self.find(compute, token)
            if found:
                return found
            if self._pause(wait):
                raise SubmitRefusedError("the task was stopped before its job was submitted") from outcome
        outcome = self._attempt(send)
        if isinstance(outcome, JobRun):
            return outcome
        raise SubmitRefusedError(self._refusal("the job was not submitted", outcome)) from outcome

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


def step_logs_uri(run: JobRun) -> str | None:
    """Give the folder EMR archives a step's own logs in, as an ``s3://`` URI; None when it keeps none."""
    if not run.log_uri:
        return None
    _, _, path = run.log_uri.partition("://")
    return f"s3://{path.rstrip('/')}/{run.cluster_id}/steps/{run.step_id}/"


def _log_ends(sources: LogSources) -> Sequence[LogText]:
    """Read the ends of all logs, the driver's first.

    What spark-submit wrote is read first all the same: it names the YARN application, and so the driver's
    logs.
    """
    texts: dict[str, LogText] = {}
    for _ in range(2):
        for source in sources.current():
            if source.name in texts:
                continue
            lines = source.last_lines(TAIL_LINES)
            texts[source.name] = LogText(f"{source.label} in {source.name}", lines)
            sources.observe([LogLine(None, line, source.label) for line in lines])
    return [text for text in reversed(texts.values()) if text.lines]
