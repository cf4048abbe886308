"""One live cluster: its thread starts it, starts its steps, and ends it.

The thread sleeps on the cluster's condition and wakes only for news: a step added or ended, a setting
changed, a termination asked for, the idle limit reached.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.clock import utc_now
from airflow_provider_emrkit.localemr.emr import transitions
from airflow_provider_emrkit.localemr.emr.model import STARTING_STATES, ClusterRecord, StepRecord
from airflow_provider_emrkit.localemr.emr.node_loss import lose_nodes
from airflow_provider_emrkit.localemr.faults.clusters import ClusterFaults, StartFaults, StepFaults
from airflow_provider_emrkit.localemr.run.contract import (
    ClusterRequest,
    ClusterRunner,
    ClusterStartError,
    RunningCluster,
    RunningStep,
    StepRequest,
    StepResult,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from airflow_provider_emrkit.localemr.emr.store import Store
    from airflow_provider_emrkit.localemr.faults.active import Faults
    from airflow_provider_emrkit.localemr.faults.cluster_kinds import LostNodes
    from airflow_provider_emrkit.localemr.faults.logs import LateLogs

log = logging.getLogger(__name__)

# The runner's progress lines carry no phase; the ones about bootstrap actions begin with this word.
_BOOTSTRAP_WORD = "bootstrap"

# Seconds that steps have to end by themselves when their cluster ends.
_GRACE = 10.0

_INTERNAL_ERROR = "localemr failed ({}); its log holds the traceback"


class Supervisor:
    """Runs one cluster.

    :param cluster: Its record; changed only with the store's lock held.
    :param runner: What really starts clusters and steps.
    :param store: Where the record is kept.
    :param faults: What goes wrong on demand.
    :param late_logs: Delivers logs late when faults say so.
    :param now: Clock.

    >>> Supervisor(record, runner, store, faults, late_logs).start()  # doctest: +SKIP
    """

    def __init__(
        self,
        cluster: ClusterRecord,
        runner: ClusterRunner,
        store: Store,
        faults: Faults,
        late_logs: LateLogs,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.cluster = cluster
        self.changed = threading.Condition(store.lock)
        self._store = store
        self._runner = runner
        self._faults = ClusterFaults(faults, late_logs, cluster, self.changed)
        self._now = now
        self._running: RunningCluster | None = None
        self._steps: dict[str, RunningStep] = {}
        # Steps to be killed, also those that have no process yet.
        self._killed: set[str] = set()
        self._step_threads: list[threading.Thread] = []
        self._thread = threading.Thread(
            target=self._run, args=(self._faults.of_start(),), name=f"localemr-{cluster.id}", daemon=True
        )

    def start(self) -> None:
        """Start the cluster's thread."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the cluster's thread has not ended."""
        return self._thread.is_alive()

    def join(self, seconds: float) -> bool:
        """Wait for the cluster's end; False when it did not come in time."""
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def news(self) -> None:
        """Keep what was changed, and wake everybody who waits for this cluster; the lock must be held."""
        self._store.commit(self.cluster)
        self.changed.notify_all()

    def terminate(self, code: str, message: str, details: Sequence[Mapping[str, Any]] = ()) -> None:
        """Begin to end the cluster; returns at once.

        :param details: EMR's ``ErrorDetails``.
        """
        with self.changed:
            if self.cluster.is_open:
                self.cluster.error_details = [dict(detail) for detail in details]
            transitions.begin_termination(self.cluster, code, message, self._now())
            self.news()

    def cancel_step(self, step: StepRecord, *, force: bool) -> bool:
        """Cancel a step; False when it has ended already."""
        with self.changed:
            accepted = transitions.request_cancel(step, self._now())
            process = self._steps.get(step.id)
            if force:
                self._killed.add(step.id)
            self.news()
        if accepted and process is not None:
            # Signalling looks at every process of the machine; the caller holds the store's lock.
            threading.Thread(target=process.cancel, kwargs={"force": force}, daemon=True).start()
        return accepted

    def kill(self) -> None:
        """Kill what runs, without waiting for anything to end in good order."""
        running = self._running
        if running is not None:
            running.stop()

    def _run(self, faults: StartFaults) -> None:
        try:
            if self._start_cluster(faults):
                self._run_steps()
        except Exception as error:
            log.exception("cluster %s ends because of an internal error", self.cluster.id)
            self.terminate("INTERNAL_ERROR", _INTERNAL_ERROR.format(error))
        finally:
            self._end_cluster()

    def _start_cluster(self, faults: StartFaults) -> bool:
        try:
            self._faults.before_start(faults, self._progress)
            request = replace(cluster_request(self.cluster), deliver=self._faults.deliver)
            running = self._runner.start(request, self._progress)
        except ClusterStartError as error:
            self.terminate(error.code, str(error), error.details)
            return False
        with self.changed:
            self._running = running
            if self.cluster.is_open:
                self.cluster.ready = self._now()
                transitions.settle(self.cluster, self._now())
            self.news()
            return self.cluster.is_open

    def _progress(self, line: str) -> None:
        """Show the runner's progress, and make it give up, by raising, when the cluster is not wanted.

        :raises ClusterStartError: when the cluster is being terminated.
        """
        with self.changed:
            if self.cluster.state not in STARTING_STATES:
                raise ClusterStartError("the cluster was terminated while it started", "USER_REQUEST")
            self.cluster.reason_message = line
            if line.lower().startswith(_BOOTSTRAP_WORD):
                self.cluster.state = "BOOTSTRAPPING"
            self.news()

    def _run_steps(self) -> None:
        with self.changed:
            while self._is_up():
                now = self._now()
                move = transitions.next_move(self.cluster, now)
                if isinstance(move, transitions.StartStep):
                    self._start_step(move.step)
                elif isinstance(move, transitions.Terminate) and move.is_idle and self._was_active():
                    continue
                elif isinstance(move, transitions.Terminate):
                    transitions.begin_termination(self.cluster, move.code, move.message, now)
                    self.news()
                else:
                    times = [time for time in (move.until, self._faults.next_loss()) if time is not None]
                    self.changed.wait(max(0.0, (min(times) - now).total_seconds()) if times else None)

    def _is_up(self) -> bool:
        """Let the cluster lose the nodes it has to lose by now, and tell whether it is open."""
        now = self._now()
        for loss in self._faults.losses(now) if self.cluster.is_open else ():
            self._lose_nodes(loss, now)
        return self.cluster.is_open

    def _lose_nodes(self, loss: LostNodes, now: datetime) -> None:
        why = lose_nodes(self.cluster, loss.role, loss.count, now)
        if why is not None:
            transitions.begin_termination(self.cluster, "INSTANCE_FAILURE", why, now)
        if why is not None or loss.steps_fail:
            self._faults.doom(step.id for step in self.cluster.active_steps if step.state != "PENDING")
            # A machine that is gone gives no time to end; see cancel_step for the thread.
            for process in self._steps.values():
                threading.Thread(target=process.cancel, kwargs={"force": True}, daemon=True).start()
        self.news()

    def _was_active(self) -> bool:
        """Count the idle time from the end of what ran without a step; False when there was nothing."""
        seconds = self._running.last_active() if self._running else None
        if seconds is None or self.cluster.idle_since is None:
            return False
        last = datetime.fromtimestamp(seconds, timezone.utc)
        if last <= self.cluster.idle_since:
            return False
        self.cluster.idle_since = last
        return True

    def _start_step(self, step: StepRecord) -> None:
        faults = self._faults.of_step(step)
        thread = threading.Thread(
            target=self._run_step, args=(step, faults), name=f"localemr-{step.id}", daemon=True
        )
        # It has nothing to say before the lock is given back.
        thread.start()
        self._step_threads = [*filter(threading.Thread.is_alive, self._step_threads), thread]
        transitions.start_step(step, self._now())
        transitions.settle(self.cluster, self._now())
        self.news()

    def _run_step(self, step: StepRecord, faults: StepFaults) -> None:
        try:
            result = self._result(step, faults)
        except Exception as error:
            log.exception("step %s ends because of an internal error", step.id)
            result = StepResult(False, reason="Internal error", message=_INTERNAL_ERROR.format(error))
        with self.changed:
            self._steps.pop(step.id, None)
            result = self._faults.judge(step.id, result)
            transitions.finish_step(self.cluster, step, result, self._now())
            if self.cluster.is_open:
                transitions.settle(self.cluster, self._now())
            self.news()

    def _result(self, step: StepRecord, faults: StepFaults) -> StepResult:
        if self._running is None:
            raise RuntimeError(f"cluster {self.cluster.id} runs a step before it is up")
        process = self._faults.start_step(self._running, step_request(step), faults)
        with self.changed:
            self._steps[step.id] = process
            unwanted = step.state == "CANCEL_PENDING" or not self.cluster.is_open
            killed = step.id in self._killed or self._faults.is_doomed(step.id)
        if unwanted or killed:
            process.cancel(force=killed)
        return process.wait()

    def _end_cluster(self) -> None:
        with self.changed:
            processes = list(self._steps.values())
        for process in processes:
            process.cancel()
        if not self._steps_ended(_GRACE):
            with self.changed:
                processes = list(self._steps.values())
                self._killed.update(step.id for step in self.cluster.active_steps)
            for process in processes:
                process.cancel(force=True)
            self._steps_ended(None)
        if self._running is not None:
            try:
                self._running.stop()
            except Exception:
                log.exception("cluster %s could not be cleaned up", self.cluster.id)
        with self.changed:
            transitions.finish_termination(self.cluster, self._now())
            self.news()

    def _steps_ended(self, seconds: float | None) -> bool:
        deadline = None if seconds is None else time.monotonic() + seconds
        for thread in self._step_threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._step_threads)


def cluster_request(cluster: ClusterRecord) -> ClusterRequest:
    """Give the runner's view of a cluster."""
    request = cluster.request
    return ClusterRequest(
        cluster_id=cluster.id,
        release_label=cluster.release_label,
        log_uri=request.get("LogUri"),
        configurations=[*request.get("Configurations", ()), *_primary_configurations(cluster)],
        bootstrap_actions=request.get("BootstrapActions", ()),
        monitoring=request.get("MonitoringConfiguration", {}),
        region=cluster.region,
        name=cluster.name,
    )


def _primary_configurations(cluster: ClusterRecord) -> list[dict[str, Any]]:
    """Give what the primary node has of its own: steps start there, and it comes before the cluster's."""
    config = next(record.config for record in cluster.instances if record.role == "MASTER")
    types = config.get("InstanceTypeConfigs", [config])
    return list(types[0].get("Configurations", []))


def step_request(step: StepRecord) -> StepRequest:
    """Give the runner's view of a step."""
    return StepRequest(step.id, step.name, step.jar, tuple(step.args), step.main_class, dict(step.properties))
