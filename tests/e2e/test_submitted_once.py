"""A worker dies at each point of a job's life: the retry goes on with the job, which runs only once.

A gate between the workers and what they talk to (AWS, Airflow's own API) ends them at exactly that point,
with SIGKILL: when a call arrives, before it is passed on; or when it was answered, before the answer is
passed back.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.ports import any_free
from demo.processes import stop
from demo.rest import AirflowError

# Test directories are no packages.
CHAOS = Path(__file__).parents[1] / "chaos"
sys.path.append(str(CHAOS))

from havoc.gate import Gate  # noqa: E402
from havoc.programs import AirflowPrograms, LocalEmrProgram, marker_of, shared_environment  # noqa: E402
from havoc.verdict import judge  # noqa: E402
from havoc.victims import NotOursError, Victims  # noqa: E402
from havoc.witness import Planned, steps_by_stem, still_running, witness  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from havoc.gate import Call

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(600)]

DYNAMIC_AWAITED, DYNAMIC_DEFERRED = "chaos_dynamic_awaited", "chaos_dynamic_deferred"
MAPPED = "chaos_mapped"
EXISTING_AWAITED, EXISTING_DEFERRED = "chaos_existing_awaited", "chaos_existing_deferred"
SUBMIT = ("RunJobFlow", "AddJobFlowSteps")
LOOK = ("ListSteps", "DescribeStep", "DescribeCluster")
# Looks at a job that is watched, until the worker dies.
LOOKS = 4
# Seconds that a job runs: longer than Airflow needs to notice a death, so that the retry finds it alive, or
# shorter, so that the retry finds it done.
LONG, SHORT = 25, 2
ENDS_WITHIN = 240
IMPATIENT = {"AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "12", "AIRFLOW__CORE__PARALLELISM": "6"}


def arrives(*actions: str) -> Callable[[Call], bool]:
    """An AWS call, before it is passed on."""
    return lambda call: call.answer is None and call.action in actions


def answered(*actions: str) -> Callable[[Call], bool]:
    """An AWS call, when AWS has done what was asked."""
    return lambda call: call.answer is not None and call.action in actions


def told_completed(call: Call) -> bool:
    """AWS has told that the job is done."""
    return answered(*LOOK)(call) and b'"COMPLETED"' in (call.answer or b"")


def xcom(key: str, *, stored: bool) -> Callable[[Call], bool]:
    """The worker's supervisor leaves a value in XCom."""

    def matches(call: Call) -> bool:
        here = call.method == "POST" and re.search(rf"/execution/xcoms/.*/{key}(\?|$)", call.path)
        return bool(here) and (call.answer is not None) == stored

    return matches


def state(name: str, *, stored: bool) -> Callable[[Call], bool]:
    """The worker's supervisor tells Airflow what has become of the task."""

    def matches(call: Call) -> bool:
        here = call.method == "PATCH" and call.path.endswith("/state")
        return here and json.loads(call.body).get("state") == name and (call.answer is not None) == stored

    return matches


@dataclass(frozen=True)
class Death:
    """A run, and the point of its first try at which the worker dies.

    :param whole: The supervisor dies as well, as with the machine; else the task's process alone.
    :param nth: At which of the calls that match.
    """

    name: str
    dag_id: str
    point: Callable[[Call], bool]
    seconds: float = SHORT
    whole: bool = False
    nth: int = 1

    @property
    def planned(self) -> Planned:
        map_index = 0 if self.dag_id == MAPPED else -1
        return Planned(self.dag_id, f"death-{self.name}", self.seconds, map_index=map_index)


DEATHS = [
    Death("before-run-job-flow", DYNAMIC_AWAITED, arrives("RunJobFlow")),
    Death("before-add-steps", EXISTING_DEFERRED, arrives("AddJobFlowSteps")),
    Death("accepted-cluster", DYNAMIC_AWAITED, answered("RunJobFlow"), LONG),
    Death("accepted-cluster-short", DYNAMIC_DEFERRED, answered("RunJobFlow")),
    Death("accepted-step", EXISTING_AWAITED, answered("AddJobFlowSteps"), LONG),
    Death("accepted-step-short", EXISTING_DEFERRED, answered("AddJobFlowSteps")),
    Death("accepted-step-lost-machine", EXISTING_DEFERRED, answered("AddJobFlowSteps"), LONG, whole=True),
    Death("accepted-mapped", MAPPED, answered("AddJobFlowSteps"), LONG),
    Death("before-id-stored", DYNAMIC_DEFERRED, xcom("emrkit_run", stored=False), whole=True),
    Death("id-stored", EXISTING_AWAITED, xcom("emrkit_run", stored=True), LONG),
    Death("before-deferral", EXISTING_DEFERRED, state("deferred", stored=False), LONG, whole=True),
    Death("deferred", DYNAMIC_DEFERRED, state("deferred", stored=True), whole=True),
    Death("watching-cluster", DYNAMIC_AWAITED, arrives(*LOOK), LONG, nth=LOOKS),
    Death("watching-step", EXISTING_AWAITED, arrives(*LOOK), LONG, nth=LOOKS),
    Death("end-seen", EXISTING_AWAITED, told_completed),
    Death("before-result-awaited", DYNAMIC_AWAITED, xcom("return_value", stored=False), whole=True),
    Death("before-result-deferred", EXISTING_DEFERRED, xcom("return_value", stored=False), whole=True),
    Death("before-success", DYNAMIC_DEFERRED, state("success", stored=False), whole=True),
]


