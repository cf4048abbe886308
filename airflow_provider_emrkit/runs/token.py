"""Who a run is: a deterministic mark, so that a later try finds the work of an earlier one."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

from airflow_provider_emrkit.logs.text import clean_line

# EMR: names of clusters and steps, and values of tags.
MAX_NAME = 256
MAX_TAG_VALUE = 256
MARK = " emrkit:"

_NO_TAG_CHARACTER = re.compile(r"[^\w\s.:/=+\-@]")


@dataclass(frozen=True)
class RunToken:
    """Identity of one try of one task instance.

    Clearing a task raises its generation, so that the task runs again; an automatic retry does not, so that
    what the retry finds is the work of the same task.

    :param dag_id: DAG.
    :param run_id: DAG run.
    :param task_id: Task.
    :param map_index: Index in a mapped task, else -1.
    :param generation: Airflow's ``max_tries`` of the task instance, which clearing raises.
    :param try_number: Number of the try, from 1.

    >>> str(RunToken("sales", "manual__1", "load", -1, 0, 1))
    '947c01caf50f7b29-1'
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    generation: int
    try_number: int

    @property
    def stem(self) -> str:
        """What all automatic tries of the task instance have in common: 16 hex digits."""
        parts = [self.dag_id, self.run_id, self.task_id, self.map_index, self.generation]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def __str__(self) -> str:
        return f"{self.stem}-{self.try_number}"

    def marked(self, name: str | None = None) -> str:
        """Give a name for a step or cluster that carries the token, at most 256 characters.

        :param name: What people call it; by default the DAG and the task.
        """
        mark = f"{MARK}{self}"
        shown = clean_line(name or f"{self.dag_id}.{self.task_id}")
        return shown[: MAX_NAME - len(mark)] + mark

    def tags(self) -> dict[str, str]:
        """Give the tags of a cluster that is made for this run."""
        tags = {
            "emrkit:token": str(self),
            "emrkit:dag_id": self.dag_id,
            "emrkit:run_id": self.run_id,
            "emrkit:task_id": self.task_id,
            "emrkit:try_number": str(self.try_number),
        }
        if self.map_index >= 0:
            tags["emrkit:map_index"] = str(self.map_index)
        return {key: _NO_TAG_CHARACTER.sub("_", value)[:MAX_TAG_VALUE] for key, value in tags.items()}
