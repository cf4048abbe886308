"""An EMR in memory: clusters that start, run steps and end by themselves; lists that lag behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.runs.token import Mark
from pool_world.errors import refused
from pool_world.scheduler import EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    from pool_world.scheduler import World

ACTIVE_STEPS = ("PENDING", "RUNNING", "CANCEL_PENDING")
ALIVE = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
STEP_PAGE, CLUSTER_PAGE = 50, 50


@dataclass(frozen=True)
class Pace:
    """How long things take, in seconds, from and to.

    :param start: A cluster's start.
    :param step: A step.
    :param busy: For so long, steps do not end before as many clusters were started as there may be.
    :param cluster_lag: Until a new cluster is listed.
    :param step_lag: Until a new step is listed.
    """

    start: tuple[float, float] = (20.0, 60.0)
    step: tuple[float, float] = (5.0, 25.0)
    busy: float = 0.0
    cluster_lag: tuple[float, float] = (0.0, 8.0)
    step_lag: tuple[float, float] = (0.0, 3.0)


@dataclass
class Step:
    """One step."""

    id: str
    name: str
    token: str
    created: float
    listed: float
    state: str = "PENDING"
    started: float | None = None


@dataclass
class Cluster:
    """One cluster.

    :param idle: Counts how often it became idle or got work, so that a timer knows what it is for.
    """

    id: str
    name: str
    level: int
    idle_timeout: float | None
    created: float
    listed: float
    state: str = "STARTING"
    ready: float | None = None
    ended: float | None = None
    why: str = ""
    idle: int = 0
    steps: list[Step] = field(default_factory=list)

    @property
    def active(self) -> list[Step]:
        """Its steps that wait or run."""
        return [step for step in self.steps if step.state in ACTIVE_STEPS]


class VirtualEmr:
    """Carries out the requests that reach EMR, and watches what must never happen.

    :param max_clusters: How many may be alive at once.
    :param steps_per_cluster: How many steps a cluster may have at once.

    ``draining`` gives the clusters that the pool's record says get no more work.
    """

    def __init__(self, world: World, pace: Pace, max_clusters: int, steps_per_cluster: int) -> None:
        self._world = world
        self._pace = pace
        self._bounds = (max_clusters, steps_per_cluster)
        self.draining: Callable[[], Container[str]] | None = None
        self.clusters: dict[str, Cluster] = {}
        self.steps: dict[str, list[Step]] = {}

    # --- what clients ask for ----------------------------------------------------------------------------

    def run_job_flow(self, **request: Any) -> dict[str, Any]:
        """Start a cluster."""
        timeout = (request.get("AutoTerminationPolicy") or {}).get("IdleTimeout")
        cluster = self.add_cluster(request["Name"], request.get("StepConcurrencyLevel", 1), timeout)
        alive = [one.id for one in self.clusters.values() if one.state in ALIVE]
        if len(alive) > self._bounds[0]:
            self._world.violate(f"{len(alive)} clusters of at most {self._bounds[0]}: {alive}")
        return {"JobFlowId": cluster.id}

    def add_cluster(
        self, name: str, level: int, idle_timeout: float | None, lag: float | None = None
    ) -> Cluster:
        """Add a cluster that starts.

        :param lag: Seconds until it is listed.
        """
        world, now = self._world, self._world.now
        lag = world.random.uniform(*self._pace.cluster_lag) if lag is None else lag
        cluster = Cluster(f"j-{len(self.clusters) + 1:05}", name, level, idle_timeout, now, now + lag)
        self.clusters[cluster.id] = cluster
        world.at(world.random.uniform(*self._pace.start), lambda: self._started(cluster))
        return cluster

    def add_job_flow_steps(self, *, JobFlowId: str, Steps: Sequence[Mapping[str, Any]], **_: Any) -> Any:  # noqa: N803
        """Add steps to a cluster."""
        cluster = self._cluster(JobFlowId)
        if cluster.state not in ALIVE:
            message = "A job flow that is shutting down, terminated, or finished may not be modified."
            raise self.invalid(message)
        ids = [self._add(cluster, step["Name"]) for step in Steps]
        if len(cluster.active) > self._bounds[1]:
            self._world.violate(f"{len(cluster.active)} steps of at most {self._bounds[1]} on {cluster.id}")
        self._pump(cluster)
        return {"StepIds": ids}

    def terminate_job_flows(self, *, JobFlowIds: Sequence[str], **_: Any) -> dict[str, Any]:  # noqa: N803
        """End clusters; a pool ends none that has work."""
        for cluster in map(self._cluster, JobFlowIds):
            if cluster.state in ALIVE:
                # One that was started too late to be reckoned with is ended at once.
                is_old = self._world.now - cluster.created > 60
                if is_old and self.draining and cluster.id not in self.draining():
                    self._world.violate(f"{cluster.id} was ended before that was written down")
                if cluster.active:
                    self._world.violate(f"{cluster.id} was ended with work: {cluster.active}")
                self.end(cluster, "asked")
        return {}

    def list_clusters(self, *, ClusterStates: Sequence[str] = (), Marker: str = "0", **request: Any) -> Any:  # noqa: N803
        """List clusters, the newest first."""
        after = request.get("CreatedAfter")
        found = [
            self._summary(cluster)
            for cluster in reversed(self.clusters.values())
            if (not ClusterStates or cluster.state in ClusterStates)
            and cluster.listed <= self._world.now
            and (after is None or cluster.created >= after.timestamp())
        ]
        return self._page("Clusters", found, int(Marker), CLUSTER_PAGE)

    def describe_cluster(self, *, ClusterId: str) -> dict[str, Any]:  # noqa: N803
        """Describe a cluster."""
        return {"Cluster": {**self._summary(self._cluster(ClusterId)), "Tags": []}}

    def list_steps(self, *, ClusterId: str, Marker: str = "0", **request: Any) -> dict[str, Any]:  # noqa: N803
        """List steps, the newest first."""
        ids, states = request.get("StepIds"), request.get("StepStates")
        found = [
            self._step(step)
            for step in reversed(self._cluster(ClusterId).steps)
            if (ids is None or step.id in ids)
            and (not states or step.state in states)
            and step.listed <= self._world.now
        ]
        return self._page("Steps", found, int(Marker), STEP_PAGE)

    # --- what happens by itself --------------------------------------------------------------------------

    def lose(self, cluster: Cluster) -> None:
        """Let a cluster go, whatever it does."""
        if cluster.state in ALIVE:
            self._world.note("EMR", "cluster lost", cluster.id)
            self.end(cluster, "lost")

    def end(self, cluster: Cluster, why: str) -> None:
        """End a cluster, and what it had to do."""
        cluster.state, cluster.ended, cluster.why = "TERMINATING", self._world.now, why
        for step in cluster.active:
            step.state = "CANCELLED"
        self._world.at(self._world.random.uniform(5, 40), lambda: setattr(cluster, "state", "TERMINATED"))

    def _started(self, cluster: Cluster) -> None:
        if cluster.state == "STARTING":
            cluster.state, cluster.ready = "WAITING", self._world.now
            self._pump(cluster)

    def _add(self, cluster: Cluster, name: str) -> str:
        world, now = self._world, self._world.now
        mark = Mark.of(name)
        token = str(mark) if mark else name
        earlier = self.steps.setdefault(token, [])
        if earlier:
            world.violate(f"job {token} was placed again on {cluster.id}: {earlier}")
        count = sum(len(one.steps) for one in self.clusters.values())
        lag = world.random.uniform(*self._pace.step_lag)
        step = Step(f"s-{count + 1:05}", name, token, now, now + lag)
        earlier.append(step)
        cluster.steps.append(step)
        return step.id

    def _pump(self, cluster: Cluster) -> None:
        """Start the steps that may run, and the timer of an idle cluster."""
        if cluster.state not in ("RUNNING", "WAITING"):
            return
        running = sum(step.state == "RUNNING" for step in cluster.steps)
        for step in cluster.steps:
            if step.state == "PENDING" and running < cluster.level:
                running += 1
                step.state, step.started = "RUNNING", self._world.now
                self._world.at(self._world.random.uniform(*self._pace.step), self._ends(cluster, step))
        cluster.state = "RUNNING" if running else "WAITING"
        cluster.idle += 1
        if not running and cluster.idle_timeout:
            spell = cluster.idle
            self._world.at(cluster.idle_timeout, lambda: self._rested(cluster, spell))

    def _ends(self, cluster: Cluster, step: Step) -> Callable[[], None]:
        def end() -> None:
            if self._world.now < EPOCH + self._pace.busy and len(self.clusters) < self._bounds[0]:
                self._world.at(10.0, end)
            elif step.state == "RUNNING":
                step.state = "COMPLETED"
                self._pump(cluster)

        return end

    def _rested(self, cluster: Cluster, spell: int) -> None:
        if cluster.state == "WAITING" and cluster.idle == spell:
            self._world.note("EMR", "idle cluster ends", cluster.id)
            self.end(cluster, "idle")

    # --- answers -----------------------------------------------------------------------------------------

    def invalid(self, message: str) -> Exception:
        """Make the error of a request that EMR does not take."""
        return refused("ValidationException", message, "")

    def _cluster(self, cluster_id: str) -> Cluster:
        if cluster_id not in self.clusters:
            raise self.invalid(f"Cluster id '{cluster_id}' is not valid.")
        return self.clusters[cluster_id]

    def _page(self, name: str, found: list[Any], start: int, size: int) -> dict[str, Any]:
        answer: dict[str, Any] = {name: found[start : start + size], "ResponseMetadata": {}}
        return {**answer, "Marker": str(start + size)} if len(found) > start + size else answer

    def _summary(self, cluster: Cluster) -> dict[str, Any]:
        timeline = {"CreationDateTime": _moment(cluster.created), "ReadyDateTime": _moment(cluster.ready)}
        status = {"State": cluster.state, "StateChangeReason": {}, "Timeline": _given(timeline)}
        return {"Id": cluster.id, "Name": cluster.name, "Status": status, "NormalizedInstanceHours": 0}

    def _step(self, step: Step) -> dict[str, Any]:
        timeline = {"CreationDateTime": _moment(step.created), "StartDateTime": _moment(step.started)}
        status = {"State": step.state, "StateChangeReason": {}, "Timeline": _given(timeline)}
        return {"Id": step.id, "Name": step.name, "Status": status, "ActionOnFailure": "CONTINUE"}


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