class Assassin:
    """Ends the worker of each run when its moment has come, once.

    A run's processes are known from its worker's own report to Airflow.
    """

    def __init__(self) -> None:
        self.gate: Gate
        self.programs: AirflowPrograms
        self.struck: dict[str, str] = {}
        self._deaths = {death.planned.run_id: death for death in DEATHS}
        self._seen = dict.fromkeys(self._deaths, 0)
        self._pids: dict[int, str] = {}
        self._tasks: dict[str, str] = {}
        self._lock = threading.Lock()

    def __call__(self, call: Call) -> bool:
        """Look at a call; True when its caller was killed."""
        with self._lock:
            self._learn(call)
            run_id = self._run_of(call)
            death = self._deaths.get(run_id or "")
            if death is None or not death.point(call):
                return False
            self._seen[run_id] += 1
            if self._seen[run_id] < death.nth:
                return False
            del self._deaths[run_id]
            return self._kill(death, run_id)

    def _learn(self, call: Call) -> None:
        found = re.search(r"/task-instances/([^/]+)/run$", call.path)
        if found and call.answer:
            run_id = json.loads(call.answer).get("dag_run", {}).get("run_id")
            if run_id:
                self._pids[json.loads(call.body)["pid"]] = run_id
                self._tasks[found[1]] = run_id

    def _run_of(self, call: Call) -> str | None:
        if call.action in (*SUBMIT, *LOOK):
            return self._pids.get(self.gate.caller(call, list(self._pids)) or 0)
        task = re.search(r"/task-instances/([^/]+)/", call.path)
        if task:
            return self._tasks.get(task[1])
        return next((run_id for run_id in self._deaths if f"/{run_id}/" in call.path), None)

    def _kill(self, death: Death, run_id: str) -> bool:
        victims = Victims(self.programs.roots)
        mine = [worker for worker in victims.workers() if self._pids.get(worker.task.pid) == run_id]
        if not mine:
            self.struck[run_id] = "its worker was not found"
            return False
        try:
            if death.whole:
                victims.kill_supervisor(mine[-1], with_task=True)
            else:
                victims.kill(mine[-1].task)
        except NotOursError as error:
            self.struck[run_id] = str(error)
            return False
        self.struck[run_id] = "killed"
        return True


@pytest.fixture(scope="module")
def house(places, tmp_path_factory):
    """An Airflow whose workers reach AWS and Airflow through a gate only; all runs are under way."""
    folder = tmp_path_factory.mktemp("submitted-once")
    (folder / "marks").mkdir()
    own = replace(places, folder=folder, airflow_port=any_free(), localemr_port=any_free())
    base = shared_environment(own, uuid.uuid4().hex, folder)
    localemr = LocalEmrProgram(own, base, folder / "localemr")
    localemr.start()
    assassin = Assassin()
    try:
        (folder / "cluster").write_text(localemr.new_cluster("shared"))
        with Gate(own.endpoint, own.airflow_url, assassin) as gate:
            extra = {**IMPATIENT, "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{gate.url}/execution/"}
            behind = replace(own, localemr_port=gate.port)
            programs = AirflowPrograms(behind, {**base, "AWS_ENDPOINT_URL": gate.url}, CHAOS / "dags", extra)
            assassin.gate, assassin.programs = gate, programs
            programs.start(EXISTING_DEFERRED, "chaos_dags.py")
            for death in DEATHS:
                death.planned.start(programs.airflow)
            yield programs.airflow, localemr.emr, folder, assassin
    finally:
        assert stop(marker_of(base), [localemr.child.process]) == []


@pytest.mark.parametrize("death", [pytest.param(death, id=death.name) for death in DEATHS])
def test_a_worker_that_dies_leaves_one_job(death, house, wait_until):
    airflow, emr, folder, assassin = house
    planned = death.planned

    def ended() -> bool:
        try:
            return airflow.run_state(planned.dag_id, planned.run_id) in ("success", "failed")
        except AirflowError:  # a busy machine; it is asked again
            return False

    def steps():
        return {planned.stem: steps_by_stem(emr).get(planned.stem, ())}

    wait_until(ended, "the end of the run", ENDS_WITHIN)
    # A cluster takes its time to end, and nobody waits for it once its job is done.
    wait_until(lambda: not still_running(steps()), "the end of the job's cluster", 120)
    assert assassin.struck.get(planned.run_id) == "killed"
    told = witness(planned, airflow, steps(), folder)
    assert judge(told).complaints == ()
    assert (len(told.steps), len(told.executions)) == (1, 1)
    assert told.tries > 1 or death.name == "deferred"
