"""Puts the changes of a run's state into lines for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.runs.states import RunState

if TYPE_CHECKING:
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.states import RunStatus


@dataclass(slots=True)
class Progress:
    """Tells what is new about a run.

    :param run: The run.

    >>> from airflow_provider_emrkit.runs.job_run import JobRun
    >>> from airflow_provider_emrkit.runs.states import RunStatus
    >>> run = JobRun("step", "j-1", "s-1", "t-1", "sales", "us-east-1", submitted_at=100.0)
    >>> Progress(run).news(RunStatus(RunState.STARTING, "PENDING", compute_state="STARTING"), 112.0)
    ['Cluster j-1 is STARTING (12 s)']
    """

    run: JobRun
    _last: str = ""

    def news(self, status: RunStatus, now: float) -> list[str]:
        """Give the line for a state, when it says something that the last one did not.

        :param now: Seconds since 1970.
        """
        text = self._text(status)
        if text == self._last:
            return []
        self._last = text
        subject, _, reason = text.partition(": ")
        elapsed = f"{subject} ({now - self.run.submitted_at:.0f} s)"
        return [f"{elapsed}: {reason}" if reason else elapsed]

    def _text(self, status: RunStatus) -> str:
        if status.state in (RunState.STARTING, RunState.NEVER_RAN):
            text, reason = f"Cluster {self.run.cluster_id} is {status.compute_state}", status.compute_message
        elif status.state is RunState.LOST:
            text = (
                f"Step {self.run.step_id} is {status.detail}, its cluster is {status.compute_state or 'gone'}"
            )
            reason = status.compute_message
        else:
            text, reason = f"Step {self.run.step_id} is {status.detail}", ""
        return f"{text}: {reason}" if reason else text


def duration(started: float | None, ended: float | None) -> float | None:
    """Give the seconds between two times, where both are known.

    >>> duration(1.0, 3.5)
    2.5
    """
    return None if started is None or ended is None else round(ended - started, 1)
