"""What EMR answers about the clusters and steps of a schedule, and what it does with steps that are added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.endpoint.refusal import RefusedError
from benchmarks.pools.plan import cluster_name
from benchmarks.schedule import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Answer = dict[str, Any]

PAGE = 50
IDS_AT_ONCE = 10


class Emr:
    """Answers as EMR would at a point of the schedule.

    :param jobs: The schedule.
    :param started: When its second 0 was, in seconds since 1970.

    >>> job = Job(1, "j-1", "s-1", "etl", "", 0.0, 2.0, 9.0)
    >>> emr = Emr([job], started=1_700_000_000.0)
    >>> emr.operations["ListSteps"]({"ClusterId": "j-1"}, 5.0)["Steps"][0]["Status"]["State"]
    'RUNNING'
    """

    def __init__(self, jobs: Sequence[Job], started: float) -> None:
        self._started = started
        self._added = 0
        # ListSteps gives the newest first.
        self._by_cluster: dict[str, dict[str, Job]] = {}
        for job in reversed(jobs):
            self._by_cluster.setdefault(job.cluster_id, {})[job.step_id] = job
        self.shown: set[str] = set()
        self.operations: Mapping[str, Callable[[Mapping[str, Any], float], Answer]] = {
            "ListSteps": self._list_steps,
            "DescribeStep": self._describe_step,
            "DescribeCluster": self._describe_cluster,
            "ListClusters": self._list_clusters,
            "AddJobFlowSteps": self._add_steps,
        }

    def _cluster(self, request: Mapping[str, Any]) -> dict[str, Job]:
        cluster_id = request.get("ClusterId")
        if cluster_id not in self._by_cluster:
            raise RefusedError("InvalidRequestException", f"Cluster id '{cluster_id}' is not valid.")
        return self._by_cluster[cluster_id]

    def _list_steps(self, request: Mapping[str, Any], now: float) -> Answer:
        cluster = self._cluster(request)
        ids, states = request.get("StepIds"), request.get("StepStates")
        if ids and len(ids) > IDS_AT_ONCE:
            raise RefusedError("ValidationException", f"The number of step ids exceeds {IDS_AT_ONCE}.")
        unknown = [step_id for step_id in ids or () if step_id not in cluster]
        if unknown:
            raise RefusedError("InvalidRequestException", f"Step id '{unknown[0]}' is not valid.")
        found = [cluster[step_id] for step_id in ids] if ids else list(cluster.values())
        listed = [job for job in found if _is_listed(job.state(now), states)]
        first = int(request.get("Marker") or 0)
        answer: Answer = {"Steps": [self._step(job, now) for job in listed[first : first + PAGE]]}
        if len(listed) > first + PAGE:
            answer["Marker"] = str(first + PAGE)
        return answer

    def _describe_step(self, request: Mapping[str, Any], now: float) -> Answer:
        job = self._cluster(request).get(request.get("StepId", ""))
        if job is None or job.state(now) is None:
            raise RefusedError("InvalidRequestException", f"Step id '{request.get('StepId')}' is not valid.")
        return {"Step": self._step(job, now)}

    def _step(self, job: Job, now: float) -> Answer:
        """Give a step at the size it has for a Spark job with some settings."""
        self.shown.add(job.step_id)
        timeline = {"CreationDateTime": self._started + job.deferred}
        if now >= job.starts:
            timeline["StartDateTime"] = self._started + job.starts
        if now >= job.ends:
            timeline["EndDateTime"] = self._started + job.ends
        return {
            "Id": job.step_id,
            "Name": job.name,
            "Config": {"Jar": "command-runner.jar", "Properties": {}, "Args": _ARGUMENTS},
            "ActionOnFailure": "CONTINUE",
            "Status": {"State": job.state(now), "StateChangeReason": {}, "Timeline": timeline},
        }

    def _list_clusters(self, request: Mapping[str, Any], _now: float) -> Answer:
        first = int(request.get("Marker") or 0)
        named = [
            {"Id": cluster_id, "Name": cluster_name(number), "Status": self._cluster_status()}
            for number, cluster_id in enumerate(self._by_cluster, start=1)
        ]
        answer: Answer = {"Clusters": named[first : first + PAGE]}
        if len(named) > first + PAGE:
            answer["Marker"] = str(first + PAGE)
        return answer

    def _add_steps(self, request: Mapping[str, Any], now: float) -> Answer:
        """Take steps, which begin at once and have no end."""
        cluster_id, ids = request["JobFlowId"], []
        steps = self._cluster({"ClusterId": cluster_id})
        for step in request["Steps"]:
            self._added += 1
            added = Job(0, cluster_id, f"s-ADDED{self._added:07}", step["Name"], "", now, now, float("inf"))
            steps = {added.step_id: added, **steps}
            ids.append(added.step_id)
        self._by_cluster[cluster_id] = steps
        return {"StepIds": ids}

    def _cluster_status(self) -> Answer:
        timeline = {"CreationDateTime": self._started - 600, "ReadyDateTime": self._started - 300}
        return {"State": "RUNNING", "StateChangeReason": {}, "Timeline": timeline}

    def _describe_cluster(self, request: Mapping[str, Any], _now: float) -> Answer:
        self._cluster(request)
        return {
            "Cluster": {
                "Id": request["ClusterId"],
                "Name": "bench",
                "Status": self._cluster_status(),
                "ReleaseLabel": "emr-7.11.0",
                "AutoTerminate": False,
                "TerminationProtected": False,
                "NormalizedInstanceHours": 64,
                "Applications": [{"Name": "Spark", "Version": "3.5.6"}],
                "Tags": [],
                "StepConcurrencyLevel": 256,
            }
        }


def _is_listed(state: str | None, states: Sequence[str] | None) -> bool:
    return state is not None and (not states or state in states)


_ARGUMENTS = [
    "spark-submit",
    *("--deploy-mode", "cluster", "--name", "bench"),
    *(
        argument
        for name, value in (
            ("spark.executor.memory", "4g"),
            ("spark.executor.cores", "4"),
            ("spark.dynamicAllocation.maxExecutors", "20"),
            ("spark.sql.shuffle.partitions", "400"),
            ("spark.yarn.tags", "emrkit-0123456789abcdef-0-1"),
        )
        for argument in ("--conf", f"{name}={value}")
    ),
    "s3://bench/emrkit/0123456789abcdef0123456789abcdef/daily_sales.py",
    *("--day", "2025-01-01"),
]
