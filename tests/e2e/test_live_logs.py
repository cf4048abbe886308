"""A job's lines in the log of its task: all of them, in order, once, and soon."""

from __future__ import annotations

import re
import signal
import statistics
import time
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from demo.rest import Airflow

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(600)]

SYNC, DEFERRABLE = "e2e_lines_sync", "e2e_lines_deferrable"
TASK_ID = "job"
LINES = 200
HALF = LINES // 2
# Seconds from a line's writing until Airflow shows it: half of the lines must be faster.
SOON = 3.0
# Seconds by which a line may be shown later than CloudWatch has it, to have a moment of its own.
SHIFT = 0.5
WRITTEN = re.compile(r"line (\d{3}) (\d+\.\d+)$")
LINE = re.compile(rf"^\[stdout\] {WRITTEN.pattern}")


class Line(NamedTuple):
    """A line as the task's log shows it.

    :param written: When the job wrote it, in seconds since 1970.
    :param stamp: The log's own time for it, in seconds since 1970.
    """

    number: int
    written: float
    stamp: float


class LinesRun:
    """One run of a DAG whose job prints numbered lines."""

    def __init__(self, airflow: Airflow, dag_id: str) -> None:
        self.airflow = airflow
        self.dag_id = dag_id
        self.run_id = f"lines-{uuid.uuid4().hex[:8]}"
        self.first_seen: dict[int, float] = {}
        self.cluster_id = ""
        self._has_begun = False
        airflow.trigger(dag_id, self.run_id, {})

    def is_over(self) -> bool:
        return self.airflow.run_state(self.dag_id, self.run_id) in ("success", "failed")

    def has_begun(self) -> bool:
        """Whether there is a log; a task that was deferred is scheduled and queued once more."""
        if not self._has_begun:
            (task,) = self.airflow.tasks(self.dag_id, self.run_id)
            self._has_begun = task["state"] not in (None, "scheduled", "queued")
        return self._has_begun

    def texts(self) -> list[str]:
        if not self.has_begun():
            return []
        return [line.text for line in self.airflow.log(self.dag_id, self.run_id, TASK_ID)]

    def lines(self) -> list[Line]:
        """The job's lines in the order of the log; what is new of them is noted."""
        if not self.has_begun():
            return []
        log = self.airflow.log(self.dag_id, self.run_id, TASK_ID)
        seen = time.time()
        found = [(LINE.match(entry.text), entry.timestamp) for entry in log]
        lines = [
            Line(
                int(line[1]), float(line[2]), datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
            )
            for line, stamp in found
            if line
        ]
        for line in lines:
            self.first_seen.setdefault(line.number, seen)
        return lines

    def delays(self) -> list[float]:
        """From the writing of each line until the log was seen to have it."""
        return [self.first_seen[line.number] - line.written for line in self.lines()]


@pytest.fixture(scope="module")
def ended_runs(standalone, localemr, wait_until) -> dict[str, LinesRun]:
    """A waiting and a deferred run, at the same time, whose logs were watched to their ends."""
    runs = {dag_id: LinesRun(standalone.airflow, dag_id) for dag_id in (SYNC, DEFERRABLE)}

    def are_over() -> bool:
        for run in runs.values():
            run.lines()
        return all(run.is_over() for run in runs.values())

    wait_until(are_over, "the end of the runs", 180)
    for run in runs.values():
        run.cluster_id = localemr.clusters_of(run.dag_id)[0]["Id"]
    return runs


@pytest.mark.parametrize("dag_id", [SYNC, DEFERRABLE])
def test_all_lines_are_there_in_order_once_and_soon(dag_id, ended_runs, localemr):
    run = ended_runs[dag_id]
    assert run.airflow.run_state(dag_id, run.run_id) == "success"

    lines = run.lines()
    assert [line.number for line in lines] == list(range(LINES))
    assert max(abs(line.stamp - line.written) for line in lines) < 1.0
    # The log's times are CloudWatch's.
    told = [(WRITTEN.match(text), when) for when, text in localemr.stdout(run.cluster_id)]
    arrived = {int(line[1]): when for line, when in told if line}
    assert max(abs(line.stamp - arrived[line.number]) for line in lines) <= SHIFT
    assert min(arrived[line.number] - line.written for line in lines) > -0.01
    delays = run.delays()
    print(f"{dag_id}: delay of a line, median {statistics.median(delays):.1f} s, most {max(delays):.1f} s")
    assert statistics.median(delays) < SOON


def test_no_line_is_missing_when_the_triggerer_is_killed_half_way(standalone, wait_until):
    run = LinesRun(standalone.airflow, DEFERRABLE)
    wait_until(lambda: len(run.lines()) >= HALF or run.is_over(), "half of the lines", 120)
    standalone.end_triggerers(signal.SIGKILL)
    standalone.start_triggerer()
    wait_until(run.is_over, "the end of the run", 150)

    assert standalone.airflow.run_state(DEFERRABLE, run.run_id) == "success"
    numbers = [line.number for line in run.lines()]
    assert sorted(set(numbers)) == list(range(LINES))
    assert any("started again" in text for text in run.texts())
