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


# What a token looks like in the name of a step or cluster.
_MARKED = re.compile(
    r" emrkit:(?P<stem>[0-9a-f]{16})-(?P<generation>\d+)-(?P<try_number>\d+)(?:-(?P<relaunch>\d+))?$",
    re.ASCII,
)


@dataclass(frozen=True)
class Mark:
    """What the name of a step or cluster tells about the token it carries.

    :param stem: Identity of the task instance; see :attr:`RunToken.stem`.
    :param generation: Generation of the task instance that started it.
    :param try_number: Its try.
    :param relaunch: How often that try had started the job before.

    >>> Mark.of("sales.load emrkit:c66c9179a54ad449-0-1")
    Mark(stem='c66c9179a54ad449', generation=0, try_number=1, relaunch=0)
    """

    stem: str
    generation: int
    try_number: int
    relaunch: int = 0

    @classmethod
    def of(cls, name: str) -> Mark | None:
        """Read it from a name; None when emrkit did not give the name."""
        found = _MARKED.search(name)
        if found is None:
            return None
        numbers = (int(found[part] or 0) for part in ("generation", "try_number", "relaunch"))
        return cls(found["stem"], *numbers)

    def __str__(self) -> str:
        token = f"{self.stem}-{self.generation}-{self.try_number}"
        return f"{token}-{self.relaunch}" if self.relaunch else token


@dataclass(frozen=True)
class RunToken:
    """Identity of one attempt of one task instance.

    All attempts of a task instance have the stem in common. Clearing the task raises its generation, so that
    the task runs again; an automatic retry does not, so that the retry takes over the work of the try before
    it.

    :param dag_id: DAG.
    :param run_id: DAG run.
    :param task_id: Task.
    :param map_index: Index in a mapped task, else -1.
    :param generation: Airflow's ``max_tries`` of the task instance, which clearing raises.
    :param try_number: Number of the try, from 1.
    :param relaunch: How often this try has started the job before, because its cluster was lost.
    :param deployment: Name of the Airflow, where several share applications or clusters.

    >>> str(RunToken("sales", "manual__1", "load", -1, 0, 1))
    'c66c9179a54ad449-0-1'
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    generation: int
    try_number: int
    relaunch: int = 0
    deployment: str = ""

    @property
    def stem(self) -> str:
        """What all attempts of the task instance have in common: 16 hex digits."""
        parts = [self.dag_id, self.run_id, self.task_id, self.map_index]
        if self.deployment:
            parts.append(self.deployment)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    @property
    def mark(self) -> Mark:
        """What names that carry this token tell."""
        return Mark(self.stem, self.generation, self.try_number, self.relaunch)

    @property
    def yarn_tag(self) -> str:
        """The tag of the job's YARN application (``spark.yarn.tags``), by which it can be ended."""
        return f"emrkit-{self}"

    def __str__(self) -> str:
        return str(self.mark)

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
        if self.deployment:
            tags["emrkit:deployment"] = self.deployment
        return {key: _NO_TAG_CHARACTER.sub("_", value)[:MAX_TAG_VALUE] for key, value in tags.items()}
