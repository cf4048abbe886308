"""What must be true of a run whatever was killed while it ran. Pure: it judges what others have witnessed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from havoc.job_run_verdict import judge_job_runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DONE = frozenset({"COMPLETED", "SUCCESS"})
FINAL = DONE | {"FAILED", "CANCELLED", "INTERRUPTED"}
CLUSTER_GONE = frozenset({"TERMINATED", "TERMINATED_WITH_ERRORS"})


@dataclass(frozen=True)
class Step:
    """A step, as EMR tells of it at the end; or a job run, whose cluster is its application.

    :param created: Seconds since 1970.
    :param ended: Seconds since 1970; None when EMR names no time.
    :param cluster_ended: Seconds since 1970; None while the cluster goes on.
    :param owned: Whether the cluster was made for this step.
    :param vcpu_hours: What is billed for a job run; None when EMR does not say.
    """

    cluster_id: str
    step_id: str
    name: str
    state: str
    created: float
    ended: float | None
    cluster_state: str
    cluster_ended: float | None
    owned: bool
    vcpu_hours: float | None = None

    @property
    def done(self) -> bool:
        """Whether it did its work."""
        return self.state in DONE

    @property
    def over(self) -> float | None:
        """When it was over at the latest."""
        return self.ended if self.ended is not None else self.cluster_ended


@dataclass(frozen=True)
class Execution:
    """One time that the job really ran, as its marks tell.

    :param last: Its last sign of life, seconds since 1970.
    :param finished: Whether it came to its end.
    :param marks: How many it has left.
    """

    name: str
    started: float
    last: float
    finished: bool
    marks: int = 0


@dataclass(frozen=True)
class TaskLog:
    """What a try's log shows, as Airflow gives it.

    :param marks: Lines of the job, each by its execution and its number there, from 1.
    :param raised: The type of what the operator has raised; empty when it has not.
    :param billed: Whether it says what the job run is billed for.
    """

    marks: Sequence[tuple[str, int]] = ()
    raised: str = ""
    billed: bool = False


@dataclass(frozen=True)
class Witnessed:
    """All that is known of one run when the chaos is over.

    :param expected: The state that its task must have.
    :param result_step: The step that the task's result names.
    :param steps: Oldest first.
    :param executions: Oldest first.
    :param logs: One for each try; read only of job runs.
    :param result_vcpu_hours: What the task's result says of the bill.
    :param stopped: When a user ended the task; None when nobody did.
    :param unwatched: When somebody who watched its job died.
    """

    dag_id: str
    run_id: str
    expected: str
    state: str
    tries: int
    result_step: str | None = None
    steps: Sequence[Step] = field(default_factory=tuple)
    executions: Sequence[Execution] = field(default_factory=tuple)
    logs: Sequence[TaskLog] = field(default_factory=tuple)
    result_vcpu_hours: float | None = None
    stopped: float | None = None
    unwatched: Sequence[float] = field(default_factory=tuple)

    @property
    def is_serverless(self) -> bool:
        """Whether its jobs are job runs of EMR Serverless."""
        return "serverless" in self.dag_id


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a run.

    :param complaints: Sentences; none when all is well.
    :param excused: Work that was repeated although it was done, because the cluster that knew it was done was
        lost before a try could ask, and the next try was sent to another cluster; a job that went on after a
        user had ended its task, because whoever could have ended it had died just then.
    """

    complaints: tuple[str, ...]
    excused: tuple[str, ...] = ()


def judge(run: Witnessed) -> Verdict:
    """Judge one run."""
    repeated, excused = _repeated(run.steps)
    if run.is_serverless:
        wrong, left = judge_job_runs(run)
        repeated, excused = [*repeated, *wrong], [*excused, *left]
    complaints = [
        *_wrong_end(run),
        *_same_attempt(run.steps),
        *repeated,
        *_executions(run),
        *_left(run.steps),
    ]
    return Verdict(tuple(complaints), tuple(excused))


def _wrong_end(run: Witnessed) -> Iterator[str]:
    if run.state != run.expected:
        yield f"is {run.state}, must be {run.expected}"
    if run.state != "success":
        return
    done = {step.step_id for step in run.steps if step.done}
    if run.result_step not in done:
        yield f"names {run.result_step} as its result, but the completed steps are {sorted(done)}"
    if not any(execution.finished for execution in run.executions):
        yield "succeeded, but its job never came to its end"


def _same_attempt(steps: Sequence[Step]) -> Iterator[str]:
    for name, number in Counter(step.name for step in steps).items():
        if number > 1:
            yield f"{number} steps were submitted for one attempt: {name}"


def _repeated(steps: Sequence[Step]) -> tuple[list[str], list[str]]:
    """Find steps that were submitted while the one before them was alive or done."""
    complaints, excused = [], []
    for before, after in pairwise(steps):
        if before.done:
            text = f"{after.step_id} was submitted although {before.step_id} was completed"
            (excused if _lost_with_its_cluster(before, after) else complaints).append(text)
        elif before.over is None or before.over > after.created:
            complaints.append(
                f"{after.step_id} was submitted while {before.step_id} ({before.state}) was alive"
            )
    return complaints, excused


def _lost_with_its_cluster(before: Step, after: Step) -> bool:
    lost = before.cluster_ended is not None and before.cluster_ended <= after.created
    return lost and not before.owned and before.cluster_id != after.cluster_id


def _executions(run: Witnessed) -> Iterator[str]:
    if len(run.executions) > len(run.steps):
        yield f"its job ran {len(run.executions)} times, in {len(run.steps)} steps"
    for before, after in pairwise(run.executions):
        if before.last > after.started:
            yield f"its job ran twice at once for {before.last - after.started:.1f} s"


def _left(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        if step.state not in FINAL:
            yield f"step {step.step_id} is still {step.state}"
        if step.owned and step.cluster_state not in CLUSTER_GONE:
            yield f"cluster {step.cluster_id} is still {step.cluster_state}"


def table(runs: Sequence[Witnessed], verdicts: Sequence[Verdict]) -> str:
    """One line for each kind of run: how many, tries, steps, executions, what was excused, what is wrong."""
    head = ("runs of", "runs", "success", "failed", "tries", "steps", "ran", "excused", "wrong")
    kinds = sorted({run.dag_id for run in runs})
    rows = [head, *(_row(kind, runs, verdicts) for kind in kinds), _row(None, runs, verdicts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    )


def _row(kind: str | None, runs: Sequence[Witnessed], verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    mine = [(run, one) for run, one in zip(runs, verdicts, strict=True) if kind in (None, run.dag_id)]
    states = Counter(run.state for run, _ in mine)
    numbers = (
        len(mine),
        states["success"],
        states["failed"],
        sum(run.tries for run, _ in mine),
        sum(len(run.steps) for run, _ in mine),
        sum(len(run.executions) for run, _ in mine),
        sum(len(one.excused) for _, one in mine),
        sum(bool(one.complaints) for _, one in mine),
    )
    return (kind or "all", *map(str, numbers))
