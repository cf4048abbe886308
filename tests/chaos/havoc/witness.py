"""Collects what is known of the runs: from Airflow, from EMR, and from the marks that the jobs left."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from havoc.verdict import CLUSTER_GONE, FINAL, Execution, Step, TaskLog, Witnessed

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
_MARK = re.compile(r"execution ([0-9a-f]{32}) mark (\d+)$")
_BILLED = "Billed: "


@dataclass(frozen=True)
class Planned:
    """A run to be started.

    :param seconds: How long its job runs.
    :param expected: The state that its task must come to.
    :param map_index: Index of its task, where that is mapped.
    :param stop_after: Seconds after which a user marks its task as failed; None for never.
    """

    dag_id: str
    run_id: str
    seconds: float
    expected: str = "success"
    map_index: int = -1
    stop_after: float | None = None

    @property
    def is_serverless(self) -> bool:
        """Whether its jobs are job runs of EMR Serverless."""
        return "serverless" in self.dag_id

    @property
    def stem(self) -> str:
        """What the names of all its steps and clusters hold."""
        return RunToken(self.dag_id, self.run_id, TASK_ID, self.map_index, 0, 1).stem

    def start(self, airflow: Airflow) -> None:
        """Start it, unless it has been started."""
        exit_code = 0 if self.expected == "success" or self.stop_after is not None else 3
        try:
            airflow.trigger(self.dag_id, self.run_id, {"seconds": self.seconds, "exit_code": exit_code})
        except AirflowError as error:
            if error.status != _THERE_ALREADY:
                raise

    def stop(self, airflow: Airflow) -> None:
        """Mark its task as failed, as a user does."""
        airflow.set_task_state(self.dag_id, self.run_id, TASK_ID, "failed")

    def task(self, airflow: Airflow) -> dict[str, Any]:
        """Its task instance, as Airflow tells of it."""
        (task,) = airflow.tasks(self.dag_id, self.run_id)
        return task

    def tries(self, airflow: Airflow) -> list[dict[str, Any]]:
        """Its task instance at each of its tries."""
        path = f"/dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances/{TASK_ID}/tries"
        tries: list[dict[str, Any]] = airflow.get(path)["task_instances"]
        return tries


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


def job_runs_by_stem(serverless: Any) -> Mapping[str, Sequence[Step]]:
    """All job runs that emrkit ever started, by task instance, oldest first (ListJobRuns, GetJobRun)."""
    found: dict[str, list[Step]] = defaultdict(list)
    for application in applications(serverless):
        for page in serverless.get_paginator("list_job_runs").paginate(applicationId=application["id"]):
            for summary in page["jobRuns"]:
                mark = Mark.of(summary["name"])
                if mark is not None:
                    found[mark.stem].append(_job_run(serverless, application, summary["id"]))
    return {stem: sorted(runs, key=lambda run: run.created) for stem, runs in found.items()}


def applications(serverless: Any) -> list[Mapping[str, Any]]:
    """List the applications of EMR Serverless (ListApplications)."""
    pages = serverless.get_paginator("list_applications").paginate()
    return [application for page in pages for application in page["applications"]]


def _job_run(serverless: Any, application: Mapping[str, Any], job_run_id: str) -> Step:
    told = serverless.get_job_run(applicationId=application["id"], jobRunId=job_run_id)["jobRun"]
    return Step(
        cluster_id=application["id"],
        step_id=job_run_id,
        name=told["name"],
        state=told["state"],
        created=told["createdAt"].timestamp(),
        ended=_seconds(told.get("endedAt")),
        cluster_state=application["state"],
        cluster_ended=None,
        owned=False,
        vcpu_hours=(told.get("billedResourceUtilization") or {}).get("vCPUHour"),
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
        Execution(name, seen[0]["at"], seen[-1]["at"], seen[-1]["event"] == "end", seen[-1]["mark"])
        for name, seen in found.items()
    ]
    return sorted(told, key=lambda one: one.started)


def witness(
    planned: Planned,
    airflow: Airflow,
    steps: Mapping[str, Sequence[Step]],
    folder: Path,
    stopped: float | None = None,
    deaths: Sequence[tuple[float, str]] = (),
) -> Witnessed:
    """Put together what is known of a run.

    :param stopped: When a user ended its task.
    :param deaths: What was killed when, as the killer tells.
    """
    task = planned.task(airflow)
    result = _result(planned, airflow)
    return Witnessed(
        dag_id=planned.dag_id,
        run_id=planned.run_id,
        expected=planned.expected,
        state=str(task["state"]),
        tries=int(task["try_number"]),
        result_step=result.get("step_id") or result.get("job_run_id"),
        steps=steps.get(planned.stem, ()),
        executions=executions(folder / "marks" / f"{planned.run_id}.jsonl"),
        logs=_logs(planned, airflow, int(task["try_number"])) if planned.is_serverless else (),
        result_vcpu_hours=(result.get("cost") or {}).get("vcpu_hours"),
        stopped=stopped,
        unwatched=_unwatched(planned, airflow, deaths) if stopped else (),
    )


def _logs(planned: Planned, airflow: Airflow, tries: int) -> list[TaskLog]:
    """Read the logs of all tries as Airflow shows them."""
    found = []
    for number in range(1, tries + 1):
        lines = airflow.log(planned.dag_id, planned.run_id, TASK_ID, number)
        marks = [(match[1], int(match[2])) for line in lines if (match := _MARK.search(line.text))]
        raised = [line.error.partition(":")[0] for line in lines if _FAILED in line.text]
        billed = any(line.text.startswith(_BILLED) for line in lines)
        found.append(TaskLog(marks, raised[-1] if raised else "", billed))
    return found


def _unwatched(planned: Planned, airflow: Airflow, deaths: Sequence[tuple[float, str]]) -> list[float]:
    """When somebody died who watched the run: its worker, all workers, or the triggerer."""
    mine = [f"pid {one['pid']} " for one in planned.tries(airflow)]
    shared = ("scheduler:", "triggerer:") if "deferred" in planned.dag_id else ("scheduler:",)
    return [when for when, text in deaths if text.startswith(shared) or any(pid in text for pid in mine)]


def _result(planned: Planned, airflow: Airflow) -> Mapping[str, Any]:
    """Give the task's result; empty where it has none."""
    path = f"/dags/{planned.dag_id}/dagRuns/{planned.run_id}/taskInstances/{TASK_ID}/xcomEntries/return_value"
    try:
        value = airflow.get(f"{path}?deserialize=false&map_index={planned.map_index}")["value"]
    except AirflowError as error:
        if error.not_found:
            return {}
        raise
    told: Mapping[str, Any] = json.loads(value) if isinstance(value, str) else value
    return told


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
