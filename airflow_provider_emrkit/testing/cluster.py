"""A cluster of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.testing.step import FinishedStep, StepFailedError
from airflow_provider_emrkit.testing.waiting import wait_for_state

if TYPE_CHECKING:
    from types import TracebackType

START_TIMEOUT = 1800.0
"""Seconds that a cluster may take to start: the first one of a release downloads Spark and Java."""
STEP_TIMEOUT = 600.0
"""Seconds that a step may take."""

_ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")
_USABLE = ("WAITING", "RUNNING")
_STEP_ENDED = ("COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED")

_REQUEST = {
    "Name": "test",
    "JobFlowRole": "EMR_EC2_DefaultRole",
    "ServiceRole": "EMR_DefaultRole",
    "Applications": [{"Name": "Spark"}],
    "Instances": {
        "MasterInstanceType": "m5.xlarge",
        "InstanceCount": 1,
        "KeepJobFlowAliveWhenNoSteps": True,
    },
}


class LocalClusterError(Exception):
    """A cluster did not start; the message says why."""


class LocalCluster:
    """A cluster that waits for steps.

    :param emr: boto3 client of EMR.
    :param s3: boto3 client of S3, for the logs.
    :param cluster_id: ``j-…``
    :param log_uri: Its ``LogUri``.

    >>> with emr.start_cluster("emr-6.15.0") as cluster:  # doctest: +SKIP
    ...     print(cluster.run("spark-submit", "s3://data/job.py").output)
    """

    def __init__(self, emr: Any, s3: Any, cluster_id: str, log_uri: str) -> None:
        self._emr = emr
        self._s3 = s3
        self.id = cluster_id
        self.log_uri = log_uri

    @classmethod
    def start(cls, emr: Any, s3: Any, request: dict[str, Any]) -> LocalCluster:
        """Start a cluster and wait until it can take steps.

        :param request: Members of the ``RunJobFlow`` request; roles, instances and a name have defaults.
        :raises LocalClusterError: when it ends before.
        """
        wanted = {**_REQUEST, **request}
        cluster = cls(emr, s3, emr.run_job_flow(**wanted)["JobFlowId"], wanted["LogUri"])
        found = wait_for_state(
            cluster.describe,
            (*_USABLE, *_ENDED),
            START_TIMEOUT,
            f"cluster {cluster.id} of {wanted['ReleaseLabel']}",
        )
        if found["Status"]["State"] in _ENDED:
            why = found["Status"].get("StateChangeReason", {}).get("Message", "no reason given")
            raise LocalClusterError(f"a cluster of {wanted['ReleaseLabel']} could not be started: {why}")
        return cluster

    def __enter__(self) -> LocalCluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.terminate()

    def __str__(self) -> str:
        return self.id

    def describe(self) -> dict[str, Any]:
        """Give EMR's description of it."""
        found: dict[str, Any] = self._emr.describe_cluster(ClusterId=self.id)["Cluster"]
        return found

    @property
    def state(self) -> str:
        """Its state now."""
        return str(self.describe()["Status"]["State"])

    @property
    def is_usable(self) -> bool:
        """Whether it can take steps now."""
        try:
            return self.state in _USABLE
        except self._emr.exceptions.InvalidRequestException:  # forgotten by a reset
            return False

    def submit(self, *args: str, jar: str = "command-runner.jar", name: str = "test") -> str:
        """Add a step, and give its id at once.

        :param args: Its arguments, e.g. ``"spark-submit", "s3://data/job.py"``.
        """
        run = {"Jar": jar, "Args": [str(arg) for arg in args]}
        step = {"Name": name, "ActionOnFailure": "CONTINUE", "HadoopJarStep": run}
        return str(self._emr.add_job_flow_steps(JobFlowId=self.id, Steps=[step])["StepIds"][0])

    def wait(self, step_id: str, timeout: float = STEP_TIMEOUT) -> FinishedStep:
        """Wait for the end of a step, whatever that is.

        :param timeout: Seconds.
        :raises TimeoutError: when it has not ended by then.
        """

        def describe() -> dict[str, Any]:
            found: dict[str, Any] = self._emr.describe_step(ClusterId=self.id, StepId=step_id)["Step"]
            return found

        found = wait_for_state(describe, _STEP_ENDED, timeout, f"step {step_id} of cluster {self.id}")
        return FinishedStep(
            id=step_id,
            cluster_id=self.id,
            args=tuple(found["Config"]["Args"]),
            state=found["Status"]["State"],
            details=found["Status"].get("FailureDetails", {}),
            log_uri=self.log_uri,
            s3=self._s3,
        )

    def run(
        self, *args: str, jar: str = "command-runner.jar", check: bool = True, timeout: float = STEP_TIMEOUT
    ) -> FinishedStep:
        """Run a step to its end.

        :param args: Its arguments, e.g. ``"spark-submit", "s3://data/job.py"``.
        :param check: Raise an error when it does not succeed.
        :param timeout: Seconds.
        :raises StepFailedError: with the end of its stderr.
        :raises TimeoutError: when it has not ended by then.
        """
        step = self.wait(self.submit(*args, jar=jar), timeout)
        if check and not step.succeeded:
            raise StepFailedError(step)
        return step

    def terminate(self) -> None:
        """End it, and wait until it has ended."""
        self._emr.terminate_job_flows(JobFlowIds=[self.id])
        wait_for_state(self.describe, _ENDED, STEP_TIMEOUT, f"cluster {self.id}")
