"""The faults of one cluster, for the thread that runs it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.model import STARTING_STATES, ClusterRecord, StepRecord
from airflow_provider_emrkit.localemr.emr.node_loss import has_nodes
from airflow_provider_emrkit.localemr.faults.cluster_kinds import (
    BootstrapFailure,
    FailedStep,
    HungStep,
    LateListing,
    LostNodes,
    NoCapacity,
    SlowStart,
)
from airflow_provider_emrkit.localemr.faults.steps import UNKNOWN, FailingStep, HeldStep, failing
from airflow_provider_emrkit.localemr.faults.words import LOST_NODE, bootstrap_failure, no_capacity
from airflow_provider_emrkit.localemr.run.contract import StepResult
from airflow_provider_emrkit.localemr.run.s3_logs import log_location

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_emrkit.localemr.faults.active import Active, Faults
    from airflow_provider_emrkit.localemr.faults.logs import LateLogs
    from airflow_provider_emrkit.localemr.faults.model import Subject
    from airflow_provider_emrkit.localemr.run.contract import RunningCluster, RunningStep, StepRequest


def cluster_subject(cluster: ClusterRecord, step: StepRecord | None = None) -> Subject:
    """Give the names of a cluster, and of a step, by which faults may be limited to them."""
    names = {"cluster": (cluster.name, cluster.id)}
    return names if step is None else {**names, "step": (step.name, step.id)}


def is_listed(faults: Faults, cluster: ClusterRecord, step: StepRecord, now: datetime) -> bool:
    """Tell whether ListSteps knows of a step yet."""
    if not faults.any(LateListing):
        return True
    late = faults.strike_once(LateListing, cluster_subject(cluster, step), step.id)
    return late is None or now >= step.created + timedelta(seconds=late.fault.seconds)


@dataclass(frozen=True)
class StepFaults:
    """What goes wrong with one step.

    :param hung: It does nothing at first.
    :param failed: It fails.
    """

    hung: Active[HungStep] | None = None
    failed: Active[FailedStep] | None = None


@dataclass(frozen=True)
class StartFaults:
    """What goes wrong with the start of one cluster.

    :param slow: It takes its time.
    :param fatal: It fails.
    """

    slow: Active[SlowStart] | None = None
    fatal: Active[NoCapacity] | Active[BootstrapFailure] | None = None


class ClusterFaults:
    """What goes wrong with one cluster.

    :param faults: All faults of the server.
    :param late_logs: Delivers logs late.
    :param cluster: The cluster; its lock must be held where nothing else is said.
    :param changed: Told of news of the cluster, and of changes of the faults.

    >>> faults = ClusterFaults(Faults(), late_logs, record, condition)  # doctest: +SKIP
    """

    def __init__(
        self, faults: Faults, late_logs: LateLogs, cluster: ClusterRecord, changed: threading.Condition
    ) -> None:
        self._faults = faults
        self._late_logs = late_logs
        self._cluster = cluster
        self._changed = changed
        # Kept, not their ids: an id may be used again.
        self._decided: set[tuple[Active[LostNodes], str]] = set()
        self._due: dict[tuple[Active[LostNodes], str], datetime] = {}
        self._doomed: set[str] = set()

    def of_start(self) -> StartFaults:
        """Decide what goes wrong with the cluster's start, in the order in which clusters are started."""
        subject = cluster_subject(self._cluster)
        slow = self._faults.strike(SlowStart, subject)
        lacking = self._faults.strike(NoCapacity, subject)
        return StartFaults(slow, lacking or self._faults.strike(BootstrapFailure, subject))

    def before_start(self, struck: StartFaults, progress: Callable[[str], None]) -> None:
        """Delay the cluster's start, or let it fail; without the lock.

        :param progress: Takes lines of text; raises when the cluster is not wanted any more.
        :raises ClusterStartError: when the cluster ends by a fault.
        """
        slow, fatal = struck.slow, struck.fatal
        if slow is not None:
            self._hold(slow, slow.draw(slow.fault.seconds), "Provisioning Amazon EC2 capacity", progress)
        if fatal is not None and not fatal.is_lifted and isinstance(fatal.fault, NoCapacity):
            raise no_capacity(fatal.fault, self._cluster)
        if slow is not None:
            self._hold(slow, slow.fault.bootstrapping, "bootstrapping", progress)
        if fatal is not None and not fatal.is_lifted and isinstance(fatal.fault, BootstrapFailure):
            progress("bootstrapping")
            raise bootstrap_failure(fatal.fault, self._cluster)

    def _hold(
        self, active: Active[SlowStart], seconds: float, line: str, progress: Callable[[str], None]
    ) -> None:
        if not seconds:
            return
        progress(line)
        with self._changed:
            self._changed.wait_for(
                lambda: active.is_lifted or self._cluster.state not in STARTING_STATES, seconds
            )
        progress(line)

    def deliver(self, client: Any, logs: str) -> Any:
        """Give the client that delivers the cluster's logs; see the contract's ``LogDelivery``."""
        return self._late_logs.client(client, logs, cluster_subject(self._cluster), self._cluster.id)

    def of_step(self, step: StepRecord) -> StepFaults:
        """Decide what goes wrong with a step, when its turn has come."""
        subject = cluster_subject(self._cluster, step)
        return StepFaults(self._faults.strike(HungStep, subject), self._faults.strike(FailedStep, subject))

    def start_step(self, running: RunningCluster, request: StepRequest, struck: StepFaults) -> RunningStep:
        """Start a step, or what runs instead of it; without the lock."""
        start = functools.partial(self._start, running, request, struck.failed)
        return start() if struck.hung is None else HeldStep(start, struck.hung, self._changed)

    def _start(
        self, running: RunningCluster, request: StepRequest, failed: Active[FailedStep] | None
    ) -> RunningStep:
        if failed is None or failed.is_lifted:
            return running.start_step(request)
        failure = self._failure(request, failed.fault.message)
        if failed.fault.runs:
            return FailingStep(running.start_step(request), failure, lambda: not failed.is_lifted)
        return FailingStep(running.start_step(failing(request, failed.fault.message)), failure)

    def _failure(self, request: StepRequest, message: str) -> StepResult:
        location = log_location(self._cluster.request.get("LogUri"), self._cluster.id)
        log_file = location.uri(f"steps/{request.step_id}/stderr.gz") if location else None
        return StepResult(succeeded=False, reason=UNKNOWN, message=message, log_file=log_file)

    def losses(self, now: datetime) -> list[LostNodes]:
        """Give the losses of nodes whose time has come; each is given once."""
        for active, occasion, since in self._loss_occasions():
            known = active, occasion
            if known not in self._decided:
                self._decided.add(known)
                if self._faults.decide(active):
                    self._due[known] = since + timedelta(seconds=active.fault.seconds)
        self._due = {known: due for known, due in self._due.items() if not known[0].is_lifted}
        ripe = [known for known, due in self._due.items() if due <= now]
        for known in ripe:
            del self._due[known]
        return [active.fault for active, _ in ripe]

    def next_loss(self) -> datetime | None:
        """Say when the next loss comes that is known by now."""
        return min(self._due.values(), default=None)

    def _loss_occasions(self) -> Iterator[tuple[Active[LostNodes], str, datetime]]:
        """Give the losses that may be, each with the cluster or step that is its occasion, and its time."""
        cluster = self._cluster
        for active in self._faults.active(LostNodes):
            if not has_nodes(cluster, active.fault.role):
                continue
            if active.fault.step is not None:
                yield from self._in_steps(active)
            elif cluster.ready is not None and active.fault.fits(cluster_subject(cluster)):
                yield active, cluster.id, max(cluster.ready, active.since)

    def _in_steps(self, active: Active[LostNodes]) -> Iterator[tuple[Active[LostNodes], str, datetime]]:
        for step in self._cluster.active_steps:
            fits = active.fault.fits(cluster_subject(self._cluster, step))
            if step.state == "RUNNING" and step.started is not None and fits:
                yield active, step.id, max(step.started, active.since)

    def doom(self, steps: Iterable[str]) -> None:
        """Note that steps fail by the loss of a node, unless they succeed before it reaches them."""
        self._doomed.update(steps)

    def is_doomed(self, step_id: str) -> bool:
        """Tell whether a step fails by the loss of a node."""
        return step_id in self._doomed

    def judge(self, step_id: str, result: StepResult) -> StepResult:
        """Give how a step ended, in view of the nodes it lost."""
        if step_id not in self._doomed:
            return result
        self._doomed.discard(step_id)
        if result.succeeded:
            return result
        return StepResult(succeeded=False, reason=UNKNOWN, message=LOST_NODE, log_file=result.log_file)
