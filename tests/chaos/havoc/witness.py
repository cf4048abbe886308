"""Collects what is known of the runs: from Airflow, from EMR, and from the marks that the jobs left."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from havoc.verdict import CLUSTER_GONE, FINAL, Execution, Step, Witnessed

from airflow_provider_emrkit.runs.token import Mark, RunToken
from demo.processes import all_processes, environment_of
from demo.rest import AirflowError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from demo.processes import Process
    from demo.rest import Airflow

TASK_ID = "job"
_THERE_ALREADY = 409
_PAGE = 100
# What Airflow writes into a task's log when the operator raises.
_FAILED = "Task failed with exception"


@dataclass(frozen=True)
class Planned:
    """A run to be started.

    :param seconds: How long its job runs.
    :param expected: The state that its task must come to.
    :param map_index: Index of its task, where that is mapped.
    """

    dag_id: str
    run_id: str
    seconds: float
    expected: str = "success"
    map_index: int = -1

    @property
    def stem(self) -> str:
        """What the names of all its steps and clusters hold."""
        return RunToken(self.dag_id, self.run_id, TASK_ID, self.map_index, 0, 1).stem

    def start(self, airflow: Airflow) -> None:
        """Start it, unless it has been started."""
        exit_code = 0 if self.expected == "success" else 3
        try:
            airflow.trigger(self.dag_id, self.run_id, {"seconds": self.seconds, "exit_code": exit_code})
        except AirflowError as error:
            if error.status != _THERE_ALREADY:
                raise

    def task(self, airflow: Airflow) -> dict[str, Any]:
        """Its task instance, as Airflow tells of it."""
        (task,) = airflow.tasks(self.dag_id, self.run_id)
        return task


def ended(airflow: Airflow) -> set[str]:
    """The runs that have ended, of all DAGs."""
    ids: set[str] = set()
    while True:
        page = airflow.get(f"/dags/~/dagRuns?state=success&state=failed&limit={_PAGE}&offset={len(ids)}")
        ids |= {run["dag_run_id"] for run in page["dag_runs"]}
        if len(page["dag_runs"]) < _PAGE:
            return ids


def steps_by_stem(emr: Any) -> Mapping[str, Sequence[Step]]:
    """All steps that emrkit ever submitted, by task instance, oldest first (ListClusters, ListSteps)."""
    found: dict[str, list[Step]] = defaultdict(list)
    for page in emr.get_paginator("list_clusters").paginate():
        for cluster in page["Clusters"]:
            for step in _steps(emr, cluster):
                mark = Mark.of(step.name)
                if mark is not None:
                    found[mark.stem].append(step)
    return {stem: sorted(steps, key=lambda step: step.created) for stem, steps in found.items()}


def _steps(emr: Any, cluster: Mapping[str, Any]) -> Iterator[Step]:
    for page in emr.get_paginator("list_steps").paginate(ClusterId=cluster["Id"]):
        for step in page["Steps"]:
            times = step["Status"]["Timeline"]
            yield Step(
                cluster_id=cluster["Id"],
                step_id=step["Id"],
                name=step["Name"],
                state=step["Status"]["State"],
                created=times["CreationDateTime"].timestamp(),
                ended=_seconds(times.get("EndDateTime")),
                cluster_state=cluster["Status"]["State"],
                cluster_ended=_seconds(cluster["Status"]["Timeline"].get("EndDateTime")),
                owned=Mark.of(cluster["Name"]) is not None,
            )


def _seconds(moment: Any) -> float | None:
    return None if moment is None else float(moment.timestamp())


def executions(marks: Path) -> Sequence[Execution]:
    """Read the marks of one run's jobs."""
    lines = [json.loads(line) for line in marks.read_text().splitlines()] if marks.exists() else []
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        found[line["execution"]].append(line)
    told = [
        Execution(name, seen[0]["at"], seen[-1]["at"], seen[-1]["event"] == "end")
        for name, seen in found.items()
    ]
    return sorted(told, key=lambda one: one.started)


def witness(
    planned: Planned, airflow: Airflow, steps: Mapping[str, Sequence[Step]], folder: Path
) -> Witnessed:
    """Put together what is known of a run."""
    task = planned.task(airflow)
    return Witnessed(
        dag_id=planned.dag_id,
        run_id=planned.run_id,
        expected=planned.expected,
        state=str(task["state"]),
        tries=int(task["try_number"]),
        result_step=_result_step(planned, airflow),
        steps=steps.get(planned.stem, ()),
        executions=executions(folder / "marks" / f"{planned.run_id}.jsonl"),
    )


def _result_step(planned: Planned, airflow: Airflow) -> str | None:
    path = f"/dags/{planned.dag_id}/dagRuns/{planned.run_id}/taskInstances/{TASK_ID}/xcomEntries/return_value"
    try:
        value = airflow.get(f"{path}?deserialize=false&map_index={planned.map_index}")["value"]
    except AirflowError as error:
        if error.not_found:
            return None
        raise
    told = json.loads(value) if isinstance(value, str) else value
    return str(told["step_id"])


def raised(logs: Path) -> Counter[str]:
    """Count the exceptions that tries ended with, by type, from the tasks' logs."""
    found: Counter[str] = Counter()
    for log in logs.rglob("attempt=*.log"):
        for line in log.read_text(errors="replace").splitlines():
            if _FAILED in line:
                found[str(json.loads(line)["error_detail"][0]["exc_type"])] += 1
    return found


def still_running(steps: Mapping[str, Sequence[Step]]) -> list[str]:
    """Name the steps, and the clusters made for one, that have not ended."""
    every = [step for some in steps.values() for step in some]
    return [
        f"{step.step_id} ({step.state}) on {step.cluster_id} ({step.cluster_state})"
        for step in every
        if step.state not in FINAL or (step.owned and step.cluster_state not in CLUSTER_GONE)
    ]


def step_processes(data: Path) -> list[Process]:
    """The processes of jobs of a local EMR, of one that is dead too: their home is below its folder."""
    return [one for one in all_processes() if environment_of(one.pid).get("HOME", "").startswith(f"{data}/")]
