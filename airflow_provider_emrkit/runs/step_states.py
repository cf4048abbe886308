"""Asks how steps are doing, many at once, in as few calls as will do."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_emrkit.hooks.errors import error_code, is_not_found
from airflow_provider_emrkit.runs.job_run import by_compute
from airflow_provider_emrkit.runs.states import (
    CLUSTER_COMING_UP,
    CLUSTER_GOING,
    CLUSTER_GONE,
    CLUSTER_UP,
    RunState,
)
from airflow_provider_emrkit.runs.step_calls import IDS_AT_ONCE, cluster_state, run_status
from airflow_provider_emrkit.runs.unlisted import Unlisted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.states import RunStatus

Step: TypeAlias = "Mapping[str, Any]"

OPEN_STATES = ["PENDING", "CANCEL_PENDING", "RUNNING"]
ENDED_STATES = ["COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED"]
# ListSteps gives so many steps at once.
PAGE = 50
# A cluster holds 256 open steps.
MAX_PAGES = 8

# Seconds between two looks at a cluster that gives no reason for one: a step may go on "running" in EMR's
# books for a while after its cluster has died.
CLUSTER_CHECK = 120.0
# Seconds for which the newest steps of a cluster are not asked for, when those were not the watched ones.
NEWEST_IN_VAIN = 300.0
# Clusters that are remembered at most.
MAX_REMEMBERED = 5_000

# A step of a cluster that is not up yet.
NOT_STARTED: Step = {"Status": {"State": "PENDING"}}

_UNCLEAR = ("FAILED", "CANCELLED", "INTERRUPTED")
# EMR has no code of its own for an id that it does not know.
_BAD_REQUEST = ("InvalidRequestException", "ValidationException")


@dataclass
class ClusterMemory:
    """What is remembered of one cluster from look to look.

    :param cluster: DescribeCluster's last answer.
    :param check_at: When it is due again, whatever the steps say.
    :param is_up: Whether a step of it has been seen to run.
    :param waiting: The watched steps that waited at the last look.
    :param newest_from: When it makes sense to ask for the newest steps, whatever their state.
    :param unlisted: The steps that it does not list, while it is up.
    """

    cluster: Mapping[str, Any] | None = None
    check_at: float = 0.0
    is_up: bool = False
    waiting: frozenset[str] = frozenset()
    newest_from: float = 0.0
    unlisted: Unlisted = field(default_factory=Unlisted)

    @property
    def state(self) -> str:
        """The cluster's state when it was last asked for; empty before."""
        cluster = self.cluster  # another thread may forget it
        return cluster_state(cluster)[0] if cluster else ""


@dataclass
class StepMemory:
    """What is remembered of the clusters that are watched. Threads may share it.

    Two that look at one cluster at once may make a call too many.

    :param clock: Seconds that only go up.
    :param jitter: A random number from 0 to 1.
    :param now: Seconds since 1970.

    >>> memory = StepMemory()
    >>> step_states(emr, [run], memory)[run].detail  # doctest: +SKIP
    'RUNNING'
    """

    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    clusters: dict[str, ClusterMemory] = field(default_factory=dict)
    now: Callable[[], float] = time.time

    def of(self, cluster_id: str) -> ClusterMemory:
        """Give what is remembered of a cluster."""
        remembered = self.clusters.get(cluster_id)
        if remembered is not None:
            return remembered
        if len(self.clusters) >= MAX_REMEMBERED:
            self.clusters.clear()  # it only saves calls; watches that were given up leave clusters behind
        return self.clusters.setdefault(cluster_id, ClusterMemory(check_at=self.next_check()))

    def next_check(self) -> float:
        """Tell when a cluster that was asked for now is due again."""
        return self.clock() + CLUSTER_CHECK * (0.75 + 0.5 * self.jitter())

    def forget(self, cluster_id: str) -> None:
        """Forget a cluster that has no watched step any more."""
        self.clusters.pop(cluster_id, None)


def step_states(emr: Any, runs: Sequence[JobRun], memory: StepMemory) -> dict[JobRun, RunStatus]:
    """Ask how steps are doing (ListSteps; DescribeCluster where the steps alone do not tell).

    Few steps of a cluster are asked for by their ids; many by what lists most of them in one page. A step
    that a cluster which is up has not listed in several looks is ``UNLISTED``, which does no harm to others.

    :param emr: boto3 client of EMR.
    :param runs: The steps, of any clusters.
    :param memory: The same one at each look.
    :raises botocore.exceptions.ClientError: when AWS refuses; nothing is known then.
    """
    statuses: dict[JobRun, RunStatus] = {}
    for cluster_id, here in by_compute(runs).items():
        statuses.update(_Look(emr, cluster_id, memory).statuses(here))
    return statuses


def find_steps(emr: Any, cluster_id: str, step_ids: Sequence[str], memory: StepMemory) -> dict[str, Step]:
    """Find steps of one cluster (ListSteps), in as few calls as will do.

    :return: ``Id`` and ``Status`` of each, by id; none for those EMR does not know.
    :raises botocore.exceptions.ClientError: when AWS refuses.
    """
    return _Look(emr, cluster_id, memory).steps(step_ids)


