"""What must be true of job runs of EMR Serverless, beside what must be true of steps as well. Pure."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from havoc.verdict import Execution, TaskLog, Witnessed

# Seconds in which a job run must have ended after a user has ended its task: less than such a job takes.
STOP_SECONDS = 40.0
# Seconds around the user's action in which somebody's death excuses that a job run went on: Airflow needs as
# long to notice it and to have another one watch.
BEFORE_STOP, AFTER_STOP = 45.0, 25.0
# What the operator raises when a job run has failed; other errors are about what comes before and after.
FAILURES = frozenset({"UserCodeError", "RunFailedError"})


def judge_job_runs(run: Witnessed) -> tuple[list[str], list[str]]:
    """Judge the job runs of a run: what is wrong, and what is excused."""
    went_on = list(_went_on(run))
    excused = bool(went_on) and _nobody_was_there(run)
    wrong = [*_disagreement(run), *_bill(run), *_logs(run), *([] if excused else went_on)]
    return wrong, went_on if excused else []


def second_applications(names: Sequence[str]) -> list[str]:
    """Complain of applications of one name.

    >>> second_applications(["chaos", "chaos"])
    ['2 applications are named chaos']
    """
    counted = {name: names.count(name) for name in names}
    return [f"{number} applications are named {name}" for name, number in counted.items() if number > 1]


def _disagreement(run: Witnessed) -> Iterator[str]:
    if _was_seen_to_end(run) and not run.steps:
        yield "has ended, but nothing was submitted"
    if run.state == "failed" and run.stopped is None:
        yield from (f"is failed, but {step.step_id} is {step.state}" for step in run.steps if step.done)


def _went_on(run: Witnessed) -> Iterator[str]:
    if run.stopped is None:
        return
    for step in run.steps:
        if step.created > run.stopped + STOP_SECONDS:
            yield f"{step.step_id} was submitted {step.created - run.stopped:.0f} s after the task's end"
        elif step.over is None or step.over > run.stopped + STOP_SECONDS:
            when = "never" if step.over is None else f"{step.over - run.stopped:.0f} s later"
            yield f"a user ended the task, and {step.step_id} ({step.state}) ended {when}"


def _nobody_was_there(run: Witnessed) -> bool:
    stopped = run.stopped or 0.0
    return any(-BEFORE_STOP < when - stopped < AFTER_STOP for when in run.unwatched)


def _bill(run: Witnessed) -> Iterator[str]:
    if run.state == "success":
        bills = {step.step_id: step.vcpu_hours for step in run.steps if step.done}
        bill = bills.get(run.result_step or "")
        if run.result_vcpu_hours is None or run.result_vcpu_hours != bill:
            yield f"is billed {bill} vCPU-hours, and its result says {run.result_vcpu_hours}"
    elif _was_seen_to_end(run) and not run.logs[-1].billed:
        yield "failed, and its log does not say what is billed"


def _logs(run: Witnessed) -> Iterator[str]:
    for number, log in enumerate(run.logs, start=1):
        for execution in run.executions:
            yield from (f"try {number}: {text}" for text in _wrong_order(log, execution))
    last = run.executions[-1] if run.executions else None
    if _was_seen_to_end(run) and last is not None and last.finished:
        shown = _shown(run.logs[-1], last)
        if len(set(shown)) < last.marks:
            missing = sorted(set(range(1, last.marks + 1)) - set(shown))
            yield f"the last log lacks lines {missing} of {last.marks}"


def _was_seen_to_end(run: Witnessed) -> bool:
    """Whether the last try has seen what became of the job: it may have been the one that died."""
    if run.stopped is not None or not run.logs:
        return False
    return run.state == "success" or run.logs[-1].raised in FAILURES


def _wrong_order(log: TaskLog, execution: Execution) -> Iterator[str]:
    for before, after in pairwise(_shown(log, execution)):
        if after != before + 1:
            yield f"its log shows line {after} of {execution.name[:8]} after line {before}"


def _shown(log: TaskLog, execution: Execution) -> list[int]:
    return [number for name, number in log.marks if name == execution.name]
