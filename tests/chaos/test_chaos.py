"""Workers, the triggerer and the local EMR are killed at random, and every run ends as it must.

``EMRKIT_CHAOS_RUNS`` (50), ``EMRKIT_CHAOS_SEED`` (random), ``EMRKIT_CHAOS_KILLS`` (a list of the kinds of
death, all by default; what is named twice comes twice as often) and ``EMRKIT_CHAOS_PLACES`` (a list of where
jobs run: ``dynamic``, ``existing`` and ``serverless``) change it. The same seed kills the same in the same
order, but not at the same instant: when a process gets its turn is the machine's doing.
"""

from __future__ import annotations

import itertools
import os
import random
import secrets
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from havoc.job_run_verdict import second_applications
from havoc.killer import DEATHS, Killer, deaths
from havoc.programs import AirflowPrograms, LocalEmrProgram, marker_of, shared_environment
from havoc.verdict import judge, table
from havoc.witness import (
    Planned,
    applications,
    ended,
    job_runs_by_stem,
    raised,
    step_processes,
    steps_by_stem,
    still_running,
    witness,
)

from demo.environment import Places
from demo.ports import any_free
from demo.processes import stop
from demo.rest import AirflowError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from havoc.verdict import Step

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3_600)]

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
RUNS = int(os.environ.get("EMRKIT_CHAOS_RUNS") or 50)
SEED = os.environ.get("EMRKIT_CHAOS_SEED") or secrets.token_hex(4)
KILLS = tuple((os.environ.get("EMRKIT_CHAOS_KILLS") or ",".join(DEATHS)).split(","))
PLACES = tuple((os.environ.get("EMRKIT_CHAOS_PLACES") or "dynamic,existing,serverless").split(","))

