"""A local EMR Serverless with an application, and the code that runs jobs on it, for tests of that code."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from faulty_emr import FaultyEmr, clients_of
from serverless_settling import wait_settled

from airflow_provider_emrkit.compute.defaults import ApplicationDefaults
from airflow_provider_emrkit.compute.serverless import ServerlessApplication
from airflow_provider_emrkit.jobs.spark_job import SparkJob
from airflow_provider_emrkit.logs.wishes import NO_WISHES
from airflow_provider_emrkit.runs.serverless_runs import ServerlessRuns
from airflow_provider_emrkit.runs.token import RunToken

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.logs.wishes import LogWishes
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.states import RunStatus

ROLE = "arn:aws:iam::123456789012:role/job"
TOKEN = RunToken("sales", "manual__1", "load", -1, 0, 1)
TO_S3 = {"s3MonitoringConfiguration": {"logUri": "s3://logs/serverless/"}}
TO_CLOUDWATCH = {"cloudWatchLoggingConfiguration": {"enabled": True}}
ENDED = ("SUCCESS", "FAILED", "CANCELLED")


class ServerlessRig:
    """An application, and who runs jobs on it.

    :param server: The fixture ``localemr_server``.
    :param application: Further members of CreateApplication.
    """

    def __init__(self, server: Any, **application: Any) -> None:
        self.server = server
        self.really = server.client("emr-serverless")
        self.application_id = self.really.create_application(
            **{"name": "nightly", "releaseLabel": "emr-7.11.0", "type": "SPARK", **application}
        )["applicationId"]
        self.emr = FaultyEmr(self.really)
        self.pauses: list[float] = []
        self.stopped = False
        self.during_pause: Callable[[], object] = lambda: None
        clients = clients_of(
            self.emr, s3=server.client("s3"), logs=server.client("logs"), ecr=server.client("ecr")
        )
        self.clients = clients
        self.runs = ServerlessRuns(clients, ApplicationDefaults(), self.pause, self.pause)

    def pause(self, seconds: float) -> bool:
        """Wait no longer than the local EMR needs for its part."""
        self.pauses.append(seconds)
        self.during_pause()
        threading.Event().wait(0.02)
        wait_settled(self.server)
        return self.stopped

    def compute(self, **options: Any) -> ServerlessApplication:
        """Say that a job is to run here."""
        return ServerlessApplication(
            **{"application_id": self.application_id, "execution_role_arn": ROLE, **options}
        )

    def submit(
        self,
        name: str = "job",
        token: RunToken = TOKEN,
        wishes: LogWishes = NO_WISHES,
        **options: Any,
    ) -> JobRun:
        """Submit a job, whose script is found by its name."""
        job = SparkJob(f"s3://code/{name}.py")
        return self.runs.submit(job, self.compute(**options), token, wishes)

    def held(self, name: str = "job", **options: Any) -> JobRun:
        """Submit a job that runs until it is finished, and wait until it does."""
        self.server.jobs.script(name, hold=True)
        run = self.submit(name, **options)
        return self.wait(run, "RUNNING")

    def ended(self, name: str = "job", **options: Any) -> JobRun:
        """Submit a job and wait for its end."""
        return self.wait(self.submit(name, **options), *ENDED)

    def failed(self, details: str = "ExitCode: 1", **options: Any) -> JobRun:
        """Submit a job that fails, and wait for that."""
        self.server.jobs.script("bad", fails=details)
        return self.wait(self.submit("bad", **options), "FAILED")

    def wait(self, run: JobRun, *states: str) -> JobRun:
        """Wait until a job run is in one of the states."""
        for _ in range(1_000):
            if self.describe(run)["state"] in states:
                return run
            threading.Event().wait(0.02)
        raise AssertionError(self.describe(run))

    def describe(self, run: JobRun) -> dict[str, Any]:
        """Ask what EMR Serverless says about a job run."""
        ids = {"applicationId": run.application_id, "jobRunId": run.job_run_id}
        found: dict[str, Any] = self.really.get_job_run(**ids)["jobRun"]
        return found

    def age(self, run: JobRun, seconds: float = 60.0) -> JobRun:
        """Let a job run that has ended have ended earlier."""
        store, earlier = self.server.server.serverless.store, timedelta(seconds=seconds)
        with store.lock:
            record = store.run(run.application_id, run.job_run_id)
            for one in (record, *record.attempts):
                one.created, one.updated = one.created - earlier, one.updated - earlier
                one.ended = one.ended - earlier
            for attempt in record.attempts:
                attempt.started = attempt.started - earlier
        return run

    def status(self, run: JobRun) -> RunStatus:
        """Ask how a job run is doing, as a watcher does."""
        return self.runs.states([run])[run]

    def job_runs(self) -> list[dict[str, Any]]:
        """List all job runs there are."""
        found: list[dict[str, Any]] = self.really.list_job_runs(applicationId=self.application_id)["jobRuns"]
        return found
