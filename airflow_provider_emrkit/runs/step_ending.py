"""Ends steps, and the clusters that were made for them, and looks whether they do end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.errors import explain, is_aws_error, is_transient
from airflow_provider_emrkit.logs.text import one_line
from airflow_provider_emrkit.runs.driver_ending import DriverEnding
from airflow_provider_emrkit.runs.growing_pauses import GrowingPauses
from airflow_provider_emrkit.runs.protocol import Released
from airflow_provider_emrkit.runs.states import CLUSTER_GOING, RunState
from airflow_provider_emrkit.runs.step_calls import cluster_state, list_steps, run_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.states import RunStatus

# CancelSteps, StepCancellationOption: the second one is for steps that the first one does not end.
INTERRUPT = "SEND_INTERRUPT"
TERMINATE = "TERMINATE_PROCESS"

# States of a step that tell enough without its cluster's; EMR corrects them when it loses the cluster.
_TELLING = ("RUNNING", "CANCEL_PENDING", "COMPLETED")

# Seconds that ending a cluster may take when its job is over already.
RELEASE_PATIENCE = 8.0


class StepEnding:
    """Ends steps, by what it takes. Thread-safe, and as often as one likes.

    :param emr: boto3 client of EMR.
    :param pause: Waits some seconds, whatever happens.
    :param clock: Seconds that only go up.

    >>> StepEnding(emr, threading.Event().wait).end(run, patience=20.0).message  # doctest: +SKIP
    'step s-1 on cluster j-1 is CANCELLED'
    """

    def __init__(
        self, emr: Any, pause: Callable[[float], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._emr = emr
        self._pause = pause
        self._clock = clock

    def end(self, run: JobRun, patience: float) -> Released:
        """End a step and its driver, or the cluster that was made for it, and look whether they have ended.

        A step is interrupted, and ended by force when that is not enough. A driver that runs apart from the
        step is ended by another step; on a cluster that runs one step at a time that one waits for its turn.

        :param patience: Seconds it may take; AWS's answers may add to them.
        """
        pauses = GrowingPauses(self._pause, self._clock, patience)
        if run.owns_cluster:
            return self._end_cluster(run, pauses, ask_first=False)
        return _StepEnd(self._emr, run, pauses).end()

    def release(self, run: JobRun) -> Released:
        """End the cluster that was made for a run whose job is over; a cluster of others goes on."""
        if not run.owns_cluster:
            return Released(True, f"cluster {run.cluster_id} goes on")
        pauses = GrowingPauses(self._pause, self._clock, RELEASE_PATIENCE)
        return self._end_cluster(run, pauses, ask_first=True)

    def _end_cluster(self, run: JobRun, pauses: GrowingPauses, *, ask_first: bool) -> Released:
        """Terminate a run's own cluster until it goes (TerminateJobFlows, DescribeCluster).

        :param ask_first: Whether it probably goes already.
        """
        while True:
            try:
                state = self._cluster_state(run) if ask_first else ""
                if state not in CLUSTER_GOING:
                    self._terminate(run)
                    state = self._cluster_state(run)
            except Exception as error:
                if not is_aws_error(error):
                    raise
                problem = explain(error, run.region)
            else:
                if state in CLUSTER_GOING:
                    return Released(True, f"cluster {run.cluster_id} is {state}", ended=True)
                problem = f"it is still {state}"
            if not pauses.goes_on():
                return Released(False, problem)

    def _terminate(self, run: JobRun) -> None:
        try:
            self._emr.terminate_job_flows(JobFlowIds=[run.cluster_id])
        except Exception as error:
            if not is_aws_error(error) or "termination protect" not in str(error).lower():
                raise
            # It was made for this run and nothing else, whatever was switched on since.
            self._emr.set_termination_protection(JobFlowIds=[run.cluster_id], TerminationProtected=False)
            self._emr.terminate_job_flows(JobFlowIds=[run.cluster_id])

    def _cluster_state(self, run: JobRun) -> str:
        return cluster_state(self._emr.describe_cluster(ClusterId=run.cluster_id)["Cluster"])[0]


class _StepEnd:
    """Ends one step on a cluster that goes on."""

    def __init__(self, emr: Any, run: JobRun, pauses: GrowingPauses) -> None:
        self._emr = emr
        self._run = run
        self._pauses = pauses
        self._driver = DriverEnding(emr, run)
        self._status: RunStatus | None = None
        self._asked: set[str] = set()
        self._accepted = False
        self._hopeless = False
        self._refusal = ""
        self._problem = ""
        self._driver_problem = ""

    def end(self) -> Released:
        while True:
            self._problem = ""
            self._try(self._ask)
            self._try(self._look)
            self._try_to_end_driver()
            if self._is_over() or self._hopeless or not self._pauses.goes_on():
                return self._released()

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            if not is_aws_error(error):
                raise
            self._problem = explain(error, self._run.region)
            self._hopeless = self._hopeless or not is_transient(error)

    def _ask(self) -> None:
        """Ask for the step's end: once gently, once by force."""
        option = INTERRUPT if self._pauses.gentle else TERMINATE
        if option in self._asked or self._is_final():
            return
        self._refusal = cancel_step(self._emr, self._run, option)
        self._asked.add(option)
        self._accepted = self._accepted or not self._refusal

    def _look(self) -> None:
        if self._driver.step_id and not self._driver.is_over:
            self._driver.look()
        if not self._is_final():
            doubtful = self._hopeless or bool(self._refusal)
            self._status = look(self._emr, self._run, ask_cluster=doubtful)

    def _try_to_end_driver(self) -> None:
        """Begin with it as soon as the step has been told to end: a kill may have little time."""
        if self._driver.step_id or self._driver_problem or not self._driver_may_live():
            return
        try:
            self._driver.start()
        except Exception as error:
            if not is_aws_error(error):
                raise
            self._problem = explain(error, self._run.region)
            if not is_transient(error):
                self._driver_problem = self._problem

    def _driver_may_live(self) -> bool:
        status = self._status
        if status is None or status.started_at is None or not self._run.driver_apart:
            return False
        if status.compute_state in CLUSTER_GOING:
            return False
        cut_off = status.state in (RunState.CANCELLED, RunState.LOST)
        return cut_off or (self._accepted and status.state is not RunState.SUCCEEDED)

    def _is_final(self) -> bool:
        return self._status is not None and self._status.state.is_final

    def _is_over(self) -> bool:
        if not self._is_final():
            return False
        return self._driver.is_over or bool(self._driver_problem) or not self._driver_may_live()

    def _released(self) -> Released:
        why = self._refusal or self._problem
        reason = f": {why}" if why else ""
        if self._status is None:
            told = "was told to end, but it is not known whether it does" if self._accepted else "goes on"
            return Released(False, f"{self._run} {told}{reason}")
        if not self._is_final():
            going = self._status.state is RunState.CANCELLING
            note = "" if going else reason
            return Released(going, f"{self._run} is still {in_words(self._status)}{note}")
        already = "" if self._accepted else " already"
        said = f"{self._run} is {in_words(self._status)}{already}"
        if not self._driver_may_live():
            return Released(True, said, ended=True)
        return self._with_driver(said)

    def _with_driver(self, said: str) -> Released:
        driver = self._driver
        if driver.state == "COMPLETED":
            return Released(True, f"{said}, and step {driver.step_id} has ended its driver", ended=True)
        if driver.step_id and not driver.is_over:
            return Released(True, f"{said}; step {driver.step_id}, which ends its driver, is {driver.state}")
        problem = self._driver_problem or self._problem or f"step {driver.step_id} is {driver.state}"
        mend = f"on the cluster, `yarn application -list -appTags {driver.yarn_tag}` tells"
        return Released(False, f"{said}, but its driver may go on ({problem}); {mend}")