# Runs that are under way at once; how many at least, while there are less deaths yet than there should be;
# tasks that may have a process at once; seconds for all runs, and seconds in which what has lost its task
# must have ended by itself.
AT_ONCE = min(10, 2 + RUNS // 5)
ALWAYS = 3
PARALLELISM = 8
PATIENCE = 40 * RUNS + 300
LEFTOVER_PATIENCE = 60
# Seconds between two looks at the runs, and between two at the processes.
LOOK_SECONDS, STRIKE_SECONDS = 1.0, 0.1
# Seconds of a job whose task a user ends, and from the run's start to that.
STOPPED_SECONDS, STOP_AFTER = 90, (1.0, 30.0)
# What goes wrong by itself: an application is long in STARTING, and some requests' answers are lost.
FAULTS = {
    "slow_application": 8,
    "lost_answer": {
        "operation": "StartJobRun",
        "probability": 0.3,
        "seed": random.Random(SEED).randrange(1_000),
    },
}


def planned_runs(chance: random.Random) -> list[Planned]:
    """Each kind of run equally often; some are of a job that fails by itself, of some the task is ended."""
    kinds = itertools.cycle(itertools.product(PLACES, ("awaited", "deferred")))
    runs = [planned_run(number, *kind, chance) for number, kind in zip(range(RUNS), kinds, strict=False)]
    chance.shuffle(runs)
    return runs


def planned_run(number: int, place: str, way: str, chance: random.Random) -> Planned:
    """Of each kind's runs, one in eight fails by itself; on EMR Serverless one in four, and one is ended."""
    nth = number // (2 * len(PLACES))
    failing = nth % 8 == 3 or (place == "serverless" and nth % 4 == 3)
    dag_id = f"chaos_{place}_{way}" + ("_failing" if failing else "")
    run_id, seconds = f"chaos-{number:03d}", round(chance.uniform(1, 8), 1)
    if place == "serverless" and nth % 4 == 1:
        moment = round(chance.uniform(*STOP_AFTER), 1)
        return Planned(dag_id, run_id, STOPPED_SECONDS, "failed", stop_after=moment)
    return Planned(dag_id, run_id, seconds, "failed" if failing else "success")


class House:
    """The programs, and the folder in which the jobs leave their marks."""

    def __init__(self, folder: Path) -> None:
        venvs = ROOT / ".venv"
        environments = (venvs / "airflow-3.3", venvs / "localemr", venvs / "demo-data")
        places = Places(ROOT, folder, *environments, any_free(), any_free())
        base = shared_environment(places, uuid.uuid4().hex, folder)
        self.folder = folder
        self.marker = marker_of(base)
        self.localemr = LocalEmrProgram(places, base, folder / "localemr", FAULTS)
        extra = {"AIRFLOW__CORE__PARALLELISM": str(PARALLELISM)}
        self.programs = AirflowPrograms(places, base, HERE / "dags", extra)
        self.shared_clusters: list[str] = []
        self.stopped: dict[str, float] = {}
        (folder / "marks").mkdir()

    def start(self) -> None:
        self.localemr.start()
        self.renew_cluster()
        self.programs.start("chaos_existing_deferred", "chaos_dags.py")

    def renew_cluster(self) -> None:
        """A lost cluster is replaced by another one, as its owner would do it."""
        self.shared_clusters.append(self.localemr.new_cluster("shared"))
        draft = self.folder / "cluster.tmp"
        draft.write_text(self.shared_clusters[-1])
        draft.replace(self.folder / "cluster")

    def after_loss(self) -> None:
        """Replace the cluster that the local EMR has lost, and let the application start anew."""
        self.renew_cluster()
        self.localemr.stop_applications()

    def submitted(self) -> Mapping[str, Sequence[Step]]:
        """All steps and job runs, by task instance."""
        return {**steps_by_stem(self.localemr.emr), **job_runs_by_stem(self.localemr.serverless)}

    def stop_due(self, started: Mapping[Planned, float]) -> None:
        """End those tasks that a user is to end by now; once more where Airflow has lost the user's word.

        That happens when it finds a task's worker dead in the same moment, and has the task tried again.

        :param started: When each run was started that has not ended, by the monotonic clock.
        """
        for run, began in started.items():
            if run.stop_after is None or time.monotonic() < began + run.stop_after:
                continue
            if run.task(self.programs.airflow)["state"] != run.expected:
                run.stop(self.programs.airflow)
                self.stopped[run.run_id] = time.time()

    def leftovers(self) -> list[str]:
        """What still runs although no task is left: asked again until it is nothing, or its time is up."""
        deadline = time.monotonic() + LEFTOVER_PATIENCE
        while (left := still_running(self.submitted())) and time.monotonic() < deadline:
            time.sleep(1)
        self.localemr.emr.terminate_job_flows(JobFlowIds=self.shared_clusters[-1:])
        self.localemr.emr.get_waiter("cluster_terminated").wait(ClusterId=self.shared_clusters[-1])
        processes = step_processes(self.localemr.folder / "data")
        return left + [f"process {one.pid}" for one in processes]


@pytest.fixture
def house(tmp_path):
    running = House(tmp_path)
    try:
        running.start()
        yield running
    finally:
        left = stop(running.marker, [running.localemr.child.process, *running.programs.roots])
        assert left == []


def ends(runs: list[Planned], house: House, killer: Killer) -> list[Planned]:
    """Start the runs a few at a time, kill, until all have ended; those that did not come to an end."""
    waiting = list(runs)
    under_way: dict[Planned, float] = {}
    deadline = time.monotonic() + PATIENCE
    while (waiting or under_way) and time.monotonic() < deadline:
        try:
            ahead = len(runs) - len(waiting) > len(runs) * killer.progress + AT_ONCE
            if waiting and len(under_way) < (ALWAYS if ahead else AT_ONCE):
                waiting[0].start(house.programs.airflow)
                under_way[waiting.pop(0)] = time.monotonic()
            house.stop_due(under_way)
            over = ended(house.programs.airflow) if under_way else set()
            under_way = {run: began for run, began in under_way.items() if run.run_id not in over}
        except AirflowError as error:  # a busy machine; what was asked is asked again
            print(f"  {error}")
        strike_for_a_while(house, killer)
    return [*waiting, *under_way]


def strike_for_a_while(house: House, killer: Killer) -> None:
    until = time.monotonic() + LOOK_SECONDS
    while time.monotonic() < until:
        killer.strike_when_due()
        for name in house.programs.start_missing():
            print(f"  {time.strftime('%H:%M:%S', time.gmtime())} {name} is started again")
        time.sleep(STRIKE_SECONDS)


def test_every_run_ends_as_it_must_whatever_is_killed(house):
    chance = random.Random(SEED)
    runs = planned_runs(chance)
    killer = Killer(
        chance, house.programs, house.localemr, deaths(RUNS, KILLS), local_emr_is_back=house.after_loss
    )
    print(f"\nchaos: {RUNS} runs, EMRKIT_CHAOS_SEED={SEED}")
    began = time.monotonic()
    unfinished = ends(runs, house, killer)
    seconds = time.monotonic() - began
    leftovers = house.leftovers()
    submitted, airflow = house.submitted(), house.programs.airflow
    told = [
        witness(run, airflow, submitted, house.folder, house.stopped.get(run.run_id), killer.log)
        for run in runs
    ]
    verdicts = [judge(run) for run in told]
    errors = raised(house.folder / "airflow" / "logs")
    print(f"{seconds:.0f} s; killed: {dict(killer.done)}\n{table(told, verdicts)}")
    print(f"steps: {dict(Counter(step.state for run in told for step in run.steps))}")
    print(f"tries that raised: {dict(errors)}")
    for when, text in killer.log:
        print(f"  {time.strftime('%H:%M:%S', time.gmtime(when))} {text}")
    wrong = [
        f"{run.dag_id} {run.run_id} {one.complaints}"
        for run, one in zip(told, verdicts, strict=True)
        if one.complaints
    ]
    print(*wrong, sep="\n")
    names = [str(application["name"]) for application in applications(house.localemr.serverless)]
    assert unfinished == []
    assert second_applications(names) == []
    assert wrong == []
    assert leftovers == []
    assert killer.over, "all that were to die found their death"
