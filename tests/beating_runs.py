"""A run of a DAG whose job beats until it is ended, seen from Airflow and the process table."""

from __future__ import annotations

import abc
import uuid
from typing import TYPE_CHECKING, Any

from demo.environment import MARKER
from demo.processes import command_of, members

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.rest import Airflow

TASK_ID = "job"


class BeatingRun(abc.ABC):
    """One run, which is triggered at once.

    :param beats: Seconds that the job takes when nobody ends it.
    :param params: Further parameters of the DAG.
    """

    def __init__(self, airflow: Airflow, localemr: Any, dag_id: str, beats: int, **params: str) -> None:
        self.airflow = airflow
        self.localemr = localemr
        self.dag_id = dag_id
        self.label = f"label-{uuid.uuid4().hex[:12]}"
        self.run_id = f"beats-{uuid.uuid4().hex[:8]}"
        airflow.trigger(dag_id, self.run_id, {"label": self.label, "beats": beats, **params})

    @abc.abstractmethod
    def states(self) -> list[str]:
        """EMR's states of all that the task has submitted, the oldest first."""

    def task(self) -> dict[str, Any]:
        (task,) = self.airflow.tasks(self.dag_id, self.run_id)
        return task

    def processes(self) -> list[str]:
        """The command lines of the job's processes."""
        found = members((MARKER, self.localemr.base[MARKER]))
        return [line for line in (command_of(one.pid) for one in found) if self.label in line]

    def is_beating(self) -> bool:
        return any("beats.py" in line for line in self.processes()) and self.states()[-1:] == ["RUNNING"]

    def is_watched(self, try_number: int = 1) -> bool:
        """Whether a worker or, for a deferred task, a triggerer has told that the job runs."""
        return any("is RUNNING" in line for line in self.log(try_number))

    def wait_watched(self, wait_until: Callable[..., object], state: str) -> None:
        """Wait until the job beats and somebody watches it.

        :param state: Of the task then: ``running`` or ``deferred``.
        """
        wait_until(self.is_beating, "the job runs", 120)
        wait_until(lambda: self.task()["state"] == state, f"the task is {state}", 30)
        wait_until(self.is_watched, "it is watched", 60)

    def log(self, try_number: int = 1) -> list[str]:
        return [line.text for line in self.airflow.log(self.dag_id, self.run_id, TASK_ID, try_number)]

    def mark(self, state: str) -> None:
        self.airflow.set_task_state(self.dag_id, self.run_id, TASK_ID, state)

    def fail_run(self) -> None:
        self.airflow.fail_run(self.dag_id, self.run_id)

    def clear(self) -> None:
        body = {"dry_run": False, "dag_run_id": self.run_id, "task_ids": [TASK_ID], "only_failed": False}
        self.airflow._call("POST", f"/dags/{self.dag_id}/clearTaskInstances", body)