def cancel_step(emr: Any, run: JobRun, option: str) -> str:
    """Ask EMR to end a step (CancelSteps); gives EMR's reason for not doing so, else an empty string.

    :param option: :data:`INTERRUPT` or :data:`TERMINATE`.
    """
    answer = emr.cancel_steps(ClusterId=run.cluster_id, StepIds=[run.step_id], StepCancellationOption=option)
    info = (answer.get("CancelStepsInfoList") or [{}])[0]
    return one_line(info.get("Reason") or "EMR gives no reason") if info.get("Status") == "FAILED" else ""


def look(emr: Any, run: JobRun, *, ask_cluster: bool = True) -> RunStatus:
    """Find out how a step is doing (ListSteps), and its cluster (DescribeCluster).

    :param ask_cluster: Whether to ask for the cluster also where the step's state tells enough.
    """
    step = list_steps(emr, run.cluster_id, [run.step_id]).get(run.step_id)
    tells = step is not None and step["Status"]["State"] in _TELLING
    if tells and not ask_cluster:
        return run_status(step, None)
    return run_status(step, emr.describe_cluster(ClusterId=run.cluster_id)["Cluster"])


def in_words(status: RunStatus) -> str:
    """Give EMR's word for a step's state, and for its cluster's where that is going."""
    if status.compute_state in CLUSTER_GOING:
        return f"{status.detail}, its cluster {status.compute_state}"
    return status.detail