class _Look:
    """One look at a cluster and its steps."""

    def __init__(self, emr: Any, cluster_id: str, memory: StepMemory) -> None:
        self._emr = emr
        self._id = cluster_id
        self._all = memory
        self._memory = memory.of(cluster_id)

    def statuses(self, runs: Sequence[JobRun]) -> dict[JobRun, RunStatus]:
        if self._is_still_coming_up(runs):
            return {run: run_status(NOT_STARTED, self._memory.cluster) for run in runs}
        ids = [run.step_id for run in runs]
        steps = self.steps(ids)
        cluster = self._cluster(steps, unlisted=len(steps) < len(set(ids)))
        if cluster_state(cluster or {})[0] in CLUSTER_GONE and not _have_ended(steps, ids):
            # A step that ends the cluster by its own end, between the two calls, was not lost with it.
            steps = self.steps(ids)
        self._memory.waiting = frozenset(
            step_id for step_id, step in steps.items() if step["Status"]["State"] == "PENDING"
        )
        statuses = {run: self._status(run, steps.get(run.step_id), cluster) for run in runs}
        if all(status.state.is_final for status in statuses.values()):
            self._all.forget(self._id)
        return statuses

    def _status(self, run: JobRun, step: Step | None, cluster: Mapping[str, Any] | None) -> RunStatus:
        """Judge a step; one that its cluster goes on without listing is given up after a while."""
        status, unlisted = run_status(step, cluster), self._memory.unlisted
        if step is not None or status.compute_state not in CLUSTER_UP:
            unlisted.forget(run.step_id)
            return status
        age = self._all.now() - run.submitted_at
        is_lost = unlisted.is_lost(run.step_id, age=age, clock=self._all.clock())
        return replace(status, state=RunState.UNLISTED) if is_lost else status

    def _is_still_coming_up(self, runs: Sequence[JobRun]) -> bool:
        """Ask only for a cluster that was starting: until it is up, its steps do nothing but wait."""
        memory = self._memory
        if memory.state not in CLUSTER_COMING_UP or any(run.step_id not in memory.waiting for run in runs):
            return False
        self._describe()
        return memory.state in CLUSTER_COMING_UP

    def steps(self, ids: Sequence[str]) -> dict[str, Step]:
        found: dict[str, Step] = {}
        missing = dict.fromkeys(ids)  # in their order
        if len(missing) > IDS_AT_ONCE:
            self._list(missing, found)
        rest = list(missing)
        for start in range(0, len(rest), IDS_AT_ONCE):
            self._by_ids(rest[start : start + IDS_AT_ONCE], found)
        return found

    def _list(self, missing: dict[str, None], found: dict[str, Step]) -> None:
        """List steps for as long as a page is likely to hold more of them than can be asked for by id."""
        if len(missing) <= PAGE and self._all.clock() >= self._memory.newest_from:
            self._page(missing, found, {})
            if len(missing) > IDS_AT_ONCE:
                self._memory.newest_from = self._all.clock() + NEWEST_IN_VAIN
        request: dict[str, Any] = {"StepStates": OPEN_STATES}
        for _ in range(MAX_PAGES):
            if len(missing) <= IDS_AT_ONCE:
                return
            marker = self._page(missing, found, request)
            if not marker:
                break
            request["Marker"] = marker
        if len(missing) > IDS_AT_ONCE:
            # Many have ended since the last look: they are the newest of those that have.
            self._page(missing, found, {"StepStates": ENDED_STATES})

    def _page(
        self, missing: dict[str, None], found: dict[str, Step], request: Mapping[str, Any]
    ) -> str | None:
        answer = self._emr.list_steps(ClusterId=self._id, **request)
        for step in answer.get("Steps", ()):
            if step["Id"] in missing:
                del missing[step["Id"]]
                found[step["Id"]] = _slim(step)
        marker: str | None = answer.get("Marker")
        return marker

    def _by_ids(self, ids: Sequence[str], found: dict[str, Step]) -> None:
        """Ask for at most ten steps by id; one that EMR does not know must not hide the others."""
        try:
            answer = self._emr.list_steps(ClusterId=self._id, StepIds=list(ids))
        except Exception as error:
            if error_code(error) not in _BAD_REQUEST or self._id in str(error):
                raise
            if len(ids) == 1 and not is_not_found(error):
                raise
            if len(ids) > 1:
                for step_id in ids:
                    self._by_ids([step_id], found)
            return
        found.update({step["Id"]: _slim(step) for step in answer.get("Steps", ())})

    def _cluster(self, steps: Mapping[str, Step], *, unlisted: bool) -> Mapping[str, Any] | None:
        """Give the cluster's description, a new one where it matters (DescribeCluster)."""
        memory = self._memory
        states = {step["Status"]["State"] for step in steps.values()}
        memory.is_up = memory.is_up or any(map(_has_started, steps.values()))
        waits = "PENDING" in states and not memory.is_up
        is_open = unlisted or not states.isdisjoint(OPEN_STATES)
        if (
            unlisted
            or not states.isdisjoint(_UNCLEAR)
            or (waits and memory.state in ("", *CLUSTER_COMING_UP))
            or (is_open and memory.state in CLUSTER_GOING)
            or (is_open and self._all.clock() >= memory.check_at)
        ):
            self._describe()
        elif memory.is_up and memory.state in CLUSTER_COMING_UP:
            memory.cluster = None  # it is up by now, as its steps show
        return memory.cluster

    def _describe(self) -> None:
        self._memory.cluster = self._emr.describe_cluster(ClusterId=self._id)["Cluster"]
        self._memory.check_at = self._all.next_check()


def _slim(step: Step) -> Step:
    """Leave out what is large and tells nothing here: the step's arguments."""
    return {"Id": step["Id"], "Status": step["Status"]}


def _has_started(step: Step) -> bool:
    return bool((step["Status"].get("Timeline") or {}).get("StartDateTime"))


def _have_ended(steps: Mapping[str, Step], ids: Sequence[str]) -> bool:
    return all(step_id in steps and steps[step_id]["Status"]["State"] in ENDED_STATES for step_id in ids)
