"""The jobs of a simulated day, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.pool_mark import PoolPlace
from airflow_provider_emrkit.pools.order import PoolBounds, PoolOrder
from airflow_provider_emrkit.runs.token import RunToken

if TYPE_CHECKING:
    from airflow_provider_emrkit.runs.job_run import JobRun
    from pool_world.emr import Step, VirtualEmr

BUCKET, KEY = "team-bucket", "emrkit/pools/medium.json"
PLACE = PoolPlace("medium", "", f"s3://{BUCKET}/{KEY}")
SPECS = ("aaaaaaaaaaaa", "bbbbbbbbbbbb")


@dataclass(eq=False)
class Job:
    """One job.

    :param order: What is asked of the pool.
    :param told: What the process was told of its placement, the newest last.
    :param refused: Why it was refused.
    :param lives: Whether a process still sees to it.
    """

    order: PoolOrder
    told: list[JobRun] = field(default_factory=list)
    refused: str = ""
    lives: bool = True

    @property
    def token(self) -> str:
        """Whose job it is."""
        return str(self.order.token)

    @property
    def placed(self) -> bool:
        """Whether its process knows of a placement of the order as it is."""
        return any(run.token == self.token for run in self.told)

    def relaunch(self) -> None:
        """Order it once more."""
        token = replace(self.order.token, relaunch=1)
        self.order = replace(self.order, token=token, step=step_of(token))

    def steps(self, emr: VirtualEmr) -> list[Step]:
        """Give what EMR has of it."""
        return emr.steps.get(self.token, [])


def make_order(number: int, bounds: PoolBounds, *, since: float, spec: int = 0, idle: int = 300) -> PoolOrder:
    """Make the order of one job."""
    token = RunToken("sales", "manual__1", "load", number, 0, 1)
    return PoolOrder(
        place=PLACE,
        bounds=bounds,
        spec=SPECS[spec],
        capacity=(1, 2, 0),
        cluster=cluster_request(bounds, idle),
        step=step_of(token),
        token=token,
        since=since,
    )


def step_of(token: RunToken) -> dict[str, Any]:
    """Give the step of a job."""
    jar = {"Jar": "command-runner.jar", "Args": ["spark-submit", "s3://code/job.py"]}
    return {"Name": token.marked(), "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar}


def cluster_request(bounds: PoolBounds, idle: int) -> dict[str, Any]:
    """Give the request of a cluster of the pool, without its name."""
    return {
        "ReleaseLabel": "emr-7.11.0",
        "StepConcurrencyLevel": bounds.steps_per_cluster,
        "AutoTerminationPolicy": {"IdleTimeout": idle},
        "JobFlowRole": "EMR_EC2_DefaultRole",
        "ServiceRole": "EMR_DefaultRole",
        "Instances": {
            "InstanceCount": 3,
            "MasterInstanceType": "m5.xlarge",
            "SlaveInstanceType": "m5.xlarge",
            "KeepJobFlowAliveWhenNoSteps": True,
        },
    }
