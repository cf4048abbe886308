"""A pool on a local EMR, and processes that place jobs in it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from faulty_emr import FaultyEmr, clients_of

from airflow_provider_emrkit import ClusterPool, ClusterSpec, SparkJob
from airflow_provider_emrkit.hooks.settings import EmrKitSettings
from airflow_provider_emrkit.logs.wishes import NO_WISHES
from airflow_provider_emrkit.pools.lease import PoolLease
from airflow_provider_emrkit.pools.ordering import make_order
from airflow_provider_emrkit.pools.outcomes import Placed, Waits
from airflow_provider_emrkit.pools.placing import Placing
from airflow_provider_emrkit.runs.step_compiling import StepCompiling
from airflow_provider_emrkit.runs.token import Mark, RunToken

if TYPE_CHECKING:
    from airflow_provider_emrkit.logs.wishes import LogWishes
    from airflow_provider_emrkit.pools.order import PoolOrder
    from airflow_provider_emrkit.pools.record import PoolRecord

BUCKET = "staging"
STAGING_URI = f"s3://{BUCKET}/emrkit"
SETTINGS = EmrKitSettings.from_extra("emrkit_default", {"staging_uri": STAGING_URI})
SPEC = ClusterSpec("emr-7.11.0", size="tiny")
MEDIUM = ClusterPool("medium", SPEC, max_clusters=2, steps_per_cluster=2)
JOB = SparkJob("s3://code/job.py")


def token_of(number: int, **other: Any) -> RunToken:
    """Give the token of a mapped task's job."""
    return replace(RunToken("sales", "manual__1", "load", number, 0, 1), **other)


class S3WithHooks:
    """A client of S3 that tells of each write, after it was done.

    :param client: boto3 client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self.written: list[Any] = []

    def put_object(self, **request: Any) -> Any:
        """Write, and call what is to be called next."""
        answer = self._client.put_object(**request)
        if self.written:
            self.written.pop(0)()
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class PoolRig:
    """Everything it takes to place jobs.

    :param server: A local EMR; its steps run until they are told to end.
    """

    def __init__(self, server: Any) -> None:
        self.server = server
        server.runner.script("", hold=True)
        self.s3 = S3WithHooks(server.client("s3"))
        self.s3.create_bucket(Bucket=BUCKET)
        self.emr = FaultyEmr(server.client("emr"))
        self.clients = clients_of(self.emr, s3=self.s3)
        self.pauses: list[float] = []
        self.began = time.time()

    def pause(self, seconds: float) -> bool:
        """Do not wait."""
        self.pauses.append(seconds)
        return False

    def placing(self, process: str = "worker-1:1:a", clients: Any = None) -> Placing:
        """Give what a process places jobs with."""
        return Placing(clients or self.clients, process, self.pause)

    def order(
        self,
        number: int,
        pool: ClusterPool = MEDIUM,
        *,
        job: SparkJob = JOB,
        since: float | None = None,
        wishes: LogWishes = NO_WISHES,
        **token: Any,
    ) -> PoolOrder:
        """Make the order of a job; those with higher numbers came later."""
        compiling = StepCompiling(self.clients, self.pause, STAGING_URI)
        since = self.began + number / 1000 if since is None else since
        return make_order(compiling, pool, job, token_of(number, **token), SETTINGS, wishes, since=since)

    def orders(self, count: int, pool: ClusterPool = MEDIUM, first: int = 0) -> list[PoolOrder]:
        """Make some."""
        return [self.order(number, pool) for number in range(first, first + count)]

    def lease(self, place: Any, holder: str = "test", **options: Any) -> PoolLease:
        """Give the lease of a pool."""
        return PoolLease(self.s3, place, holder, **options)

    def record(self, place: Any) -> PoolRecord:
        """Read what the processes tell each other."""
        return self.lease(place).read()

    def steps(self) -> dict[str, list[tuple[str, str]]]:
        """Give cluster and state of the steps of all jobs, by token."""
        found: dict[str, list[tuple[str, str]]] = {}
        emr = self.server.client("emr")
        for cluster in self.clusters(*ALL):
            for step in emr.list_steps(ClusterId=cluster["Id"])["Steps"]:
                state = step["Status"]["State"]
                found.setdefault(str(Mark.of(step["Name"])), []).append((cluster["Id"], state))
        return found

    def clusters(self, *states: str) -> list[dict[str, Any]]:
        """Give clusters, those that have not ended by default."""
        listed = self.server.client("emr").list_clusters(ClusterStates=list(states or ACTIVE))["Clusters"]
        return sorted(listed, key=lambda cluster: cluster["Status"]["Timeline"]["CreationDateTime"])

    def finish_all(self) -> None:
        """Let all steps come to their end, and wait until they have."""
        for token, steps in self.steps().items():
            if any(state in ("RUNNING", "PENDING") for _, state in steps):
                self.server.runner.finish(f"emrkit:{token}")
        for cluster in self.clusters():
            self.server.wait_cluster(cluster["Id"], "WAITING")


ACTIVE = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
ALL = (*ACTIVE, "TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS")


def placed(outcomes: Any) -> dict[str, str]:
    """Give the cluster of each job that was placed, by token."""
    return {token: one.run.cluster_id for token, one in outcomes.items() if isinstance(one, Placed)}


def waiting(outcomes: Any) -> dict[str, str]:
    """Give why each job that was not placed waits, by token."""
    return {token: one.words for token, one in outcomes.items() if isinstance(one, Waits)}
