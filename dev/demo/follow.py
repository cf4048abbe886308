"""Following one run: its states, its task's log lines as they come, the cluster it waits for, the result."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError

from demo.rest import Airflow, AirflowError, LogLine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from demo.localemr import ClusterNews, Clusters

RUN_LIMIT_SECONDS = 900
_POLL_SECONDS = 1.0
_FAILED_ROUNDS = 5
_SERVER_ERROR = 500
_FINISHED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


class RunError(Exception):
    """The run can't be followed to its end."""


class NewLines:
    """Picks from a log that is read whole each time what has not been seen yet.

    Airflow merges the files of the worker and the triggerer by time, so a new line is not always the last,
    and two equal lines of one moment are two lines.

    Example::

        new = NewLines()
        new.of([LogLine("1", "a")])  # → the line
        new.of([LogLine("1", "a"), LogLine("2", "b")])  # → only the second
    """

    def __init__(self) -> None:
        self._seen: Counter[LogLine] = Counter()

    def of(self, log: Sequence[LogLine]) -> list[LogLine]:
        """Return the lines of this log that no earlier one had."""
        met: Counter[LogLine] = Counter()
        new = []
        for line in log:
            met[line] += 1
            if met[line] > self._seen[line]:
                new.append(line)
        self._seen |= met
        return new


@dataclass
class Outcome:
    """How a run ended.

    :param state: State of the run.
    :param seconds: Seconds between the trigger and the end, as the demo saw them.
    :param errors: ``Type: message`` of the exceptions in the task's log, in their order.
    """

    state: str
    seconds: float
    tasks: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    cluster: ClusterNews | None = None

    @property
    def succeeded(self) -> bool:
        """Whether all is well."""
        return self.state == "success"


class Follower:
    """Watches one run of a DAG.

    :param show: Called with each new line of the log.
    :param news: Called with where things stand.
    :param check: Called each time round; raises when one of the demo's programs has died.
    """

    def __init__(
        self,
        airflow: Airflow,
        clusters: Clusters,
        *,
        show: Callable[[LogLine], None],
        news: Callable[[str], None],
        check: Callable[[], None],
    ) -> None:
        self._airflow = airflow
        self._clusters = clusters
        self._show = show
        self._news = news
        self._check = check
        self._new: dict[tuple[str, int], NewLines] = {}
        self._errors: list[str] = []

    def follow(self, dag_id: str, run_id: str) -> Outcome:
        """Return when the run has ended and its last lines were shown.

        :raises RunError: when it has not after :data:`RUN_LIMIT_SECONDS`, or can't be looked at any more.
        """
        started = time.monotonic()
        outcome, failed = Outcome("unknown", 0), 0
        while True:
            self._check()
            try:
                outcome, failed = self._look(dag_id, run_id), 0
            except (AirflowError, BotoCoreError) as error:
                failed += 1
                if failed == _FAILED_ROUNDS or not _may_pass(error):
                    raise RunError(f"the run can't be followed any more: {error}") from error
            outcome.seconds = time.monotonic() - started
            if outcome.state in _FINISHED:
                return outcome
            if outcome.seconds > RUN_LIMIT_SECONDS:
                raise RunError(f"the run has not ended after {RUN_LIMIT_SECONDS} s; it is {outcome.state!r}")
            time.sleep(_POLL_SECONDS)

    def _look(self, dag_id: str, run_id: str) -> Outcome:
        state = self._airflow.run_state(dag_id, run_id)  # before the log: what it holds then is all there is
        tasks = self._airflow.tasks(dag_id, run_id)
        self._show_lines(dag_id, run_id, tasks)
        cluster = self._clusters.newest()
        self._news(_status_line(tasks, cluster))
        return Outcome(state, 0, tasks, self._errors, cluster)

    def _show_lines(self, dag_id: str, run_id: str, tasks: Sequence[dict[str, Any]]) -> None:
        for task in tasks:
            tries = int(task.get("try_number") or 0)
            if not tries:
                continue
            try:
                log = self._airflow.log(dag_id, run_id, task["task_id"], tries)
            except AirflowError as error:
                if error.not_found:  # not written yet
                    continue
                raise
            new = self._new.setdefault((task["task_id"], tries), NewLines())
            for line in new.of(log):
                self._errors += [line.error] if line.error else []
                self._show(line)


def _may_pass(error: AirflowError | BotoCoreError) -> bool:
    """Whether an error is one of a busy program, or of one that is just dying, rather than a refusal."""
    status = error.status if isinstance(error, AirflowError) else None
    return status is None or status >= _SERVER_ERROR


def _status_line(tasks: Sequence[dict[str, Any]], cluster: ClusterNews | None) -> str:
    states = ", ".join(f"{task['task_id']} {task['state'] or 'waiting for the scheduler'}" for task in tasks)
    return f"{cluster.line()}; {states}" if cluster else states
