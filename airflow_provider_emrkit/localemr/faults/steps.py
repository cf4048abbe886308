"""Steps that hang or fail because a fault says so; they implement the contract's ``RunningStep``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.run.contract import RunningStep, StepRequest, StepResult

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from airflow_provider_emrkit.localemr.faults.active import Active
    from airflow_provider_emrkit.localemr.faults.cluster_kinds import HungStep

UNKNOWN = "Unknown Error."

_FAIL = 'printf "%s\\n" "$0" >&2; exit 1'


class HeldStep:
    """A step that does nothing until its fault is over or it is cancelled.

    :param start: Starts the step itself.
    :param hung: The fault.
    :param changed: Told of changes of the faults.

    >>> step = HeldStep(start, hung, condition)  # doctest: +SKIP
    >>> step.cancel()  # doctest: +SKIP
    >>> step.wait().cancelled  # doctest: +SKIP
    True
    """

    def __init__(
        self, start: Callable[[], RunningStep], hung: Active[HungStep], changed: threading.Condition
    ) -> None:
        self._start = start
        self._hung = hung
        self._changed = changed
        self._cancelled = False
        self._step: RunningStep | None = None

    def wait(self) -> StepResult:
        """Wait for the fault's end, and then for the step's."""
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled or self._hung.is_lifted, self._hung.fault.seconds)
            if self._cancelled:
                return StepResult(succeeded=False, cancelled=True)
        step = self._start()
        with self._changed:
            self._step = step
        # Cancelled after the waiting was over, and before there was a step to cancel.
        if self._is_cancelled():
            step.cancel()
        return step.wait()

    def _is_cancelled(self) -> bool:
        return self._cancelled

    def cancel(self, *, force: bool = False) -> None:
        """End the waiting, or the step. Idempotent."""
        with self._changed:
            self._cancelled = True
            step = self._step
            self._changed.notify_all()
        if step is not None:
            step.cancel(force=force)


class FailingStep:
    """A step whose end is a failure, whatever it did.

    :param step: The step.
    :param failure: How it ends, if nobody cancels it; the step's own log file counts when it has one.
    :param is_due: Whether it still is to fail when it has ended.

    >>> FailingStep(step, StepResult(False, message="no such day")).wait().message  # doctest: +SKIP
    'no such day'
    """

    def __init__(
        self, step: RunningStep, failure: StepResult, is_due: Callable[[], bool] = lambda: True
    ) -> None:
        self._step = step
        self._failure = failure
        self._is_due = is_due

    def wait(self) -> StepResult:
        """Wait for the step's end."""
        result = self._step.wait()
        if result.cancelled or not self._is_due():
            return result
        return replace(self._failure, log_file=result.log_file or self._failure.log_file)

    def cancel(self, *, force: bool = False) -> None:
        """Cancel the step."""
        self._step.cancel(force=force)


def failing(request: StepRequest, message: str) -> StepRequest:
    """Give a step that fails with a message in its stderr, and does nothing else."""
    args = ("bash", "-c", _FAIL, message)
    return replace(request, jar="command-runner.jar", args=args, main_class=None, properties={})
