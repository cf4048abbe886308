"""The handle of one submitted job."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_emrkit.logs.wishes import LogWishes

_SHARED = frozenset(
    {"kind", "cluster_id", "application_id", "region", "log_uri", "log_group", "log_prefix", "pool"}
)

# The sorts of runs: a step of a cluster, and a job run of EMR Serverless.
STEP, JOB_RUN = "step", "job_run"


@dataclass(frozen=True, slots=True)
class JobRun:
    """A submitted job: what one needs to watch, cancel and explain it. Plain JSON both ways.

    :param kind: What sort of run it is: ``step``, or ``job_run`` for one of EMR Serverless.
    :param cluster_id: ``j-…``; empty for EMR Serverless.
    :param step_id: ``s-…``; empty for EMR Serverless.
    :param token: The run's token; see :class:`~airflow_provider_emrkit.runs.token.RunToken`.
    :param name: Name of the step or job run.
    :param region: AWS region.
    :param owns_cluster: Whether the cluster was made for this run and has to end with it.
    :param submitted_at: Seconds since 1970.
    :param log_uri: Where the cluster archives its logs; None for nowhere.
    :param driver_apart: Whether the driver runs in a YARN container (deploy mode ``cluster``).
    :param log_group: CloudWatch log group that its logs go to; None for none.
    :param log_prefix: What the names of its log streams start with; empty, or ending in a slash.
    :param relaunch: How often its task's try had started the job before.
    :param executor_logs: Whether its executors' logs are wanted in the task's log.
    :param executors_sent: Whether its cluster sends those to CloudWatch.
    :param log_streams: Group and name of streams that the job writes to by itself; a ``*`` ends a name that
        is the beginning of many.
    :param pool: Name of the pool whose cluster it is on; empty for none.
    :param application_id: The application of EMR Serverless it runs on; empty for a step.
    :param job_run_id: Its id there; empty for a step.
    :param grace_seconds: Seconds a job run may take to end by itself when it is cancelled; 0 for EMR
        Serverless' own.
    :param image: The image its driver runs in, as far as was known when it was submitted; empty for none.
    :param image_digests: The digests that image had, for each of its architectures; none where they are not
        known.

    >>> run = JobRun("step", "j-1", "s-1", "0123456789abcdef-1", "sales", "us-east-1")
    >>> JobRun.from_dict(run.to_dict()) == run
    True
    """

    kind: str
    cluster_id: str
    step_id: str
    token: str
    name: str
    region: str
    owns_cluster: bool = False
    submitted_at: float = 0.0
    log_uri: str | None = None
    driver_apart: bool = True
    log_group: str | None = None
    log_prefix: str = ""
    relaunch: int = 0
    executor_logs: bool = False
    executors_sent: bool = False
    log_streams: tuple[tuple[str, str], ...] = ()
    pool: str = ""
    application_id: str = ""
    job_run_id: str = ""
    grace_seconds: int = 0
    image: str = ""
    image_digests: tuple[str, ...] = ()

    @property
    def image_digest(self) -> str:
        """The digest of its image; empty where it is not known which of several that is."""
        return self.image_digests[0] if len(self.image_digests) == 1 else ""

    @property
    def compute_id(self) -> str:
        """Id of the cluster or application it runs on."""
        return self.application_id if self.kind == JOB_RUN else self.cluster_id

    @property
    def id(self) -> str:
        """Its own id there; empty while it has none."""
        return self.job_run_id if self.kind == JOB_RUN else self.step_id

    @property
    def what(self) -> str:
        """Name the run in a sentence, without where it runs."""
        return f"job run {self.job_run_id}" if self.kind == JOB_RUN else f"step {self.step_id}"

    @property
    def place(self) -> str:
        """Name the sort of what it runs on."""
        return "application" if self.kind == JOB_RUN else "cluster"

    @property
    def where(self) -> str:
        """Name what it runs on in a sentence."""
        return f"{self.place} {self.compute_id}"

    def with_wishes(self, wishes: LogWishes) -> JobRun:
        """Give the run with what is wanted of its logs."""
        return replace(self, executor_logs=wishes.executor_logs, log_streams=wishes.streams)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        # JSON has lists only, and a run is the key of mappings.
        streams, digests = [list(stream) for stream in self.log_streams], list(self.image_digests)
        return {**asdict(self), "log_streams": streams, "image_digests": digests}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> JobRun:
        """Read it back; members that another version of emrkit wrote are ignored."""
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in data.items() if name in known}
        values["log_streams"] = tuple((group, name) for group, name in data.get("log_streams") or ())
        values["image_digests"] = tuple(data.get("image_digests") or ())
        for name in _SHARED & values.keys():
            if isinstance(values[name], str):  # runs are held by the thousand, and have these in common
                values[name] = sys.intern(values[name])
        return cls(**values)

    def __str__(self) -> str:
        if self.pool and not self.step_id:  # it waits for room
            return f"the job for pool {self.pool}"
        return f"{self.what} on {self.where}"


def by_compute(runs: Iterable[JobRun]) -> dict[str, list[JobRun]]:
    """Give runs by the ids of what they run on."""
    found: dict[str, list[JobRun]] = {}
    for run in runs:
        found.setdefault(run.compute_id, []).append(run)
    return found
