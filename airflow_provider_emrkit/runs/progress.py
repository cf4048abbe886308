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
    _doubted: str = ""

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

    def doubts(self, status: RunStatus) -> list[str]:
        """Give a warning where the run got another image than its tag meant when it was submitted; once."""
        got, meant = status.image_digest, self.run.image_digests
        if not got or not meant or got in (*meant, self._doubted):
            return []
        self._doubted = got
        return [
            f"{_capital(str(self.run))} got image {self.run.image} as {got}, not as {meant[0]}, which its "
            "tag meant when the job was submitted. Either the tag was pushed anew just then, and the job has "
            "the newer image; or the application resolves tags when it starts, and keeps what it got then: "
            "stop it, so that it starts with the present image."
        ]

    def _text(self, status: RunStatus) -> str:
        if status.state in (RunState.STARTING, RunState.NEVER_RAN):
            text, reason = self._coming_up(status)
        elif status.state is RunState.LOST:
            place = f"its {self.run.place} is {status.compute_state or 'gone'}"
            text = f"{self._what(status)} is {status.detail}, {place}"
            reason = status.compute_message
        else:
            text, reason = f"{self._what(status)} is {status.detail}", ""
            if status.attempt > 1 and not status.state.is_final:  # why it is tried once more
                reason = status.message
        return f"{text}: {reason}" if reason else text

    def _coming_up(self, status: RunStatus) -> tuple[str, str]:
        """Tell of what it waits for: its cluster; where that was not asked for, its own state says it."""
        if not status.compute_state:
            return f"{self._what(status)} is {status.detail}", status.message
        return f"{_capital(self.run.where)} is {status.compute_state}", status.compute_message

    def _what(self, status: RunStatus) -> str:
        attempt = f", attempt {status.attempt}," if status.attempt > 1 else ""
        return f"{_capital(self.run.what)}{attempt}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def duration(started: float | None, ended: float | None) -> float | None:
    """Give the seconds between two times, where both are known.

    >>> duration(1.0, 3.5)
    2.5
    """
    return None if started is None or ended is None else round(ended - started, 1)
