"""What becomes of the work that earlier attempts of a task have started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from airflow_provider_emrkit.exceptions import ExistingRunError
from airflow_provider_emrkit.runs.states import CLUSTER_GOING, RunState
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.states import RunStatus
    from airflow_provider_emrkit.runs.token import Mark, RunToken

OnExisting = Literal["attach", "fresh", "fail"]
ON_EXISTING: tuple[OnExisting, ...] = get_args(OnExisting)


@dataclass(frozen=True)
class Found:
    """A run that an attempt of the task instance has started.

    :param run: The run.
    :param status: How it is doing.
    :param mark: Which attempt started it.

    >>> Found(run, status, Mark.of(run.name))  # doctest: +SKIP
    """

    run: JobRun
    status: RunStatus
    mark: Mark

    @property
    def age(self) -> tuple[int, int, float]:
        """What runs are put in order by: tries count up through the whole life of a task instance."""
        return self.mark.try_number, self.mark.relaunch, self.run.submitted_at

    @property
    def is_going(self) -> bool:
        """Whether it is about to end without having done its work."""
        return not self.status.state.is_final and (
            self.status.state is RunState.CANCELLING or self.status.compute_state in CLUSTER_GOING
        )

    @property
    def is_active(self) -> bool:
        """Whether it runs, or waits to."""
        return not self.status.state.is_final and not self.is_going

    @property
    def is_worth_keeping(self) -> bool:
        """Whether a retry can go on with it.

        A cluster whose step has no id yet can only be ended.
        """
        return (self.is_active and bool(self.run.id)) or self.status.state is RunState.SUCCEEDED


@dataclass(frozen=True)
class Decision:
    """How a try goes on.

    :param attach: The run to go on with; None when the job has to be submitted.
    :param end: Runs that have to be ended first.
    :param wait_for: Runs that are being ended; the job must not be submitted beside them.

    >>> Decision().attach is None
    True
    """

    attach: Found | None = None
    end: Sequence[JobRun] = ()
    wait_for: Sequence[JobRun] = ()


def decide(found: Iterable[Found], token: RunToken, on_existing: str = "attach") -> Decision:
    """Decide how a try goes on after what was found of earlier ones.

    Work of the same generation is what an automatic retry takes over. A cleared task has a new generation and
    runs again: what its old one left behind must not run beside it.

    :param found: Runs of the same task instance, in any order; others are ignored.
    :param token: The try's own token.
    :param on_existing: ``attach`` goes on with work that is alive or done, ``fresh`` ends it and starts anew,
        ``fail`` refuses.
    :raises ExistingRunError: with ``fail``, when there is work that is alive or done; in any case when a
        later try, which has replaced this one, is at work.
    :raises InvalidValueError: when ``on_existing`` is none of these.

    >>> decide([], RunToken("sales", "manual__1", "load", -1, 0, 2))  # doctest: +SKIP
    Decision(attach=None, end=(), wait_for=())
    """
    if on_existing not in ON_EXISTING:
        raise InvalidValueError("decide", "on_existing", on_existing, "is not known", allowed=ON_EXISTING)
    ours = [one for one in found if one.mark.stem == token.stem]
    ours.sort(key=lambda one: one.age, reverse=True)
    _refuse_if_replaced(ours, token)
    kept = (one for one in ours if _is_kept(one, token) and not _is_of_another_life(one, ours))
    attach = next(kept, None) if on_existing != "fresh" else None
    if attach and on_existing == "fail":
        raise ExistingRunError(
            f"{attach.run}, which try {attach.mark.try_number} of this task has started, is "
            f"{_word(attach)}, and on_existing='fail' forbids to go on; cancel it, or clear the task to run "
            "the job again"
        )
    return Decision(
        attach,
        end=tuple(one.run for one in ours if one.is_active and one is not attach),
        wait_for=() if attach else tuple(one.run for one in ours if one.is_going),
    )


def _is_kept(one: Found, token: RunToken) -> bool:
    return one.mark.generation == token.generation and one.is_worth_keeping


def _is_of_another_life(one: Found, ours: Iterable[Found]) -> bool:
    """Tell work of a deleted DAG run with the same id: it is older than that of an earlier try."""
    attempt = (one.mark.try_number, one.mark.relaunch)
    return any(
        (other.mark.try_number, other.mark.relaunch) < attempt
        and other.run.submitted_at > one.run.submitted_at
        for other in ours
    )


def _refuse_if_replaced(ours: Iterable[Found], token: RunToken) -> None:
    """Leave the work of a later try alone: it is this try that should not be here any more."""
    for one in ours:
        later = one.mark.try_number > token.try_number and one.mark.generation != token.generation
        if later and (one.is_active or one.is_going):
            raise ExistingRunError(
                f"try {one.mark.try_number} of this task has replaced try {token.try_number}, and its "
                f"{one.run} is {_word(one)}; nothing was submitted"
            )


def _word(one: Found) -> str:
    return one.status.detail or one.status.state.value
