"""A deferred task in a real Airflow: its log while it runs, a kill, a restart of the triggerer."""

from __future__ import annotations

import re
import signal
import time
import uuid
from datetime import datetime

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(600)]

DAG_ID, TASK_ID = "e2e_ticks", "job"
TICK = re.compile(r"\btick (\d+) (\d+\.\d+)")
LIVE_SECONDS = 5.0
# Seconds by which a line may be shown later than CloudWatch has it, to have a moment of its own.
SHIFT = 0.5


class Run:
    """One run of the DAG that prints ticks."""

    def __init__(self, airflow, ticks: int) -> None:
        self.airflow = airflow
        self.run_id = f"e2e-{uuid.uuid4().hex[:8]}"
        self._has_begun = False
        airflow.trigger(DAG_ID, self.run_id, {"ticks": ticks})

    def state(self) -> str:
        (task,) = self.airflow.tasks(DAG_ID, self.run_id)
        return task["state"] or ""

    def run_state(self) -> str:
        return self.airflow.run_state(DAG_ID, self.run_id)

    def ticks(self) -> list[tuple[int, float, str]]:
        """Number, time and log time of each tick in the task's log, in the log's order."""
        # Once there is a log, it is read: a task that was deferred is scheduled and queued once more.
        self._has_begun = self._has_begun or self.state() not in ("", "scheduled", "queued")
        if not self._has_begun:
            return []
        log = self.airflow.log(DAG_ID, self.run_id, TASK_ID)
        found = [(TICK.search(line.text), line.timestamp) for line in log]
        return [(int(tick[1]), float(tick[2]), stamp) for tick, stamp in found if tick]


@pytest.fixture
def start(standalone, localemr):
    """Start a run; the clusters it makes are the new ones."""
    before = {cluster["Id"] for cluster in localemr.clusters_of(DAG_ID)}

    def start(ticks: int) -> Run:
        return Run(standalone.airflow, ticks)

    start.clusters = lambda: [one["Id"] for one in localemr.clusters_of(DAG_ID) if one["Id"] not in before]
    return start


def test_log_lines_come_while_the_job_runs_in_order_and_once(start, localemr):
    run = start(10)
    first_seen: dict[int, float] = {}
    deferred = False
    while run.run_state() not in ("success", "failed"):
        deferred = deferred or run.state() == "deferred"
        for number, *_ in run.ticks():
            first_seen.setdefault(number, time.time())
        time.sleep(0.3)
    assert run.run_state() == "success"
    assert deferred

    ticks = run.ticks()
    assert [number for number, *_ in ticks] == list(range(10))
    late = {number: first_seen.get(number, 1e12) - written for number, written, _ in ticks}
    # The last one may come with the end of the task.
    assert {
        number: seconds for number, seconds in late.items() if seconds > LIVE_SECONDS and number < 9
    } == {}
    # The log's times are CloudWatch's.
    (cluster_id,) = start.clusters()
    told = [(TICK.match(text), when) for when, text in localemr.stdout(cluster_id)]
    arrived = {int(tick[1]): when for tick, when in told if tick}
    for number, written, stamp in ticks:
        logged = datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
        assert abs(logged - written) < 1.0
        assert abs(logged - arrived[number]) <= SHIFT
        assert arrived[number] - written > -0.01


def test_marking_a_deferred_task_failed_ends_the_step_and_the_cluster(
    start, standalone, localemr, wait_until
):
    run = start(300)
    wait_until(run.ticks, "the first tick")
    assert run.state() == "deferred"
    (cluster_id,) = start.clusters()

    standalone.airflow.set_task_state(DAG_ID, run.run_id, TASK_ID, "failed")

    wait_until(
        lambda: localemr.cluster_state(cluster_id) in ("TERMINATED", "TERMINATED_WITH_ERRORS"),
        "cluster gone",
    )
    (step,) = localemr.steps(cluster_id)
    assert step["Status"]["State"] in ("CANCELLED", "FAILED", "INTERRUPTED")


def test_a_restart_of_the_triggerer_ends_nothing(start, standalone, localemr, wait_until):
    run = start(45)
    wait_until(lambda: len(run.ticks()) > 2, "some ticks")
    (cluster_id,) = start.clusters()
    standalone.end_triggerers(signal.SIGTERM)
    standalone.start_triggerer()

    wait_until(lambda: run.run_state() in ("success", "failed"), "the end of the run", 150)
    assert run.run_state() == "success"
    assert start.clusters() == [cluster_id]
    (step,) = localemr.steps(cluster_id)
    assert step["Status"]["State"] == "COMPLETED"
    assert {number for number, *_ in run.ticks()} == set(range(45))
