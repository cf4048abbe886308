"""Workers, the triggerer and the local EMR are killed at random, and every run ends as it must.

``EMRKIT_CHAOS_RUNS`` (50), ``EMRKIT_CHAOS_SEED`` (random) and ``EMRKIT_CHAOS_KILLS`` (a list of the kinds of
death, all by default) change it. The same seed kills the same in the same order, but not at the same instant:
when a process gets its turn is the machine's doing.
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

import pytest
from havoc.killer import DEATHS, Killer, deaths
from havoc.programs import AirflowPrograms, LocalEmrProgram, marker_of, shared_environment
from havoc.verdict import judge, table
from havoc.witness import Planned, ended, raised, step_processes, steps_by_stem, still_running, witness

from demo.environment import Places
from demo.ports import any_free
from demo.processes import stop
from demo.rest import AirflowError

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3_600)]

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
RUNS = int(os.environ.get("EMRKIT_CHAOS_RUNS") or 50)
SEED = os.environ.get("EMRKIT_CHAOS_SEED") or secrets.token_hex(4)
KILLS = tuple((os.environ.get("EMRKIT_CHAOS_KILLS") or ",".join(DEATHS)).split(","))

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


def planned_runs(chance: random.Random) -> list[Planned]:
    """Each kind of run equally often; one in ten is of a job that fails by itself."""
    kinds = itertools.cycle(itertools.product(("dynamic", "existing"), ("awaited", "deferred")))
    runs = []
    for number, (place, way) in zip(range(RUNS), kinds, strict=False):
        failing = number % 10 == 9
        dag_id = f"chaos_{place}_{way}" + ("_failing" if failing else "")
        run_id = f"chaos-{number:03d}"
        seconds = round(chance.uniform(1, 8), 1)
        runs.append(Planned(dag_id, run_id, seconds, "failed" if failing else "success"))
    chance.shuffle(runs)
    return runs


class House:
    """The programs, and the folder in which the jobs leave their marks."""

    def __init__(self, folder: Path) -> None:
        venvs = ROOT / ".venv"
        environments = (venvs / "airflow-3.3", venvs / "localemr", venvs / "demo-data")
        places = Places(ROOT, folder, *environments, any_free(), any_free())
        base = shared_environment(places, uuid.uuid4().hex, folder)
        self.folder = folder
        self.marker = marker_of(base)
        self.localemr = LocalEmrProgram(places, base, folder / "localemr")
        extra = {"AIRFLOW__CORE__PARALLELISM": str(PARALLELISM)}
        self.programs = AirflowPrograms(places, base, HERE / "dags", extra)
        self.shared_clusters: list[str] = []
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

    def leftovers(self) -> list[str]:
        """What still runs although no task is left: asked again until it is nothing, or its time is up."""
        deadline = time.monotonic() + LEFTOVER_PATIENCE
        while (left := still_running(steps_by_stem(self.localemr.emr))) and time.monotonic() < deadline:
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
    waiting, under_way = list(runs), []
    deadline = time.monotonic() + PATIENCE
    while (waiting or under_way) and time.monotonic() < deadline:
        try:
            ahead = len(runs) - len(waiting) > len(runs) * killer.progress + AT_ONCE
            if waiting and len(under_way) < (ALWAYS if ahead else AT_ONCE):
                waiting[0].start(house.programs.airflow)
                under_way.append(waiting.pop(0))
            over = ended(house.programs.airflow) if under_way else set()
            under_way = [run for run in under_way if run.run_id not in over]
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
        chance, house.programs, house.localemr, deaths(RUNS, KILLS), local_emr_is_back=house.renew_cluster
    )
    print(f"\nchaos: {RUNS} runs, EMRKIT_CHAOS_SEED={SEED}")
    began = time.monotonic()
    unfinished = ends(runs, house, killer)
    seconds = time.monotonic() - began
    leftovers = house.leftovers()
    steps = steps_by_stem(house.localemr.emr)
    told = [witness(run, house.programs.airflow, steps, house.folder) for run in runs]
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
    assert unfinished == []
    assert wrong == []
    assert leftovers == []
    assert killer.over, "all that were to die found their death"
